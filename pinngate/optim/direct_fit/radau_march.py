"""Adaptive time steps of semidiscrete rows with all tangents, by the three-stage Radau IIA method.

Fifth order, stiffly accurate: rows without rates (conditions) hold exactly at every stage, and
what is stiff is damped. The stage values V_i, (N,) each, solve

    R(t + c_i h, V_i, (1/h) Σ_j (A⁻¹)_ij (V_j − U)) = 0,

their derivatives by all parameters solve the same linear system, so that the tangents are those
of the discrete solution. Steps follow the embedded error estimate of third order and end on the
given places; each stretch between those begins with a step of no length, which makes the state
consistent with its conditions. Source: E. Hairer & G. Wanner, Solving Ordinary Differential
Equations II (1996), §IV.8. Above `semidiscrete` and
`stage_bands`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.marched_states import MarchFailed
from pinngate.optim.direct_fit.semidiscrete import Linear, SemiDiscrete
from pinngate.optim.direct_fit.stage_bands import (
    INVERSE,
    NODES,
    ROOT,
    STAGES,
    Factored,
    StageBands,
)
from pinngate.optim.direct_fit.switches import Switches

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

EMBEDDED = np.array([-13 - 7 * ROOT, -13 + 7 * ROOT, -1.0]) / 3

Jump = Callable[[float, Array, Array], tuple[Array, Array]]

NO_LENGTH = 1e-12  # of the time axis: the step that makes a state consistent
FIRST_STEP = 1e-6  # of the time axis
MOST_NEWTON = 8
NEWTON = 0.01  # of the tolerance
GROWTH, SHRINKAGE, SAFETY = 6.0, 0.15, 0.9


@dataclass(frozen=True)
class March:
    """A solution at the ends and stages of all steps.

    Attributes:
        ends: t_0 … t_n, (n + 1,).
        states: U at t_0, then at the three stages of every step, (1 + 3n, N).
        tangents: ∂U/∂θ there, (1 + 3n, N, P).
        jumps: times at which the states jump; what is read there is the state after it.
    """

    ends: Array
    states: Array
    tangents: Array
    jumps: Sequence[float] = ()

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return len(self.ends) - 1

    def weights(self, t: Array, order: int = 0) -> tuple[Indices, Array]:
        """Return which four rows of `states` give ∂t^order at times (m,), and their weights (m, 4).

        The polynomial of degree three through the beginning and the stages of a step.
        """
        beyond = 2 * NO_LENGTH * (self.ends[-1] - self.ends[0])
        t = np.where(np.isin(t, self.jumps), t + beyond, t)
        step = np.clip(np.searchsorted(self.ends, t, side="left") - 1, 0, self.num_steps - 1)
        low, width = self.ends[step], self.ends[step + 1] - self.ends[step]
        at = (t - low) / width
        return 3 * step[:, None] + np.arange(4), _lagrange(at, order) / width[:, None] ** order


@cache
def _polynomials(order: int) -> Array:
    """Return the coefficients, one column each, of ∂^order of Lagrange's at 0 and the stages."""
    powers = np.vander(np.concatenate([[0.0], NODES]), len(NODES) + 1, increasing=True)
    return np.asarray(np.polynomial.polynomial.polyder(np.linalg.inv(powers), order))


def _lagrange(at: Array, order: int) -> Array:
    """Return the weights of values at 0 and the stages for ∂^order at places (m,) of [0, 1]."""
    coefficients = _polynomials(order)
    return np.asarray(np.vander(at, len(coefficients), increasing=True) @ coefficients)


