"""Noise of the observation sets while they are fitted."""

from __future__ import annotations

import pytest
import torch

from pinngate import config
from pinngate.inference.ridge import RidgeFit
from pinngate.optim.gauss_newton.data_noise import POOLED, DataNoise
from pinngate.runs import solve

SLICES = {"many": slice(3, 203), "few": slice(203, 211)}
OBSERVED = slice(3, 211)


def fit_of(leverage_of_few: float) -> RidgeFit:
    leverage = torch.cat([torch.full((200,), 0.02), torch.full((8,), leverage_of_few)]).double()
    nothing = torch.zeros(208, dtype=torch.float64)
    return RidgeFit(1.0, nothing, leverage, nothing)


def update(plain: torch.Tensor, leverage_of_few: float) -> DataNoise:
    noise = DataNoise(["many", "few"])
    fit = fit_of(leverage_of_few)
    noise.update(plain, fit, SLICES, OBSERVED, is_refitted=False, is_balanced=True)
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
    assert torch.equal(noise.row_roots(plain, SLICES)[:3], torch.ones(3, dtype=torch.float64))


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
    noise.update(plain, fit_of(0.5), SLICES, OBSERVED, is_refitted=False, is_balanced=True)
    assert noise.precision["many"] / noise.precision["few"] == pytest.approx(2.0)


def test_state_goes_round() -> None:
    noise = update(torch.ones(211, dtype=torch.float64), 0.5)
    other = DataNoise(["many", "few"])
    other.load_state_dict(noise.state_dict())
    assert (other.models, other.precision) == (noise.models, noise.precision)


def test_eight_values_of_a_field_and_its_measured_source() -> None:
    problem = config.load(config.resolve("nonlinear-source"))
    metrics = solve(problem).metrics
    assert metrics["fields"]["f"]["relative_l2"] < 0.03
    assert metrics["fields"]["u"]["relative_l2"] < 0.05
    coefficient = metrics["coefficients"]["k"]
    low, high = coefficient["interval_95"]
    assert low < coefficient["truth"] < high
