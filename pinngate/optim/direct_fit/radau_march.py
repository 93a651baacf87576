"""Adaptive time steps of semidiscrete rows with all tangents, by the three-stage Radau IIA method.

Fifth order, stiffly accurate: rows without rates (conditions) hold exactly at every stage, and what
is stiff is damped. The stage values V_i, (N,) each, solve

    R(t + c_i h, V_i, (1/h) Σ_j (A⁻¹)_ij (V_j − U)) = 0,

their derivatives by all parameters solve the same linear system, so that the tangents are those of
the discrete solution. Steps follow the embedded error estimate of third order and end on the given
places; each stretch between those begins with a step of no length, which makes the state consistent
with its conditions. Source: E. Hairer & G. Wanner, Solving Ordinary Differential Equations II (1996),
§IV.8. Above `fit`, below nothing but `semidiscrete`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.linalg.lapack import dgbtrf, dgbtrs

from pinngate.optim.direct_fit.semidiscrete import Linear, SemiDiscrete

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

ROOT = np.sqrt(6.0)
NODES = np.array([(4 - ROOT) / 10, (4 + ROOT) / 10, 1.0])
WEIGHTS = np.array(
    [
        [(88 - 7 * ROOT) / 360, (296 - 169 * ROOT) / 1800, (-2 + 3 * ROOT) / 225],
        [(296 + 169 * ROOT) / 1800, (88 + 7 * ROOT) / 360, (-2 - 3 * ROOT) / 225],
        [(16 - ROOT) / 36, (16 + ROOT) / 36, 1 / 9],
    ]
)
INVERSE = np.linalg.inv(WEIGHTS)
STAGES = 3
EMBEDDED = np.array([-13 - 7 * ROOT, -13 + 7 * ROOT, -1.0]) / 3
REAL = 3 + 3 ** (2 / 3) - 3 ** (1 / 3)  # the real eigenvalue of A⁻¹

NO_LENGTH = 1e-12  # of the time axis: the step that makes a state consistent
FIRST_STEP = 1e-6  # of the time axis
MOST_NEWTON = 8
NEWTON = 0.01  # of the tolerance
GROWTH, SHRINKAGE, SAFETY = 6.0, 0.15, 0.9


class MarchFailed(Exception):  # noqa: N818 - an outcome
    """The state grew without bound, or no step length was short enough."""


@dataclass(frozen=True)
class March:
    """A solution at the ends and stages of all steps.

    Attributes:
        ends: t_0 … t_n, (n + 1,).
        states: U at t_0, then at the three stages of every step, (1 + 3n, N).
        tangents: ∂U/∂θ there, (1 + 3n, N, P).
    """

    ends: Array
    states: Array
    tangents: Array

    @property
    def num_steps(self) -> int:
        """Number of steps."""
        return len(self.ends) - 1

    def weights(self, t: Array, order: int = 0) -> tuple[Indices, Array]:
        """Return which four rows of `states` give ∂t^order at times (m,), and their weights (m, 4).

        The polynomial of degree three through the beginning and the stages of a step.
        """
        step = np.clip(np.searchsorted(self.ends, t, side="left") - 1, 0, self.num_steps - 1)
        low, width = self.ends[step], self.ends[step + 1] - self.ends[step]
        at = (t - low) / width
        return 3 * step[:, None] + np.arange(4), _lagrange(at, order) / width[:, None] ** order


def _lagrange(at: Array, order: int) -> Array:
    """Return the weights of values at 0 and the stages for ∂^order at places (m,) of [0, 1]."""
    powers = np.vander(np.concatenate([[0.0], NODES]), 4, increasing=True)
    basis = np.linalg.inv(powers)  # columns are the polynomials' coefficients
    derivative = np.polynomial.polynomial.polyder(basis, order) if order else basis
    return np.asarray(np.polynomial.polynomial.polyvander(at, len(derivative) - 1) @ derivative)


class _Banded:
    """The matrix of the three stages, and that of the error estimate, in LAPACK's band storage."""

    def __init__(self, system: SemiDiscrete) -> None:
        self.size = system.size
        (row, column), (rate_row, rate_column) = system.state_entries, system.rate_entries
        s = np.arange(STAGES)
        i, j = (a.ravel() for a in np.meshgrid(s, s, indexing="ij"))
        rows = [(row[:, None] * STAGES + s).ravel(), (rate_row[:, None] * STAGES + i).ravel()]
        columns = [
            (column[:, None] * STAGES + s).ravel(),
            (rate_column[:, None] * STAGES + j).ravel(),
        ]
        self._pairs = i, j
        self._stages = _Band(np.concatenate(rows), np.concatenate(columns), STAGES * self.size)
        self._single = _Band(
            np.concatenate([row, rate_row]), np.concatenate([column, rate_column]), self.size
        )

    def stages(self, linear: Linear, h: float) -> _Factored:
        i, j = self._pairs
        rates = linear.by_rate[:, i] * (INVERSE[i, j] / h)
        return self._stages.factored(np.concatenate([linear.by_state.ravel(), rates.ravel()]))

    def single(self, linear: Linear, h: float) -> _Factored:
        rates = linear.by_rate[:, -1] * (REAL / h)
        return self._single.factored(np.concatenate([linear.by_state[:, -1], rates]))


