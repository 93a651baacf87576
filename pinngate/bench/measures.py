"""What a benchmark measures: a verdict for any method, and the way there.

Stands between the methods and the tables. `Case` is what all methods of one problem and seed share:
data, truth, the statistical limit and the classical answer. `score` judges an outcome exactly as
`pinngate.runs.judgement` judges our own runs. `reached` reads iterations and seconds to a given
error from the course of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinngate.bench.methods.contract import Array, Course, Outcome
from pinngate.classical import classical
from pinngate.data.observations import ObservationSet, collect
from pinngate.errors import SolveError
from pinngate.limits import Limit, limit
from pinngate.points.grid import Grid, evaluation_grid
from pinngate.reference import truth
from pinngate.runs.metrics import coefficient_metrics, field_metrics, relative_l2, true_noise
from pinngate.runs.training import LOG_GRID_FRACTION
from pinngate.statement.problem import Problem

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One problem with the data of one seed.

    Attributes:
        problem: as stated.
        observations: the data that every method gets.
        grid: where methods are judged.
        known: the truth there, (n,) for each unknown, None where it is not known.
        limit: expected error of the best unbiased estimator, None where there is none.
        analyst: relative L2 and name of the classical pipeline, by unknown.
        watched: coarser grid for the course, and the truth there.
    """

    problem: Problem
    observations: Sequence[ObservationSet]
    grid: Grid
    known: Mapping[str, Array] | None
    limit: Limit | None
    analyst: Mapping[str, Any]
    watched: tuple[Grid, Mapping[str, Array] | None]

    def course(self) -> Course:
        """Return an empty course."""
        return Course(*self.watched)


def case_of(problem: Problem) -> Case:
    """Make the data of a problem and what its answers are compared with."""
    reference = truth(problem)
    observations = collect(problem, reference, problem.solve.seed)
    grid = evaluation_grid(problem)
    coarse = evaluation_grid(problem, fraction=LOG_GRID_FRACTION)
    known = watched = bound = None
    if reference is not None:
        known, watched = reference(grid.points), reference(coarse.points)
        noise = true_noise(problem, observations)
        if noise:
            bound = limit(problem, observations, grid.points, reference, noise)
    analyst: dict[str, Any] = dict.fromkeys(problem.unknowns)
    found = classical(problem, observations)
    if found is not None and known is not None:
        for name, values in found(grid.points).items():
            error = relative_l2(values, known[name])
            analyst[name] = {"relative_l2": error, "method": found.method}
    return Case(problem, observations, grid, known, bound, analyst, (coarse, watched))


def score(case: Case, outcome: Outcome) -> Row:
    """Return the verdict on an outcome in the form of `metrics.json`.

    Raises:
        SolveError: the answer holds values that are not finite.
    """
    metrics = dict(_judged(case, outcome) if outcome.metrics is None else outcome.metrics)
    metrics["solve_seconds"] = outcome.seconds
    best = {} if case.limit is None else case.limit.coefficients
    metrics["coefficients"] = {
        name: {**entry, "limit": best[name]} if name in best else entry
        for name, entry in metrics["coefficients"].items()
    }
    return metrics | dict(outcome.details)


def _judged(case: Case, outcome: Outcome) -> Row:
    """Return the metrics of a method that does not judge its own answer."""
    unknowns, bound, known = case.problem.unknowns, case.limit, case.known or {}
    if not all(np.isfinite(outcome.fields[name]).all() for name in unknowns):
        raise SolveError("the solution is not finite")
    return {
        "status": "converged",
        "reason": outcome.reason,
        "iterations": outcome.iterations,
        "seconds": {"total": outcome.seconds},
        "fields": {
            name: field_metrics(
                case.grid, outcome.fields[name], known.get(name), outcome.std.get(name)
            )
            for name in unknowns
        },
        "limit": {name: None if bound is None else bound.of_field(name) for name in unknowns},
        "classical": case.analyst,
        "coefficient_fields": {},
        "coefficients": coefficient_metrics(case.problem, outcome.coefficients, outcome.intervals),
    }


def field_names(row: Row) -> list[str]:
    """Return the fields that a row has figures of, those of varying coefficients last."""
    return [
        k.split(".")[1]
        for kind in ("fields.", "coefficient_fields.")
        for k in row
        if k.startswith(kind) and k.endswith(".max_abs")
    ]


def figure(row: Row, name: str, key: str) -> float | None:
    """Return a figure of a field or of a varying coefficient, None where there is none."""
    found: float | None = row.get(
        f"fields.{name}.{key}", row.get(f"coefficient_fields.{name}.{key}")
    )
    return found


def best_ever(row: Row, name: str, key: str = "relative_l2") -> float | None:
    """Return the least error along the way or at the end: what perfect stopping would have given.

    The course is judged on a coarser grid than the end; its figures are scaled so that both agree
    at the last state.
    """
    final = figure(row, name, key)
    if final is None:
        return None
    course = [v for v in (row.get("course") or {}).get(f"{key}.{name}", []) if v is not None]
    if not course or not course[-1]:
        return float(final)
    return float(final) * min(1.0, min(course) / course[-1])


def reached(row: Row, name: str, level: float) -> tuple[float | None, float] | None:
    """Return iterations and seconds to the first state of relative L2 at most `level`, or None.

    A method without a course reaches at its end what its answer reaches.
    """
    course = row.get("course") or {}
    errors = course.get(f"relative_l2.{name}", [])
    for k, error in enumerate(errors):
        if error is not None and error <= level:
            return course["iteration"][k], course["seconds"][k]
    final = figure(row, name, "relative_l2")
    if not errors and final is not None and final <= level:
        return row.get("iterations"), row["solve_seconds"]
    return None


def error_at(row: Row, name: str, seconds: float) -> float | None:
    """Return the relative L2 error of the last state within `seconds`; None before the first.

    None too for coefficients that vary: only fields are judged along the way.
    """
    final = figure(row, name, "relative_l2")
    if final is None:
        return None
    if row["solve_seconds"] <= seconds:
        return float(final)
    course = row.get("course") or {}
    errors = course.get(f"relative_l2.{name}", [])
    pairs = zip(course["seconds"], errors, strict=True) if errors else ()
    within = [error for at, error in pairs if at <= seconds and error is not None]
    return float(within[-1]) if within else None
