"""Small suites and rows that several tests of benchmarks share."""

from __future__ import annotations

from typing import Any

from pinngate.bench.matrix import execute, identity
from pinngate.bench.suite import Choice, Run, Suite

NETWORK: dict[str, Any] = {"width": 6, "depth": 2}
SMALL: dict[str, Any] = {"iterations": 3, "collocation": 16, "network": NETWORK}


def tiny_suite(**changed: Any) -> Suite:
    stated: dict[str, Any] = {
        "methods": {
            "gated": Choice("population-risk-adam", SMALL),
            "Adam": Choice("adam", SMALL),
            "spline": Choice("spline-solver"),
        },
        "num_seeds": 2,
    }
    return Suite("tiny", ("heat-noisy-ic",), **(stated | changed))


def row_of(
    method: str,
    options: dict[str, Any] | None = None,
    problem: str = "heat-noisy-ic",
    seed: int = 0,
) -> dict[str, Any]:
    """Run one method once."""
    run = Run(problem, "s", "label", Choice(method, options or {}), seed, ())
    return execute(identity(run), run)


def made_row(method: str, seed: int, error: float | None, **more: Any) -> dict[str, Any]:
    """Return a row as a run leaves it; without an error, of a run that failed."""
    row = {"problem": "p", "setting": "s", "method": method, "family": "ours", "seed": seed}
    if error is None:
        return row | {"status": "failed", "reason": "no reason"}
    return row | {
        "status": "converged",
        "solve_seconds": 2.0,
        "iterations": 40,
        "fields.u.max_abs": 1.0,
        "fields.u.relative_l2": error,
        "fields.u.relative_l2_initial": error,
        "limit.u.relative_l2": 0.1,
        "classical.u.relative_l2": 2 * error,
        "course": {
            "seconds": [0.5, 1.0, 2.0],
            "iteration": [10.0, 20.0, 40.0],
            "relative_l2.u": [0.5, error / 2, error],
            "relative_l2_initial.u": [0.5, error, error],
        },
        **more,
    }
