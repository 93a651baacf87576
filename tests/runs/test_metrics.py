"""Errors and calibration on the grid."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import config
from pinngate.points.grid import evaluation_grid
from pinngate.report.inspection import describe, multiply_adds
from pinngate.report.truth_check import verify_truth
from pinngate.runs.metrics import field_metrics, relative_l2

HEAT = config.load(config.resolve("heat-noisy-ic"))


def test_relative_l2() -> None:
    truth = np.array([3.0, 4.0])
    assert relative_l2(np.array([3.5, 4.0]), truth) == pytest.approx(0.1)
    assert relative_l2(np.array([3.0, 4.0]), np.zeros(2)) == pytest.approx(5.0)


def test_grid_spans_the_domain_in_c_order() -> None:
    grid = evaluation_grid(HEAT)
    assert grid.points.shape == (101 * 101, 2)
    assert grid.points[1].tolist() == [0.0, 0.01]
    assert grid.points[-1].tolist() == [1.0, 1.0]


def test_field_metrics() -> None:
    grid = evaluation_grid(HEAT)
    truth = np.ones(len(grid.points))
    values = truth + np.where(grid.points[:, 1] == 0, 0.1, 0.0)
    found = field_metrics(grid, values, truth, np.full(len(truth), 0.04))
    assert found["relative_l2_initial"] == pytest.approx(0.1)
    assert found["max_abs"] == pytest.approx(0.1)
    # 0.1 is 2.5 standard deviations, at one of 101 times
    assert found["coverage_95"] == pytest.approx(100 / 101)
    assert set(field_metrics(grid, values, None, None).values()) == {None}


@pytest.mark.parametrize("name", ["heat-noisy-ic", "wave-noisy-ic", "advection-noisy-ic"])
def test_shipped_truths_hold(name: str) -> None:
    problem = config.load(config.resolve(name))
    findings = verify_truth(problem)
    assert len(findings) == len(problem.equations) + len(problem.conditions)
    assert all(f.is_satisfied for f in findings)


def test_initial_conditions_are_checked_against_clean_data() -> None:
    problem = config.load(
        config.resolve("wave-noisy-ic"),
        overrides=["truth={solver: finite-difference, clean: {u: sin(pi*x), u_t: x}}"],
    )
    (finding,) = verify_truth(problem)
    assert finding.statement == "u_t = 0 at t = 0"
    assert not finding.is_satisfied


def test_description_names_everything_once() -> None:
    problem = config.load(config.resolve("burgers-inverse"))
    lines = dict(describe(problem))
    assert set(lines) >= {"domain", "unknowns", "estimate", "equations", "channels", "truth"}
    assert lines["estimate"].startswith("nu")
    assert multiply_adds(problem, 64, 3, 256) == 3 * 4 * 256 * 2 * 64**2
