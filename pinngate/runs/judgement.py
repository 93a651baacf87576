"""Judge a trained session: fields and their uncertainty on a grid, errors, rivals, the verdict.

What comes out is what the folder of a run holds: `metrics.json`, `solution.npz` and
`observations.csv`. The truth enters here and nowhere earlier.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pinngate.classical import classical
from pinngate.inference.determinacy import known_combinations
from pinngate.inference.posterior import student_quantile
from pinngate.inference.uncertainty import Uncertainty
from pinngate.limits import limit
from pinngate.memory import peak_memory
from pinngate.points.grid import Grid, evaluation_grid
from pinngate.runs.breakdown import nulled, solving
from pinngate.runs.derived_quantities import derived_entries
from pinngate.runs.doubts import is_vague, told_by_data, verdict
from pinngate.runs.found_functions import function_entries
from pinngate.runs.found_pieces import deviations_on_pieces, piece_entries
from pinngate.runs.metrics import (
    Z_95,
    coefficient_correlation,
    coefficient_metrics,
    field_metrics,
    relative_l2,
    spread_entries,
    true_noise,
)
from pinngate.runs.observation_tables import (
    described,
    joined,
    misfit_entries,
    noise_levels,
    observation_table,
    replicates,
    risks,
)
from pinngate.runs.physics_misfit import physics_misfit
from pinngate.runs.solver_check import solver_check
from pinngate.runs.training import Session, limited_threads
from pinngate.statement.coefficient_fields import ends_of, true_values, values_and_slopes
from pinngate.statement.components import has_true_coefficients
from pinngate.statement.homogeneity import keeps_solutions, listed, scaled_together, words

Truth = dict[str, np.ndarray]


@dataclass(frozen=True)
class Judged:
    """The contents of metrics.json, solution.npz and observations.csv.

    `posterior` is the uncertainty they were judged by, None where there is none.
    """

    metrics: dict[str, Any]
    solution: dict[str, np.ndarray]
    observations: dict[str, np.ndarray]
    posterior: Uncertainty | None = None


def judge(session: Session, reason: str, setup: float) -> Judged:
    """Judge a session that has been trained.

    Args:
        session: after `train`.
        reason: why it stopped.
        setup: seconds spent before training.
    """
    with limited_threads(session.stepper.num_threads), solving("when the answer was judged"):
        return _judge(session, reason, setup)


def _judge(session: Session, reason: str, setup: float) -> Judged:
    started = time.perf_counter()
    problem, reference = session.problem, session.reference
    grid = evaluation_grid(problem)
    values = session.evaluate(grid.points)
    posterior = session.stepper.posterior()
    stds = deviations(session, posterior, grid.points)
    known = reference(grid.points) if reference is not None else None
    fields, solution = _fields(session, grid, values | stds, known)
    noise = true_noise(problem, session.observations)
    bound = _limits(session, grid, noise)
    rivals = _rivals(session, grid, known)
    observations = observation_table(session, session.observations, posterior)
    held_out = observation_table(
        session, [o.held_out for o in session.observations if o.held_out is not None], None
    )
    coefficients = _coefficients(session, posterior)
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
        "limit": bound,
        "classical": rivals,
        "coefficients": coefficients,
        "coefficient_correlation": coefficient_correlation(problem, posterior),
        "coefficient_fields": _coefficient_fields(session, posterior, grid, solution)
        | function_entries(session, posterior, grid, solution)
        | piece_entries(problem, coefficients, grid, solution),
        "physics_misfit": physics_misfit(session),
        "solver_check": solver_check(session, grid, values | stds),
        "noise_std": noise_levels(observations, "of"),
        "noise_std_by_set": noise_levels(observations, "set"),
        "replicates": replicates(session, observations),
        "misfit": misfit_entries(session, observations, posterior),
        "risk": risks(session, observations, held_out, noise),
        "data": {made.name: described(made) for made in session.observations},
        "memory": _memory(session),
        "race": None,
        "polish": None,
        **session.stepper.describe(),
    }
    metrics["spreads"] = spread_entries(problem, fitted_noise(session))
    metrics["derived"] = derived_entries(session, posterior, solution)
    metrics |= _determined(session, metrics["coefficients"], posterior)
    metrics = nulled(metrics)
    metrics["verdict"], metrics["reasons"] = verdict(problem, metrics)
    evaluate = time.perf_counter() - started
    metrics["seconds"]["evaluate"] = evaluate
    metrics["seconds"]["total"] = setup + session.seconds + evaluate
    return Judged(metrics, solution, joined(observations, held_out), posterior)


def _coefficients(session: Session, posterior: Uncertainty | None) -> dict[str, Any]:
    intervals = None
    if posterior is not None:
        intervals = posterior.coefficients(session.stepper.coefficients)
    return coefficient_metrics(session.problem, session.estimates(), intervals)


def fitted_noise(session: Session) -> dict[str, float]:
    """Return the noise of every set that a fit through a solver knows, none of other answers."""
    fit = getattr(session.stepper.network, "fit", None)
    return {} if fit is None else dict(fit.noise_std)


def _determined(
    session: Session, found: Mapping[str, Any], posterior: Uncertainty | None
) -> dict[str, Any]:
    """Return whether equations and data tell every coefficient, and in words what they do not.

    Args:
        session: whose equations may know ratios only.
        found: the entries of the coefficients.
        posterior: the uncertainty of the answer, None where there is none.
    """
    problem, stepper = session.problem, session.stepper
    together = scaled_together(problem)
    vague = (
        []
        if posterior is None
        else [c.name for c in told_by_data(problem) if is_vague(c, found[c.name])]
    )
    rest = [name for name in vague if name not in together]
    known: list[str] = []
    if posterior is not None and vague:
        first = posterior.members_at(stepper.network)[0].posterior
        found_together = known_combinations(
            first,
            stepper.coefficients,
            vague,
            lambda rates, is_scaling: keeps_solutions(problem, rates, is_scaling=is_scaling),
        )
        known = [str(combination) for combination in found_together]
    said = [words(together)] if together else []
    if rest:
        only = ", or only together" if len(rest) > 1 and not known else ""
        said.append(f"the data do not tell {listed(rest)}{only}")
    if known:
        said[-1] += f", only {listed(known)}"
    said += [line for line in (_too_few(session), _other_answers(session)) if line]
    return {"determined": not said, "determined_words": "; ".join(said) or None}


def _other_answers(session: Session) -> str:
    """Return in words that other answers explain the data nearly as well."""
    fit = getattr(session.stepper.network, "fit", None)
    told = [
        ", ".join(f"{name} = {value:.3g}" for name, value in rival.items())
        for rival in (() if fit is None else fit.rivals)
    ]
    return f"the data are explained nearly as well by {'; or '.join(told)}" if told else ""


def _too_few(session: Session) -> str:
    """Return in words that values, what is known beforehand among them, are fewer than numbers."""
    num_values = sum(len(data.values) for data in session.observations)
    told = told_by_data(session.problem)
    if not 0 < num_values < len(told):
        return ""
    return f"{num_values} value{'s' * (num_values > 1)} cannot tell {len(told)} coefficients"


def _fields(
    session: Session, grid: Grid, values: Mapping[str, np.ndarray], known: Truth | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the entries of every field, and the arrays of solution.npz.

    Args:
        session: after training.
        grid: n points.
        values: each unknown and, where there is one, its ``<unknown>_std``, (n,).
        known: the truth, (n,) each.
    """
    fields: dict[str, Any] = {}
    solution: dict[str, np.ndarray] = dict(grid.axes)
    for name in session.problem.unknowns:
        std = values.get(f"{name}_std")
        expected = None if known is None else known[name]
        fields[name] = field_metrics(grid, values[name], expected, std)
        columns = {name: values[name], f"{name}_std": std, f"{name}_truth": expected}
        solution |= {key: grid.spread(v) for key, v in columns.items() if v is not None}
    return fields, solution


