"""Ordinary differential equations: the reference for problems whose only axis is time.

The equations are solved for the highest derivatives (`evolution`) and integrated by scipy's
explicit Runge–Kutta method of eighth order, or by an implicit one where that stalls on stiffness;
delayed values by the method of steps (`history`). Two tolerances are compared for the error
estimate. Source: E. Hairer, S. P. Nørsett, G. Wanner, Solving Ordinary Differential Equations I
(1993), sections II.5 (DOP853) and II.17 (delays).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np
from scipy.integrate import solve_ivp

from pinngate.errors import InputError, SolveError
from pinngate.reference.evolution import (
    Evolution,
    evaluated,
    evolution,
    initial_state,
    known_values,
)
from pinngate.reference.history import History, stops
from pinngate.reference.known import Array, Initial, Reference
from pinngate.statement.delays import past_formulas
from pinngate.statement.problem import Problem

RTOL = 1e-11
DENSE_ORDER = 8  # of the explicit method: smoother kinks do not lower it
COARSER = 1e3  # ratio of the two tolerances that are compared
MAX_EVALUATIONS = 200_000  # of the explicit method; beyond, the problem is taken for stiff
JUDGED_TIMES = 257


@dataclass(frozen=True)
class _Method:
    """An integrator of scipy: its name there, in words, and what is asked of it at most."""

    name: str
    words: str
    least_rtol: float
    max_evaluations: float


INTEGRATORS = (
    _Method("DOP853", "Runge-Kutta of order 8", 0.0, MAX_EVALUATIONS),
    _Method("Radau", "Radau IIA of order 5", 1e-9, inf),
)


def solve(
    problem: Problem,
    initial: Mapping[str, Initial],
    *,
    coefficients: Mapping[str, float] | None = None,
    rtol: float = RTOL,
) -> Reference:
    """Integrate a problem whose only axis is time.

    Args:
        problem: equations that can be solved for the highest derivative of each unknown.
        initial: ``u`` (and ``u_t`` …) at the initial time, functions of no axes; what is missing is
            taken from conditions at the initial time.
        coefficients: values of the estimated coefficients, by default the true ones.
        rtol: relative tolerance; the absolute one is the same share of each component's size.

    Raises:
        InputError: the problem has a space axis or is not of this class.
        SolveError: the integration fails, for instance because the solution blows up.

    Cost: milliseconds.
    """
    if problem.space_axes:
        raise InputError(
            f"problem '{problem.name}' has the space axis {problem.space_axes[0]}",
            expected="a problem in t alone for runge-kutta",
            hint="use solver: finite-difference or spectral",
        )
    system = evolution(problem, coefficients)
    known = known_values(problem, coefficients)
    start = np.array([float(value) for value in initial_state(system, initial, {})])
    fine, name = _integrate(system, start, known, rtol)
    coarse, _ = _integrate(system, start, known, COARSER * rtol)
    times = np.linspace(*problem.domain["t"], JUDGED_TIMES)
    size = np.linalg.norm(fine(times), axis=1)
    gaps = np.linalg.norm(fine(times) - coarse(times), axis=1)
    estimate = float((gaps / np.where(size > 0, size, 1.0)).max())
    rows = {f: i for i, (f, order) in enumerate(system.components) if order == 0}

    def evaluate_at(points: Array) -> dict[str, Array]:
        values = fine(points[:, 0])
        return {f: values[i] for f, i in rows.items()}

    method = f"{name}, estimated error {estimate:.0e}"
    return Reference(problem.axes, dict(problem.domain), evaluate_at, method, estimate)


def _integrate(
    system: Evolution, start: Array, known: Mapping[str, float], rtol: float
) -> tuple[History, str]:
    """Return the dense solution of all components and the name of the method."""
    reached, message = system.start, ""
    pasts = past_formulas(system.problem)
    rows = {system.components.index((field, 0)): past for field, past in pasts.items()}
    for method in INTEGRATORS:
        history = History(start, stops(system.problem, DENSE_ORDER), rows, known)
        try:
            reached, message = _march(system, method, history, start, rtol)
        except StiffError:
            continue
        except (ValueError, RuntimeError) as error:  # not finite: scipy's factorisation refuses
            message = str(error)
            continue
        if not message:
            return history, method.words
    raise SolveError(f"the integration in time fails at t = {reached:g}: {message}")


def _march(
    system: Evolution, method: _Method, history: History, start: Array, rtol: float
) -> tuple[float, str]:
    """Fill a history from stop to stop; return how far that went, and why no farther."""
    tolerance = max(rtol, method.least_rtol)
    # A component that starts at zero has no size of its own: it is measured by the rates.
    size = np.maximum(abs(start), 1e-3 * (abs(start).max() or 1.0))
    rate = Rate(system, method.max_evaluations, history)
    state = start
    for span in pairwise(history.ends):
        with np.errstate(all="ignore"):
            result = solve_ivp(
                rate,
                span,
                state,
                method=method.name,
                rtol=tolerance,
                atol=tolerance * size,
                dense_output=True,
            )
        if not (result.success and np.isfinite(result.y).all()):
            return float(result.t[-1]), str(result.message).lower()
        history.add(result.sol)
        state = result.y[:, -1]
    return float(history.ends[-1]), ""


class Rate:
    """d(state)/dt of a system, (t, state) ↦ (components,); refuses more than `max_evaluations`.

    Delayed values are those of a `history`.
    """

    def __init__(
        self,
        system: Evolution,
        max_evaluations: float = inf,
        history: History | None = None,
    ) -> None:
        self._system, self._left, self._history = system, max_evaluations, history
        places = {n: system.component_of(s)[0] for n, s in system.symbols.items()}
        rows = {n: system.components.index(place) for n, place in places.items()}
        self._delays = {n: (rows[n], s.delay) for n, s in system.symbols.items() if s.delay}
        self._rows = {n: row for n, row in rows.items() if n not in self._delays}

    def __call__(self, t: float, state: Array) -> Array:
        """Return the rate of each component."""
        self._left -= 1
        if self._left < 0:
            raise StiffError
        system = self._system
        values = {"t": float(t)} | {n: state[i] for n, i in self._rows.items()}
        for name, (row, delay) in self._delays.items():
            assert self._history is not None
            values[name] = self._history.at(row, t - delay)
        return np.array(
            [
                float(evaluated(system.rates[f], values, ()))
                if order + 1 == system.time_orders[f]
                else state[i + 1]
                for i, (f, order) in enumerate(system.components)
            ]
        )


class StiffError(Exception):
    """The method takes too many steps."""
