"""The empirical tangent kernel K = J Jᵀ of anything that has outputs and weights.

J is the Jacobian of the outputs, one row for each output of each example, over the weights. Up to
`EXACT_ROWS` rows the kernel is formed and decomposed; above, its leading eigenvectors come from
Lanczos iterations on products with J and Jᵀ, each checked by its own residual. Nothing here knows
of networks of this package: any `torch.nn.Module` that treats examples one by one will do.

Source: A. Jacot, F. Gabriel, C. Hongler, arXiv 1806.07572; its empirical form along training, E.
Litman and G. Guo, arXiv 2605.01172.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vjp, vmap

from pinngate.errors import InputError, SolveError

EXACT_ROWS = 2000  # rows up to which an eigendecomposition takes seconds and 100 MB
LANCZOS_START = 0  # seed of the first vector, so that the same kernel gives the same digits
CHECK = 1e-6  # most of ‖K v − λ v‖ / λ₁ that a Lanczos pair may have


@dataclass(frozen=True)
class Eigenpairs:
    """Leading eigenvalues, largest first, and their eigenvectors.

    Attributes:
        values: λ (k,), squared output units per squared weight unit.
        vectors: (N, k), orthonormal columns.
        error: the largest ‖K v − λ v‖ / λ₁ over the pairs.
        is_exact: whether the whole kernel was decomposed.
    """

    values: Tensor
    vectors: Tensor
    error: float
    is_exact: bool


def module_jacobian(module: nn.Module, inputs: Tensor) -> Tensor:
    """Return J (n·outputs, P) of a module's outputs over its trainable weights.

    Args:
        module: maps (n, …) to (n, …) example by example: no normalisation over the batch.
        inputs: (n, …).

    Rows run over the outputs of the first example, then of the second; columns over
    `module.parameters()` that require a gradient, in their order.

    Raises:
        InputError: the module has no trainable weight.

    Cost: one backward pass for each output, vectorised; n·outputs·P numbers.
    """
    trained, held = _weights(module)

    def one(weights: Mapping[str, Tensor], example: Tensor) -> Tensor:
        output = functional_call(module, {**held, **weights}, (example[None],))
        return torch.as_tensor(output).reshape(-1)

    by_weight = vmap(jacrev(one), in_dims=(None, 0))(trained, inputs)
    parts = [by_weight[name].flatten(0, 1).flatten(1) for name in trained]
    return torch.cat(parts, 1).detach()


def module_kernel(module: nn.Module, inputs: Tensor) -> LinearOperator:
    """Return K as an operator of the shape (N, N): products only, nothing of its size is formed.

    Args: as of `module_jacobian`.

    Cost of a product: two backward passes over all examples.
    """
    trained, held = _weights(module)

    def outputs(weights: Mapping[str, Tensor]) -> Tensor:
        return torch.as_tensor(functional_call(module, {**held, **weights}, (inputs,))).reshape(-1)

    def one_pass(function: Callable[..., Tensor]) -> Any:
        return vjp(function, trained)

    def pulled_back(weighing: Tensor) -> dict[str, Tensor]:
        _, back = one_pass(outputs)
        (found,) = back(weighing)
        return dict(found)

    value, _ = one_pass(outputs)

    def product(vector: np.ndarray) -> np.ndarray:
        weighing = torch.as_tensor(vector.reshape(-1)).to(value)
        # w ↦ Jᵀ w is linear, and J is its own pull-back: no forward mode is needed
        pair: Any = vjp(pulled_back, weighing)
        direction, forth = pair
        found: np.ndarray = forth(direction)[0].detach().double().cpu().numpy()
        return found

    return LinearOperator((len(value), len(value)), matvec=product, dtype=np.float64)


def _weights(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the trainable weights by name, and everything else the module reads."""
    named = dict(module.named_parameters())
    trained = {name: p.detach() for name, p in named.items() if p.requires_grad}
    if not trained:
        raise InputError(
            "the module has no trainable weight",
            expected="a tangent kernel is taken over weights that require a gradient",
        )
    held = {name: p.detach() for name, p in named.items() if not p.requires_grad}
    return trained, held | dict(module.named_buffers())


