"""Every method on a small problem: the contract, and what is particular to each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate.bench.measures import Case, case_of
from pinngate.bench.methods import METHODS, method
from pinngate.bench.methods.contract import NotApplicable, Outcome, Task
from pinngate.bench.methods.first_order_rivals import ResidualVarianceAdam
from pinngate.bench.methods.pipelines import gaussian_process, least_squares_modes
from pinngate.errors import InputError
from pinngate.statement.problem import changed
from tests.bench.tiny import SMALL, row_of

HEAT = "heat-noisy-ic"


def case(problem: str = HEAT, *overrides: str) -> Case:
    return case_of(config.load(config.resolve(problem), overrides=overrides))


def solved(name: str, options: dict[str, Any], on: Case) -> tuple[Outcome, Task]:
    chosen = method(name)
    complete = chosen.complete(options)
    task = Task(
        chosen.prepare(on.problem, complete), on.observations, on.grid.points, on.course(), complete
    )
    return chosen.solve(task), task


@pytest.mark.parametrize("name", METHODS)
def test_each_is_described(name: str) -> None:
    entry = METHODS[name]
    assert entry.family in ("ours", "optimizer", "deepxde", "classical")
    assert entry.summary
    entry.check(entry.defaults, "here")
    with pytest.raises(InputError, match="no option"):
        entry.check({"no_such": 1}, "here")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("population-risk-gauss-newton", SMALL),
        ("gauss-newton-fixed-ridge", SMALL),
        ("population-risk-adam", SMALL),
        ("adamw", SMALL),
        ("adabelief", SMALL),
        ("soap", SMALL),
        ("pde-aware", SMALL),
        ("evidence-stop", SMALL),
        ("ungated-control", SMALL),
        ("gate-variant", SMALL),
        ("gp-pinn", SMALL),
        ("spline-solver", {}),
        ("gp-solver", {}),
        ("modes-solver", {}),
        ("4d-var", {"num_space": 17, "num_time": 13, "smoothness": [1e-5]}),
    ],
)
def test_each_answers_with_finite_fields_in_positive_time(
    name: str, options: dict[str, Any]
) -> None:
    entry = METHODS[name]
    if entry.module is not None:
        pytest.importorskip(entry.module, reason=f"the extra '{entry.extra}' is not installed")
    outcome, task = solved(name, options, case())
    values = outcome.fields["u"]
    assert values.shape == (len(task.points),)
    assert np.isfinite(values).all()
    assert outcome.seconds > 0
    assert outcome.reason


def test_course_is_recorded_and_increases() -> None:
    outcome, task = solved("adam", SMALL, case())
    table = task.course.table()
    assert table["iteration"] == [1, 2, 3]
    assert table["seconds"] == sorted(table["seconds"])  # type: ignore[type-var]
    assert table["relative_l2.u"][-1] == pytest.approx(
        row_of("adam", SMALL)["fields.u.relative_l2"], rel=0.1  # another grid, a tenth at most
    )  # fmt: skip
    assert outcome.metrics is not None


def test_control_steps_at_the_rate_times_the_mean_gate() -> None:
    gated = {"learning_rate": 1e-2, "gate": "snr", "strictness": 1.0, "basis": "weights"}
    row = row_of("ungated-control", {**SMALL, **gated})
    assert 0 < row["gate_mean"] < 1
    assert row["learning_rate"] == pytest.approx(1e-2 * row["gate_mean"])
    plain = row_of("adam", {**SMALL, "learning_rate": row["learning_rate"]})
    assert row["fields.u.relative_l2"] == pytest.approx(plain["fields.u.relative_l2"], rel=1e-6)


def test_evidence_stops_before_the_iterations_end() -> None:
    long = {**SMALL, "iterations": 1200, "learning_rate": 3e-3}
    row = row_of("evidence-stop", long)
    assert row["status"] == "converged"
    assert row["iterations"] < 1200
    assert "sampling noise" in row["reason"]


def test_residual_variance_adam_by_hand() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = ResidualVarianceAdam([weight], lr=0.1, eps=0.0)
    weight.grad = torch.tensor([3.0, -4.0])
    optimizer.spread = [torch.tensor([9.0, 4.0])]
    optimizer.step()
    # bias corrections cancel in the first step: m̂ = g, v̂ = variance
    assert weight.tolist() == pytest.approx([1 - 0.1 * 3 / 3, 2 + 0.1 * 4 / 2])


@pytest.mark.parametrize("smoother", [gaussian_process, least_squares_modes])
@pytest.mark.parametrize("problem", [HEAT, "advection-noisy-ic"])
def test_smoothers_recover_quiet_data(smoother: Any, problem: str) -> None:
    if smoother is gaussian_process:
        pytest.importorskip("sklearn", reason="the extra 'bench' is not installed")
    on = case(problem, "observations.0.noise.std=0.001")
    initial = smoother(on.problem, "u", on.observations)
    x = np.linspace(*on.problem.domain["x"], 101)
    values = initial({"x": x})
    points = np.stack([x, np.zeros_like(x)], axis=1)
    from pinngate.reference import truth

    reference = truth(on.problem)
    assert reference is not None
    # a standard deviation of 0.001 at 200 places leaves far less than 0.01
    assert np.abs(values - reference(points)["u"]).max() < 0.01
    if problem == HEAT:
        assert abs(values[0]) < 1e-4
        assert abs(values[-1]) < 1e-4


def test_modes_choose_as_many_as_the_data_support() -> None:
    on = case()
    noisy = least_squares_modes(on.problem, "u", on.observations)({"x": np.linspace(0, 1, 401)})
    # two sine modes: a fit of a hundred would swing with the noise
    assert np.abs(np.diff(noisy, 2)).max() < 0.01


def test_assimilation_meets_quiet_scattered_data() -> None:
    on = case("heat-scattered", "observations.0.noise.std=0.001", "observations.0.count=300")
    options = {"num_space": 33, "num_time": 33, "smoothness": [1e-8]}
    outcome, _ = solved("4d-var", options, on)
    assert on.known is not None
    error = np.linalg.norm(outcome.fields["u"] - on.known["u"]) / np.linalg.norm(on.known["u"])
    assert error < 0.01  # fourth-order differences of sin(3πx) on 33 nodes: below a percent


def test_assimilation_finds_a_coefficient() -> None:
    text = """
