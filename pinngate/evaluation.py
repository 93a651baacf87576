"""Judge a trained session: fields and their uncertainty on a grid, errors, rivals, the verdict.

What comes out is what `pinngate.artifacts` writes: `metrics.json`, `solution.npz` and
`observations.csv`. The truth enters here and nowhere earlier.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinngate.classical import classical
from pinngate.limits import limit
from pinngate.metrics import (
    coefficient_metrics,
    evaluation_grid,
    field_metrics,
    relative_l2,
    true_noise,
)
from pinngate.training import Session


@dataclass(frozen=True)
class Judged:
    """The contents of metrics.json, solution.npz and observations.csv."""

    metrics: dict[str, Any]
    solution: dict[str, np.ndarray]
    observations: dict[str, np.ndarray]


def judge(session: Session, reason: str, setup: float) -> Judged:
    """Judge a session that has been trained.

    Args:
        session: after `train`.
        reason: why it stopped.
        setup: seconds spent before training.
    """
    started = time.perf_counter()
    problem, reference = session.problem, session.reference
    grid = evaluation_grid(problem)
    values = session.evaluate(grid.points)
    stds = deviations(session, grid.points)
    known = reference(grid.points) if reference is not None else None
    fields: dict[str, Any] = {}
    solution: dict[str, np.ndarray] = dict(grid.axes)
    for name in problem.unknowns:
        std = stds.get(f"{name}_std")
        expected = None if known is None else known[name]
        fields[name] = field_metrics(grid, values[name], expected, std)
        solution[name] = values[name].reshape(grid.shape)
        if std is not None:
            solution[f"{name}_std"] = std.reshape(grid.shape)
        if expected is not None:
            solution[f"{name}_truth"] = expected.reshape(grid.shape)

    noise = true_noise(problem, session.observations)
    bound = None
    if reference is not None and noise:
        bound = limit(problem, session.observations, grid.points, reference, noise)
    analyst = classical(problem, session.observations)
    rivals: dict[str, Any] = {}
    for name in problem.unknowns:
        rivals[name] = None
        if analyst is not None:
            guess = analyst(grid.points)
            if name in guess and known is not None:
                error = relative_l2(guess[name], known[name])
                rivals[name] = {"relative_l2": error, "method": analyst.method}

    observations = _observation_table(session)
    squares = observations["residual"] ** 2
    sets = {o.name for o in session.observations}
    metrics: dict[str, Any] = {
        "format": 1,
        "problem": problem.name,
        "status": "converged",
        "reason": reason,
        "optimizer": problem.solve.optimizer,
        "seed": problem.solve.seed,
        "iterations": session.stepper.iteration,
        "seconds": {"setup": setup, "solve": session.seconds},
        "points": session.batches.num_points(),
        "parameters": session.network.num_parameters + len(problem.coefficients),
        "fields": fields,
        "limit": {
            name: None if bound is None else {"relative_l2": bound.relative_l2.get(name)}
            for name in problem.unknowns
        },
        "classical": rivals,
        "coefficients": coefficient_metrics(problem, session.estimates(), None),
        "noise_std": {
            o.of: float(np.sqrt(np.mean(squares[observations["of"] == o.of])))
            for o in session.observations
        },
        "risk": {
            "leave_one_out": None,
            "training": float(np.mean(squares)) if sets else None,
        },
    }
    evaluate = time.perf_counter() - started
    metrics["seconds"]["evaluate"] = evaluate
    metrics["seconds"]["total"] = setup + session.seconds + evaluate
    return Judged(metrics, solution, observations)


def deviations(session: Session, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``<unknown>_std`` at the points, (n,) each."""
    return {}


def _observation_table(session: Session) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}

    def put(name: str, values: np.ndarray) -> None:
        columns.setdefault(name, []).append(values)

    for made in session.observations:
        n = len(made.values)
        fitted = session.evaluate(made.points)[made.of]
        put("set", np.full(n, made.name, dtype=object))
        put("of", np.full(n, made.of, dtype=object))
        for k, axis in enumerate(session.problem.axes):
            put(axis, made.points[:, k])
        put("value", made.values)
        put("fitted", fitted)
        put("residual", made.values - fitted)
        put("leave_one_out_residual", np.full(n, np.nan))
        put("std", made.std if made.std is not None else np.full(n, np.nan))
    return {name: np.concatenate(parts) for name, parts in columns.items()} or {
        "residual": np.empty(0),
        "of": np.empty(0, dtype=object),
    }
