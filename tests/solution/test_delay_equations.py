"""Equations with delays from data to verdict: coefficients, pasts, several delays, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pinngate
from pinngate import Problem, config
from pinngate import solution as runs
from pinngate.config import catalog
from pinngate.errors import Interrupted
from pinngate.runs.training import Progress

HUTCHINSON: dict[str, Any] = {
    "domain": {"t": (0, 20)},
    "unknowns": ["u"],
    "constants": {"tau": 2},
    "estimate": {"r": {"initial": 0.5, "positive": True}, "K": {"initial": 2, "positive": True}},
    "equations": ["u_t = r*u*(1 - u(t - tau)/K)"],
    "observations": [{"of": "u", "count": 60, "noise": {"std": 0.2}}],
    "truth": {
        "solver": "runge-kutta",
        "clean": {"u": 0.5},
        "constants": {"r": 1.0, "K": 3.0},
    },
}
MACKEY_GLASS: dict[str, Any] = {
    "domain": {"t": (0, 60)},
    "unknowns": ["x"],
    "estimate": {
        "a": {"initial": 0.15, "positive": True},
        "b": {"initial": 0.07, "positive": True},
    },
    "equations": ["x_t = a*x(t - 6)/(1 + x(t - 6)**10) - b*x"],
    "conditions": ["x = 0.5 at t = 0"],
    "observations": [{"of": "x", "count": 120, "noise": {"std": 0.05}}],
    "truth": {"solver": "runge-kutta", "clean": {"x": 0.5}, "constants": {"a": 0.2, "b": 0.1}},
}
OUTBREAK: dict[str, Any] = {
    "domain": {"t": (0, 60)},
    "unknowns": ["S", "I"],
    "constants": {"D": 8},
    "estimate": {"beta": {"initial": 0.2, "positive": True}},
    "equations": ["S_t = -beta*S*I", "I_t = beta*S*I - beta*S(t - D)*I(t - D)"],
    "conditions": ["S = 1 at t <= 0", "I = 0.002*heaviside(t + 4) at t <= 0"],
    "observations": [{"of": "I", "count": 40, "noise": {"std": 0.03}}],
    "truth": {"solver": "runge-kutta", "clean": {"S": 1, "I": 0.002}, "constants": {"beta": 0.35}},
}
TWO_DELAYS: dict[str, Any] = {
    "domain": {"t": (0, 25)},
    "unknowns": ["u", "v"],
    "estimate": {
        "a": {"initial": 1, "positive": True},
        "b": {"initial": 0.5, "positive": True},
        "k": {"initial": 1, "positive": True},
    },
    "equations": ["u_t = a/(1 + v(t - 1.5)**4) - u", "v_t = k*u(t - 0.7) - b*v"],
    "conditions": ["u = 0.2 at t = 0", "v = 0.1 at t = 0"],
    "observations": [{"of": ["u", "v"], "count": 50, "noise": {"std": 0.05}}],
    "truth": {
        "solver": "runge-kutta",
        "clean": {"u": 0.2, "v": 0.1},
        "constants": {"a": 2, "b": 0.8, "k": 1.5},
    },
}
CASES = {
    "unknown-start": HUTCHINSON,
    "known-start": HUTCHINSON | {"conditions": ["u = 0.5 at t = 0"]},
    "mackey-glass": MACKEY_GLASS,
    "outbreak": OUTBREAK,
    "two-delays": TWO_DELAYS,
}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", CASES)
def test_coefficients_are_found_within_four_deviations(name: str, seed: int) -> None:
    solution = pinngate.solve(Problem(**CASES[name]), seed=seed)
    assert solution.verdict.word == "solved"
    for found in solution.metrics["coefficients"].values():
        assert abs(found["estimate"] - found["truth"]) < 4 * found["std"]
    assert solution.metrics["solver_check"] < 0.2  # 0.11 where a past jumps, else below 0.03
    assert max(solution.metrics["physics_misfit"].values()) < 0.01
    for field in solution.metrics["fields"].values():
        assert field["relative_l2"] < 0.05


def test_an_estimated_past() -> None:
    """The level of the past is a coefficient; it enters the equation before the start alone."""
    solution = pinngate.solve(
        Problem(
            domain={"t": (0, 4)},
            unknowns=["u"],
            estimate={"level": {"initial": 1.0, "truth": 2.0}},
            equations=["u_t = -u(t - 1)"],
            conditions=["u = level*(1 + t) at t <= 0"],
            observations=[{"of": "u", "count": 40, "noise": {"std": 0.05}}],
            truth={"solver": "runge-kutta", "clean": {"u": 2}},
        ),
        seed=0,
    )
    found = solution.metrics["coefficients"]["level"]
    assert abs(found["estimate"] - 2) < 4 * found["std"] < 0.2
    assert solution.metrics["fields"]["u"]["relative_l2"] < 0.05


def test_measured_values_and_derived_quantities() -> None:
    """u = cos t, with a period that the past says, not the data."""
    t = np.linspace(0, 10, 40)
    noise = 0.05 * np.random.default_rng(0).normal(size=40)
    solution = pinngate.solve(
        Problem(
            domain={"t": (0, 10)},
            unknowns=["u"],
            estimate={"k": 0.5},
            equations=["u_t = -k*u(t - pi/2)"],
            conditions=["u = cos(t) at t <= 0"],
            observations=[pinngate.Observations("u", {"t": t}, np.cos(t) + noise)],
            derived={"highest": "max(u, t)", "rate": "k*u at t = 3"},
        ),
        seed=0,
    )
    assert solution.coefficients["k"].estimate == pytest.approx(1, abs=0.03)
    assert solution(t=3.0)["u"] == pytest.approx(np.cos(3), abs=0.05)
    assert solution.metrics["derived"]["highest"]["estimate"] == pytest.approx(1, abs=0.05)


def test_a_network_follows_a_delay() -> None:
    problem = Problem(
        domain={"t": (0, 5)},
        unknowns=["u"],
        estimate={"k": {"initial": 0.5, "truth": 1.0}},
        equations=["u_t = -k*u(t - 1)"],
        observations=[{"of": "u", "count": 40, "noise": {"std": 0.05}}],
        truth={"solver": "runge-kutta", "clean": {"u": 1}},
    )
    network = {"width": 16, "depth": 1, "activation": "sin", "features": 2.0}
    solution = pinngate.solve(problem, seed=0, network=network)
    found = solution.metrics["coefficients"]["k"]
    assert abs(found["estimate"] - 1) < 4 * found["std"] < 0.3
    assert solution.metrics["fields"]["u"]["relative_l2"] < 0.1


def test_a_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path: Path) -> None:
    stated = config.load(catalog.path("delayed-growth"))
    whole = runs.run(stated, tmp_path / "whole", has_report=False)

    def interrupt(progress: Progress) -> None:
        if progress.iteration >= 12:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        runs.run(stated, tmp_path / "parts", on_progress=interrupt)
    resumed = runs.resume(tmp_path / "parts")
    assert whole.metrics["coefficients"] == resumed.metrics["coefficients"]
    assert whole.metrics["fields"] == resumed.metrics["fields"]
    again = pinngate.load_solution(tmp_path / "parts")
    assert again(t=3.3)["u"] == pinngate.load_solution(tmp_path / "whole")(t=3.3)["u"]
    report = (tmp_path / "parts" / "report.html").read_text(encoding="utf-8")
    assert "<mi>t</mi><mo>−</mo><mi>τ</mi>" in report
