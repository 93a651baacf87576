"""Functions of one axis whose weights are searched for, with a ridge that measures their roughness.

Below `unknowns`. They are modes of a beam, free or held at its ends, or trigonometric where the
axis is periodic (`model.axis_functions`), each divided by 1 + ω², so that a ridge on the weights is
a Sobolev norm of order two, that of a cubic smoothing spline, and one times a power of 1 + ω² is
of another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, null_space

from pinngate.model.axis_functions import AxisFunctions, Splines, Trigonometric
from pinngate.optim.direct_fit.positive_map import PositiveMap
from pinngate.statement.axis_bounds import half_length, is_logarithmic
from pinngate.statement.axis_places import at_share, share_at
from pinngate.statement.logarithmic_axes import falling
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

SPLINE = 2.0  # order of the Sobolev norm of a cubic smoothing spline


@dataclass(frozen=True)
class AxisBasis:
    """Functions of one axis between bounds, constant beyond them.

    Attributes:
        functions: on [−1, 1], m of them.
        bounds: of the axis.
        stiffness: 1 + ω² of each combination of them that is a function here, (count,).
        mixing: those combinations, each divided by its stiffness, (m, count).
    """

    functions: AxisFunctions
    bounds: tuple[float, float]
    stiffness: Array = field(repr=False)
    mixing: Array = field(repr=False)

    @classmethod
    def of(
        cls,
        problem: Problem,
        axis: str,
        num_breaks: int,
        zeros: Sequence[float] = (),
        bounds: tuple[float, float] | None = None,
    ) -> AxisBasis:
        """Return the functions of one axis of a problem, zero at some places.

        Args:
            problem: whose domain it is.
            axis: one of it.
            num_breaks: between which they are splines.
            zeros: the places.
            bounds: those of the domain where not given.
        """
        functions: AxisFunctions
        if axis in problem.periodic:
            functions = Trigonometric(num_breaks | 1)
        else:
            functions = Splines(np.linspace(-1, 1, num_breaks).tolist())
        stiffness = 1 + functions.frequencies**2
        whole = cls(functions, bounds or problem.domain[axis], stiffness, np.diag(1 / stiffness))
        return whole._held(zeros) if zeros else whole

    def _held(self, zeros: Sequence[float]) -> AxisBasis:
        """Return the modes that are zero at some places."""
        space = null_space(self(np.array(zeros)) * self.stiffness)
        squares, modes = eigh(space.T @ (self.stiffness[:, None] ** 2 * space))
        stiffness = np.sqrt(squares)
        return replace(self, stiffness=stiffness, mixing=space @ modes / stiffness)

    @property
    def count(self) -> int:
        """Number of functions."""
        return self.mixing.shape[1]

    def __call__(self, places: Array, order: int = 0) -> Array:
        """Return ∂^order of every function at places (n,): (n, count)."""
        if not is_logarithmic(self.bounds):
            return self._in_search(places, order)
        parts = enumerate(falling(order))
        found = sum((c * self._in_search(places, k) for k, c in parts), np.zeros(1))
        return np.asarray(found / places[:, None] ** order)

    def _in_search(self, places: Array, order: int) -> Array:
        """Return derivatives along the search coordinate."""
        low, high = self.bounds
        at = 2 * share_at(self.bounds, np.clip(places, low, high)) - 1
        values = self.functions.values(np.clip(at, -1, 1), order)
        if order:
            is_inside = (places >= low) & (places <= high)
            values = values * (is_inside[:, None] / half_length(self.bounds) ** order)
        return np.asarray(values @ self.mixing)

    @cached_property
    def places(self) -> Array:
        """Places that see every function, (n,)."""
        return at_share(self.bounds, (self.functions.nodes()[0] + 1) / 2)

    @cached_property
    def on_nodes(self) -> Array:
        """The functions at those places, (n, count)."""
        return self(self.places)

    def fitted(self, values: Callable[[Array], Array]) -> Array:
        """Return the weights that come closest to a function of places (n,) → (n,)."""
        found, *_ = np.linalg.lstsq(self.on_nodes, values(self.places), rcond=1e-10)
        return np.asarray(found)


@dataclass(frozen=True)
class Block:
    """Some of θ that belong together.

    Attributes:
        name: of the coefficient function, or ``initial k`` of state k.
        part: of θ.
        size: what θ is times.
        basis: what its numbers weigh, None for a number.
        ends: values at the ends of the axis that conditions fix, by place.
        positive: the map to an initial state that is positive, None for itself.
    """

    name: str
    part: slice
    size: float
    basis: AxisBasis | None = None
    ends: Mapping[float, float] = field(default_factory=dict)
    positive: PositiveMap | None = None

    @property
    def stiffness(self) -> Array:
        """1 + ω² of its functions, (numbers,)."""
        return np.ones(1) if self.basis is None else self.basis.stiffness

    def fixed(self, places: Array) -> Array | float:
        """Return the line through the fixed values, at places (n,)."""
        if not self.ends:
            return 0.0
        at = sorted(self.ends)
        return np.interp(places, at, self.free(np.array([self.ends[end] for end in at])))

    def free(self, values: Array) -> Array:
        """Return what is searched for of values of an initial state."""
        return values if self.positive is None else self.positive.inverse(values)

    def state(self, theta: Array, places: Array) -> tuple[Array, Array]:
        """Return an initial state at places (n,), and its slopes in θ (n, numbers)."""
        rows = self.rows(places)
        values = self.fixed(places) + rows @ theta
        if self.positive is None:
            return values, rows
        found, slope = self.positive(values)
        return found, slope[:, None] * rows

    def rows(self, places: Array) -> Array:
        """Return what every number adds at places (n,): (n, numbers)."""
        if self.basis is None:
            return np.full((len(places), 1), self.size)
        return self.size * self.basis(places)
