"""Unknown functions of fields in an answer: values and a band over the range that was visited.

A function is linear in its weights before its bounds, so that the joint posterior of the weights
gives the standard deviation of its free variable at every place, and intervals keep the bounds.
Part of `judgement`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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

NUM_SHOWN = 201  # places of a function


def function_entries(
    session: Session, posterior: Uncertainty | None, grid: Grid, solution: dict[str, Array]
) -> dict[str, Any]:
    """Return the entries of functions of fields, like those of coefficient fields.

    Args:
        session: after training.
        posterior: None where nothing was observed.
        grid: of the fields, on which their ranges are taken.
        solution: takes ``D``, ``D_std``, ``D_truth`` and ``D_at``, where they are.
    """
    return {
        f.name: _entry(session, posterior, f, _visited(session, grid, f), solution)
        for f in session.problem.field_functions
    }


def _visited(session: Session, grid: Grid, function: FieldFunction) -> Array:
    """Return places over the range that the fitted field takes, within that of the spline."""
    places = places_of(session.problem, function.name)
    seen = np.concatenate([_values(session, grid.points, place) for place in places])
    spline = function.spline
    low, high = np.clip([np.nanmin(seen), np.nanmax(seen)], spline.low, spline.high)
    return np.linspace(low, high, NUM_SHOWN)


def _values(session: Session, points: Array, place: Expression) -> Array:
    """Return the fitted values of what a function is of."""
    return session.observe(
        ObservationSet("visited", "", points, np.zeros(len(points)), quantity=place)
    )


def _entry(
    session: Session,
    posterior: Uncertainty | None,
    function: FieldFunction,
    at: Array,
    solution: dict[str, Array],
) -> dict[str, Any]:
    rows, found = _rows(function, at), session.estimates()
    output = rows @ np.array([found[name] for name in function.weights])
    value, slope = values_and_slopes(function, output)
    truth = _truth(session, function, at)
    free = _deviation(session, posterior, function, rows)
    arrays = {"": value, "_at": at, "_truth": truth, "_std": None if free is None else slope * free}
    solution |= {function.name + key: v for key, v in arrays.items() if v is not None}
    ends = _ends(session, posterior, function, output, free)
    return {
        **_against(value, truth, ends),
        "over": function.over[0],
        "visited": [float(at[0]), float(at[-1])],
        "range": [float(np.min(value)), float(np.max(value))],
        "half_width": None if ends is None else float(np.mean(ends[1] - ends[0]) / 2),
    }


def _ends(
    session: Session,
    posterior: Uncertainty | None,
    function: FieldFunction,
    output: Array,
    free: Array | None,
) -> tuple[Array, Array] | None:
    """Return both ends of the 95 % band, None where there is none."""
    if free is None or posterior is None:
        return None
    first = posterior.members_at(session.stepper.network)[0].posterior
    return ends_of(function, output, first.quantile * free)


def _rows(function: FieldFunction, at: Array) -> Array:
    """Return what every weight adds to the free variable, (places, weights)."""
    count = len(function.weights)
    arguments = [*np.zeros(count), at]
    rows = [function.spline.evaluate(arguments, (k,)) for k in range(count)]
    return np.stack(rows, axis=1)


def _deviation(
    session: Session, posterior: Uncertainty | None, function: FieldFunction, rows: Array
) -> Array | None:
    """Return the standard deviation of the free variable, None where there is none."""
    if posterior is None:
        return None
    names = session.stepper.coefficients.names
    chosen = [names.index(name) for name in function.weights]
    covariance = posterior.raw_covariance.double().cpu().numpy()[np.ix_(chosen, chosen)]
    variance = np.einsum("ij,jk,ik->i", rows, covariance, rows)
    return np.sqrt(np.maximum(variance, 0.0)) if np.isfinite(variance).all() else None


def _truth(session: Session, function: FieldFunction, at: Array) -> Array | None:
    if function.truth is None:
        return None
    problem = session.problem
    known: dict[str, Any] = {**problem.constants, **problem.true_coefficients()}
    found = evaluate(function.truth, known | {function.over[0]: at}, np)
    return np.broadcast_to(np.asarray(found, dtype=float), at.shape).copy()


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


__all__ = ["function_entries"]
