"""The mean of several networks: the same field, what each counts, and what it leaves uncertain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate import solution as runs
from pinngate.inference.averaging import AveragedPosterior, Member, shares
from pinngate.inference.posterior import Posterior
from pinngate.linear.dense import DenseSystem
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import forward
from pinngate.model.networks import Network, averaged
from pinngate.optim.second_order import SecondOrder
from pinngate.runs.training import Session, begin, train
from pinngate.statement.linearity import is_linear
from pinngate.statement.options import NetworkOptions

DOUBLE = torch.float64
SHARES = [0.2, 0.5, 0.3]


def networks(is_periodic: tuple[bool, ...] = ()) -> list[Network]:
    return [
        Network(
            [(0.0, 2.0), (0.0, 1.0)],
            2,
            NetworkOptions(width, 1, "sin", bandwidth),
            is_periodic=is_periodic,
            output_scale=[2.0, 0.5],
            output_shift=[1.0, -3.0],
            generator=torch.Generator().manual_seed(width),
        )
        for width, bandwidth in ((4, 3.0), (7, 1.0), (5, 6.0))
    ]


def points(count: int = 9) -> torch.Tensor:
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)


@pytest.mark.parametrize("is_periodic", [(), (True, False)])
def test_the_mean_is_one_network_with_the_same_fields_and_derivatives(is_periodic):
    members = networks(is_periodic)
    mean = averaged(members, SHARES)
    orders = ((0, 0), (1, 0), (0, 1), (2, 0))
    plan = Plan(("x", "t"), orders, (), (), {})
    expected = sum(
        w * forward(network, plan, points(), {}).outputs
        for network, w in zip(members, SHARES, strict=True)
    )
    assert mean.num_parameters == sum(n.num_parameters for n in members) - 2 * 2  # two biases
    torch.testing.assert_close(forward(mean, plan, points(), {}).outputs, expected)
    torch.testing.assert_close(mean(points()), expected[0])


def test_shares_fall_with_the_risk_and_sum_to_one():
    found = shares({"a": 1.0, "b": 1.02, "c": 1.04, "far": 2.0}, 200)
    assert sum(found.values()) == pytest.approx(1)
    assert "far" not in found
    assert found["b"] / found["a"] == pytest.approx(math.exp(-1))  # 200/4 · 0.02
    assert found["c"] / found["b"] == pytest.approx(math.exp(-1))


def test_the_scale_of_scores_does_not_matter_and_equals_count_alike():
    small, large = ({"a": s, "b": s} for s in (1e-12, 1e12))
    assert shares(small, 40) == shares(large, 40) == {"a": 0.5, "b": 0.5}
    assert shares({"a": 0.0, "b": 1.0}, 40) == {"a": 1.0}


def members_of(nets: list[Network]) -> list[Member]:
    found = []
    for k, (network, share) in enumerate(zip(nets, SHARES, strict=True)):
        g = torch.Generator().manual_seed(k)
        jac = torch.randn(30, network.num_parameters, generator=g, dtype=DOUBLE)
        leverage = torch.rand(4, generator=g, dtype=DOUBLE)
        spectrum = DenseSystem(jac, 0, slice(26, 30))
        found.append(Member(network, share, Posterior.of(spectrum, 0.3, 0.04, 20.0, leverage)))
    return found


def test_the_variance_is_that_of_the_mixture():
    """Against draws: pick a member by its share, then a value of its own posterior."""
    nets = networks()
    members, mean, at = members_of(nets), averaged(nets, SHARES), points(3)
    rng = np.random.default_rng(0)
    count = 200_000
    chosen = rng.choice(3, size=count, p=SHARES)
    values = np.stack([m.network(at).detach().numpy() for m in members])
    stds = np.stack([m.posterior.std(m.network, at).numpy() for m in members])
    draws = values[chosen] + stds[chosen] * rng.normal(size=(count, 3, 2))
    found = AveragedPosterior(members).std(mean, at).numpy()
    np.testing.assert_allclose(found, draws.std(0), rtol=0.01)  # 0.16 % standard error


def test_leverages_are_those_of_the_averaged_hat_matrix():
    members = members_of(networks())
    expected = sum(m.share * m.posterior.leverage for m in members)
    torch.testing.assert_close(AveragedPosterior(members).leverage, expected)


@pytest.fixture(scope="module")
def solved() -> Session:
    session = begin(config.load(config.resolve("wave-noisy-ic")))
    train(session)
    return session


def test_a_linear_problem_is_answered_by_the_mean_of_its_networks(solved: Session):
    stepper = solved.stepper
    assert isinstance(stepper, SecondOrder)
    found = stepper.answer.members()
    assert len(found) > 1
    at = torch.as_tensor(points().numpy())
    with torch.no_grad():
        expected = sum(w * stepper.solvers[name].network(at) for name, w in found.items())
    np.testing.assert_allclose(solved.evaluate(at.numpy())["u"], expected[:, 0], rtol=1e-9)
    entries = stepper.describe()["race"]
    assert sum(e["share"] for e in entries) == pytest.approx(1)
    assert max(entries, key=lambda e: e["share"])["is_winner"]


def test_bands_of_weak_ridges_are_no_rounding():
    """Members whose ridge is below the rounding of JᵀJ are as sure as those of strong ridges.

    With this draw two ridges of a mean are below 1e-6; their bands had been 2 and 30 times those
    of the others, beside errors that were alike.
    """
    found = runs.solve(config.load(config.resolve("wave-noisy-ic")), seed=104).uncertainty()
    assert isinstance(found, AveragedPosterior)
    assert min(m.posterior.ridge for m in found.members) < 1e-6
    points = torch.rand(400, 2, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    sizes = [float(m.posterior.std(m.network, points).square().mean()) for m in found.members]
    assert max(sizes) < 2 * min(sizes)


def test_a_run_is_predicted_from_its_folder_as_it_was_judged(tmp_path: Path):
    problem = config.load(
        config.resolve("advection-noisy-ic"), overrides=["observations.0.count=40"]
    )
    solution = runs.run(problem, tmp_path / "run")
    with np.load(tmp_path / "run" / "solution.npz") as kept:
        at = np.array([[kept["x"][7], kept["t"][3]], [kept["x"][50], kept["t"][90]]])
        judged = [kept[name][[7, 50], [3, 90]] for name in ("u", "u_std")]
    found = runs.predict(tmp_path / "run", at)
    np.testing.assert_allclose(found["u"], judged[0], rtol=1e-12)
    np.testing.assert_allclose(found["u_std"], judged[1], rtol=1e-6)
    assert solution.metrics["race"] is not None


CASE = """\
pinngate: 1
name: case
domain: {{x: [0, 1], t: [0, 1]}}
unknowns: [u]
equations: ["{equation}"]
conditions: [{{where: x = 0, equation: "{condition}"}}]
observations: [{{of: "{of}", count: 10, noise: {{std: 0.1}}}}]
truth: {{u: x*t}}
"""
LINEAR = {"equation": "u_t = u_xx + sin(x)*u", "condition": "u = 0", "of": "u"}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"equation": "u_t = u*u_x"}, False),
        ({"condition": "u_x = u**4"}, False),
        ({"of": "u**2"}, False),
        ({"of": "u_x + 2*u"}, True),
    ],
)
def test_means_of_solutions_are_solutions_where_everything_is_linear(changed, expected):
    assert is_linear(config.loads(CASE.format(**{**LINEAR, **changed}))) is expected


@pytest.mark.parametrize("name", ["burgers-noisy-ic", "burgers-inverse", "heat-conductivity"])
def test_unknown_coefficients_and_nonlinear_equations_are_no_linear_problem(name):
    assert not is_linear(config.load(config.resolve(name)))