def leading(kernel: Tensor | LinearOperator, count: int) -> Eigenpairs:
    """Return the leading eigenpairs of a kernel (N, N), exactly for at most `EXACT_ROWS` rows.

    Args:
        kernel: symmetric and without negative eigenvalues; a matrix, or products with it.
        count: how many pairs; all where N is less.

    Raises:
        SolveError: a pair of Lanczos fails its check.

    Cost: N³ for a small matrix, else some ten `count` products.
    """
    size = kernel.shape[0]
    if isinstance(kernel, Tensor) and size <= EXACT_ROWS:
        return exact_pairs(kernel, count)
    if isinstance(kernel, Tensor):
        matrix = kernel

        def product(vector: np.ndarray) -> np.ndarray:
            found: np.ndarray = (matrix @ torch.as_tensor(vector).to(matrix)).cpu().numpy()
            return found

        kernel = LinearOperator((size, size), matvec=product, dtype=np.float64)
    return lanczos_pairs(kernel, min(count, size - 1))


def exact_pairs(kernel: Tensor, count: int) -> Eigenpairs:
    """Return the leading pairs of a formed kernel from its whole eigendecomposition. Cost: N³."""
    values, vectors = torch.linalg.eigh(kernel)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    error = (kernel @ vectors - vectors * values).norm(dim=0).max() / values[0].clamp_min(1e-300)
    return Eigenpairs(values, vectors, float(error), is_exact=True)


def lanczos_pairs(kernel: LinearOperator, count: int, check: float = CHECK) -> Eigenpairs:
    """Return the leading pairs by implicitly restarted Lanczos, each checked by one product.

    Raises:
        SolveError: the iteration does not converge, or ‖K v − λ v‖ > check·λ₁ for a pair: the
            spectrum is then flatter than so many vectors resolve.
    """
    start = np.random.default_rng(LANCZOS_START).standard_normal(kernel.shape[0])
    try:
        values, vectors = eigsh(kernel, k=count, which="LA", v0=start)
    except ArpackNoConvergence as error:
        raise SolveError(f"Lanczos iterations do not converge ({error})") from None
    values, vectors = values[::-1].copy(), vectors[:, ::-1].copy()
    products = np.stack([kernel.matvec(column) for column in vectors.T], axis=1)
    worst = float(
        np.linalg.norm(products - vectors * values, axis=0).max() / max(values[0], 1e-300)
    )
    if not worst <= check:
        raise SolveError(f"a Lanczos eigenpair misses its equation by {worst:.1e} of the largest")
    pairs = torch.from_numpy(values), torch.from_numpy(vectors)
    return Eigenpairs(*pairs, worst, is_exact=False)


def block_kernels(
    jacobian: Tensor, blocks: Mapping[str, slice], joint: str = "joint"
) -> dict[str, Tensor]:
    """Return K of each block of rows of J (N, P), and of all rows under the name `joint`.

    The blocks of the wave problem are its equations, conditions and observations: each is what the
    optimizer would see were the others not there.
    """
    whole = jacobian @ jacobian.T
    return {name: whole[rows, rows] for name, rows in blocks.items()} | {joint: whole}


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the principal angles between two subspaces, in radians, smallest first, (k,).

    Args:
        first, second: orthonormal columns (N, k).

    Source: Å. Björck and G. H. Golub, Math. Comp. 27 (1973): cosines are the singular values of
    firstᵀ second; sines, of the part of `second` outside `first`, are taken for small angles.
    """
    overlap = first.T @ second
    cosines = torch.linalg.svdvals(overlap).clamp(0, 1)
    sines = torch.linalg.svdvals(second - first @ overlap).clamp(0, 1).flip(0)
    return torch.where(cosines.square() < 0.5, torch.arccos(cosines), torch.arcsin(sines))


def operator_drift(kernel: Tensor, reference: Tensor) -> float:
    """Return ‖K − K_ref‖₂ / ‖K_ref‖₂ in the operator norm; 0 is the lazy, frozen-kernel regime."""
    change: Callable[[Tensor], Tensor] = torch.linalg.eigvalsh
    return float(change(kernel - reference).abs().max() / change(reference).abs().max())
