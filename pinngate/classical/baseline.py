"""The classical baseline: spline smoothing of the data, then the reference solver.

Last step of `pinngate.classical`. With noisy initial conditions: a cubic smoothing spline of
each field (generalised cross-validation), then a spectral solver where the fields continue
periodically, else finite differences.
With data scattered over the domain instead: a thin-plate spline of the data alone, which ignores
the equation. Coefficients are not estimated: a regression on derivatives of the smoothed field
(second derivatives of a thin-plate spline are singular at the data) is no fair baseline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.classical.smoothing_spline import smoothing_spline
from pinngate.classical.thin_plate import ThinPlate, thin_plate
from pinngate.errors import InputError, SolveError
from pinngate.expression import coefficients_of, evaluate, names
from pinngate.limits.linearised_equation import time_orders
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Condition, Problem

if TYPE_CHECKING:
    from pinngate.data.observations import ObservationSet

Array = NDArray[np.float64]
Initial = Callable[[dict[str, Array]], Array]
Smoother = Callable[[Problem, str, Sequence["ObservationSet"]], Initial]

# of the solvers, relative: far below the errors that noise leaves
TOLERANCE = 1e-5
# the coefficients of a cubic spline fall as k⁻⁴: more would only chase its kinks
MAX_WAVES = 2048
SAME_TIME = 1e-9  # of the duration, as far as points may lie outside the domain

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Classical:
    """The baseline's fields: call it with points (n, axes) for each unknown's values (n,)."""

    evaluate: Callable[[Array], dict[str, Array]]
    method: str

    def __call__(self, points: Array) -> dict[str, Array]:
        """Return the values (n,) of each unknown at points (n, axes)."""
        return self.evaluate(np.asarray(points, dtype=np.float64))


def classical(
    problem: Problem,
    observations: Sequence[ObservationSet],
    *,
    smoother: tuple[str, Smoother] | None = None,
) -> Classical | None:
    """Return what a careful numerical analyst would make of the data; None with a logged reason.

    The spline of a noisy initial condition passes exactly through the boundary values that the
    problem states for the initial time (an analyst uses what is known, and the solver then starts
    from data that agree with its boundary conditions) and is periodic where the problem is. Only
    the observations at the initial time enter, in as many sets as there are; fields whose initial
    data are stated exactly are used as they are. Formulas of fields that were observed do not
    count.

    Args:
        problem: the problem; its truth is never read.
        observations: the noisy values; their standard deviations weight them where stated.
        smoother: name and function of another smoother of the initial condition; there is no
            answer for data that are not at the initial time.

    Cost: that of one reference solution, or of a 2,000 × 2,000 eigendecomposition.
    """
    try:
        if problem.events:
            raise InputError("splines do not jump at events")
        spline = "smoothing spline" if len(problem.space_axes) == 1 else "thin-plate spline"
        label, smooth = smoother or (spline, _smooth_initial)
        # the solvers know boxes only
        initial = None if problem.geometry else _initial_data(problem, observations, smooth)
        if initial is None:
            if smoother is not None:
                raise InputError(f"the {label} needs observations at the initial time")
            return _smoothed(problem, observations)
        fields, is_smoothed = initial
        solution, name = _solve(problem, fields)
        return Classical(solution, f"{label} + {name}" if is_smoothed else name)
    except (InputError, SolveError) as reason:
        logger.info("no classical baseline for %s: %s", problem.name, reason)
        return None


def _solve(
    problem: Problem, fields: dict[str, Initial]
) -> tuple[Callable[[Array], dict[str, Array]], str]:
    # the solvers are loaded only where one runs: they are heavy
    from pinngate.reference import finite_difference, runge_kutta, spectral

    if not problem.space_axes:
        return runge_kutta.solve(problem, fields), "Runge-Kutta method"
    try:
        waves = spectral.solve(problem, fields, tolerance=TOLERANCE, max_points=MAX_WAVES)
        return waves, "spectral solver"
    except (InputError, SolveError) as reason:
        logger.info("no spectral solution of %s: %s", problem.name, reason)
    return finite_difference.solve(problem, fields, target=TOLERANCE), "finite differences"


def _initial_data(
    problem: Problem, observations: Sequence[ObservationSet], smooth: Smoother
) -> tuple[dict[str, Initial], bool] | None:
    """Return a function for every initial datum; None where one is neither known nor observed."""
    if not _is_solvable(problem):
        return None
    start = problem.domain["t"][0]
    at_start = [data for data in observations if _is_initial(problem, data)]
    fields: dict[str, Initial] = {}
    is_smoothed = False
    for f, order, name in _initial_names(problem):
        exact = _exact(problem, "t", start, name)
        seen = [data for data in at_start if data.of == f and order == 0]
        if exact is not None:
            fields[name] = exact
        elif seen and problem.space_axes:
            fields[name] = smooth(problem, f, seen)
            is_smoothed = True
        else:
            logger.info("%s at t = %g is neither stated nor observed over space", name, start)
            return None
    return fields, is_smoothed


def _is_initial(problem: Problem, data: ObservationSet) -> bool:
    """Tell whether all values are of the initial time, stated so or, in a file, by their points."""
    start, end = problem.domain["t"]
    times = data.points[:, problem.axes.index("t")]
    return bool((np.abs(times - start) <= SAME_TIME * (end - start)).all())


def _is_solvable(problem: Problem) -> bool:
    """Tell whether a solver carries every field on from its start without estimating anything."""
    is_known = not (problem.coefficients or problem.coefficient_fields or problem.fluxes)
    return problem.has_time and is_known and 0 not in time_orders(problem).values()


def _initial_names(problem: Problem) -> Iterator[tuple[str, int, str]]:
    """Yield field, order in time and name, ``u_t``, of each initial datum."""
    for f, top in time_orders(problem).items():
        for order in range(top):
            orders = tuple(order if axis == "t" else 0 for axis in problem.axes)
            yield f, order, derivative_name(Derivative(f, orders), problem.axes)


def _exact(problem: Problem, axis: str, value: float, name: str) -> Initial | None:
    """Return the values that a condition on axis = value gives one derivative outright."""
    for condition in problem.conditions:
        if condition.where.axis == axis and condition.where.value == value:
            solved = _solved_for(problem, condition, name)
            if solved is not None:
                return solved
    return None


def _solved_for(problem: Problem, condition: Condition, name: str) -> Initial | None:
    if set(problem.derivatives(condition.residual)) != {name}:
        return None
    linear, rest = coefficients_of(condition.residual, {name})
    if name not in linear or name in names(rest):
        return None
    slope = linear[name]

    def values(axes: dict[str, Array]) -> Array:
        known = {**problem.constants, condition.where.axis: condition.where.value, **axes}
        shape = np.broadcast_shapes(*(np.shape(a) for a in axes.values()))
        quotient = -evaluate(rest, known, np) / evaluate(slope, known, np)
        return np.broadcast_to(np.asarray(quotient, dtype=float), shape)

    return values


def _smooth_initial(problem: Problem, f: str, seen: Sequence[ObservationSet]) -> Initial:
    points = np.concatenate([data.points for data in seen])
    values = np.concatenate([data.values for data in seen])
    precision = stated_precision(seen)
    columns = [problem.axes.index(a) for a in problem.space_axes]
    if len(columns) > 1:
        bounds = [problem.domain[a] for a in problem.space_axes]
        surface = thin_plate(points[:, columns], values, precision, bounds=bounds)
        return lambda axes: surface(np.column_stack([axes[a] for a in problem.space_axes]))
    axis = problem.space_axes[0]
    fixed = fixed_ends(problem, f, axis)
    spline = smoothing_spline(
        points[:, columns[0]],
        values,
        precision,
        interval=problem.domain[axis],
        is_periodic=axis in problem.periodic,
        fixed=fixed,
    )
    return lambda axes: spline(axes[axis])


def fixed_ends(problem: Problem, f: str, axis: str) -> dict[float, float]:
    """Return the values that conditions fix at the ends of a space axis at the initial time."""
    start = np.array([problem.domain["t"][0]])
    fixed: dict[float, float] = {}
    for end in problem.domain[axis]:
        given = _exact(problem, axis, end, f)
        if given is not None:
            fixed[end] = float(given({"t": start})[0])
    return fixed


def _smoothed(problem: Problem, observations: Sequence[ObservationSet]) -> Classical:
    surfaces = {f: _surface(problem, f, observations) for f in problem.unknowns}
    return Classical(
        lambda points: {f: surface(points) for f, surface in surfaces.items()},
        "thin-plate spline, generalised cross-validation",
    )


def _surface(problem: Problem, f: str, observations: Sequence[ObservationSet]) -> ThinPlate:
    seen = [data for data in observations if data.of == f]
    if not seen:
        raise InputError(f"{f} was not observed and its initial data are not known")
    if problem.geometry and all(data.where is not None for data in seen):
        raise InputError(f"{f} was observed on planes only, and no solver knows its geometry")
    points = np.concatenate([data.points for data in seen])
    values = np.concatenate([data.values for data in seen])
    bounds = list(problem.domain.values())
    return thin_plate(points, values, stated_precision(seen), bounds=bounds)


def stated_precision(seen: Sequence[ObservationSet]) -> Array | None:
    """Return 1/variance of each value; None, equal weights, unless every set states it."""
    stds = [data.std for data in seen if data.std is not None]
    return np.concatenate(stds) ** -2.0 if len(stds) == len(seen) else None
