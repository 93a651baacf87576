"""What linear equations and conditions leave free of a tensor basis.

With B (q, P) the rows of the physics that the basis can meet (`resolved`), at the coefficients c of
orthonormal functions, free are the directions in which values tell something beside the physics,

    |B c|² < PINNED · n · mean u²,   mean u² = |c|²/2^axes,

those of the smallest eigenvalues of BᵀB. They come from a Cholesky factorisation of it and a few
steps of inverse subspace iteration (G. Golub, C. Van Loan, Matrix Computations, 8.2), so that
neither the rank of B nor any gap need be known, and equations or conditions that say a thing twice
do no harm. The physics stays among the rows of the smaller problem: what is nearly free is weighed
there. Below `working_space`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.linear.jacobian import Batches, jacobian, row_weights
from pinngate.model.bases import TensorBasis
from pinngate.model.coefficients import Coefficients
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import Batch
from pinngate.optim.collocation.resolved import coordinates

PINNED = 100.0  # times what values say in all, from which the physics alone decides
SHIFT = 1e-14  # of columns of length one, so that BᵀB can be factorised
ITERATIONS = 3  # each gains the ratio of a pinned eigenvalue to a free one
SPARE = 20  # directions beyond those foreseen
TILE = 1024  # nodes at a time


@dataclass(frozen=True)
class Physics:
    """Equations and conditions on the nodes of a basis.

    Attributes:
        model: all terms.
        batches: their points.
        weights: of their rows.
        resolved: Ψ of each axis, by term.
        num_values: n, values times the square of their weight.
    """

    model: ResidualModel
    batches: Batches
    weights: RowWeights
    resolved: dict[str, Sequence[Tensor]]
    num_values: float


def free_directions(
    tensor: TensorBasis, coefficients: Coefficients, physics: Physics
) -> tuple[Tensor, Tensor] | None:
    """Return w₀ (P,) and Z (P, f) of a `TrefftzBasis`; None where half of all is free or more.

    Args:
        tensor: the basis, P weights but for its constants.
        coefficients: none that is unknown.
        physics: on its nodes.

    Cost: q P² for BᵀB and P³/3 to factorise it, then 12 f P²; q P + P² numbers.
    """
    with torch.no_grad():
        tensor.layer.weight.zero_()
        tensor.layer.bias.zero_()
    rows, sources = _resolved_rows(tensor, coefficients, physics)
    smoothing = torch.as_tensor(tensor.smoothing).repeat(tensor.num_outputs)
    scale = rows.norm(dim=0).clamp_min(1e-300)
    rows /= scale
    factor = _factorised(rows)
    limit = PINNED * physics.num_values / 2 ** len(tensor.functions)
    size = len(scale)
    to_orthonormal = (smoothing / scale)[:, None]
    free = _smallest(rows, factor, to_orthonormal, limit, max(size - len(rows), 0) + SPARE)
    if free is None:
        return None
    offset = torch.zeros(size, 1, dtype=rows.dtype)
    for _ in range(ITERATIONS):
        offset -= torch.cholesky_solve(rows.T @ (sources[:, None] + rows @ offset), factor)
    directions = torch.linalg.qr(free / scale[:, None]).Q
    offset /= scale[:, None]
    offset -= directions @ (directions.T @ offset)
    return offset[:, 0], directions


def _factorised(rows: Tensor) -> Tensor:
    """Return the Cholesky factor of BᵀB, whose columns have length one, shifted by rounding."""
    gram, shift = rows.T @ rows, SHIFT
    while True:
        gram.diagonal().add_(shift)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if not failed:
            return factor
        shift *= 10


def _smallest(
    rows: Tensor, factor: Tensor, to_orthonormal: Tensor, limit: float, count: int
) -> Tensor | None:
    """Return x of |B x|² < limit |c|², c a multiple of each x, (P, f); None for P/2 or more."""
    size = rows.shape[1]
    generator = torch.Generator().manual_seed(0)
    while 2 * count < size:
        found = torch.randn(size, count, generator=generator, dtype=rows.dtype)
        for _ in range(ITERATIONS):
            found = torch.linalg.qr(torch.cholesky_solve(found, factor)).Q
        triangle = torch.linalg.qr(to_orthonormal * found, mode="r").R
        found = torch.linalg.solve_triangular(triangle, found, upper=True, left=False)
        _, values, right = torch.linalg.svd(rows @ found, full_matrices=False)
        kept = values.square() < limit
        if not kept.all():
            return found @ right[kept].T
        count = math.ceil(1.5 * count)
    return None


def _resolved_rows(
    tensor: TensorBasis, coefficients: Coefficients, physics: Physics
) -> tuple[Tensor, Tensor]:
    """Return B (q, P) and what of the residual is left at zero fields, (q,)."""
    found, left = [], []
    names = list(physics.resolved)
    equations = [t.name for t in physics.model.terms if t.kind == "equation"]
    whole = [[name] for name in names if name not in equations]
    for group in [[n for n in names if n in equations], *whole]:
        if group:
            rows = _of_group(tensor, coefficients, physics, group)
            found += [own[:, :-1] for own in rows]
            left += [own[:, -1] for own in rows]
    return torch.cat(found), torch.cat(left)


def _of_group(
    tensor: TensorBasis, coefficients: Coefficients, physics: Physics, names: Sequence[str]
) -> list[Tensor]:
    """Return the resolved rows of terms at the same nodes, the residual last, (q, P + 1) each.

    Tiles are whole lines along the last axis: a line is projected at once, along the first axis
    its part is added.
    """
    empty = {name: batch.take(slice(0, 0)) for name, batch in physics.batches.items()}
    first, *others = physics.resolved[names[0]]
    line = math.prod(len(psi) for psi in others)
    step = max(1, TILE // line)
    whole: Batch = physics.batches[names[0]]
    size = tensor.num_outputs * len(tensor.members)
    found: list[Tensor] = []
    for start in range(0, len(first), step):
        points = whole.take(slice(start * line, (start + step) * line))
        batches = {**empty, **dict.fromkeys(names, points)}
        own = row_weights(physics.model, batches, physics.weights.by_term)
        jac, residual = jacobian(physics.model, tensor, coefficients, batches, own)
        tensor.forget()
        for k, name in enumerate(names):
            psi_first, *psi_others = physics.resolved[name]
            part = slice(start, start + step)
            rows = torch.cat([jac[:, :size], residual[:, None]], 1)[own.slices[name]]
            made = coordinates(rows, [psi_first[part], *psi_others])
            if start == 0:
                found.append(made)
            else:
                found[k] += made
    return found
