"""Judge a trained session: fields and their uncertainty on a grid, errors, rivals, the verdict.

What comes out is what `pinngate.runs.files` writes: `metrics.json`, `solution.npz` and
`observations.csv`. The truth enters here and nowhere earlier.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pinngate.classical import classical
from pinngate.data.observations import ObservationSet
from pinngate.data.replicates import pure_error
from pinngate.inference.misfit import assess
from pinngate.inference.uncertainty import Uncertainty
from pinngate.limits import limit
from pinngate.memory import peak_memory
from pinngate.points.grid import Grid, evaluation_grid
from pinngate.runs.metrics import Z_95, coefficient_metrics, field_metrics, relative_l2, true_noise
from pinngate.runs.training import Session, limited_threads
from pinngate.statement.coefficient_fields import ends_of, true_values, values_and_slopes


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

    observations = _observation_table(session, session.observations, posterior)
    held_out = _observation_table(
        session, [o.held_out for o in session.observations if o.held_out is not None], None
    )
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
            name: None if bound is None else bound.of_field(name) for name in problem.unknowns
        },
        "classical": rivals,
        "coefficients": coefficient_metrics(problem, session.estimates(), intervals),
        "coefficient_fields": _coefficient_fields(session, posterior, grid, solution),
        "noise_std": _noise(observations, "of"),
        "noise_std_by_set": _noise(observations, "set"),
        "replicates": _replicates(session, observations),
        "misfit": _misfit(session, observations, posterior),
        "risk": {
            "leave_one_out": _mean_square(observations["leave_one_out_residual"]),
            "training": _mean_square(observations["residual"]),
            "true": _true_risk(session, observations["fitted"], noise),
            "held_out": _mean_square(held_out["residual"]),
            "held_out_std_error": _mean_square_error(held_out["residual"]),
            "held_out_expected": _expected(observations, held_out),
        },
        "data": {made.name: _described(made) for made in session.observations},
        "memory": _memory(session),
        "race": None,
        **session.stepper.describe(),
    }
    evaluate = time.perf_counter() - started
    metrics["seconds"]["evaluate"] = evaluate
    metrics["seconds"]["total"] = setup + session.seconds + evaluate
    return Judged(metrics, solution, _joined(observations, held_out))


def _memory(session: Session) -> dict[str, Any]:
    """Return the solver's form, the bytes it planned with, and the peak of the process so far."""
    plan = session.stepper.memory()
    return {"form": plan.form, "planned": plan.num_bytes, "peak": peak_memory()}


def _coefficient_fields(
    session: Session, posterior: Uncertainty | None, grid: Grid, solution: dict[str, np.ndarray]
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
    session: Session, posterior: Uncertainty | None, points: np.ndarray
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


def _true_risk(session: Session, fitted: np.ndarray, noise: Mapping[str, float]) -> float | None:
    """Return mean(σ² + (û − u)²) at the data, what leaving one out estimates; None if unknown."""
    parts, start = [], 0
    for made in session.observations:
        own = fitted[start : start + len(made.values)]
        start += len(own)
        if made.clean is None or made.name not in noise:
            return None
        parts.append(noise[made.name] ** 2 + (own - made.clean) ** 2)
    return float(np.mean(np.concatenate(parts))) if parts else None


def _expected(observations: dict[str, np.ndarray], held_out: dict[str, np.ndarray]) -> float | None:
    """Return the leave-one-out risk of the sets of the held-out values, in their proportion."""
    total = 0.0
    for name in dict.fromkeys(held_out["set"]):
        own = _mean_square(observations["leave_one_out_residual"][observations["set"] == name])
        if own is None:
            return None
        total += own * float(np.mean(held_out["set"] == name))
    return total or None


def _mean_square_error(residuals: np.ndarray) -> float | None:
    """Return the standard error of the mean square, None below two residuals."""
    if len(residuals) < 2:
        return None
    return float(np.std(residuals**2, ddof=1) / np.sqrt(len(residuals)))


def _noise(observations: dict[str, np.ndarray], by: str) -> dict[str, float]:
    """Return for each field or set the root of Σr²/(n − d), from r²/(1 − h) of each value."""
    noise = {}
    for name in dict.fromkeys(observations[by]):
        own = observations[by] == name
        r, e = (observations[k][own] for k in ("residual", "leave_one_out_residual"))
        share = np.where(np.isfinite(e) & (e != 0), r / np.where(e == 0, 1.0, e), 1.0)
        noise[str(name)] = float(np.sqrt(np.sum(r**2) / max(1.0, np.sum(share))))
    return noise


def _replicates(session: Session, observations: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the pure error of each set, None where nothing was measured twice."""
    found: dict[str, Any] = {}
    for made in session.observations:
        error = pure_error(_rows_of(observations, made.name), session.problem.axes)
        found[made.name] = None
        if error is not None:
            found[made.name] = {
                "noise_std": error.std,
                "degrees_of_freedom": error.degrees_of_freedom,
                "num_places": error.num_places,
            }
    return found


def _misfit(
    session: Session, observations: dict[str, np.ndarray], posterior: Uncertainty | None
) -> dict[str, Any] | None:
    """Return whether the data say that the solution does not fit them; None without data."""
    if not session.observations:
        return None
    kinds = [o.noise.kind if o.noise else "gaussian" for o in session.problem.observations]
    sets = [_rows_of(observations, made.name) for made in session.observations]
    against = assess(list(zip(kinds, sets, strict=True)), session.problem.axes)
    alike = None if posterior is None else posterior.correlation
    clear = [test.words for test in (against, alike) if test is not None and test.is_clear]
    return {
        "is_clear": bool(clear),
        "words": "; ".join(clear) or None,
        "ratio": None if against is None else against.ratio,
        "p_value": None if against is None else against.p_value,
        "against": None if against is None else against.noise,
        "correlation": None if alike is None else asdict(alike),
        "is_in_intervals": posterior is not None and posterior.is_widened,
    }


def _described(made: ObservationSet) -> dict[str, Any]:
    return {
        "of": made.of,
        "source": made.source,
        "fitted": len(made.values),
        "held_out": 0 if made.held_out is None else len(made.held_out.values),
        "missing": made.num_missing,
        "notes": list(made.notes),
    }


def _rows_of(observations: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    own = observations["set"] == name
    return {column: values[own] for column, values in observations.items()}


def _joined(
    fitted: dict[str, np.ndarray], held_out: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return one table of the values that were fitted and those that were not."""
    parts = [
        table | {"held_out": np.full(len(table["residual"]), is_held_out)}
        for table, is_held_out in ((fitted, 0.0), (held_out, 1.0))
        if len(table["residual"])
    ]
    if not parts:
        return fitted
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _observation_table(
    session: Session, sets: Sequence[ObservationSet], posterior: Uncertainty | None
) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}

    def put(name: str, values: np.ndarray) -> None:
        columns.setdefault(name, []).append(values)

    start = 0
    for made in sets:
        n = len(made.values)
        fitted = session.observe(made)
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
        "fitted": np.empty(0),
        "residual": np.empty(0),
        "leave_one_out_residual": np.empty(0),
        "of": np.empty(0, dtype=object),
        "set": np.empty(0, dtype=object),
    }