class RadauMarch:
    """Marches semidiscrete rows.

    Args:
        system: the rows.
        tolerance: of the local error, relative to the largest value of each state so far.
        floors: sizes (S,) below which a state's errors do not count.
        switches: of the rows.
    """

    def __init__(
        self,
        system: SemiDiscrete,
        tolerance: float,
        floors: Array,
        switches: Switches | None = None,
    ) -> None:
        self.system, self.tolerance, self.switches = system, tolerance, switches
        self._bands = StageBands(system)
        self._by_state = system.numbers
        self._rated = np.unique(system.rate_entries[0], return_index=True)
        self._is_linear = system.form.is_linear
        self._floors = floors
        self._last: tuple[float, Array] | None = None

    def run(
        self,
        initial: Array,
        tangents: Array,
        bounds: tuple[float, float],
        stops: Sequence[float],
        most_steps: int,
        knots: Sequence[float] = (),
        jump: Jump | None = None,
        jumps: Sequence[float] = (),
    ) -> March:
        """Return the solution between two times.

        Args:
            initial: U (N,) at the beginning.
            tangents: ∂U/∂θ there, (N, P).
            bounds: the times.
            stops: times between them at which a step has to end.
            most_steps: more are a failure.
            knots: times of weaker kinks, where a step ends and the next one is tried as long.
            jump: what happens to states and tangents where a stretch begins.
            jumps: the times at which that is something.

        Raises:
            MarchFailed: there is none.

        Cost: each step a few factorisations of a banded matrix of 3N unknowns, one solve a tangent.
        """
        self._span, self._most_steps = bounds[1] - bounds[0], most_steps
        self._largest = np.abs(initial[self._by_state]).max(axis=1)
        self._ends, self._states, self._marched = [bounds[0]], [initial[None]], [tangents[None]]
        self._length = FIRST_STEP * self._span
        places = sorted({*bounds, *stops, *knots})
        for low, high in itertools.pairwise(places):
            before = self._states[-1][-1], self._marched[-1][-1]
            self._at = before if jump is None else jump(low, *before)
            if self.switches is not None:
                self.switches.begin(low, self._at[0])
            at: float | None = low
            while at is not None:
                is_new = at > low or low == bounds[0] or low in stops
                at = self._stretch(at, high, is_new=is_new)
        states, marched = np.concatenate(self._states), np.concatenate(self._marched)
        return March(np.array(self._ends), states, marched, jumps)

    def _stretch(self, low: float, high: float, *, is_new: bool) -> float | None:
        """March between two places where a step ends; a new one begins with short steps.

        Returns the time at which a switch has changed, None at the end.
        """
        nothing = NO_LENGTH * self._span
        self._clip, self._last = (low + 0.1 * nothing, high - 0.1 * nothing), None
        self._take(low, low + nothing, self._step(low, nothing, exact=True))
        t, h, most = self._ends[-1], FIRST_STEP * self._span if is_new else self._length, GROWTH
        while t < high:
            end = high if t + 1.01 * h >= high else t + h
            found = self._step(t, end - t, exact=False)
            factor = SHRINKAGE
            if found is not None:
                factor = float(np.clip(SAFETY * (found.error + 1e-9) ** -0.25, SHRINKAGE, most))
            if found is None or found.error > 1:
                h, most = (end - t) * factor, 1.0
                if h < nothing:
                    raise MarchFailed("the steps are too short")
                continue
            switched = self._switched(t, end, found)
            if switched is not None:
                return switched
            self._take(t, end, found)
            is_cut = end == high and end - t < h  # a short step to a stop tells less of the next
            self._length = max(h, (end - t) * factor) if is_cut else (end - t) * factor
            t, h, most = end, (end - t) * factor, GROWTH
        return None

    def _switched(self, t: float, end: float, step: _Step) -> float | None:
        """Take the step up to the first change of a switch in it, if any, and return its time."""
        switches, around = self.switches, np.concatenate([self._at[0][None], step.stages])
        if switches is None:
            return None

        def state(at: float) -> Array:
            return np.asarray(_lagrange(np.array([(at - t) / (end - t)]), 0)[0] @ around)

        change = switches.first_change([t, *(t + NODES * (end - t)).tolist()], state)
        if change is None:
            return None
        at, k = change
        for is_last in (False, False, True):
            shorter = self._step(t, at - t, exact=True)
            if shorter is None or is_last:
                break
            at = float(np.clip(switches.corrected(at, shorter.stages[-1], k), t, end))
        self._take(t, at, shorter)
        there, tangents = self._at
        self._at = there, switches.after(k, at, there, tangents)
        return at

    def _take(self, t: float, end: float, step: _Step | None) -> None:
        """Add a step with its tangents to the march."""
        if step is None:
            raise MarchFailed("the state cannot be made consistent")
        if len(self._ends) > self._most_steps:
            raise MarchFailed("the steps are too many")
        before, tangents = self._at
        self._marched.append(self._tangents(t, end - t, before, tangents, step))
        self._states.append(step.stages)
        self._at = step.stages[-1], self._marched[-1][-1]
        self._ends.append(end)
        self._largest = np.maximum(self._largest, step.largest)
        self._last = end - t, np.concatenate([before[None], step.stages])

    def _step(self, t: float, h: float, *, exact: bool) -> _Step | None:
        """Return the step from the last state, None where there is none."""
        try:
            return self._solved(t, h, self._at[0], exact=exact)
        except (ArithmeticError, ValueError):  # of numbers alone, where arrays would hold NaN
            return None

    def _times(self, t: float, h: float) -> Array:
        return np.clip(t + h * NODES, *self._clip)

    def _solved(self, t: float, h: float, u: Array, *, exact: bool) -> _Step | None:
        """Solve the stages by Newton's method; None where it does not converge."""
        times, system = self._times(t, h), self.system
        stages = self._predicted(h, u)
        before = np.inf
        for _ in range(MOST_NEWTON):
            rates = (stages - u).T @ INVERSE.T / h
            linear = system.linearised(times, stages.T, rates)
            if not np.isfinite(linear.residual).all():
                return None
            factored = self._bands.stages(linear, h)
            change = factored.solve(-linear.residual.ravel()).reshape(-1, STAGES).T
            stages = stages + change
            scale = self._scale(u, stages)
            size = self._norm(change, scale)
            if not np.isfinite(size):
                return None
            if size < NEWTON or self._is_linear:
                break
            if size > 2 * before:
                return None
            before = size
        else:
            return None
        largest = np.abs(stages[:, self._by_state]).max(axis=(0, 2))
        error = 0.0 if exact else self._error(t, h, u, stages, linear, scale)
        return _Step(stages, error, largest, factored)

    def _error(
        self, t: float, h: float, u: Array, stages: Array, linear: Linear, scale: Array
    ) -> float:
        """Return the norm of the embedded error estimate; one is the tolerance."""
        at = np.clip(np.array([t]), *self._clip)
        rate = -(EMBEDDED @ (stages - u)) / h
        residual = self.system.residual(at, u[:, None], rate[:, None])[:, 0]
        if not np.isfinite(residual).all():
            return np.inf
        return self._norm(self._bands.single(linear, h).solve(-residual), scale)

    def _predicted(self, h: float, u: Array) -> Array:
        """Return stages on the polynomial of the last step."""
        if self._last is None or h > 4 * self._last[0]:
            return np.repeat(u[None], STAGES, axis=0)
        width, values = self._last
        return np.asarray(_lagrange(1 + h / width * NODES, 0) @ values)

    def _scale(self, u: Array, stages: Array) -> Array:
        """Return the size of each state times the tolerance, (S,)."""
        largest = np.abs(stages[-1][self._by_state]).max(axis=1)
        size = np.maximum(np.maximum(self._largest, largest), self._floors)
        return self.tolerance * np.maximum(size, 1e-300)

    def _norm(self, v: Array, scale: Array) -> float:
        """Return the largest root mean square over nodes, of all states and of all rows (…, N)."""
        squares = np.square(v[..., self._by_state] / scale[:, None]).sum(axis=-1)
        return float(np.sqrt(squares.max() / self._by_state.shape[1]))

    def _tangents(self, t: float, h: float, u: Array, before: Array, step: _Step) -> Array:
        """Return ∂V/∂θ (3, N, P)."""
        system = self.system
        rates = (step.stages - u).T @ INVERSE.T / h
        linear = system.linearised(self._times(t, h), step.stages.T, rates, with_parameters=True)
        assert linear.by_parameter is not None
        if not np.isfinite(linear.by_parameter).all():
            raise MarchFailed("the equations have no finite derivative by a parameter")
        factored = step.factored if self._is_linear else self._bands.stages(linear, h)
        right = -linear.by_parameter
        rows, starts = self._rated
        pulled = linear.by_rate[:, :, None] * before[system.rate_entries[1]][:, None]
        right[rows] += np.add.reduceat(pulled, starts) * (INVERSE.sum(axis=1) / h)[:, None]
        found = factored.solve(right.reshape(STAGES * system.size, -1))
        return np.asarray(found.reshape(system.size, STAGES, -1).transpose(1, 0, 2))


@dataclass(frozen=True)
class _Step:
    stages: Array
    error: float
    largest: Array
    factored: Factored


__all__ = ["March", "MarchFailed", "RadauMarch"]
