"""Noise of the observation sets while they are fitted."""

from __future__ import annotations

import pytest
import torch

from pinngate import config
from pinngate.inference.noise_model import StudentNoise
from pinngate.linear.dense import DenseSystem
from pinngate.linear.linearisation import Linearisation
from pinngate.linear.system import RidgeFit
from pinngate.model.row_weights import RowWeights
from pinngate.optim.gauss_newton.data_noise import NUM_REFITS, POOLED, DataNoise, Verdict
from pinngate.optim.gauss_newton.physics_weight import PhysicsWeight
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.solution import solve

SLICES = {"equation": slice(0, 3), "many": slice(3, 203), "few": slice(203, 211)}
WEIGHTS = RowWeights(SLICES, dict.fromkeys(SLICES, 1.0), ["many", "few"])


def line_of(plain: torch.Tensor) -> Linearisation:
    system = DenseSystem(torch.zeros(211, 1, dtype=torch.float64), 0, WEIGHTS.observed)
    return Linearisation(WEIGHTS, plain, plain, plain, torch.zeros(1), system)


def fit_of(leverage_of_few: float) -> RidgeFit:
    leverage = torch.cat([torch.full((200,), 0.02), torch.full((8,), leverage_of_few)]).double()
    nothing = torch.zeros(208, dtype=torch.float64)
    return RidgeFit(1.0, nothing, leverage, nothing)


def update(plain: torch.Tensor, leverage_of_few: float) -> DataNoise:
    noise = DataNoise(["many", "few"])
    fit = fit_of(leverage_of_few)
    noise.update(line_of(plain), fit, is_full=False)
    return noise


def test_sets_are_brought_to_one_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    plain = torch.randn(211, generator=generator, dtype=torch.float64)
    plain[SLICES["many"]] *= 0.1
    noise = update(plain, 0.02)
    ratio = noise.precision["many"] / noise.precision["few"]
    few = float(plain[SLICES["few"]].square().mean().sqrt())
    many = float(plain[SLICES["many"]].square().mean().sqrt())
    assert ratio == pytest.approx(few / many, rel=0.15)
    roots = noise.of_rows({})(plain, WEIGHTS).roots
    assert torch.equal(roots[:3], torch.ones(3, dtype=torch.float64))


def test_values_that_are_followed_exactly_do_not_vouch_for_their_own_noise() -> None:
    plain = torch.zeros(211, dtype=torch.float64)
    plain[SLICES["many"]] = 0.1
    noise = update(plain, 1 - 1e-9)
    # nothing is left of the few: they count with the noise of all, which is that of the many
    pooled = 0.1**2 * 200 / (200 * 0.98)
    many = (200 * 0.1**2 + POOLED * pooled) / (200 * 0.98 + POOLED)
    ratio = noise.precision["few"] / noise.precision["many"]
    assert ratio == pytest.approx((many / pooled) ** 0.5, rel=1e-6)


def test_what_data_state_is_taken_at_its_word() -> None:
    noise = DataNoise(["many", "few"])
    noise.stated = {"many": 0.2, "few": 0.4}
    plain = torch.ones(211, dtype=torch.float64)
    noise.update(line_of(plain), fit_of(0.5), is_full=False)
    assert noise.precision["many"] / noise.precision["few"] == pytest.approx(2.0)


def test_state_goes_round() -> None:
    noise = update(torch.ones(211, dtype=torch.float64), 0.5)
    noise.judge_tails()
    other = DataNoise(["many", "few"])
    other.load_state_dict(noise.state_dict())
    followed = dict.fromkeys(("laws", "bounds"))
    assert vars(other) | followed == vars(noise) | followed


