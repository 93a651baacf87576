"""Errors, calibration and the verdict of a run: what `metrics.json` says.

Fields are judged on a regular grid of the domain, edges included, inside the geometry. A figure
that does not apply is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pinngate.data.observations import ObservationSet
from pinngate.inference.posterior import CoefficientInterval
from pinngate.inference.uncertainty import Uncertainty
from pinngate.points.grid import Grid
from pinngate.statement.problem import Noise, Prior, Problem, SyntheticObservations

Z_95 = 1.959963984540054


def relative_l2(values: np.ndarray, truth: np.ndarray, weights: np.ndarray | float = 1.0) -> float:
    """Return ‖values − truth‖ / ‖truth‖; the plain norm where the truth is zero.

    `weights` are those of the squares, (n,): the measure of the domain.
    """
    root = np.sqrt(weights)
    size = float(np.linalg.norm(root * truth))
    error = float(np.linalg.norm(root * (values - truth)))
    return error / size if size > 0 else error


def field_metrics(
    grid: Grid, values: np.ndarray, truth: np.ndarray | None, std: np.ndarray | None
) -> dict[str, float | None]:
    """Return the entries of one field.

    Args:
        grid: where the arrays live.
        values: (n,).
        truth: (n,) or None.
        std: (n,) or None.
    """
    if truth is None:
        return dict.fromkeys(("relative_l2", "relative_l2_initial", "max_abs", "coverage_95"))
    initial, weights = None, np.broadcast_to(grid.weights, values.shape)
    if "t" in grid.axes:
        at_start = grid.points[:, list(grid.axes).index("t")] == grid.axes["t"][0]
        initial = relative_l2(values[at_start], truth[at_start], weights[at_start])
    covered = None
    if std is not None:
        covered = float(np.average(np.abs(values - truth) <= Z_95 * std, weights=weights))
    return {
        "relative_l2": relative_l2(values, truth, weights),
        "relative_l2_initial": initial,
        "max_abs": float(np.max(np.abs(values - truth))),
        "coverage_95": covered,
    }


def true_noise(problem: Problem, observations: Sequence[ObservationSet]) -> dict[str, float]:
    """Return the standard deviation of the noise that synthetic observations were given."""
    found = {}
    for stated, made in zip(problem.observations, observations, strict=True):
        if isinstance(stated, SyntheticObservations) and made.clean is not None:
            found[made.name] = _true_std(stated.noise, made.clean)
    return found


def _true_std(noise: Noise, clean: np.ndarray) -> float:
    """Return the root mean square of the noise that clean values (n,) were given."""
    if noise.std is not None:
        return noise.std
    share = float(noise.relative or 0.0)
    sizes = {
        "log-normal": lambda: math.log(noise.factor or 1.0),
        "poisson": lambda: math.sqrt(float(np.mean(clean))),
        "proportional": lambda: share * math.sqrt(float(np.mean(clean**2))),
    }
    return sizes.get(noise.kind, lambda: share * float(np.std(clean)))()


def coefficient_metrics(
    problem: Problem,
    estimates: Mapping[str, float],
    intervals: Mapping[str, CoefficientInterval] | None,
) -> dict[str, dict[str, Any]]:
    """Return the entries of every estimated coefficient."""
    truths = problem.true_coefficients()
    names = (c.name for c in problem.shown_coefficients)
    found = {
        name: _coefficient_entry(
            estimates[name], None if intervals is None else intervals[name], truths.get(name)
        )
        for name in names
    }
    return _with_priors(problem, found)


def coefficient_correlation(
    problem: Problem, uncertainty: Uncertainty | None
) -> list[list[float]] | None:
    """Return the correlations of the coefficients, (K, K) in the order in which they are stated.

    They are of the numbers that are searched for, the logarithm of a positive coefficient. None
    where nothing was observed or there are fewer than two.
    """
    count = len(problem.shown_coefficients)
    if uncertainty is None or count < 2:
        return None
    covariance = uncertainty.raw_covariance[:count, :count].double().cpu().numpy()
    std = np.sqrt(np.diagonal(covariance))
    if not (np.isfinite(covariance).all() and (std > 0).all()):
        return None
    found: list[list[float]] = (covariance / std[:, None] / std).tolist()
    return found


def _coefficient_entry(
    estimate: float, interval: CoefficientInterval | None, truth: float | None
) -> dict[str, Any]:
    ends = None if interval is None else [interval.lower, interval.upper]
    if ends is not None and not np.isfinite(ends).all():
        ends = None  # the data do not bound it, and JSON knows no infinity
    return {
        "estimate": estimate,
        "std": None if interval is None or not np.isfinite(interval.std) else interval.std,
        "interval_95": ends,
        "truth": truth,
        "relative_error": None if not truth else abs(estimate - truth) / abs(truth),
    }


def _with_priors(problem: Problem, found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the entries with what priors have brought to them."""
    for coefficient in problem.coefficients:
        if coefficient.prior is not None:
            entry = found[coefficient.name]
            entry["prior_share"] = _share_of(coefficient.prior, entry["estimate"], entry["std"])
    return found


def spread_entries(problem: Problem, noise: Mapping[str, float]) -> dict[str, Any]:
    """Return how far the coefficients of experiments scatter about their common one.

    Args:
        problem: states the spreads.
        noise: standard deviation of each set that was fitted, by name.
    """
    found = {}
    for spread in problem.spreads:
        size = noise.get(f"spread_{spread.members[0]}")
        if size is not None:
            start = next(c.initial for c in problem.coefficients if c.name == spread.name)
            scale = 1.0 if spread.is_of_logarithm else abs(start) or 1.0
            found[spread.name] = {"std": scale * size, "of_logarithm": spread.is_of_logarithm}
    return found


def _share_of(prior: Prior, estimate: float, std: float | None) -> float | None:
    """Return the share of a coefficient's information that its prior brought, in [0, 1]."""
    if std is None:
        return None
    width = prior.std * abs(estimate) if prior.is_of_logarithm else prior.std
    return min(1.0, (std / width) ** 2)
