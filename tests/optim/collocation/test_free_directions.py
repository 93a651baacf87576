"""What equations and conditions leave free of a tensor basis, and fits in that space alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pinngate
from pinngate.linear.jacobian import weighted_residuals
from pinngate.model.trefftz_basis import TrefftzBasis
from pinngate.optim.collocation.basis_solver import Collocation
from pinngate.optim.collocation.spaces import evenly
from pinngate.optim.collocation.unmet_physics import field_error
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.entrants import BASIS
from pinngate.runs.training import begin


def plane_waves(x: np.ndarray, y: np.ndarray, k: float) -> np.ndarray:
    return np.sin(0.6 * k * x + 0.8 * k * y) + np.cos(0.8 * k * x - 0.6 * k * y)


def helmholtz(k: float, count: int, source: float = 0.0) -> pinngate.Problem:
    generator = np.random.default_rng(0)
    x, y = generator.uniform(size=(2, count))
    values = plane_waves(x, y, k) + source * np.sin(7 * x) / (k**2 - 49)
    values += 0.1 * generator.standard_normal(count)
    return pinngate.Problem(
        domain={"x": [0, 1], "y": [0, 1]},
        unknowns=["u"],
        constants={"k": k},
        equations=[f"u_xx + u_yy + k**2*u = {source}*sin(7*x)"],
        observations=[pinngate.Observations("u", {"x": x, "y": y}, values)],
    )


def string(conditions: list[str]) -> pinngate.Problem:
    generator = np.random.default_rng(1)
    x, t = generator.uniform(size=(2, 400))
    values = np.sin(np.pi * x) * np.cos(2 * np.pi * t) + x
    return pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["u_tt = 4*u_xx"],
        conditions=conditions,
        observations=[
            pinngate.Observations(
                "u", {"x": x, "t": t}, values + 0.1 * generator.standard_normal(400)
            )
        ],
    )


ENDS = ["u = 0 at x = 0", "u = 1 at x = 1"]


def constrained(problem: pinngate.Problem) -> WorkingSpace:
    solver = begin(problem).stepper.solvers[BASIS]
    assert isinstance(solver, Collocation)
    solver.weight.value = solver.weight.goal = 200.0
    solver.space.constrain()
    return solver.space


def test_its_fields_meet_equations_conditions_and_sources() -> None:
    space = constrained(string(ENDS))
    network = space.network
    assert isinstance(network, TrefftzBasis)
    # an initial value and an initial velocity, two functions of x
    sizes = [len(f.frequencies) for f in space.fields.functions]
    assert network.num_parameters < 3 * sizes[0] < sizes[0] * sizes[1] / 3
    gram = network.directions.T @ network.directions
    assert torch.allclose(gram, torch.eye(len(gram), dtype=torch.float64), atol=1e-10)
    assert float((network.directions.T @ network.offset).abs().max()) < 1e-10
    torch.manual_seed(0)
    with torch.no_grad():
        network.numbers.copy_(torch.randn(len(network.numbers), dtype=torch.float64))
    for x, value in ((0.0, 0.0), (1.0, 1.0)):
        side = torch.stack([torch.full((20,), x), torch.linspace(0, 1, 20)], 1).double()
        assert float((network(side).detach()[:, 0] - value).abs().max()) < 1e-3
    expanded = space.fields
    inside = torch.rand(50, 2, dtype=torch.float64)
    assert torch.allclose(expanded(inside), network(inside), atol=1e-12)


def test_what_is_said_twice_does_no_harm() -> None:
    once, twice = constrained(string(ENDS)), constrained(string([*ENDS, "u_t = 0 at x = 0"]))
    assert once.network.num_parameters == twice.network.num_parameters


def test_where_nothing_is_free_the_equations_say_all() -> None:
    x = np.linspace(0.05, 0.95, 40)
    values = np.sin(np.pi * x) + 0.2 * np.random.default_rng(2).standard_normal(40)
    solution = pinngate.solve(
        pinngate.Problem(
            domain={"x": [0, 1]},
            unknowns=["u"],
            equations=["u_xx = -pi**2*sin(pi*x)"],
            conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
            observations=[pinngate.Observations("u", x, values)],
        )
    )
    places = np.linspace(0, 1, 50)
    assert np.abs(solution(places)["u"] - np.sin(np.pi * places)).max() < 1e-3


@pytest.mark.parametrize("source", [0.0, 100.0])
def test_fits_are_those_of_the_whole_basis(source: float, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = helmholtz(12.0, 600, source=source)
    small = pinngate.solve(problem)
    monkeypatch.setattr(WorkingSpace, "constrain", lambda self: None)
    whole = pinngate.solve(problem)
    places = np.random.default_rng(3).uniform(0.1, 0.9, size=(2, 200))
    ours, theirs = (s(x=places[0], y=places[1])["u"] for s in (small, whole))
    deviation = small.std(x=places[0], y=places[1])["u"]
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.5 * np.sqrt(np.mean(deviation**2))


def test_waves_that_none_of_the_first_bases_can_follow() -> None:
    """Ten in a row, which values alone do not show to as many functions."""
    solution = pinngate.solve(helmholtz(60.0, 1500))
    assert solution.metrics["status"] == "converged"
    places = np.random.default_rng(4).uniform(0.03, 0.97, size=(2, 500))
    truth = plane_waves(*places, 60.0)
    error = np.sqrt(np.mean((solution(x=places[0], y=places[1])["u"] - truth) ** 2))
    assert error < 0.1 * np.sqrt(160 / 1500)  # the noise in as many amplitudes


def test_a_run_is_resumed_bitwise() -> None:
    whole, parted = begin(many_values()), begin(many_values())
    while not isinstance(parted.stepper.solvers[BASIS].network, TrefftzBasis):
        whole.stepper.step()
        parted.stepper.step()
    state = parted.state_dict()
    resumed = begin(many_values())
    resumed.load_state_dict(state)
    assert isinstance(resumed.stepper.solvers[BASIS].network, TrefftzBasis)
    for _ in range(3):
        whole.stepper.step()
        resumed.stepper.step()
    assert whole.stepper.log_row() == resumed.stepper.log_row()


def many_values() -> pinngate.Problem:
    return helmholtz(30.0, 2500)


def test_functions_that_the_equation_does_not_see_are_free() -> None:
    """Of Laplace' equation 1, x, y and xy; they leave the others as exact as they are."""
    x, y = np.random.default_rng(0).uniform(size=(2, 2500))
    space = constrained(
        pinngate.Problem(
            domain={"x": [0, 1], "y": [0, 1]},
            unknowns=["u"],
            equations=["u_xx + u_yy = 0"],
            observations=[pinngate.Observations("u", {"x": x, "y": y}, x + np.exp(x) * np.sin(y))],
        )
    )
    points = torch.as_tensor(np.stack([x, y], 1))
    rows = space.network.values(points, (0, 0))[1][:, 0].detach()
    for values in (np.ones(len(x)), x, x * y, np.exp(x) * np.sin(y), x**2 - y**2):
        target = torch.as_tensor(values)
        fit = torch.linalg.lstsq(rows, target, driver="gelsd").solution
        assert float((rows @ fit - target).abs().max()) < 1e-5


