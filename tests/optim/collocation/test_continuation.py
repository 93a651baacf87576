"""The weight of the physics, and when errors are worse than others."""

from __future__ import annotations

import torch

from pinngate.optim.collocation.continuation import FACTOR, MOST_FACTOR, Continuation, is_worse


def test_the_weight_rises_step_by_step_to_its_goal() -> None:
    weight = Continuation(0.1, goal=1.0)
    seen = [weight.value]
    while not weight.is_at_goal:
        weight.rise(weight.factor)
        seen.append(weight.value)
    assert seen == [0.1, 0.1 * FACTOR, 1.0]
    assert weight.accepted == 0.1 * FACTOR


def test_steps_grow_where_they_are_easy_and_only_there() -> None:
    weight = Continuation(0.1, goal=1e9)
    factors = []
    for _ in range(5):
        weight.ease(num_steps=1)
        factors.append(weight.factor)
    assert factors[0] > FACTOR
    assert factors == sorted(factors)
    assert factors[-1] == MOST_FACTOR
    weight.ease(num_steps=3)
    assert weight.factor == FACTOR


def test_a_clear_rise_is_worse_and_chance_is_not() -> None:
    torch.manual_seed(0)
    errors = torch.randn(400, dtype=torch.float64)
    assert is_worse(2 * errors, errors)
    assert not is_worse(errors, 2 * errors)
    assert not is_worse(errors + 0.05 * torch.randn(400, dtype=torch.float64), errors)
    assert is_worse(errors * torch.nan, errors)


def test_paired_errors_tell_what_two_risks_cannot() -> None:
    torch.manual_seed(0)
    errors = torch.randn(200, dtype=torch.float64)
    others = torch.randn(200, dtype=torch.float64)
    spread = float(errors.square().std() / 200**0.5)
    worse = (errors.square() + 0.8 * spread).sqrt()
    assert is_worse(worse, errors)
    assert abs(float(others.square().mean() - errors.square().mean())) < 3 * spread
