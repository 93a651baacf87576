"""The part of a residual that a tensor basis can be asked to do away with.

Derivatives of order m along an axis map n functions of the axis onto n − m. A field of Π n_a
functions can meet an equation on the products of those, Π (n_a − m_a) combinations of its residual
(Petrov–Galerkin), and keeps as many degrees of freedom as the equation has data on the boundary.
What is left of the residual is not resolved: driven to zero by a weight, it would take the solution
with it long before its own error matters. So the weight of exact physics falls on the resolved
part,

    F r = ρ r + (1 − ρ) Π_a Q_a r,   Q_a = Ψ_a Ψ_aᵀ

with Ψ_a the derivatives of order m_a of the functions of the axis, orthonormal on its nodes, and ρ
the weight of the physics at the reference beside its present one. Along a periodic axis derivatives
lose the constant; it stays resolved where the equation holds a field that is not differentiated
along any such axis, as k T in T_t = k (m − T), which ties m to the mean of T.

Where the fields have a part Λ of the products, Q is that onto the products ψ_j of which each
derivative ∂^α of the equation can make one, j + α ∈ Λ; of all products these are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pinngate.model.axis_functions import AxisFunctions


def resolved_on(functions: AxisFunctions, order: int) -> Tensor:
    """Return Ψ (nodes, rank) of an axis: an orthonormal basis of derivatives on its nodes.

    One direction more than derivatives span, of rounding, would be a condition that no field meets.
    """
    points, weights = functions.nodes()
    rows = np.sqrt(weights)[:, None] * functions.derivatives(points, order)
    return torch.as_tensor(np.ascontiguousarray(np.linalg.qr(rows)[0]))


@dataclass(frozen=True)
class ResolvedSpace:
    """What the residual of one equation or condition is asked to be orthogonal to.

    Attributes:
        axes: Ψ_a of each axis, the last one varying fastest.
        kept: which products of them, (rank of the first axis, ranks of the others, all together).
    """

    axes: Mapping[str, Tensor]
    kept: Tensor

    @classmethod
    def of(cls, axes: Mapping[str, Tensor], kept: Tensor | None = None) -> ResolvedSpace:
        """Return the space of products of Ψ_a, of all or of those kept (ranks of each axis)."""
        ranks = [psi.shape[1] for psi in axes.values()]
        found = torch.ones(ranks, dtype=torch.bool) if kept is None else kept
        return cls(axes, found.reshape(ranks[0], -1))

    @cached_property
    def is_whole(self) -> bool:
        """Whether all products are kept."""
        return bool(self.kept.all())

    def coordinates(self, x: Tensor, part: slice = slice(None)) -> Tensor:
        """Return Ψᵀ x (products, …) of rows x (Π nodes, …) at a part of the first axis's nodes."""
        first, *others = self.axes.values()
        if self.is_whole:
            return _coordinates(x, [first[part], *others])
        lines = _coordinates(x, [None, *others])
        lines = lines.reshape(len(first[part]), self.kept.shape[1], *x.shape[1:])
        found = [
            torch.tensordot(along, lines[:, kept], 1)
            for along, kept in zip(first[part].T, self.kept, strict=True)
        ]
        return torch.cat(found)

    def projected(self, x: Tensor) -> Tensor:
        """Return the part of x (Π nodes, …) in the space."""
        found = _coordinates(x, list(self.axes.values()))
        found[~self.kept.flatten()] = 0.0
        return _coordinates(found, [psi.T for psi in self.axes.values()])

    def left_over(self, x: Tensor) -> dict[str, Tensor]:
        """Return Σ ((1 − Q_a) (1 − Q) x)² of x (Π nodes,) at each node of each axis, (nodes,).

        Q_a has the functions of the axis up to the largest box of which all products are kept.
        """
        if not self.is_whole:
            x = x - self.projected(x)
        found, values = {}, x.reshape([len(psi) for psi in self.axes.values()])
        for place, (axis, psi) in enumerate(self.axes.items()):
            along = values.movedim(place, 0).reshape(len(psi), -1)
            if len(psi) > 1:
                own = psi[:, : self._box[place]]
                found[axis] = (along - own @ (own.T @ along)).square().sum(1)
        return found

    @cached_property
    def _box(self) -> list[int]:
        """Functions of each axis in the largest box, of like sides, inside what is kept."""
        ranks = [psi.shape[1] for psi in self.axes.values()]
        kept, most = self.kept.reshape(ranks), max(ranks)
        boxes = ([max(1, rank * k // most) for rank in ranks] for k in range(most, 0, -1))
        inside = (box for box in boxes if kept[tuple(n - 1 for n in box)])
        return next(inside, [1] * len(ranks))


@dataclass(frozen=True)
class Resolved:
    """F, on the rows of an equation or condition each.

    Attributes:
        parts: rows of a term, and its space.
        ratio: ρ.
    """

    parts: Mapping[str, tuple[slice, ResolvedSpace]]
    ratio: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return F x for rows x (N, …)."""
        if self.ratio >= 1:
            return x
        found = x.clone()
        for rows, space in self.parts.values():
            own = x[rows]
            found[rows] = self.ratio * own + (1 - self.ratio) * space.projected(own)
        return found

    def left_over(self, x: Tensor) -> dict[str, Tensor]:
        """Return `ResolvedSpace.left_over` of rows x (N,), summed over the terms."""
        found: dict[str, Tensor] = {}
        for own in self.left_over_by_term(x).values():
            for axis, square in own.items():
                found[axis] = found[axis] + square if axis in found else square
        return found

    def left_over_by_term(self, x: Tensor) -> dict[str, dict[str, Tensor]]:
        """Return the same for each term."""
        return {name: space.left_over(x[rows]) for name, (rows, space) in self.parts.items()}


def _coordinates(x: Tensor, axes: Sequence[Tensor | None]) -> Tensor:
    """Return Ψᵀ x of rows x (Π nodes, …): (Π rank, …); None is an axis that stays as it is."""
    length = len(x) // math.prod(len(psi) for psi in axes if psi is not None)
    found = x.reshape(
        *(length if psi is None else len(psi) for psi in axes), math.prod(x.shape[1:])
    )
    for place in range(len(axes) - 1, -1, -1):  # the last axis first: its part may be a few lines
        psi = axes[place]
        if psi is None:
            continue
        before, after = found.shape[:place], found.shape[place + 1 :]
        lines = found.reshape(math.prod(before), len(psi), math.prod(after))
        found = (psi.T @ lines).reshape(*before, psi.shape[1], *after)
    return found.reshape(math.prod(found.shape[:-1]), *x.shape[1:])
