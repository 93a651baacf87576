"""Values that are bounds, as rows of a term: working residuals, their roots and their counts.

Between the mathematics of bounds (`data.censoring`) and `data_noise`. A row of deviance residual
ρσ and slope w = ∂(ρσ)/∂r is a root w on the shifted residual r − (r − ρσ/w): reweighted least
squares, held during a step, as it is where noise follows the fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pinngate.data.censoring import Censoring, likeliest_std, rows_of
from pinngate.linear.jacobian import Batches
from pinngate.model.row_weights import RowWeights


class RowBounds:
    """The bounds of the terms that have some.

    Args:
        bounds: by term.

    Attributes:
        sizes: standard deviation of each of the terms, in the rows' units, as far as it is known.
    """

    def __init__(self, bounds: Mapping[str, Censoring]) -> None:
        self._bounds = dict(bounds)
        self._sides: dict[str, Tensor] = {}
        self.sizes: dict[str, float] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._bounds

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def applied(self, batches: Batches, plain: Tensor, weights: RowWeights) -> RowWeights:
        """Return weights with shifts, roots and tallies of the values that are bounds.

        Args:
            batches: points and data of every term.
            plain: residuals of all terms, (N,).
            weights: with roots.
        """
        if not self:
            return weights
        shifts, tallies = torch.zeros_like(plain), torch.ones_like(plain)
        found = replace(weights, shifts=shifts, tallies=tallies)
        for name in self._bounds:
            self._follow(name, batches[name].columns["@value"], plain, found)
        return found

    def _follow(self, name: str, values: Tensor, plain: Tensor, weights: RowWeights) -> None:
        """Let the rows of a term say of their bounds what they do at the present fit."""
        rows = weights.slices[name]
        sides = self._bounds[name].sides(values.double().cpu().numpy())
        self._sides[name] = torch.as_tensor(sides)
        residual = plain[rows].double().cpu().numpy()
        if name not in self.sizes:
            self.sizes[name] = likeliest_std(sides, residual, float(plain[rows].std()) or 1.0)
        found = rows_of(sides, residual, np.full(len(sides), self.sizes[name]))
        slope = torch.as_tensor(found.slope).to(plain)
        assert weights.roots is not None
        assert weights.shifts is not None
        assert weights.tallies is not None
        weights.roots[rows] *= slope
        weights.shifts[rows] = plain[rows] - torch.as_tensor(found.residual).to(plain) / slope
        weights.tallies[rows] = torch.as_tensor(found.count).to(plain)

    def likeliest(self, name: str, plain: Tensor, leverage: Tensor) -> float:
        """Return the likeliest standard deviation of a term.

        Args:
            name: of the term.
            plain: its residuals without shifts and roots, (n,).
            leverage: of its rows, (n,).
        """
        sides, residual = self._sides[name].numpy(), plain.double().cpu().numpy()
        start = self.sizes.get(name, math.sqrt(float(plain.square().mean())))
        return likeliest_std(sides, residual, start, float(leverage.sum()))


__all__ = ["RowBounds"]