class _Band:
    """Entries of a banded matrix, those at one place summed."""

    def __init__(self, rows: Indices, columns: Indices, size: int) -> None:
        self.lower = int(np.max(rows - columns, initial=0))
        self.upper = int(np.max(columns - rows, initial=0))
        self.height, self.size = 2 * self.lower + self.upper + 1, size
        self._flat = columns * self.height + self.lower + self.upper + rows - columns

    def factored(self, entries: Array) -> _Factored:
        flat = np.bincount(self._flat, entries, minlength=self.height * self.size)
        band = flat.reshape(self.size, self.height).T
        if not np.isfinite(flat).all():
            raise MarchFailed("the equations have no finite derivative")
        factor, pivots, info = dgbtrf(band, self.lower, self.upper, overwrite_ab=True)
        if info != 0:
            raise MarchFailed("the rows do not determine the state")
        return _Factored(factor, pivots, self.lower, self.upper)


@dataclass(frozen=True)
class _Factored:
    factor: Array
    pivots: Indices
    lower: int
    upper: int

    def solve(self, right: Array) -> Array:
        x, _ = dgbtrs(self.factor, self.lower, self.upper, right, self.pivots)
        return np.asarray(x)


class RadauMarch:
    """Marches semidiscrete rows.

    Args:
        system: the rows.
        tolerance: of the local error, relative to the largest value of each state so far.
        floors: sizes (S,) below which a state's errors do not count, times 1e-3.
    """

    def __init__(self, system: SemiDiscrete, tolerance: float, floors: Array) -> None:
        self.system, self.tolerance = system, tolerance
        self._bands = _Banded(system)
        self._by_state = system.numbers
        self._floors = 1e-3 * floors

    def run(
        self,
        initial: Array,
        tangents: Array,
        bounds: tuple[float, float],
        stops: Sequence[float],
        most_steps: int,
    ) -> March:
        """Return the solution between two times.

        Args:
            initial: U (N,) at the beginning.
            tangents: ∂U/∂θ there, (N, P).
            bounds: the times.
            stops: times between them at which a step has to end.
            most_steps: more are a failure.

        Raises:
            MarchFailed: there is none.

        Cost: each step a few factorisations of a banded matrix of 3N unknowns, one solve a tangent.
        """
        start, end = bounds
        span = end - start
        self._largest = np.abs(initial[self._by_state]).max(axis=1)
        ends, states = [start], [initial[None]]
        marched = [tangents[None]]
        edges = [start, *stops, end]
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            self._clip = low + 0.1 * NO_LENGTH * span, high - 0.1 * NO_LENGTH * span
            t, h, self._last = low, NO_LENGTH * span, None
            is_first, rejected = True, False
            while t < high:
                if len(ends) > most_steps:
                    raise MarchFailed("the steps are too many")
                is_last = t + 1.01 * h >= high
                h = high - t if is_last else h
                found = self._step(t, h, states[-1][-1], exact=is_first)
                if found is None or (not is_first and found.error > 1):
                    rate = (
                        SHRINKAGE if found is None else max(SHRINKAGE, SAFETY * found.error**-0.25)
                    )
                    h, rejected = h * rate, True
                    if h < NO_LENGTH * span:
                        raise MarchFailed("the steps are too short")
                    continue
                states.append(found.stages)
                marched.append(self._tangents(t, h, states[-2][-1], marched[-1][-1], found))
                t = high if is_last else t + h
                ends.append(t)
                self._largest = np.maximum(self._largest, found.largest)
                self._last = (h, np.concatenate([states[-2][-1:], found.stages]))
                growth = min(GROWTH, SAFETY * max(found.error, 1e-8) ** -0.25)
                h = (
                    FIRST_STEP * span
                    if is_first
                    else h * (min(growth, 1.0) if rejected else growth)
                )
                is_first, rejected = False, False
        return March(np.array(ends), np.concatenate(states), np.concatenate(marched))

    def _step(self, t: float, h: float, u: Array, *, exact: bool) -> _Step | None:
        try:
            return self._solved(t, h, u, exact=exact)
        except (MarchFailed, ArithmeticError):
            if exact:
                raise MarchFailed("the state cannot be made consistent") from None
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
            size = max(self._norm(c, scale) for c in change)
            if not np.isfinite(size):
                return None
            if size < NEWTON or system.form.is_linear:
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
        residual = self.system.linearised(at, u[:, None], rate[:, None]).residual[:, 0]
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
        return float(np.sqrt(np.square(v[self._by_state] / scale[:, None]).mean(axis=1)).max())

    def _tangents(self, t: float, h: float, u: Array, before: Array, step: _Step) -> Array:
        """Return ∂V/∂θ (3, N, P)."""
        system = self.system
        rates = (step.stages - u).T @ INVERSE.T / h
        linear = system.linearised(self._times(t, h), step.stages.T, rates, with_parameters=True)
        if linear.by_parameter is None or not np.isfinite(linear.by_parameter).all():
            raise MarchFailed("the equations have no finite derivative by a parameter")
        factored = step.factored if system.form.is_linear else self._bands.stages(linear, h)
        row, column = system.rate_entries
        bounds = np.searchsorted(row, np.arange(system.size + 1))
        right = -linear.by_parameter
        for i in range(STAGES):
            shape = (system.size, system.size)
            mass = scipy.sparse.csr_array((linear.by_rate[:, i], column, bounds), shape=shape)
            right[:, i] += (INVERSE[i].sum() / h) * (mass @ before)
        found = factored.solve(right.reshape(STAGES * system.size, -1))
        return np.asarray(found.reshape(system.size, STAGES, -1).transpose(1, 0, 2))


@dataclass(frozen=True)
class _Step:
    stages: Array
    error: float
    largest: Array
    factored: _Factored


__all__ = ["March", "MarchFailed", "RadauMarch"]