def test_coefficients_that_are_not_finite_are_told() -> None:
    x = np.linspace(0.1, 0.9, 30)
    problem = pinngate.Problem(
        domain={"x": [0, 1]},
        unknowns=["u"],
        equations=["u_xx + log(x - 0.5)*u = 0"],
        observations=[pinngate.Observations("u", x, np.sin(x))],
    )
    space = begin(problem).stepper.solvers[BASIS].space
    space.weight.value = 200.0
    space.constrain()
    assert not isinstance(space.network, TrefftzBasis)


def test_unmet_physics_is_told_as_an_error_of_about_its_size() -> None:
    """Bases of two sizes on values without noise, where all of the error is what physics leaves."""
    x, y = np.random.default_rng(0).uniform(size=(2, 2500))
    problem = pinngate.Problem(
        domain={"x": [0, 1], "y": [0, 1]},
        unknowns=["u"],
        equations=["u_xx + u_yy + 1600*u = 0"],
        observations=[pinngate.Observations("u", {"x": x, "y": y}, plane_waves(x, y, 40.0))],
    )
    told, true = [], []
    for count in (9, 13):
        space = constrained(problem)
        space.change(finer_evenly(space, count))
        rows = space.network.values(torch.as_tensor(np.stack([x, y], 1)), (0, 0))[1][:, 0].detach()
        target = torch.as_tensor(plane_waves(x, y, 40.0))
        fit = torch.linalg.lstsq(rows, target, driver="gelsd").solution
        with torch.no_grad():
            space.network.numbers.copy_(fit)
        size = float(target.square().mean().sqrt())
        true.append(float((rows @ fit - target).square().mean().sqrt()) / size)
        weights = space.row_weights(space.batches, 1.0)
        plain = weighted_residuals(*space.trial, space.batches, weights)
        told.append(np.sqrt(field_error(space.mixing, plain.detach(), space.gains)))
    assert true[1] < true[0] / 3
    for ours, actual in zip(told, true, strict=True):
        assert actual / 10 < ours < 10 * actual


def finer_evenly(space: WorkingSpace, count: int) -> dict:
    return {axis: evenly(space.parts.problem, axis, count) for axis in space.resolution}


def ring(axes: str) -> pinngate.Problem:
    """A pattern that drifts over periodic axes."""
    generator = np.random.default_rng(2)
    points = generator.uniform(size=(600, len(axes) + 1))
    values = np.sin(2 * np.pi * (points[:, 0] - points[:, -1]))
    return pinngate.Problem(
        domain={axis: [0, 1] for axis in (*axes, "t")},
        unknowns=["u"],
        equations=["u_t + u_x = " + ("0.01*u_xx" if axes == "x" else "0.01*(u_xx + u_yy)")],
        conditions=[f"periodic in {axis}" for axis in axes],
        observations=[
            pinngate.Observations("u", points, values + 0.1 * generator.standard_normal(600))
        ],
    )


@pytest.mark.parametrize("axes", ["x", "xy"])
def test_an_evolution_on_a_ring_leaves_its_initial_state_free(axes: str) -> None:
    """The mean obeys the equation, too, although no derivative along the ring makes a mean."""
    space = constrained(ring(axes))
    initial = space.fields.has_member.any(-1)
    assert space.network.num_parameters == int(initial.sum()) + 1


def test_tails_that_are_judged_before_it_begins_do_not_end_it() -> None:
    solver = begin(ring("x")).stepper.solvers[BASIS]
    assert isinstance(solver, Collocation)
    solver.turn_robust()
    for _ in range(60):
        if solver.reason is None:
            solver.step({})
    assert solver.reason is not None
    assert solver.ascent.has_answer
    assert 0.005 < solver.score < 0.1
