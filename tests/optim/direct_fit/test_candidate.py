"""A direct fit in the race: its tangents as a trial space, its posterior, its way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import pinngate
from pinngate import config
from pinngate.inference.posterior import field_gradients, student_quantile
from pinngate.optim.direct_fit.candidate import POOR, ThroughSolver
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.outlying_residuals import has_outliers
from pinngate.optim.divisions import SMALL
from pinngate.optim.entrants import POLISH, SOLVER
from pinngate.optim.gauss_newton.last_fit import gauss_newton_posterior
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.runs.training import begin
from pinngate.statement.derivatives import Derivative
from pinngate.statement.problem import changed
from tests.optim.direct_fit.problems import column


def solved(problem: pinngate.Problem) -> ThroughSolver:
    found = ThroughSolver(begin(problem).stepper.parts, GaussNewtonOptions())
    found.step({})
    return found


@pytest.fixture(scope="module")
def tracer() -> ThroughSolver:
    return solved(column())


def test_it_has_the_coefficients_and_intervals_of_the_fit(tracer: ThroughSolver) -> None:
    posterior = gauss_newton_posterior(tracer, tracer.parts.batches.observations)
    found = posterior.coefficients(tracer.coefficients)
    for name, (value, std) in tracer.fit.coefficients.items():
        assert found[name].estimate == pytest.approx(value, rel=1e-9)
        assert found[name].std == pytest.approx(std, rel=0.02)


def test_bands_are_those_of_the_tangents(tracer: ThroughSolver) -> None:
    points = np.column_stack([np.linspace(0.1, 0.9, 9), np.linspace(0.5, 3.5, 9)])
    posterior = gauss_newton_posterior(tracer, tracer.parts.batches.observations)
    band = posterior.std(tracer.network, torch.as_tensor(points))[:, 0].numpy()
    np.testing.assert_allclose(band, tracer.fit.std(points)[:, 0], rtol=0.02)


def test_gradients_are_differences_of_the_network(tracer: ThroughSolver) -> None:
    points = torch.tensor([[0.3, 1.0], [0.7, 2.5]], dtype=torch.float64)
    ((_, _, gradient),) = field_gradients(tracer.network, points)
    layer = tracer.network.linears[0]
    before = tracer.network(points)
    for k in range(layer.in_features):
        with torch.no_grad():
            layer.weight[0, k] = 1e-3
            moved = (tracer.network(points) - before) / 1e-3
            layer.weight[0, k] = 0.0
        assert torch.allclose(moved[:, 0], gradient[:, k])
    assert not gradient[:, -1].any()


def test_a_derivative_of_the_fields_is_that_of_the_solution(tracer: ThroughSolver) -> None:
    fit, step = tracer.fit, np.array([[1e-4, 0.0]])
    points = np.array([[0.4, 2.0]])
    ahead, behind = (fit.fields(points + shift)[0, 0] for shift in (step, -step))
    (found,), _ = fit.derivative(Derivative("c", (1, 0)), points)
    assert found == pytest.approx((ahead - behind) / 2e-4, rel=2e-2)


def test_it_wins_and_a_saved_run_gives_the_same_answer(tmp_path) -> None:
    solution = pinngate.solve(column())
    assert "solver" in solution.metrics["network"]
    solution.save(tmp_path / "run")
    again = pinngate.load_solution(tmp_path / "run")
    points = {"x": np.array([0.2, 0.5]), "t": np.array([1.0, 3.0])}
    np.testing.assert_allclose(again(**points)["c"], solution(**points)["c"], rtol=1e-12)
    np.testing.assert_allclose(again.std(**points)["c"], solution.std(**points)["c"], rtol=1e-6)


def test_draws_of_fields_move_with_the_coefficients() -> None:
    solution = pinngate.solve(column())
    points = {"x": np.array([0.5]), "t": np.array([1.0])}
    drawn = solution.sample(2000, **points)
    # the front arrives the earlier the faster it is
    assert np.corrcoef(drawn.fields["c"][:, 0], drawn.coefficients["v"])[0, 1] > 0.5
    assert drawn.fields["c"].std() == pytest.approx(solution.std(**points)["c"][0], rel=0.1)


def outlying(values: np.ndarray) -> np.ndarray:
    spoiled = values.copy()
    spoiled[::15] += 1.0
    return spoiled


def test_outliers_are_left_to_others() -> None:
    stepper = begin(column(spoil=outlying)).stepper
    assert stepper.at_work == SOLVER
    stepper.step()
    assert SOLVER in stepper.race.failed
    assert "tails" in stepper.solvers[SOLVER].reason


def test_it_goes_first_but_where_networks_of_a_linear_problem_have_a_mean() -> None:
    first = [begin(p).stepper.at_work for p in (column(), column(is_stated=False))]
    assert first == [SOLVER, SOLVER]
    stepper = begin(config.load(config.resolve("heat-noisy-ic"))).stepper
    assert stepper.at_work in SMALL
    assert SOLVER in stepper.solvers
    assert SOLVER not in begin(config.load(config.resolve("poisson-2d"))).stepper.solvers


def test_data_that_no_solution_reaches_are_told() -> None:
    found = solved(column(spoil=lambda values: np.sin(40 * np.arange(len(values)))))
    assert found.is_poor
    assert found.reason == POOR


def epidemic() -> pinngate.Problem:
    """Cases and recovered of an outbreak: from these rates a fit through the solver goes astray."""
    times = np.linspace(0, 200, 101)
    found = solve_ivp(
        lambda _, y: [-0.45 * y[0] * y[2], 0.45 * y[0] * y[2] - 0.2 * y[1], 0.2 * y[1] - y[2] / 7],
        (0, 200),
        [1 - 1e-5, 0.0, 1e-5],
        t_eval=times,
        rtol=1e-9,
        atol=1e-12,
    ).y
    noise = np.random.default_rng(0).standard_normal((2, len(times)))
    return pinngate.Problem(
        domain={"t": [0, 200]},
        unknowns=["S", "E", "I"],
        equations=["S_t = -b*S*I", "E_t = b*S*I - s*E", "I_t = s*E - g*I"],
        estimate={
            n: pinngate.Unknown(v, positive=True) for n, v in (("b", 0.1), ("s", 1.0), ("g", 0.5))
        },
        observations=[
            pinngate.Observations("I", times, found[2] + 2e-3 * noise[0]),
            pinngate.Observations("1 - S - E - I", times, 1 - found.sum(axis=0) + 3e-3 * noise[1]),
        ],
    )


def test_what_goes_astray_is_polished_from_the_winner() -> None:
    solution = pinngate.solve(epidemic())
    assert [entry["network"] for entry in solution.metrics["race"]][-1] == POLISH
    assert solution.metrics["race"][-1]["is_winner"]
    told = solution.metrics["polish"]
    assert (told["from"], told["is_accepted"]) == ("basis", True)
    assert told["seconds"] > 0
    for name, value in (("b", 0.45), ("s", 0.2), ("g", 1 / 7)):
        found = solution.coefficients[name]
        assert abs(found.estimate - value) < 4 * found.std
        assert found.std < 0.05 * value


def test_a_lower_score_by_bent_physics_does_not_win() -> None:
    t = np.linspace(0, 10, 60)
    pattern = 0.05 * np.sin(4 * t) + 0.002 * np.random.default_rng(0).standard_normal(60)
    problem = pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["u"],
        equations=["u_t = b - a*u"],
        estimate={"a": pinngate.Unknown(1.0), "b": pinngate.Unknown(0.5)},
        observations=[pinngate.Observations("u", t, np.exp(-0.5 * t) + 0.2 + pattern)],
    )
    metrics = pinngate.solve(problem).metrics
    race = {entry["network"]: entry for entry in metrics["race"]}
    assert race["basis"]["risk"] < race[SOLVER]["risk"]
    assert race[SOLVER]["is_winner"] or race[POLISH]["is_winner"]
    assert metrics["verdict"] == "doubtful"


def test_deviations_of_free_initial_values_are_those_of_the_fit() -> None:
    solution = pinngate.solve(pinngate.load("predator-prey"))
    times = np.linspace(0, 15, 6)
    fit, ratio = solution.session.stepper.network.fit, student_quantile(80 - 6) / 1.96
    expected = ratio * fit.std(times[:, None])[:, 0]
    np.testing.assert_allclose(solution.std(t=times)["u"], expected, rtol=1e-3)


def test_the_solver_may_be_kept_out() -> None:
    problem = pinngate.load("predator-prey")
    kept_out = changed(problem, solve=replace(problem.solve, polish="none"))
    assert SOLVER not in begin(kept_out).stepper.solvers
    assert SOLVER in begin(problem).stepper.solvers


def test_functions_known_up_to_a_factor_keep_the_solver_out() -> None:
    function = pinngate.Unknown(0.5, positive=True, over="x")
    rng = np.random.default_rng(0)
    points = {"x": rng.random(40), "t": rng.random(40)}

    def problem(equation: str) -> pinngate.Problem:
        return pinngate.Problem(
            domain={"x": [0, 1], "t": [0, 1]},
            unknowns=["c"],
            equations=[equation],
            estimate={"speed": function, "flow": function},
            observations=[pinngate.Observations("c", points, rng.random(40))],
        )

    assert SOLVER not in begin(problem("speed*c_t = -(flow*c)_x")).stepper.solvers
    assert SOLVER in begin(problem("c_t = -(flow*c)_x + speed")).stepper.solvers


def test_a_candidate_without_an_answer_has_no_linear_model() -> None:
    found = ThroughSolver(begin(column()).stepper.parts, GaussNewtonOptions())
    assert found.is_poor
    with pytest.raises(CannotMarch, match="nothing was solved yet"):
        found.linearise({})


def test_a_fit_that_starts_from_an_answer_stays_there(tracer: ThroughSolver) -> None:
    found = ThroughSolver(tracer.parts, GaussNewtonOptions(), tracer)
    found.step({})
    for name, (value, std) in tracer.fit.coefficients.items():
        assert found.fit.coefficients[name][0] == pytest.approx(value, abs=0.1 * std)
    assert found.score == pytest.approx(tracer.score, rel=1e-2)


def test_what_the_equations_miss_is_not_taken_for_outliers(tracer: ThroughSolver) -> None:
    (data,), time = tracer.parts.batches.sets, 1
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(data.values))

    def has(residuals: np.ndarray) -> bool:
        return has_outliers(replace(tracer.fit, residuals={data.name: residuals}), [data], time)

    alone, together = noise.copy(), noise.copy()
    alone[::15] += 1.0
    together[:10] += 1.0
    assert not has(noise)
    assert has(alone)
    assert not has(together)
