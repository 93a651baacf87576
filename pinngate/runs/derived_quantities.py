"""Derived quantities of a run: formulas in fields and coefficients, with intervals.

A quantity is a function of all that was fitted. Its slope along weights and coefficients, taken
through the same derivative channels as residuals, carries the posterior over to it (the delta
method); formulas in coefficients alone, which may be strongly bent, are taken at draws of the
coefficients. Part of `judgement`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.errors import InputError
from pinngate.expression import Expression, evaluate, names
from pinngate.geometry.region import Region
from pinngate.inference.posterior import student_quantile
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.jacobian import jacobian, row_weights
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, Term
from pinngate.points.grid import GRID_POINTS
from pinngate.runs.training import Session
from pinngate.statement.axis_places import measure, spaced
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.problem import Derived, Problem

Array = NDArray[np.float64]

NUM_DRAWS = 4000  # of the coefficients
TAILS = (2.5, 97.5)  # percentiles that end a 95 % interval


@dataclass(frozen=True)
class Places:
    """Where a quantity is read.

    Attributes:
        shape: numbers of free places, then of places that are reduced over.
        points: (free · reduced, axes), free places first.
        weights: of the places that are reduced over, (reduced,), their sum one.
        extent: length, area or volume that they stand for, by the measure of the axes.
        free: coordinates of the free axes.
    """

    shape: tuple[int, int]
    points: Array
    weights: Array
    extent: float
    free: dict[str, Array]


def derived_entries(
    session: Session, posterior: Uncertainty | None, solution: dict[str, Array]
) -> dict[str, Any]:
    """Return the entries of ``derived`` in metrics.json.

    A quantity that still depends on an axis enters `solution` as an array, and its entry tells
    range and half width as that of an unknown function does.

    Cost: a Jacobian at the quantity's points.
    """
    found: dict[str, Any] = {}
    for derived in session.problem.derived:
        if _is_of_coefficients(session.problem, derived):
            found[derived.name] = _of_coefficients(session, posterior, derived)
        else:
            found[derived.name] = _of_fields(session, posterior, derived, solution)
    return found


def _is_of_coefficients(problem: Problem, derived: Derived) -> bool:
    """Whether neither fields nor axes stand in a formula."""
    has_axes = bool(set(names(derived.expression)) & set(problem.axes))
    return not has_axes and not problem.derivatives(derived.expression)


def _entry(derived: Derived, estimate: float, std: float | None, ends: Any, truth: Any) -> Any:
    return {
        "formula": derived.text,
        "estimate": estimate,
        "std": std,
        "interval_95": ends,
        "truth": truth,
    }


def _of_coefficients(session: Session, posterior: Uncertainty | None, derived: Derived) -> Any:
    problem, coefficients = session.problem, session.stepper.coefficients
    known: dict[str, Any] = dict(problem.constants)
    estimate = float(evaluate(derived.expression, known | session.estimates(), np))
    true = problem.true_coefficients()
    truth = None
    if set(coefficients.names) <= set(true):
        truth = float(evaluate(derived.expression, known | true, np))
    if posterior is None or not bool(torch.isfinite(posterior.raw_covariance).all()):
        return _entry(derived, estimate, None, None, truth)
    first = posterior.members_at(session.stepper.network)[0].posterior
    factor = first.quantile / student_quantile(math.inf)
    raw = coefficients.raw.detach().double().cpu()
    random = np.random.default_rng(problem.solve.seed)
    covariance = posterior.raw_covariance.cpu().numpy()
    draws = random.multivariate_normal(np.zeros(len(raw)), covariance, NUM_DRAWS)
    with np.errstate(all="ignore"):
        shown = coefficients.values_at(raw + torch.as_tensor(draws)).numpy()
        wide = coefficients.values_at(raw + factor * torch.as_tensor(draws)).numpy()
        values, spread = (
            np.broadcast_to(
                evaluate(
                    derived.expression, known | dict(zip(coefficients.names, v.T, strict=True)), np
                ),
                (NUM_DRAWS,),
            )
            for v in (shown, wide)
        )
        ends = np.percentile(spread, TAILS)
    has_ends = bool(np.isfinite(ends).all())
    return _entry(
        derived, estimate, float(np.std(values)), ends.tolist() if has_ends else None, truth
    )


def _of_fields(
    session: Session, posterior: Uncertainty | None, derived: Derived, solution: dict[str, Array]
) -> Any:
    places = places_of(session.problem, derived)
    value, std, quantile = _with_deviations(session, posterior, derived, places)
    if places.free:
        shape = [len(c) for c in places.free.values()]
        solution[derived.name] = value.reshape(shape)
        if std is not None:
            solution[f"{derived.name}_std"] = std.reshape(shape)
        seen = np.isfinite(value)
        width = None if std is None or not seen.any() else float(quantile * std[seen].mean())
        return {
            "formula": derived.text,
            "over": list(places.free),
            "range": [float(end(value[seen])) for end in (np.min, np.max)] if seen.any() else None,
            "half_width": width,
        }
    estimate, ends = float(value[0]), None
    if std is not None:
        half = quantile * float(std[0])
        ends = [estimate - half, estimate + half]
    width = None if std is None else float(std[0])
    return _entry(derived, estimate, width, ends, _truth(session, derived, places))


def _with_deviations(
    session: Session, posterior: Uncertainty | None, derived: Derived, places: Places
) -> tuple[Array, Array | None, float]:
    """Return the quantity at its free places, its deviations and their quantile.

    Of a mean of networks: the mean, and the variance within them and between.
    """
    network = session.stepper.network
    if posterior is None:
        return _reduced(session, network, derived, places)[0], None, 0.0
    parts = []
    for member in posterior.members_at(network):
        own, by_weight, by_coefficient = _reduced(session, member.network, derived, places)
        variance = member.posterior.variance_of(by_weight, by_coefficient).cpu().numpy()
        parts.append((member.share, own, variance))
    value = np.sum([share * own for share, own, _ in parts], axis=0)
    with np.errstate(invalid="ignore"):  # where the quantity has no finite value
        spread = [share * (v + (own - value) ** 2) for share, own, v in parts]
    quantile = posterior.members_at(network)[0].posterior.quantile
    return value, np.sqrt(np.sum(spread, axis=0)), quantile


def places_of(problem: Problem, derived: Derived) -> Places:
    """Return the places of a quantity: a grid of its free axes, and one of those reduced over."""
    count = GRID_POINTS[len(problem.axes)]
    fixed = {plane.axis: plane.value for plane in derived.at}
    coordinates = {axis: spaced(bounds, count) for axis, bounds in problem.domain.items()}
    free = {a: c for a, c in coordinates.items() if a not in fixed and a not in derived.over}
    outer = _mesh(list(free.values()))
    inner = _mesh([coordinates[axis] for axis in derived.over])
    rules = np.prod(_mesh([_trapezium(coordinates[axis]) for axis in derived.over]), axis=1)
    rules = rules * measure(problem.coordinates, dict(zip(derived.over, inner.T, strict=False)))
    columns = dict(zip(free, np.repeat(outer, len(inner), axis=0).T, strict=True))
    columns |= dict(zip(derived.over, np.tile(inner, (len(outer), 1)).T, strict=True))
    columns |= {axis: np.full(len(outer) * len(inner), value) for axis, value in fixed.items()}
    points = np.column_stack([columns[axis] for axis in problem.axes])
    inside = Region(problem).inside(points).reshape(len(outer), len(inner)).any(axis=0)
    weights = np.where(inside, rules, 0.0)
    extent = float(weights.sum())
    return Places((len(outer), len(inner)), points, weights / weights.sum(), extent, free)


def _trapezium(places: Array) -> Array:
    """Return the weights of the trapezium rule on places (n,)."""
    steps = np.diff(places) / 2
    return np.append(steps, 0.0) + np.append(0.0, steps)


def _mesh(axes: list[Array]) -> Array:
    """Return the points of a grid, (n, axes); one point without axes."""
    if not axes:
        return np.zeros((1, 0)) + 1.0
    return np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)


def _reduced(
    session: Session, network: Network, derived: Derived, places: Places
) -> tuple[Array, Tensor, Tensor]:
    """Return the quantity at its free places (F,), and its slopes (F, P) and (F, K)."""
    values, slopes = slopes_at(session, network, derived.expression, places.points)
    count = len(session.stepper.coefficients.raw)
    table = values.reshape(places.shape)
    rows = slopes.reshape(*places.shape, -1)
    if derived.reduction in ("max", "min"):
        sign = 1.0 if derived.reduction == "max" else -1.0
        best = np.where(places.weights > 0, sign * table, -np.inf).argmax(1)
        at = np.arange(len(best))
        reduced, moved = table[at, best], rows[at, best]
    else:
        weights = places.weights * (places.extent if derived.reduction == "integral" else 1.0)
        reduced = table @ weights
        moved = torch.einsum("fqp,q->fp", rows, torch.as_tensor(weights).to(rows))
    split = moved.shape[1] - count
    return reduced, moved[:, :split], moved[:, split:]


def number_slopes(
    session: Session, network: Network, derived: Derived
) -> tuple[float, Tensor, Tensor]:
    """Return a quantity that is a number, and its slopes over weights (1, P) and the raw (1, K).

    Raises:
        InputError: it depends on an axis.
    """
    if _is_of_coefficients(session.problem, derived):
        nowhere = np.array([[low for low, _ in session.problem.domain.values()]])
        places = Places((1, 1), nowhere, np.ones(1), 1.0, {})
    else:
        places = places_of(session.problem, derived)
    if places.free:
        raise InputError(
            f"'{derived.name}' is a function of {', '.join(places.free)}, not a number",
            expected="a coefficient, or a derived quantity that depends on no axis",
            hint=f"'{derived.text} at ...' or max, min, mean, integral over the axis make it one",
        )
    values, by_weight, by_coefficient = _reduced(session, network, derived, places)
    return float(values[0]), by_weight, by_coefficient


def slopes_at(
    session: Session, network: Network, expression: Expression, points: Array
) -> tuple[Array, Tensor]:
    """Return a formula at points (n,) and its slopes over weights and raw coefficients, (n, P + K).

    Args:
        session: after training.
        network: of the answer, or one that it is a mean of.
        expression: in fields, derivatives, axes and coefficients.
        points: (n, axes).
    """
    if network.low.dtype != torch.float64:
        network = copy.deepcopy(network).double()
    term = Term("seen", "observation", searched(session.problem, expression))
    model = ResidualModel([term], session.problem)
    batches = {"seen": Batch(torch.as_tensor(points).to(network.low))}
    weights = row_weights(model, batches, {"seen": 1.0})
    slopes, values = jacobian(model, network, session.stepper.coefficients, batches, weights)
    return values.cpu().numpy(), slopes


def _truth(session: Session, derived: Derived, places: Places) -> float | None:
    """Return the true value of a number, None where the truth does not tell it."""
    problem, reference = session.problem, session.reference
    seen = problem.derivatives(derived.expression)
    is_plain = all(d.order == 0 and d.field in problem.unknowns for d in seen.values())
    true = problem.true_coefficients()
    needed = set(names(derived.expression)) & {c.name for c in problem.coefficients}
    if reference is None or places.free or not is_plain or not needed <= set(true):
        return None
    known: dict[str, Any] = {**problem.constants, **true, **reference(places.points)}
    known |= dict(zip(problem.axes, places.points.T, strict=True))
    values = np.broadcast_to(evaluate(derived.expression, known, np), (len(places.points),))
    usable: Mapping[str, float] = {
        "max": float(values[places.weights > 0].max()),
        "min": float(values[places.weights > 0].min()),
        "mean": float(values @ places.weights),
        "integral": float(values @ places.weights * places.extent),
        "": float(values[0]),
    }
    return usable[derived.reduction]


__all__ = ["derived_entries", "number_slopes", "places_of", "slopes_at"]
