from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pinngate.errors import InputError, SolveError
from pinngate.linear.jacobian import assign, flatten, jacobian, weighted_residuals
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import problem_terms
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.mechanisms import Mechanisms
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import SINES, NoisyHeat, solve, truth

TANH = NetworkOptions(6, 2, "tanh", None)
SIGMA = 0.3
KAPPA = (Coefficient("kappa", 0.2, lower=0.0),)


@pytest.mark.parametrize("options", [SINES, TANH])
@pytest.mark.parametrize("periodic", [(), ("x",)])
def test_jacobian_is_the_derivative_of_the_residuals(options, periodic):
    setting = NoisyHeat(options, coefficients=KAPPA, periodic=periodic)
    batches = setting.draw(7, 3)
    weights, parts = setting.weights(batches), setting.parts
    jac, r = jacobian(*parts, batches, weights)
    torch.testing.assert_close(r, weighted_residuals(*parts, batches, weights), rtol=0, atol=0)
    assert weights.slices["observation_1"].stop == len(r)
    theta = flatten(*parts[1:])
    held = 0
    for column in range(len(theta)):
        step = torch.zeros_like(theta)
        step[column] = 1e-5
        sides = []
        for sign in (1, -1):
            assign(*parts[1:], theta + sign * step)
            sides.append(weighted_residuals(*parts, batches, weights))
        slope = (sides[0] - sides[1]) / 2e-5
        if periodic and column < 2 * options.width and column % 2 == 0:
            # wave numbers of the periodic axis are held, whatever the residual's slope
            assert not jac[:, column].any()
            held += 1
            continue
        # central differences: h² times third derivatives, and rounding of 1e-16/h
        scale = float(slope.abs().max()) + 1.0
        torch.testing.assert_close(jac[:, column], slope, rtol=1e-5, atol=2e-7 * scale)
    assert held == (options.width if periodic else 0)


def test_heat_is_solved_close_to_the_limit_and_its_risk_is_honest():
    ratios, risks = [], []
    for seed in range(4):
        setting = NoisyHeat(seed=seed)
        solver = setting.solver()
        rows = solve(setting, solver)
        assert solver.reason == "the leave-one-out risk stopped falling"
        # the rms error of knowing the two modes is 0.0318 relative
        ratios.append(setting.error() / 0.0318)
        u = setting.network(setting.points)[:, 0].detach()
        expected = SIGMA**2 + float((u - truth(setting.points)).square().mean())
        assert solver.stopping.best is not None
        risks.append(solver.stopping.best["risk"] / expected)
        assert rows[-1]["noise_std_1"] == pytest.approx(SIGMA, rel=0.2)
        assert 2 < rows[-1]["effective_dimension"] < 8
    # one realisation scatters by half its limit; the root mean square of four by a quarter
    assert float(np.sqrt(np.mean(np.square(ratios)))) < 1.8
    # 200 squared noise values have a relative standard deviation of 10 %, the mean of four 5 %
    assert float(np.mean(risks)) == pytest.approx(1.0, abs=0.15)


def test_the_answer_does_not_depend_on_the_unit_of_the_data():
    errors, ridges = [], []
    for scale in (1.0, 1000.0):
        setting = NoisyHeat(scale=scale)
        solver = setting.solver(max_iterations=16)
        solve(setting, solver)
        with torch.no_grad():
            setting.network.output_scale /= scale
        errors.append(setting.error())
        ridges.append(solver.ridge)
    # identical arithmetic up to rounding, which sixteen nonlinear iterations amplify
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)
    assert ridges[1] == pytest.approx(ridges[0], rel=1e-3)


def test_a_coefficient_is_found_within_its_interval():
    setting = NoisyHeat(coefficients=KAPPA, num_observations=400, is_initial=False)
    solver = setting.solver()
    rows = solve(setting, solver)
    found, std = rows[-1]["coefficient_kappa"], rows[-1]["coefficient_kappa_std"]
    assert 0.0 < std < 0.02
    # three standard deviations: a wrong value in one seed of 370
    assert abs(found - 0.05) < 3 * std


def test_outliers_hardly_move_the_answer():
    errors: dict[str, list[float]] = {"clean": [], "robust": [], "plain": []}
    for seed in range(4):
        for name in errors:
            num_outliers = 0 if name == "clean" else 20
            setting = NoisyHeat(seed=seed, num_outliers=num_outliers)
            solver = setting.solver(mechanisms=Mechanisms(robust=name != "plain"))
            solve(setting, solver)
            errors[name].append(setting.error())
            is_reweighted = solver.noise.models["observation_1"].is_heavy
            assert is_reweighted == (name == "robust")
    rms = {name: float(np.sqrt(np.mean(np.square(e)))) for name, e in errors.items()}
    # a tenth of the data is lost and the rest is fitted with 80 to 90 % efficiency, which is a
    # factor of 1.15; the ratio of two rms values of four realisations scatters by a third
    assert rms["robust"] < 1.6 * rms["clean"]
    # least squares sees a standard deviation 3.3 times as large
    assert rms["robust"] < 0.7 * rms["plain"]


@pytest.mark.parametrize("when", [3, 15])
def test_resuming_is_bitwise_the_same(when):
    def run(stop: int | None) -> tuple[Tensor, list[dict[str, float]]]:
        setting = NoisyHeat()
        solver = setting.solver()
        batches = [setting.draw() for _ in range(18)]
        rows = []
        for k, b in enumerate(batches):
            if k == stop:
                state = solver.state_dict()
                setting = NoisyHeat(seed=9)
                setting.network.output_scale.copy_(solver.network.output_scale)
                solver = setting.solver()
                solver.load_state_dict(state)
            rows.append(solver.step(b))
        return flatten(solver.network, solver.coefficients), rows

    straight, interrupted = run(None), run(when)
    assert torch.equal(straight[0], interrupted[0])
    assert straight[1] == interrupted[1]


def test_state_is_made_of_plain_things_only(tmp_path):
    setting = NoisyHeat()
    solver = setting.solver(max_iterations=15)
    solve(setting, solver)
    torch.save(solver.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert torch.equal(state["theta"], solver.state_dict()["theta"])
    assert state["stopping"]["best"]["iteration"] >= 13


def test_on_fixed_points_every_step_is_a_descent():
    setting = NoisyHeat(TANH)
    solver = setting.solver(ramp=1.0, first_physics_weight=0.3)
    batches = setting.draw()
    losses = []
    for _ in range(12):
        row = solver.step(batches)
        losses.append(row["loss"])
        assert row["gain_ratio"] >= 0.0
    # the ridge moves between iterations, so the loss alone may rise a little, never much
    assert losses[-1] < 0.5 * losses[0]
    assert all(b < 1.05 * a for a, b in itertools.pairwise(losses))


def test_what_cannot_be_solved_is_said():
    setting = NoisyHeat()
    problem = setting.problem
    with pytest.raises(InputError, match="no observations"):
        PopulationRiskGaussNewton(
            ResidualModel(problem_terms(problem, []), problem),
            setting.network,
            setting.coefficients,
        )
    with pytest.raises(InputError, match="double precision"):
        PopulationRiskGaussNewton(setting.model, setting.network.float(), setting.coefficients)
    setting = NoisyHeat()
    with torch.no_grad():
        setting.network.linears[0].weight[0, 0] = math.nan
    with pytest.raises(SolveError, match="not finite"):
        setting.solver().step(setting.draw())
