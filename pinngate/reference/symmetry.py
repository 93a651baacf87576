"""Continuation of a field on an interval to a periodic one on the whole line.

The periodic references (`spectral`, `cole_hopf`) also solve problems whose fields vanish at both
ends, or whose slopes do: reflected oddly or evenly about the ends they are periodic with twice the
length, provided the equations respect that symmetry, which is tested and not assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pinngate.errors import InputError
from pinngate.expression import Expression
from pinngate.reference.evolution import Evolution, evaluated, initial_state
from pinngate.reference.known import Array, Initial
from pinngate.statement.problem import Plane, Problem


@dataclass(frozen=True)
class Continuation:
    """How fields continue beyond [low, low + length], the domain.

    `parity` is −1 (odd about both ends) or +1 (even) for each unknown; None where the fields are
    periodic by themselves.
    """

    axis: str
    low: float
    period: float
    parity: dict[str, int] | None

    def nodes(self, count: int) -> Array:
        """Return `count` (even) equally spaced points of one period, the first at `low`."""
        return np.asarray(self.low + self.period / count * np.arange(count), dtype=np.float64)

    def state(self, system: Evolution, initial: Mapping[str, Initial], count: int) -> list[Array]:
        """Return the initial values of each component at `nodes(count)`.

        Raises:
            InputError: data are missing, or do not vanish at ends where the field is zero.
        """
        if self.parity is None:
            return initial_state(system, initial, {self.axis: self.nodes(count)})
        half = count // 2
        # The last point is the far end itself, free of the rounding of low + half · spacing.
        inside = np.append(self.nodes(count)[:half], system.problem.domain[self.axis][1])
        values = initial_state(system, initial, {self.axis: inside})
        extended = []
        for (field, _), inner in zip(system.components, values, strict=True):
            sign = self.parity[field]
            if sign < 0 and abs(inner[[0, -1]]).max() > 1e-8 * (abs(inner).max() or 1.0):
                raise InputError(
                    f"the initial data of '{field}' do not vanish at the ends of {self.axis}",
                    expected="data that agree with the conditions at the ends",
                    hint="use solver: finite-difference",
                )
            extended.append(
                np.concatenate([inner[:half], [inner[half]], sign * inner[half - 1 : 0 : -1]])
            )
        return extended


def continuation(system: Evolution, initial: Mapping[str, Initial] | None = None) -> Continuation:
    """Return how the fields of a problem in one space axis continue periodically.

    Args:
        system: the problem in evolution form.
        initial: where the axis has no conditions at all: data that are periodic on the whole line.

    Raises:
        InputError: they do not, and why.
    """
    problem = system.problem
    if len(problem.space_axes) != 1:
        raise _refused(problem, f"it has {len(problem.space_axes)} space axes")
    (axis,) = problem.space_axes
    low, high = problem.domain[axis]
    if axis in problem.periodic:
        return Continuation(axis, low, high - low, None)
    if not system.ends and initial is not None:
        return Continuation(axis, low, _period(problem, initial, low, high), None)
    parity = {f: _parity(system, f, axis) for f in problem.unknowns}
    if not _is_symmetric(system, axis, parity):
        raise _refused(problem, "its equation does not keep a field reflected about the ends")
    return Continuation(axis, low, 2 * (high - low), parity)


def _refused(problem: Problem, why: str) -> InputError:
    return InputError(
        f"problem '{problem.name}' does not continue periodically: {why}",
        expected="one periodic space axis, or fields (or slopes) that are zero at both ends",
        hint="use solver: finite-difference",
    )


def _period(problem: Problem, initial: Mapping[str, Initial], low: float, high: float) -> float:
    x = np.random.default_rng(0).uniform(low, high, 64)
    (axis,) = problem.space_axes
    for period in (high - low, 2 * (high - low)):
        pairs = [(f({axis: x}), f({axis: x + period})) for f in initial.values()]
        if all(abs(a - b).max() <= 1e-9 * abs(a).max() for a, b in pairs):
            return period
    raise _refused(problem, f"it has no conditions along {axis}, and its data are not periodic")


def _parity(system: Evolution, field: str, axis: str) -> int:
    low, high = (_held_at(system, field, Plane(axis, x)) for x in system.problem.domain[axis])
    if low != high or low == 0:
        raise _refused(
            system.problem,
            f"'{field}' is neither held at zero at both ends of {axis} nor its slope",
        )
    return low


def _held_at(system: Evolution, field: str, end: Plane) -> int:
    """Return −1 where a field is held at zero at an end, +1 where its slope is, 0 elsewhere."""
    here = [e for e in system.ends if (e.where, e.field, e.level) == (end, field, 0)]
    if len(here) != 1 or len(here[0].coefficients) != 1:
        return 0
    coordinates = {
        end.axis: np.full(7, end.value),
        "t": np.linspace(*system.problem.domain["t"], 7),
    }
    if evaluated(here[0].rest, coordinates, (7,)).any():
        return 0
    (name,) = here[0].coefficients
    return {field: -1, f"{field}_{end.axis}": 1}.get(name, 0)


def _is_symmetric(system: Evolution, axis: str, parity: Mapping[str, int]) -> bool:
    """Tell whether every rate changes like its field under reflection about either end."""
    problem = system.problem
    rng = np.random.default_rng(0)
    low, high = problem.domain[axis]
    x, t = rng.uniform(low, high, 64), rng.uniform(*problem.domain["t"], 64)
    at = problem.axes.index(axis)
    values = {  # of the sizes that derivatives have on this domain, whatever its unit
        name: (high - low) ** -s.orders[at] * rng.uniform(-1, 1, 64)
        for name, s in system.symbols.items()
    }
    mirrored = {
        name: parity[s.field] * (-1) ** s.orders[at] * values[name]
        for name, s in system.symbols.items()
    }

    def rate(expression: Expression, place: Array, derivatives: Mapping[str, Array]) -> Array:
        return evaluated(expression, {axis: place, "t": t, **derivatives}, (64,))

    for field, expression in system.rates.items():
        here = parity[field] * rate(expression, x, values)
        for end in (low, high):
            gap = abs(rate(expression, 2 * end - x, mirrored) - here).max()
            if not gap <= 1e-9 * abs(here).max():
                return False
    return True
