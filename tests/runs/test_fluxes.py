"""Runs of problems with a step inside a bracket: right on both sides, and no flux is ever shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pinngate
from pinngate import InputError, config
from pinngate.classical import classical
from pinngate.data.observations import collect
from pinngate.limits import limit
from pinngate.model.scales import common_size, field_scales
from pinngate.model.terms import problem_terms
from pinngate.points.grid import evaluation_grid
from pinngate.reference import truth
from pinngate.report.checking import check_lines
from pinngate.report.inspection import describe
from pinngate.runs.folder import load_session
from pinngate.runs.forecast import memory_of_a_run
from pinngate.runs.training import begin
from pinngate.solution import Solution
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Problem, changed
from tests.statement.test_brackets import EXACT, LAYERS, problem_of

NETWORK = {"width": 12, "depth": 2}


def noisy(**parts: Any) -> Problem:
    stated: dict[str, Any] = {
        "observations": [{"of": "u", "count": 60, "noise": {"std": 0.001}}],
        "truth": {"u": EXACT},
        "solve": {"network": NETWORK, "iterations": 60, "collocation": 128},
    }
    return problem_of(**(stated | parts))


def with_contrast() -> Problem:
    """The same with the contrast of the layers to be found."""
    return noisy(
        equation="((1 + k*heaviside(x - 0.5))*u_x)_x = -1",
        estimate={"k": {"initial": 3, "positive": True, "truth": 9}},
    )


@pytest.fixture(scope="module")
def solution() -> Solution:
    return pinngate.solve(noisy())


def test_the_answer_has_the_kink(solution: Solution) -> None:
    assert solution.metrics["fields"]["u"]["relative_l2"] < 0.02
    before, after = (solution(x=np.array(pair))["u"] for pair in ([0.35, 0.4], [0.6, 0.65]))
    flux = np.diff(before)[0] / 0.05, 10 * np.diff(after)[0] / 0.05
    # c − x in the middle of each pair; the chain rule alone would give slopes that agree
    assert flux == pytest.approx((0.2955 - 0.375, 0.2955 - 0.625), abs=0.05)


def test_the_flux_is_continuous(solution: Solution) -> None:
    x = np.linspace(0.05, 0.95, 19)[:, None]
    outputs = solution.session.outputs(x)
    assert list(outputs) == ["u", "q1"]
    np.testing.assert_allclose(outputs["q1"], 0.29545 - x[:, 0], atol=0.005)


def test_results_show_unknowns_alone(solution: Solution) -> None:
    x = np.linspace(0, 1, 7)
    assert list(solution(x=x)) == list(solution.std(x=x)) == ["u"]
    assert list(solution.interval(x=x)) == list(solution.sample(3, x=x).fields) == ["u"]
    assert solution.sample(3, x=x).fields["u"].shape == (3, 7)
    assert list(solution.judged.solution) == ["x", "u", "u_std", "u_truth"]
    for part in ("fields", "limit", "classical"):
        assert list(solution.metrics[part]) == ["u"]
    assert "q1" not in json.dumps(solution.metrics)
    assert "q1" not in repr(solution) + solution._repr_html_().split("base64")[0]
    with pytest.raises(InputError, match="there is no field 'q1'") as caught:
        solution.plot("q1")
    assert caught.value.expected == "one of u"


def test_a_run_leaves_the_problem_as_it_was_written(tmp_path: Path) -> None:
    problem = noisy(solve={"network": NETWORK, "iterations": 4, "collocation": 32})
    run = pinngate.run(problem, tmp_path / "one")
    text = (tmp_path / "one" / "problem.yaml").read_text()
    assert LAYERS in text
    assert "q1" not in text
    pinngate.run(config.load(tmp_path / "one" / "problem.yaml"), tmp_path / "two")
    for name in ("solution.npz", "observations.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    x = np.linspace(0, 1, 9)[:, None]
    loaded = load_session(tmp_path / "one")
    np.testing.assert_array_equal(loaded.evaluate(x)["u"], run(x)["u"])
    assert pinngate.load_solution(tmp_path / "one").metrics["fields"]["u"]["coverage_95"] >= 0


def test_an_unknown_contrast_is_found() -> None:
    solution = pinngate.solve(with_contrast())
    assert solution.metrics["coefficients"]["k"]["relative_error"] < 0.2
    assert list(solution.sample(2, x=0.3).fields) == ["u"]


def test_a_coefficient_field_stands_beside_a_flux() -> None:
    problem = noisy(
        equation="(b*(1 + 9*heaviside(x - 0.5))*u_x)_x = -1",
        estimate={"b": {"over": "x", "initial": 1, "positive": True, "truth": "1 + 0*x"}},
        solve={"network": NETWORK, "iterations": 5, "collocation": 64},
    )
    solution = pinngate.solve(problem)
    x = np.linspace(0, 1, 5)
    assert list(solution(x=x)) == list(solution.std(x=x)) == ["u", "b"]
    assert (solution.std(x=x)["b"] > 0).all()
    assert list(solution.session.outputs(x[:, None])) == ["u", "q1", "b"]
    assert list(solution.sample(2, x=x).fields) == ["u", "b"]


def test_a_network_of_ones_own_gives_the_unknowns_alone() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1)).double()
    problem = noisy(solve={"iterations": 4, "collocation": 32})
    solution = pinngate.solve(problem, network=module)
    network = solution.session.stepper.network
    assert network.unit == pytest.approx(common_size(solution.session.batches.scales))
    assert list(solution(x=0.3)) == ["u"]
    assert list(solution.session.outputs(np.array([[0.3]]))) == ["u", "q1"]


@pytest.mark.parametrize("optimizer", ["adam", "population-risk-adam"])
def test_first_order_optimizers_know_fluxes(optimizer: str) -> None:
    solve = {"optimizer": optimizer, "iterations": 20, "collocation": 32}
    solution = pinngate.solve(noisy(solve=solve))
    assert np.isfinite(solution(x=0.3)["u"])
    assert "loss_flux_1" in solution.session.history[0]


def test_the_size_of_a_flux_balances_its_definition() -> None:
    problem = noisy()
    data = collect(problem, truth(problem), 0)
    scales = field_scales(problem, data)
    u = scales["u"].size
    mean_square = np.sqrt((1 + 100) / 2)
    # u' over half the domain
    assert scales["q1"].size == pytest.approx(mean_square * u / 0.5, rel=0.1)
    terms = problem_terms(problem, ["u"], scales)
    assert [term.name for term in terms] == [
        "equation_1", "flux_1", "condition_1", "condition_2", "observation_1"
    ]  # fmt: skip
    assert terms[1].scale == pytest.approx(scales["q1"].size / common_size(scales))


def test_sizes_without_data_come_from_the_other_equations() -> None:
    scales = field_scales(problem_of(), [])
    assert scales["q1"].size == pytest.approx(0.5)  # q_x = −1 over half the domain
    assert scales["u"].size == pytest.approx(0.5 * 0.5 / np.sqrt(50.5), rel=0.1)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_answer_does_not_depend_on_units(unit: float, solution: Solution) -> None:
    rescaled = EXACT.replace("x", f"(x/{unit!r})")
    problem = noisy(
        domain={"x": (0, unit)},
        equation=f"((1 + 9*heaviside(x - {0.5 * unit!r}))*u_x)_x = -1/{unit!r}**2",
        conditions=["u = 0 at x = 0", f"u = 0 at x = {unit!r}"],
        truth={"u": rescaled},
    )
    error = pinngate.solve(problem).metrics["fields"]["u"]["relative_l2"]
    assert error == pytest.approx(solution.metrics["fields"]["u"]["relative_l2"], rel=0.3)


@pytest.mark.parametrize("problem", [noisy(), with_contrast()], ids=["known", "contrast"])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_forecast_is_what_a_session_plans_with(problem: Problem, depth: int) -> None:
    network = NetworkOptions(width=20, depth=depth)
    stated = changed(problem, solve=replace(problem.solve, network=network, max_memory=10**9))
    reference = truth(stated)
    data = collect(stated, reference, 0)
    assert memory_of_a_run(stated, data) == begin(stated, reference, data).stepper.memory()


def test_check_tells_what_is_solved() -> None:
    lines = [" ".join(line.split()) for line in check_lines(noisy())]
    at = lines.index(f"equations {LAYERS}")
    assert lines[at + 1 : at + 4] == [
        "solved as q1_x = -1",
        "with q1 = (1 + 9*heaviside(x - 0.5))*u_x",
        "kinks at x = 0.5",
    ]
    held = [line for line in lines if ": holds" in line]
    assert len(held) == 4
    assert "continuous at x = 0.5: holds" in held[1]
    with pytest.raises(InputError, match="does not satisfy") as caught:
        list(check_lines(noisy(truth={"u": "x*(1 - x)/2"})))
    assert LAYERS in str(caught.value)


def test_check_tells_many_kinks_and_those_that_no_axis_has() -> None:
    problem = noisy(
        equation="u_t = u_xx + heaviside(x - t) + abs(sin(20*pi*x))",
        domain={"x": (0, 1), "t": (0, 1)},
    )
    kinks = [line for heading, line in describe(problem) if heading == "kinks"]
    places = "0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4"
    assert kinks == [f"at x = {places}, … 19 in all", "where x - t = 0"]


def test_rivals_and_limits_step_aside() -> None:
    problem = problem_of(
        "u_t = ((1 + 9*heaviside(x - 0.5))*u_x)_x",
        domain={"x": (0, 1), "t": (0, 1)},
        conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
        observations=[{"of": "u", "count": 40, "where": "t = 0", "noise": {"std": 0.1}}],
        truth={"u": "x*(1 - x)*exp(-t)"},
    )
    reference = truth(problem)
    assert reference is not None
    data = collect(problem, reference, 0)
    grid = evaluation_grid(problem, fraction=0.2)
    assert limit(problem, data, grid.points, reference, {"observation_1": 0.1}) is None
    assert classical(problem, data) is None
