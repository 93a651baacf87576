"""Eigenfunctions that carry an unknown initial condition: sines, cosines or Fourier pairs.

First step of the limit on the error: which amplitudes count as unknown. The family follows from the
boundary conditions (sines where the field is given, cosines where its slope is, Fourier pairs where
it is periodic). A pair is one unit: where a wave is present its place is unknown as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import names
from pinngate.statement.problem import Condition, Problem

Array = NDArray[np.float64]
End = Literal["value", "slope"]

ENERGY = 0.9999  # share of the clean initial condition's energy that counts as really present
MAX_PRESENT = 100  # a jump needs every mode; beyond this the data cannot separate them anyway
NUM_SAMPLES = 2048  # midpoints, on which every family below is exactly orthogonal


@dataclass(frozen=True)
class Mode:
    """sin(k (x − low)) or cos(k (x − low)) with wavenumber k."""

    wavenumber: float
    is_sine: bool
    low: float

    def __call__(self, x: Array) -> Array:
        """Evaluate at x, any shape."""
        phase = self.wavenumber * (x - self.low)
        return np.sin(phase) if self.is_sine else np.cos(phase)


@dataclass(frozen=True)
class Family:
    """A complete orthogonal family on [low, high] that satisfies homogeneous boundary conditions.

    `ends` is None for periodic fields. `is_exact` says that every boundary condition of the problem
    is satisfied by each member, so that members may evolve independently.
    """

    low: float
    high: float
    ends: tuple[End, End] | None
    is_exact: bool = True

    def units(self, count: int) -> list[tuple[Mode, ...]]:
        """Return the first `count` units in order of wavenumber: single modes, or Fourier pairs."""
        length = self.high - self.low
        if self.ends is None:
            constant = (Mode(0.0, False, self.low),)
            pairs = [
                tuple(Mode(2 * np.pi * j / length, s, self.low) for s in (False, True))
                for j in range(1, count)
            ]
            return [constant, *pairs]
        is_sine = self.ends[0] == "value"
        lowest = 1.0 if is_sine else 0.0
        first = lowest if self.ends[0] == self.ends[1] else 0.5
        return [(Mode((j + first) * np.pi / length, is_sine, self.low),) for j in range(count)]

    def first_modes(self, count: int) -> list[Mode]:
        """Return the `count` modes of lowest wavenumber."""
        return [mode for unit in self.units(count) for mode in unit][:count]

    def midpoints(self) -> Array:
        """Return the sample positions that `present_modes` expects, shape (2048,)."""
        step = (self.high - self.low) / NUM_SAMPLES
        return np.asarray(self.low + step * (np.arange(NUM_SAMPLES) + 0.5), dtype=np.float64)

    def present_modes(self, clean: Array) -> list[Mode]:
        """Return the fewest modes that hold 99.99 % of the energy of a clean initial condition.

        Known boundary values are not unknown: where the field is given at an end, the straight line
        (or constant) through the given values is taken off first.

        Args:
            clean: values at `midpoints()`, shape (2048,).
        """
        x = self.midpoints()
        remainder = clean - self._lift(clean)
        units = self.units(MAX_PRESENT + 1)
        energy = np.zeros(len(units))
        for i, unit in enumerate(units):
            for mode in unit:
                phi = mode(x)
                energy[i] += float(phi @ remainder) ** 2 / float(phi @ phi)
        total = float(remainder @ remainder)
        if total <= 1e-16 * float(clean @ clean):
            return []
        order = np.argsort(-energy)
        needed = int(np.searchsorted(np.cumsum(energy[order]), ENERGY * total)) + 1
        chosen = sorted(order[:needed])
        return [mode for i in chosen for mode in units[i]]

    def _lift(self, clean: Array) -> Array:
        if self.ends is None:
            return np.zeros_like(clean)
        xi = (self.midpoints() - self.low) / (self.high - self.low)
        low, high = 1.5 * clean[0] - 0.5 * clean[1], 1.5 * clean[-1] - 0.5 * clean[-2]
        match self.ends:
            case ("value", "value"):
                return low + (high - low) * xi
            case ("value", "slope"):
                return np.full_like(clean, low)
            case ("slope", "value"):
                return np.full_like(clean, high)
        return np.zeros_like(clean)


def family_of(problem: Problem, field: str, axis: str) -> Family | None:
    """Return the family that fits the conditions on one field; None where an end has none.

    An end where every condition holds derivatives of even order along the axis (u, u_xx) calls for
    sines, odd order (u_x) for cosines; a mixture (Robin) for cosines, which then are a basis only.
    """
    low, high = problem.domain[axis]
    if axis in problem.periodic:
        return Family(low, high, None)
    kinds = [_orders_at(problem, field, axis, value) for value in (low, high)]
    if not all(kinds):
        return None
    ends: list[End] = ["slope" if any(p % 2 for p in k) else "value" for k in kinds]
    is_exact = all(len({p % 2 for p in k}) == 1 for k in kinds)
    return Family(low, high, (ends[0], ends[1]), is_exact)


def _orders_at(problem: Problem, field: str, axis: str, value: float) -> set[int]:
    """Return the orders along the axis of all derivatives in the conditions at one end."""
    at = problem.axes.index(axis)
    return {
        derivative.orders[at]
        for condition in conditions_on(problem, field, axis, value)
        for derivative in problem.derivatives(condition.residual).values()
    }


def conditions_on(problem: Problem, field: str, axis: str, value: float) -> Sequence[Condition]:
    """Return the exact conditions on the plane axis = value whose first-named field is `field`."""
    width = problem.domain[axis][1] - problem.domain[axis][0]
    found = []
    for condition in problem.conditions:
        if condition.where.axis != axis or abs(condition.where.value - value) > 1e-9 * width:
            continue
        derivatives = list(problem.derivatives(condition.residual).values())
        if derivatives and derivatives[0].field == field and names(condition.residual):
            found.append(condition)
    return found
