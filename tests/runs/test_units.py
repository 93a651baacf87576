"""The answer does not depend on units: micrometres or kilometres, seconds or years."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from pinngate import config
from pinngate.solution import solve
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import Problem, changed
from tests.rescaling import rescaled

SMALL = NetworkOptions(width=16, depth=1, activation="sin", features=2.0)


@cache
def stated(name: str, optimizer: str, iterations: int) -> Problem:
    problem = config.load(config.resolve(name))
    options = SolveOptions(optimizer, SMALL, collocation=128, iterations=iterations)
    return changed(problem, solve=options)


@cache
def plain(name: str, optimizer: str, iterations: int) -> dict[str, Any]:
    return solve(stated(name, optimizer, iterations)).metrics


def outcome(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return every figure of a run that has no unit."""
    found: dict[str, float] = {}
    for name, field in metrics["fields"].items():
        found[f"error of {name}"] = field["relative_l2"]
        found[f"coverage of {name}"] = field["coverage_95"]
        for rival in ("limit", "classical"):
            known = metrics[rival][name]
            found[f"{rival} of {name}"] = known["relative_l2"] if known else -1.0
    for name, c in metrics["coefficients"].items():
        found[f"error of {name}"] = c["relative_error"]
        found[f"std of {name}"] = c["std"] / c["truth"]
    return found


@pytest.mark.parametrize(
    ("name", "units"),
    [
        pytest.param("heat-noisy-ic", {"x": 1e6, "t": 1e-6, "u": 1e6}, id="heat"),
        pytest.param("wave-noisy-ic", {"x": 1e-6, "t": 1e6, "u": 1e6}, id="wave"),
        pytest.param(
            "fisher-kpp",
            {"x": 1e6, "t": 1e-6, "diffusivity": 1e18, "growth": 1e6, "u": 1e6},
            id="fisher-kpp",
        ),
        pytest.param(
            "kovasznay",
            {"x": 1e-3, "y": 1e-3, "u": 1e6, "v": 1e6, "p": 1e12, "nu": 1e3},
            id="kovasznay",
        ),
        pytest.param(
            "predator-prey",
            {
                "t": 1e6,
                "u": 1e6,
                "v": 1e-6,
                "birth": 1e-6,
                "death": 1e-6,
                "capture": 1.0,
                "conversion": 1e-12,
            },
            id="predator-prey",
        ),
    ],
)
def test_units_do_not_matter(name: str, units: dict[str, float]) -> None:
    expected = outcome(plain(name, "auto", 14))
    problem = rescaled(stated(name, "auto", 14), units)
    # rounding differs, and fourteen iterations amplify it
    assert outcome(solve(problem).metrics) == pytest.approx(expected, rel=1e-3)


def test_units_do_not_matter_to_first_order_optimizers() -> None:
    expected = outcome(plain("heat-noisy-ic", "population-risk-adam", 60))
    problem = rescaled(stated("heat-noisy-ic", "population-risk-adam", 60), {"u": 1e-6, "x": 1e6})
    # single precision
    assert outcome(solve(problem).metrics) == pytest.approx(expected, rel=2e-2)
