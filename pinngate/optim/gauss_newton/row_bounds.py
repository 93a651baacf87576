"""Values that are bounds, as rows of a term: working residuals, their roots and their counts.

Between the mathematics of bounds (`data.censoring`) and `data_noise`. A row of residual ρ and slope
w at the plain residual r is a root w on the shifted residual r − (r − ρ/w): reweighted least
squares, held during a step, as it is where noise follows the fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.data.censoring import Censoring, likeliest_std
from pinngate.linear.jacobian import Batches
from pinngate.model.row_weights import ROW, RowWeights


class RowBounds:
    """The bounds of the terms that have some.

    Args:
        bounds: by term, with the scale of the term's residuals in data units.

    Attributes:
        sizes: standard deviation of each of the terms, in the rows' units, as far as it is known.
    """

    def __init__(self, bounds: Mapping[str, tuple[Censoring, float]]) -> None:
        self._bounds = dict(bounds)
        self._sides: dict[str, NDArray[np.float64]] = {}
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
        told = (
            torch.ones_like(plain),
            torch.zeros_like(plain),
            torch.ones_like(plain),
            torch.ones_like(plain, dtype=torch.bool),
        )
        for name in self._bounds:
            self._follow(name, batches[name].columns, plain, weights, told)
        slopes, shifts, tallies, free = told
        roots = slopes if weights.roots is None else slopes * weights.roots
        return replace(weights, roots=roots, shifts=shifts, tallies=tallies, free=free)

    def _follow(
        self,
        name: str,
        columns: Mapping[str, Tensor],
        plain: Tensor,
        weights: RowWeights,
        told: tuple[Tensor, Tensor, Tensor, Tensor],
    ) -> None:
        """Let the rows of a term say of their bounds what they do at the present fit."""
        censoring, scale = self._bounds[name]
        rows, own = weights.slices[name], plain[weights.slices[name]]
        values = columns["@value"].double().cpu().numpy()
        self._sides[name] = sides = censoring.sides(values)
        residual = own.double().cpu().numpy()
        if name not in self.sizes:
            self.sizes[name] = likeliest_std(sides, residual, float(own.std()) or 1.0)
        unit = scale / (weights.by_term[name] * columns[ROW].double().cpu().numpy())
        found = censoring.rows(values, unit * residual, unit * self.sizes[name])
        shift = residual - found.residual / unit / found.slope
        arrays = (found.slope, shift, found.count, found.is_free)
        for tensor, array in zip(told, arrays, strict=True):
            tensor[rows] = torch.as_tensor(array).to(tensor)

    def likeliest(self, name: str, plain: Tensor, leverage: Tensor) -> float:
        """Return the likeliest standard deviation of a term.

        Args:
            name: of the term.
            plain: its residuals without shifts and roots, (n,).
            leverage: of its rows, (n,).
        """
        sides, residual = self._sides[name], plain.double().cpu().numpy()
        start = self.sizes.get(name, math.sqrt(float(plain.square().mean())))
        return likeliest_std(sides, residual, start, float(leverage.sum()))


__all__ = ["RowBounds"]