pinngate: 1
name: decay
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
estimate: {kappa: {initial: 0.2, positive: true}}
equations: [u_t = kappa*u_xx]
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
observations: [{of: u, count: 200, noise: {std: 0.001}}]
truth: {u: exp(-0.05*pi**2*t)*sin(pi*x), constants: {kappa: 0.05}}
"""
    on = case_of(config.loads(text))
    options = {"num_space": 25, "num_time": 25, "smoothness": [1e-8]}
    outcome, _ = solved("4d-var", options, on)
    # the noise leaves 0.1 %; the differences on 25 nodes less
    assert outcome.coefficients["kappa"] == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize("name", ["gp-solver", "modes-solver", "gp-pinn"])
def test_pipelines_for_initial_data_do_not_apply_to_scattered(name: str) -> None:
    if METHODS[name].module is not None:
        pytest.importorskip("sklearn", reason="the extra 'bench' is not installed")
    assert row_of(name, problem="heat-scattered")["status"] == "not applicable"


def test_methods_for_boxes_do_not_apply_to_shapes() -> None:
    on = case()
    shaped = replace(on, problem=changed(on.problem, coefficient_fields=("k",)))  # type: ignore[arg-type]
    for name in ("4d-var", "deepxde-adam"):
        with pytest.raises(NotApplicable):
            solved(name, {}, shaped)


def test_least_squares_through_a_solver_finds_rates_with_intervals() -> None:
    on = case("predator-prey")
    for options in ({}, {"start": "truth"}):
        outcome, _ = solved("least-squares-solver", options, on)
        assert outcome.intervals is not None
        for name, truth in on.problem.true_coefficients().items():
            found = outcome.intervals[name]
            assert found.lower < truth < found.upper
            assert abs(outcome.coefficients[name] - truth) < 4 * found.std < 0.1 * truth
        assert on.known is not None
        error = np.linalg.norm(outcome.fields["u"] - on.known["u"])
        assert error < 0.03 * np.linalg.norm(on.known["u"])


def test_least_squares_through_a_solver_is_for_ordinary_equations() -> None:
    with pytest.raises(NotApplicable, match="ordinary"):
        solved("least-squares-solver", {}, case())
