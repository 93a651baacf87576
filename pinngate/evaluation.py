"""Judge a trained session: fields and their uncertainty on a grid, errors, rivals, the verdict.

What comes out is what `pinngate.artifacts` writes: `metrics.json`, `solution.npz` and
`observations.csv`. The truth enters here and nowhere earlier.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pinngate.classical import classical
from pinngate.coefficient_fields import ends_of, true_values, values_and_slopes
from pinngate.limits import limit
from pinngate.metrics import (
    Z_95,
    Grid,
    coefficient_metrics,
    evaluation_grid,
    field_metrics,
    relative_l2,
    true_noise,
)
from pinngate.posterior import Posterior
from pinngate.training import Session, limited_threads


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
    with limited_threads(session.stepper.num_threads):
        return _judge(session, reason, setup)


def _judge(session: Session, reason: str, setup: float) -> Judged:
    started = time.perf_counter()
    problem, reference = session.problem, session.reference
    grid = evaluation_grid(problem)
    values = session.evaluate(grid.points)
    posterior = session.stepper.posterior()
    stds = deviations(session, posterior, grid.points)
    known = reference(grid.points) if reference is not None else None
    fields: dict[str, Any] = {}
    solution: dict[str, np.ndarray] = dict(grid.axes)
    for name in problem.unknowns:
        std = stds.get(f"{name}_std")
        expected = None if known is None else known[name]
        fields[name] = field_metrics(grid, values[name], expected, std)
        solution[name] = grid.spread(values[name])
        if std is not None:
            solution[f"{name}_std"] = grid.spread(std)
        if expected is not None:
            solution[f"{name}_truth"] = grid.spread(expected)

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

    observations = _observation_table(session, posterior)
    intervals = None
    if posterior is not None:
        intervals = posterior.coefficients(session.stepper.coefficients)
    metrics: dict[str, Any] = {
        "format": 1,
        "problem": problem.name,
        "status": "converged" if session.stepper.has_converged else "not converged",
        "reason": reason,
        "optimizer": problem.solve.optimizer,
        "seed": problem.solve.seed,
        "iterations": session.stepper.iteration,
        "seconds": {"setup": setup, "solve": session.seconds},
        "points": session.batches.num_points(),
        "parameters": session.stepper.network.num_parameters + len(problem.coefficients),
        "fields": fields,
        "limit": {
            name: None if bound is None else {"relative_l2": bound.relative_l2.get(name)}
            for name in problem.unknowns
        },
        "classical": rivals,
        "coefficients": coefficient_metrics(problem, session.estimates(), intervals),
        "coefficient_fields": _coefficient_fields(session, posterior, grid, solution),
        "noise_std": _noise(observations),
        "risk": {
            "leave_one_out": _mean_square(observations["leave_one_out_residual"]),
            "training": _mean_square(observations["residual"]),
        },
        **session.stepper.describe(),
    }
    evaluate = time.perf_counter() - started
    metrics["seconds"]["evaluate"] = evaluate
    metrics["seconds"]["total"] = setup + session.seconds + evaluate
    return Judged(metrics, solution, observations)


def _coefficient_fields(
    session: Session, posterior: Posterior | None, grid: Grid, solution: dict[str, np.ndarray]
) -> dict[str, Any]:
    """Judge the coefficient fields on the grids of their own axes and enter them in `solution`."""
    problem = session.problem
    found: dict[str, Any] = {}
    for field in problem.coefficient_fields:
        own = grid.restricted(field.over)
        output = session.outputs(own.points)[field.name]
        value, slope = values_and_slopes(field, output)
        solution[field.name] = own.spread(value)
        truth = true_values(problem, own.points).get(field.name)
        if truth is not None:
            solution[f"{field.name}_truth"] = own.spread(truth)
        covered = None
        if posterior is not None:
            std = deviations(session, posterior, own.points)[f"{field.name}_std"]
            solution[f"{field.name}_std"] = own.spread(std)
            if truth is not None:
                low, high = ends_of(field, output, Z_95 * std / slope)
                covered = float(np.mean((low <= truth) & (truth <= high)))
        found[field.name] = {
            "relative_l2": None if truth is None else relative_l2(value, truth),
            "max_abs": None if truth is None else float(np.max(np.abs(value - truth))),
            "coverage_95": covered,
        }
    return found


def deviations(
    session: Session, posterior: Posterior | None, points: np.ndarray
) -> dict[str, np.ndarray]:
    """Return ``<unknown>_std`` at the points, (n,) each; nothing without a posterior.

    For a coefficient field that is the standard deviation of the output times |da/db|.
    """
    if posterior is None:
        return {}
    network = copy.deepcopy(session.stepper.network).double()
    std = posterior.std(network, torch.as_tensor(points, device=network.low.device)).cpu().numpy()
    found = {f"{name}_std": std[:, k] for k, name in enumerate(session.problem.outputs)}
    if session.problem.coefficient_fields:
        outputs = session.outputs(points)
        for field in session.problem.coefficient_fields:
            found[f"{field.name}_std"] *= values_and_slopes(field, outputs[field.name])[1]
    return found


def _mean_square(residuals: np.ndarray) -> float | None:
    """Return the mean square in data units, None where there are no residuals."""
    known = residuals[np.isfinite(residuals)]
    return float(np.mean(known**2)) if len(known) else None


def _noise(observations: dict[str, np.ndarray]) -> dict[str, float]:
    """Return for each observed field the root of Σr²/(n − d), from r²/(1 − h) of each value."""
    noise = {}
    for name in dict.fromkeys(observations["of"]):
        own = observations["of"] == name
        r, e = (observations[k][own] for k in ("residual", "leave_one_out_residual"))
        share = np.where(np.isfinite(e) & (e != 0), r / np.where(e == 0, 1.0, e), 1.0)
        noise[str(name)] = float(np.sqrt(np.sum(r**2) / max(1.0, np.sum(share))))
    return noise


def _observation_table(session: Session, posterior: Posterior | None) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}

    def put(name: str, values: np.ndarray) -> None:
        columns.setdefault(name, []).append(values)

    start = 0
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
        leave_one_out = np.full(n, np.nan)
        if posterior is not None:
            leverage = posterior.leverage[start : start + n].cpu().numpy()
            leave_one_out = (made.values - fitted) / (1 - leverage)
        start += n
        put("leave_one_out_residual", leave_one_out)
        put("std", made.std if made.std is not None else np.full(n, np.nan))
    return {name: np.concatenate(parts) for name, parts in columns.items()} or {
        "residual": np.empty(0),
        "leave_one_out_residual": np.empty(0),
        "of": np.empty(0, dtype=object),
    }
