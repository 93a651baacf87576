"""The smoothness prior on initial values, and what it must leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pinngate import config
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch
from pinngate.optim.second_order import SecondOrder
from pinngate.points.smoothness import LEAST_ROUGHNESS, Smoothness, free_initial_values, strength
from pinngate.runs.training import begin

EXACT_START = """
pinngate: 1
name: exact-start
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: [u_t = u_xx]
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
  - {where: t = 0, equation: u = sin(pi*x)}
observations:
  - {of: u, count: 20, noise: {std: 0.1}}
truth: {u: exp(-pi**2*t)*sin(pi*x)}
"""


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("heat-noisy-ic", ["u"]),
        ("wave-noisy-ic", ["u"]),  # its velocity is stated at t = 0, its displacement is not
        ("reaction-diffusion", ["u", "v"]),
        ("poisson-2d", []),  # no time
        ("oscillator", []),  # no space
        ("heat-conductivity", ["u"]),
    ],
)
def test_only_initial_values_that_nothing_states_are_free(name: str, free: list[str]) -> None:
    assert free_initial_values(config.load(config.resolve(name))) == free


def test_an_exact_initial_condition_leaves_nothing_free(tmp_path: Path) -> None:
    path = tmp_path / "exact.yaml"
    path.write_text(EXACT_START)
    assert free_initial_values(config.load(path)) == []


def test_the_rows_are_scaled_third_derivatives_at_the_start() -> None:
    session = begin(config.load(config.resolve("burgers-noisy-ic")))
    batches = session.batches
    smooth = Smoothness(
        session.problem, batches.scales, seed=3, dtype=torch.float64, device=torch.device("cpu")
    )
    points = smooth.draw()["smoothness_u_x"].points
    assert bool((points[:, 1] == 0).all())
    assert isinstance(session.stepper, SecondOrder)
    network = session.stepper.solvers["deep-16-1"].network
    coefficients = session.stepper.coefficients
    model = ResidualModel(smooth.terms, session.problem)
    tile = next(iter(model.sweep(network, coefficients, {"smoothness_u_x": Batch(points)})))
    x = points.clone().requires_grad_()
    u = network(x)[:, 0]
    for _ in range(3):
        (gradient,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        u = gradient[:, 0]
    scale = smooth.terms[0].scale
    torch.testing.assert_close(tile.evaluations[0].residual, u.detach() / scale, rtol=1e-9, atol=0)
    # the axis is [-1, 1]: half of it is one, so the scale of u_xxx is that of u
    assert scale == pytest.approx(1.0)


def test_the_strength_is_where_penalty_and_noise_agree() -> None:
    roughness = torch.tensor([3.0, -4.0, 5.0, 2.0], dtype=torch.float64)
    w = strength(roughness, variance=0.5, effective_dimension=3.0)
    assert w**2 * float(roughness.square().sum()) == pytest.approx(0.5 * 3.0)
    assert strength(roughness, variance=0.0, effective_dimension=3.0) == 0.0
    assert strength(roughness, variance=0.5, effective_dimension=-1e-9) == 0.0  # rounding


def test_a_straight_start_does_not_make_the_prior_infinite() -> None:
    w = strength(torch.zeros(4, dtype=torch.float64), variance=0.5, effective_dimension=2.0)
    assert w**2 * 4 * LEAST_ROUGHNESS**2 == pytest.approx(0.5 * 2.0)


def test_deep_networks_have_the_prior_and_sine_layers_do_not() -> None:
    stepper = begin(config.load(config.resolve("burgers-noisy-ic"))).stepper
    assert isinstance(stepper, SecondOrder)
    assert stepper.solvers["sine-24-4"].smoothing == {}
    assert list(stepper.solvers["deep-16-1"].smoothing) == ["smoothness_u_x"]


def test_points_go_on_where_a_checkpoint_stood() -> None:
    session = begin(config.load(config.resolve("burgers-noisy-ic")))

    def fresh() -> Smoothness:
        return Smoothness(
            session.problem,
            session.batches.scales,
            seed=3,
            dtype=torch.float64,
            device=torch.device("cpu"),
        )

    first = fresh()
    first.draw()
    second = fresh()
    second.load_state_dict(first.state_dict())
    a, b = first.draw()["smoothness_u_x"].points, second.draw()["smoothness_u_x"].points
    assert torch.equal(a, b)