@pytest.mark.parametrize(("num_outliers", "is_heavy"), [(0, False), (20, True)])
def test_tails_are_judged_when_asked_and_frozen_after_a_few_refits(
    num_outliers: int, is_heavy: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    plain = 0.1 * torch.randn(211, generator=generator, dtype=torch.float64)
    plain[3 : 3 + num_outliers] *= 10
    noise = DataNoise(["many", "few"])

    def verdict(is_full: bool) -> Verdict | None:
        return noise.update(line_of(plain), fit_of(0.02), is_full=is_full)

    assert verdict(True) is None
    assert noise.is_gaussian
    noise.judge_tails()
    if not is_heavy:
        assert verdict(True) is Verdict.GAUSSIAN
        assert verdict(True) is None
        return
    assert verdict(True) is Verdict.HEAVY
    assert noise.has_heavy_tails
    assert [verdict(False) for _ in range(10)] == 10 * [None]  # the physics rises once more
    found = [verdict(True) for _ in range(NUM_REFITS)]
    assert found == [None] * (NUM_REFITS - 1) + [Verdict.FROZEN]
    models = dict(noise.models)
    plain[100:150] *= 10
    assert verdict(True) is None
    assert noise.models == models


def test_eight_values_of_a_field_and_its_measured_source() -> None:
    problem = config.load(config.resolve("nonlinear-source"))
    metrics = solve(problem).metrics
    assert metrics["fields"]["f"]["relative_l2"] < 0.03
    assert metrics["fields"]["u"]["relative_l2"] < 0.05
    coefficient = metrics["coefficients"]["k"]
    low, high = coefficient["interval_95"]
    assert low < coefficient["truth"] < high


def test_the_risk_of_gaussian_noise_is_the_mean_square() -> None:
    noise = DataNoise(["many", "few"])
    errors = torch.linspace(-1, 2, 208, dtype=torch.float64)
    found = noise.risk(errors, WEIGHTS)
    assert found == pytest.approx(float(errors.square().mean()), rel=1e-12)


def test_the_risk_of_heavy_tails_does_not_reward_giving_up() -> None:
    """Weighted squares fall when a good value is missed by far; the likelihood does not."""
    noise = DataNoise(["many", "few"])
    noise.models["many"] = StudentNoise(0.1, 1.5)
    generator = torch.Generator().manual_seed(1)
    plain = 0.1 * torch.randn(211, generator=generator, dtype=torch.float64)
    risks, squares = [], []
    for miss in (0.0, 3.0):
        plain[3:13] = miss
        rooted = noise.of_rows({})(plain, WEIGHTS)
        weighted = rooted.weighted(plain)[WEIGHTS.observed]
        risks.append(noise.risk(weighted, rooted))
        # ten values against none at all: bounded by (dof + 1) scale², however far they are missed
        squares.append(float(weighted[:10].square().sum()))
    assert squares[1] < 10 * 2.5 * 0.1**2
    assert risks[1] > 1.2 * risks[0]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_the_equivalent_variance_scales_and_becomes_the_mean_square(scale: float) -> None:
    generator = torch.Generator().manual_seed(2)
    r = torch.randn(5000, generator=generator, dtype=torch.float64)
    heavy = StudentNoise(0.8, 2.0).equivalent_variance(r)
    assert StudentNoise(0.8 * scale, 2.0).equivalent_variance(scale * r) == pytest.approx(
        scale**2 * heavy, rel=1e-10
    )
    assert heavy > float(r.square().mean())  # the wrong likelihood costs
    # at 10,000 degrees of freedom the two densities differ by terms of order 1/dof
    nearly = StudentNoise(scale, 1e4).equivalent_variance(scale * r)
    assert nearly == pytest.approx(scale**2 * float(r.square().mean()), rel=2e-3)


def test_physics_softens_once_more_where_tails_are_heavy() -> None:
    physics = PhysicsWeight(GaussNewtonOptions())
    physics.value, physics.stiffness = 8.0, 8.0
    physics.soften()
    assert not physics.is_full
    for _ in range(12):
        physics.advance()
    assert physics.is_full


def test_a_set_moves_half_of_the_way() -> None:
    """At once to its target, it would swing: less noise, more weight, less residual."""
    plain = torch.full((211,), 0.1, dtype=torch.float64)
    noise = update(plain, 0.9)
    first = noise.sizes["few"]
    plain[SLICES["few"]] *= 2
    noise.update(line_of(plain), fit_of(0.9), is_full=False)
    pooled = (200 * 0.1**2 + 8 * 0.2**2) / (200 * 0.98 + 8 * 0.1)
    target = (8 * 0.2**2 + POOLED * pooled) / (8 * 0.1 + POOLED)
    assert noise.sizes["few"] ** 2 == pytest.approx((target + first**2) / 2)
