"""The fields of a direct fit as a trial space: a solver's solution and its tangents.

About the answer θ the solution is linear in δ,

    u(x; θ + δ) = u(x; θ) + Σ_j ∂u/∂θ_j δ_j,

so that tangents are the functions of a basis whose every member obeys the linearised equations
exactly. To everything downstream it is a network of a single linear layer, as `model.bases`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pinngate.expression import Expression
from pinngate.model.channels.plan import Orders
from pinngate.model.tangent_network import TangentNetwork
from pinngate.optim.direct_fit.through_solver import DirectFit
from pinngate.statement.derivatives import Derivative
from pinngate.statement.logarithmic_axes import in_axes
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
FREE = 1e3  # deviations of its own that the prior of what is free reaches


class SolvedFields(TangentNetwork):
    """δ ↦ fields, then fluxes, then the free variables of coefficient functions.

    Args:
        problem: the problem.
        fit: its direct fit; None before there is one: zero fields.
        sizes: of every unknown.
    """

    def __init__(self, problem: Problem, fit: DirectFit | None, sizes: Sequence[float]) -> None:
        nn.Module.__init__(self)
        self.problem, self.fit = problem, fit
        self.columns = None
        self.is_periodic = (False,) * len(problem.axes)
        self._hold_axes(list(problem.domain.values()), torch.float64)
        scale = [*sizes, *(1.0 for _ in (*problem.fluxes, *problem.coefficient_fields))]
        self.register_buffer("output_scale", torch.tensor(scale, dtype=torch.float64))
        self.scale = np.ones(1)
        if fit is not None:
            ridge, free = fit.rows.ridge, FREE * fit.deviations
            self.scale = np.where(ridge > 0, 1 / np.sqrt(np.where(ridge > 0, ridge, 1.0)), free)
            self.scale[fit.unknowns.scalars] = 1.0
        self._hold_numbers(len(self.scale))

    @property
    def unit(self) -> float:
        """Size of the unknowns alone."""
        sizes = self.output_scale[: len(self.problem.unknowns)]
        return float(sizes.square().mean().sqrt())

    def describe(self) -> dict[str, Any]:
        """Return how it was solved."""
        solver = "no solution yet" if self.fit is None else self.fit.description
        return {"solver": solver, "parameters": self.num_parameters}

    def values(self, points: Tensor, orders: Orders) -> tuple[Tensor, Tensor]:
        """Return ∂^α of every output along s, (N, F), and of its tangents, (N, F, M)."""
        if not any(orders[k] for k in self.logarithmic):
            return self._along_axes(points, orders)
        values, slopes = [], []
        for own, factor in in_axes(orders, self.logarithmic):
            scale = factor * torch.prod(points ** torch.tensor(_kept(own, self.logarithmic)), 1)
            value, slope = self._along_axes(points, own)
            values.append(scale[:, None] * value)
            slopes.append(scale[:, None, None] * slope)
        return torch.stack(values).sum(0), torch.stack(slopes).sum(0)

    def _along_axes(self, points: Tensor, orders: Orders) -> tuple[Tensor, Tensor]:
        """Return the same along the axes themselves."""
        if self.fit is None:
            nothing = points.new_zeros(len(points), self.num_outputs)
            return nothing, nothing[:, :, None]
        fit, places = self.fit, points.detach().double().cpu().numpy()
        found = [fit.derivative(Derivative(f, orders), places) for f in self.problem.unknowns]
        found += [self._flux(fit, flux.inside, orders, places) for flux in self.problem.fluxes]
        found += [self._free(fit, name, orders, places) for name in fit.unknowns.functions]
        values = torch.as_tensor(np.stack([value for value, _ in found], 1))
        slopes = torch.as_tensor(np.stack([slope for _, slope in found], 1) * self.scale)
        return values, slopes

    def _flux(
        self, fit: DirectFit, inside: Expression, orders: Orders, places: Array
    ) -> tuple[Array, Array]:
        """Return the inside of a bracket and its tangents.

        Zeros in place of its derivatives: equations alone name them, and those hold already.
        """
        if sum(orders):
            return np.zeros(len(places)), np.zeros((len(places), fit.unknowns.count))
        return fit.flux(inside, places)

    def _free(
        self, fit: DirectFit, name: str, orders: Orders, places: Array
    ) -> tuple[Array, Array]:
        """Return the free variable of a coefficient function, and its tangents."""
        unknowns = fit.unknowns
        block, axis = unknowns.functions[name], self.problem.axes.index(unknowns.over(name))
        slopes = np.zeros((len(places), unknowns.count))
        if block.basis is not None and sum(orders) == orders[axis]:
            slopes[:, block.part] = block.basis(places[:, axis], orders[axis])
        return slopes @ fit.theta, slopes


def _kept(orders: Orders, columns: Sequence[int]) -> list[int]:
    """Return the orders along some axes, zero along others."""
    return [order if k in columns else 0 for k, order in enumerate(orders)]
