"""Problems without observations: what is stated in full is solved, the rest refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pinngate
from pinngate.config import loads
from pinngate.errors import InputError

PULSE = """
pinngate: 1
name: pulse
domain: {t: [0, 24]}
unknowns: [C]
equations:
  - C_t = heaviside(t - 8)*heaviside(9 - t) - 0.25*C
conditions:
  - {where: t = 0, equation: C = 0}
"""
HEAT = """
pinngate: 1
name: heat
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  - u_t = 0.1*u_xx
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
  - {where: t = 0, equation: u = 1e6*sin(pi*x)}
"""
POISSON = """
pinngate: 1
name: poisson
domain: {x: [0, 1]}
unknowns: [u]
equations:
  - u_xx = -sin(pi*x)
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
"""


def test_a_system_with_a_pulse_is_solved() -> None:
    solution = pinngate.solve(loads(PULSE))
    t = np.array([7.0, 8.5, 9.0, 20.0])
    rise = 4 * (1 - np.exp(-0.25))
    expected = [0, 4 * (1 - np.exp(-0.125)), rise, rise * np.exp(-0.25 * 11)]
    np.testing.assert_allclose(solution(t[:, None])["C"], expected, atol=1e-5)
    assert solution.metrics["verdict"] == "solved"


def test_an_evolution_in_space_is_solved_in_a_folder(tmp_path: Path) -> None:
    solution = pinngate.run(loads(HEAT), tmp_path / "run")
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(200, 2))
    expected = 1e6 * np.exp(-0.1 * np.pi**2 * points[:, 1]) * np.sin(np.pi * points[:, 0])
    np.testing.assert_allclose(solution(points)["u"], expected, atol=1e6 * 1e-5)
    assert (tmp_path / "run" / "report.html").is_file()
    again = pinngate.load_solution(tmp_path / "run")
    np.testing.assert_array_equal(again(points)["u"], solution(points)["u"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (POISSON, "no time axis"),
        (PULSE.replace("where: t = 0", "where: t = 24"), "initial|initial state"),
    ],
)
def test_what_no_solver_marches_is_refused_with_the_way_out(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        pinngate.solve(loads(text))
    assert "solve.optimizer: adam" in str(caught.value)


@pytest.mark.parametrize("optimizer", ["adam", "population-risk-adam"])
def test_networks_take_what_no_solver_marches(optimizer: str) -> None:
    text = f"{POISSON}solve: {{optimizer: {optimizer}, iterations: 20}}\n"
    assert pinngate.solve(loads(text)).metrics["iterations"] == 20


def test_a_solution_that_ends_is_told() -> None:
    text = PULSE.replace("heaviside(t - 8)*heaviside(9 - t) - 0.25*C", "1 + C**2")
    with pytest.raises(pinngate.SolveError, match="no solution"):
        pinngate.solve(loads(text))
