"""Solving, saving and resuming with a network of one's own."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pinngate
from pinngate import config
from pinngate.config import catalog
from pinngate.errors import InputError, Interrupted
from pinngate.inference.posterior import laplace_posterior
from pinngate.linear.forms import MatrixFreeForm, Trial
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.runs.folder import load_session
from pinngate.runs.training import begin
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Problem
from tests.model.test_own_network import Layers, perceptron, twin_of
from tests.noisy_heat import NoisyHeat

DOUBLE = torch.float64
NAMED = ("solve.network.width=8", "solve.network.depth=2")


def heat(*overrides: str, iterations: int = 6) -> Problem:
    few = ("solve.collocation=48", f"solve.iterations={iterations}")
    return config.load(catalog.path("heat-noisy-ic"), overrides=[*few, *overrides])


def module_of(problem: Problem) -> nn.Module:
    """The layers of the built-in network that a run of this problem starts from."""
    stepper = begin(problem).stepper
    return Layers(stepper.network)


@pytest.mark.parametrize("optimizer", ["auto", "adam", "population-risk-adam"])
def test_the_solution_is_that_of_the_built_in_twin(optimizer: str) -> None:
    options = [*NAMED, "solve.precision=float64", f"solve.optimizer={optimizer}"]
    options += ["solve.basis=weights"] if optimizer == "population-risk-adam" else []
    problem = heat(*options)
    expected = pinngate.solve(problem)
    found = pinngate.solve(problem, network=module_of(problem))
    points = np.random.default_rng(0).random((50, 2))
    np.testing.assert_allclose(found(points)["u"], expected(points)["u"], rtol=1e-9, atol=1e-9)
    assert found.metrics["network"] == {"own": "Layers", "parameters": 105}
    assert found.metrics["fields"]["u"]["relative_l2"] == pytest.approx(
        expected.metrics["fields"]["u"]["relative_l2"], rel=1e-8
    )


def test_the_matrix_free_form_takes_the_same_steps() -> None:
    logs = []
    for is_own in (False, True):
        setting = NoisyHeat(NetworkOptions(width=8, depth=2, features=1.5))
        network = twin_of(setting.network, "xt") if is_own else setting.network
        trial = (setting.model, network, setting.coefficients)
        solver = PopulationRiskGaussNewton(*trial, form=MatrixFreeForm())
        for _ in range(3):
            row = solver.step(setting.draw(64))
        logs.append(row)
    assert logs[1] == pytest.approx(logs[0], rel=1e-7)


def test_the_posterior_is_that_of_the_built_in_twin() -> None:
    setting = NoisyHeat(NetworkOptions(width=8, depth=2, features=1.5))
    twin, batches = twin_of(setting.network, "xt"), setting.draw(64)
    weights = setting.weights(batches).by_term
    model, network, coefficients = setting.parts
    expected = laplace_posterior(Trial(model, network, coefficients), batches, weights)
    found = laplace_posterior(Trial(model, twin, coefficients), batches, weights)
    at = setting.grid(7)
    torch.testing.assert_close(
        expected.std(twin, at), expected.std(network, at), rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(found.std(twin, at), expected.std(network, at), rtol=1e-7, atol=0)


def test_it_is_alone_in_the_race() -> None:
    session = begin(heat(), network=perceptron())
    assert list(session.stepper.solvers) == ["own"]


def test_it_stands_in_place_of_a_network_that_the_problem_names() -> None:
    solve = begin(heat(*NAMED), network=perceptron()).problem.solve
    assert (solve.network, solve.own_network) == (None, "Sequential")


def test_layers_are_not_rotated() -> None:
    problem = heat("solve.optimizer=population-risk-adam")
    assert begin(problem, network=perceptron()).problem.solve.basis == "weights"
    with pytest.raises(InputError, match="layers of a network of one's own are not known"):
        begin(
            heat("solve.optimizer=population-risk-adam", "solve.basis=layers"), network=perceptron()
        )


@pytest.mark.parametrize("name", ["advection-noisy-ic", "heat-conductivity", "predator-prey"])
def test_periodic_axes_coefficients_and_several_fields(name: str) -> None:
    few = ["solve.collocation=32", "solve.iterations=3"]
    problem = config.load(catalog.path(name), overrides=few)
    inputs = len(problem.axes) + len(problem.periodic)
    solution = pinngate.solve(problem, network=perceptron(inputs, len(problem.unknowns)))
    middle = np.array([[0.5 * (low + high) for low, high in problem.domain.values()]])
    assert set(solution(middle)) >= set(problem.unknowns)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was interrupted after its third iteration."""
    finish = stop_after(3, monkeypatch)
    with pytest.raises(Interrupted):
        pinngate.run(heat(), tmp_path / "run", network=perceptron())
    finish()
    return tmp_path / "run"


def stop_after(iterations: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    from pinngate.optim.second_order import SecondOrder

    step = SecondOrder.step

    def interrupted(self: SecondOrder) -> None:
        if self.iteration == iterations:
            signal.raise_signal(signal.SIGINT)  # met when this iteration is done
        step(self)

    monkeypatch.setattr(SecondOrder, "step", interrupted)
    return lambda: monkeypatch.setattr(SecondOrder, "step", step)


def test_a_run_is_resumed_with_the_module_given_again(folder: Path) -> None:
    whole = pinngate.solve(heat(), network=perceptron())
    torch.manual_seed(5)
    other = nn.Sequential(nn.Linear(2, 7), nn.SiLU(), nn.Linear(7, 1))  # weights do not matter
    resumed = pinngate.resume(folder, network=other)
    points = np.random.default_rng(0).random((20, 2))
    assert np.array_equal(resumed(points)["u"], whole(points)["u"])
    predicted = pinngate.predict(folder, points, network=other)
    assert np.array_equal(predicted["u"], whole(points)["u"])
    assert np.all(predicted["u_std"] > 0)
    assert "own_network: Sequential" in (folder / "problem.yaml").read_text()
    assert "the caller&#39;s own" in (folder / "report.html").read_text()


def test_without_the_module_or_with_another_it_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="network of one's own, Sequential, and none is given"):
        pinngate.resume(folder)
    with pytest.raises(InputError, match="none is given"):
        load_session(folder)
    with pytest.raises(InputError, match="of 16 weights is given") as caught:
        pinngate.resume(folder, network=nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1, bias=False)))
    assert "Sequential of 29 weights" in str(caught.value)
