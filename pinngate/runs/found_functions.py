"""Unknown functions of fields in an answer: values and a band over what was visited.

Of one argument that is the range that the fitted field takes; of two, all places less than a
quarter of the distance between knots from a pair of values that the fit takes somewhere, on a grid.

A function is linear in its weights before its bounds, so that the joint posterior of the weights
gives the standard deviation of its free variable at every place, and intervals keep the bounds.
Part of `judgement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from pinngate.data.observations import ObservationSet
from pinngate.expression import Expression, evaluate
from pinngate.inference.uncertainty import Uncertainty
from pinngate.points.grid import Grid
from pinngate.runs.metrics import relative_l2
from pinngate.runs.training import Session
from pinngate.statement.coefficient_fields import ends_of, values_and_slopes
from pinngate.statement.placed_functions import places_of
from pinngate.statement.unknown_quantities import FieldFunction

Array = NDArray[np.float64]

NUM_SHOWN = {1: 201, 2: 61}  # places along each argument, by their number
NEAR = 0.25  # of the distance between knots; farther off the smoothness tells, not the data
MOST_SEEN = 2000  # places of the fit that tell what was visited by a function of two arguments


def function_entries(
    session: Session, posterior: Uncertainty | None, grid: Grid, solution: dict[str, Array]
) -> dict[str, Any]:
    """Return the entries of functions of fields, like those of coefficient fields.

    Args:
        session: after training.
        posterior: None where nothing was observed.
        grid: of the fields, on which their ranges are taken.
        solution: takes ``D``, ``D_std``, ``D_truth`` and ``D_at``, where they are; of two
            arguments ``f_at_u`` and ``f_at_v``, with NaN where nothing was visited, and
            ``f_seen_u`` and ``f_seen_v``, places of the fit.
    """
    found = {}
    for f in session.problem.field_functions:
        seen = _seen(session, grid, f)
        solution |= dict(zip(f.seen, seen.T, strict=False))
        found[f.name] = _entry(session, posterior, f, _visited(f, seen), solution)
    return found


@dataclass(frozen=True)
class FunctionValues:
    """A function of fields at places: values and, where there are, deviations and 95 % bands.

    Arrays of the shape of the places.
    """

    value: Array
    std: Array | None = None
    lower: Array | None = None
    upper: Array | None = None

    @property
    def band(self) -> tuple[Array, Array] | None:
        """Both ends, None where there are none."""
        return None if self.lower is None or self.upper is None else (self.lower, self.upper)


def function_values(
    session: Session, posterior: Uncertainty | None, function: FieldFunction, at: Array
) -> FunctionValues:
    """Return a function at places (arguments, n), visited or not."""
    found = session.estimates()
    rows = function.spline.rows(list(at))
    output = rows @ np.array([found[name] for name in function.weights])
    value, slope = values_and_slopes(function, output)
    free = _deviation(session, posterior, function, rows)
    if free is None or posterior is None:
        return FunctionValues(value)
    first = posterior.members_at(session.stepper.network)[0].posterior
    return FunctionValues(value, slope * free, *ends_of(function, output, first.quantile * free))


def _seen(session: Session, grid: Grid, function: FieldFunction) -> Array:
    """Return the arguments that the fit takes, within the ranges of the spline, (n, arguments)."""
    calls = places_of(session.problem, function.name)
    each = [[_values(session, grid.points, place) for place in places] for places in calls]
    seen = np.concatenate([np.stack(values, axis=1) for values in each])
    seen = seen[np.isfinite(seen).all(axis=1)]
    along = function.spline.along
    low, high = [knots.low for knots in along], [knots.high for knots in along]
    step = 1 if len(along) == 1 else -(-len(seen) // MOST_SEEN)
    return np.clip(seen[::step], low, high)


def _visited(function: FieldFunction, seen: Array) -> Grid:
    """Return a grid of the arguments of a function, inside where they were visited.

    Args:
        function: on its ranges.
        seen: what was visited, (n, arguments).

    Cost: one search for the nearest of n for each place of the grid.
    """
    ends = zip(seen.min(axis=0), seen.max(axis=0), strict=True)
    count = NUM_SHOWN[len(function.over)]
    axes = {n: np.linspace(*e, count) for n, e in zip(function.places, ends, strict=True)}
    mesh = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
    inside = np.ones(mesh.shape[:-1], dtype=bool)
    if len(axes) > 1:
        inside = is_near(function, seen, mesh)
    return Grid(axes, mesh[inside], inside)


def is_near(function: FieldFunction, seen: Array, at: Array) -> NDArray[np.bool_]:
    """Return which places (…, arguments) are within `NEAR` of what was visited."""
    spacing = np.array([knots.spacing for knots in function.spline.along])
    distance, _ = cKDTree(seen / spacing).query(at / spacing, p=np.inf)
    return np.asarray(distance <= NEAR)


def _values(session: Session, points: Array, place: Expression) -> Array:
    """Return the fitted values of what a function is of."""
    return session.observe(
        ObservationSet("visited", "", points, np.zeros(len(points)), quantity=place)
    )


def _entry(
    session: Session,
    posterior: Uncertainty | None,
    function: FieldFunction,
    grid: Grid,
    solution: dict[str, Array],
) -> dict[str, Any]:
    at = grid.points.T
    told, truth = function_values(session, posterior, function, at), _truth(session, function, at)
    arrays = {"": told.value, "_truth": truth, "_std": told.std}
    solution |= {function.name + k: grid.spread(v) for k, v in arrays.items() if v is not None}
    solution |= grid.axes
    ends = told.band
    return {
        **_against(told.value, truth, ends),
        **_where(function, grid),
        "range": [float(np.min(told.value)), float(np.max(told.value))],
        "half_width": None if ends is None else float(np.mean(ends[1] - ends[0]) / 2),
    }


def _where(function: FieldFunction, grid: Grid) -> dict[str, Any]:
    """Return over what a function is told: one range, or two and the share of both together."""
    ranges = [[float(axis[0]), float(axis[-1])] for axis in grid.axes.values()]
    if len(function.over) == 1:
        return {"over": function.over[0], "visited": ranges[0]}
    share = float(grid.inside.mean())
    return {"over": list(function.over), "visited": ranges, "visited_share": share}


def _deviation(
    session: Session, posterior: Uncertainty | None, function: FieldFunction, rows: Array
) -> Array | None:
    """Return the standard deviation of the free variable, None where there is none."""
    if posterior is None:
        return None
    names = session.stepper.coefficients.names
    chosen = [names.index(name) for name in function.weights]
    covariance = posterior.raw_covariance.double().cpu().numpy()[np.ix_(chosen, chosen)]
    variance = function.weight**2 * np.einsum("ij,jk,ik->i", rows, covariance, rows)
    return np.sqrt(np.maximum(variance, 0.0)) if np.isfinite(variance).all() else None


def _truth(session: Session, function: FieldFunction, at: Array) -> Array | None:
    if function.truth is None:
        return None
    problem = session.problem
    known: dict[str, Any] = {**problem.constants, **problem.true_coefficients()}
    known |= dict(zip(function.over, at, strict=True))
    found = evaluate(function.truth, known, np)
    return np.broadcast_to(np.asarray(found, dtype=float), at.shape[1:]).copy()


def _against(
    value: Array, truth: Array | None, ends: tuple[Array, Array] | None
) -> dict[str, float | None]:
    """Return the error against the truth, and the share of it inside the band."""
    if truth is None:
        return dict.fromkeys(("relative_l2", "max_abs", "coverage_95"))
    return {
        "relative_l2": relative_l2(value, truth),
        "max_abs": float(np.max(np.abs(value - truth))),
        "coverage_95": None if ends is None else _share_inside(truth, *ends),
    }


def _share_inside(truth: Array, low: Array, high: Array) -> float:
    return float(np.mean((low <= truth) & (truth <= high)))


__all__ = ["FunctionValues", "function_entries", "function_values", "is_near"]
