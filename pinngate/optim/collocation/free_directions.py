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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import Batches, jacobian, row_weights
from pinngate.model.bases import TensorBasis
from pinngate.model.row_weights import RowWeights
from pinngate.optim.collocation.resolved import ResolvedSpace
from pinngate.optim.collocation.unmet_physics import Gains, gains

PINNED = 100.0  # times what values say in all, from which the physics alone decides
TILE = 1024  # nodes at a time


@dataclass(frozen=True)
class Physics:
    """Equations and conditions on the nodes of a basis.

    Attributes:
        trial: all terms, the basis, and coefficients of which none is unknown.
        batches: points of the terms.
        weights: of their rows.
        resolved: what each term is asked to be orthogonal to.
        num_values: n, values times the square of their weight.
    """

    trial: Trial
    batches: Batches
    weights: RowWeights
    resolved: Mapping[str, ResolvedSpace]
    num_values: float


@dataclass(frozen=True)
class Constraint:
    """What a constrained basis is made of.

    Attributes:
        offset: w₀ (P,), see `TrefftzBasis`.
        directions: Z (P, f), smooth ones first.
        gains: by which unmet physics is told as an error of the fields.
    """

    offset: Tensor
    directions: Tensor
    gains: Gains


def constraint(
    tensor: TensorBasis, axes: tuple[str, ...], physics: Physics, reference: RowWeights
) -> Constraint | None:
    """Return what the physics leaves free of a basis; None where that is half of it or more.

    Args:
        tensor: the basis, P weights but for its constants, which are lost.
        axes: their names.
        physics: on its nodes.
        reference: weights of the rows in which misfits are told.

    Cost: q P² for BᵀB and P³/3 to factorise it, then 12 f P²; q P + P² numbers.
    """
    free = _free(tensor, physics)
    if free is None:
        return None
    return Constraint(*free, gains(physics.trial, tensor, axes, physics.batches, reference))


def _free(tensor: TensorBasis, physics: Physics) -> tuple[Tensor, Tensor] | None:
    """Return w₀ (P,) and Z (P, f)."""
    with torch.no_grad():
        tensor.layer.weight.zero_()
        tensor.layer.bias.zero_()
    rows, sources = _resolved_rows(tensor, physics)
    smoothing = torch.as_tensor(tensor.smoothing).repeat(tensor.num_outputs)
    if not bool(torch.isfinite(rows).all() and rows.any()):
        return None
    norms = rows.norm(dim=0) / smoothing
    floor = math.sqrt(torch.finfo(rows.dtype).eps) * norms.max()
    scale = smoothing * norms.clamp_min(floor)  # functions that the physics does not see stay small
    rows /= scale
    factor = _factorised(rows)
    limit = PINNED * physics.num_values / 2 ** len(tensor.functions)
    free = _smallest(rows, factor, (smoothing / scale)[:, None], limit)
    if free is None:
        return None
    offset = torch.zeros(len(scale), 1, dtype=rows.dtype)
    for _ in range(2):  # the second time for what the shift has left
        offset -= torch.cholesky_solve(rows.T @ (sources[:, None] + rows @ offset), factor)
    directions = torch.linalg.qr(free / scale[:, None]).Q
    smooth = smoothing[:, None] * directions
    directions = directions @ torch.linalg.eigh(smooth.T @ smooth).eigenvectors.flip(1)
    offset /= scale[:, None]
    offset -= directions @ (directions.T @ offset)
    return offset[:, 0], directions


def _factorised(rows: Tensor) -> Tensor:
    """Return the Cholesky factor of BᵀB, columns of length one at most, shifted by rounding."""
    gram = rows.T @ rows
    shift = torch.finfo(rows.dtype).eps
    while True:
        gram.diagonal().add_(shift)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if not failed:
            return factor
        shift *= 2


def _smallest(rows: Tensor, factor: Tensor, to_orthonormal: Tensor, limit: float) -> Tensor | None:
    """Return x of |B x|² < limit |c|², c a multiple of each x, (P, f); None for P/2 or more."""
    size = rows.shape[1]
    count = max(size - len(rows), 0) + math.isqrt(size)
    generator = torch.Generator().manual_seed(0)
    while 2 * count < size:
        found = torch.randn(size, count, generator=generator, dtype=rows.dtype)
        for _ in range(2):  # each gains the ratio of a pinned eigenvalue to a free one
            found = torch.linalg.qr(torch.cholesky_solve(found, factor)).Q
        triangle = torch.linalg.qr(to_orthonormal * found, mode="r").R
        found = torch.linalg.solve_triangular(triangle, found, upper=True, left=False)
        _, values, right = torch.linalg.svd(rows @ found, full_matrices=False)
        kept = values.square() < limit
        kept[-1] = True  # where the physics says all, the direction of which it says least
        if not kept.all():
            return found @ right[kept].T
        count *= 2
    return None


def _resolved_rows(tensor: TensorBasis, physics: Physics) -> tuple[Tensor, Tensor]:
    """Return B (q, P) and what of the residual is left at zero fields, (q,)."""
    equations = [t.name for t in physics.trial.model.terms if t.kind == "equation"]
    names = list(physics.resolved)
    groups = [[n for n in names if n in equations], *([n] for n in names if n not in equations)]
    found = [own for group in groups if group for own in _of_group(tensor, physics, group)]
    return torch.cat([own[:, :-1] for own in found]), torch.cat([own[:, -1] for own in found])


def _of_group(tensor: TensorBasis, physics: Physics, names: Sequence[str]) -> list[Tensor]:
    """Return the resolved rows of terms at the same nodes, the residual last, (q, P + 1) each.

    Tiles are whole lines along the last axis: a line is projected at once, along the first axis
    its part is added.
    """
    model, _, coefficients = physics.trial
    empty = {name: batch.take(slice(0, 0)) for name, batch in physics.batches.items()}
    first, *others = physics.resolved[names[0]].axes.values()
    line = math.prod(len(psi) for psi in others)
    step = max(1, TILE // line)
    size = tensor.num_outputs * len(tensor.members)
    found: list[Tensor] = []
    for start in range(0, len(first), step):
        points = physics.batches[names[0]].take(slice(start * line, (start + step) * line))
        batches = {**empty, **dict.fromkeys(names, points)}
        own = row_weights(model, batches, physics.weights.by_term)
        jac, residual = jacobian(model, tensor, coefficients, batches, own)
        tensor.kept.clear()
        rows = torch.cat([jac[:, :size], residual[:, None]], 1)
        made = [
            physics.resolved[name].coordinates(rows[own.slices[name]], slice(start, start + step))
            for name in names
        ]
        found = made if start == 0 else [a.add_(b) for a, b in zip(found, made, strict=True)]
    return found
