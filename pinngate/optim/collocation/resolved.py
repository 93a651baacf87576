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
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
class Resolved:
    """F, on the rows of an equation or condition each.

    Attributes:
        parts: rows of a term, and Ψ_a of each axis, the last one varying fastest.
        ratio: ρ.
    """

    parts: Mapping[str, tuple[slice, Mapping[str, Tensor]]]
    ratio: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return F x for rows x (N, …)."""
        if self.ratio >= 1:
            return x
        found = x.clone()
        for rows, axes in self.parts.values():
            own = x[rows]
            found[rows] = self.ratio * own + (1 - self.ratio) * _projected(own, axes)
        return found

    def left_over(self, x: Tensor) -> dict[str, Tensor]:
        """Return Σ ((1 − Q_a) x)² of rows x (N,) at each node of each axis, (nodes,)."""
        found: dict[str, Tensor] = {}
        for own in self.left_over_by_term(x).values():
            for axis, square in own.items():
                found[axis] = found[axis] + square if axis in found else square
        return found

    def left_over_by_term(self, x: Tensor) -> dict[str, dict[str, Tensor]]:
        """Return the same for each term."""
        return {name: _left_over(x[rows], axes) for name, (rows, axes) in self.parts.items()}


def _left_over(x: Tensor, axes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found, values = {}, x.reshape([len(psi) for psi in axes.values()])
    for place, (axis, psi) in enumerate(axes.items()):
        along = values.movedim(place, 0).reshape(len(psi), -1)
        if len(psi) > 1:
            found[axis] = (along - psi @ (psi.T @ along)).square().sum(1)
    return found


def coordinates(x: Tensor, axes: Sequence[Tensor]) -> Tensor:
    """Return Ψᵀ x of rows x (Π nodes, …): (Π rank, …)."""
    found = x.reshape(*(len(psi) for psi in axes), math.prod(x.shape[1:]))
    for place in range(len(axes) - 1, -1, -1):  # the last axis first: its part may be a few lines
        before, after = found.shape[:place], found.shape[place + 1 :]
        lines = found.reshape(math.prod(before), len(axes[place]), math.prod(after))
        found = (axes[place].T @ lines).reshape(*before, axes[place].shape[1], *after)
    return found.reshape(math.prod(psi.shape[1] for psi in axes), *x.shape[1:])


def _projected(x: Tensor, axes: Mapping[str, Tensor]) -> Tensor:
    """Return the resolved part of x (Π nodes, …)."""
    found = coordinates(x, list(axes.values()))
    return coordinates(found, [psi.T for psi in axes.values()])