def _limits(session: Session, grid: Grid, noise: Mapping[str, float]) -> dict[str, Any]:
    """Return the statistical limit of every field, None where it is not known."""
    problem, reference = session.problem, session.reference
    bound = None
    if reference is not None and noise and has_true_coefficients(problem):
        bound = limit(problem, session.observations, grid.points, reference, noise)
    return {name: None if bound is None else bound.of_field(name) for name in problem.unknowns}


def _rivals(session: Session, grid: Grid, known: Truth | None) -> dict[str, Any]:
    """Return what a classical method makes of the same data, None where there is none."""
    analyst = classical(session.problem, session.observations)
    rivals: dict[str, Any] = dict.fromkeys(session.problem.unknowns)
    if analyst is None or known is None:
        return rivals
    guess = analyst(grid.points)
    for name in rivals:
        if name in guess:
            error = relative_l2(guess[name], known[name], grid.weights)
            rivals[name] = {"relative_l2": error, "method": analyst.method}
    return rivals


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
        covered = half_width = None
        if posterior is not None:
            std = deviations(session, posterior, own.points)[f"{field.name}_std"]
            solution[f"{field.name}_std"] = own.spread(std)
            half_width = float(Z_95 * np.mean(std))
            if truth is not None:
                low, high = ends_of(field, output, Z_95 * std / slope)
                covered = float(np.mean((low <= truth) & (truth <= high)))
        found[field.name] = {
            "relative_l2": None if truth is None else relative_l2(value, truth, own.weights),
            "max_abs": None if truth is None else float(np.max(np.abs(value - truth))),
            "coverage_95": covered,
            "range": [float(np.min(value)), float(np.max(value))],
            "half_width": half_width,
        }
    return found


def deviations(
    session: Session, posterior: Uncertainty | None, points: np.ndarray
) -> dict[str, np.ndarray]:
    """Return ``<unknown>_std`` at the points, (n,) each; nothing without a posterior.

    That of the normal distribution with the same 95 % interval: where few values tell the noise,
    Student's is wider by a tenth and more. For a coefficient field that is the one of the output
    times |da/db|, for one on pieces that of the value of the piece.
    """
    if posterior is None:
        return {}
    wider = student_quantile(posterior.degrees_of_freedom) / Z_95
    network = copy.deepcopy(session.stepper.network).double()
    std = posterior.std(network, torch.as_tensor(points, device=network.low.device)).cpu().numpy()
    columns = dict(zip(session.problem.outputs, wider * std.T, strict=True))
    found = {f"{name}_std": columns[name] for name in session.problem.shown_outputs}
    if session.problem.coefficient_fields:
        outputs = session.outputs(points)
        for field in session.problem.coefficient_fields:
            found[f"{field.name}_std"] *= values_and_slopes(field, outputs[field.name])[1]
    intervals = posterior.coefficients(session.stepper.coefficients)
    return found | deviations_on_pieces(session.problem, intervals, points)
