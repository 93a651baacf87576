"""What processes send in an iteration against the formula of the pages."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pinngate.bench import shared_runs
from pinngate.linear.forms import NormalForm
from pinngate.optim.gauss_newton.trust_region import NUM_TRIES
from pinngate.parallel.ranks import Ranks, sharing


def alone_of_two() -> Ranks:
    """Return one of two processes; the other one brings nothing, and agrees."""

    def swap(given: Tensor, _: int) -> Tensor:
        return given if len(given) == 1 else torch.zeros_like(given)

    return Ranks(0, 2, swap)


@pytest.mark.parametrize("statistics", ["grouped", "pairs"])
def test_a_step_of_adam_sends_what_the_formula_says(
    statistics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_runs, "ITERATIONS", 1)
    with sharing(alone_of_two()):
        (state,), numbers = shared_runs.by_adam(statistics)
    # sums are split in two halves, one number more where they are odd
    assert 0 <= state[-2] - shared_runs.sent(int(numbers), 2) <= 2 * shared_runs.NUMBER
    assert state[-1] == 2


def test_an_iteration_by_normal_equations_sends_what_the_formula_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_runs, "ITERATIONS", 1)
    with sharing(alone_of_two()):
        (state,), numbers = shared_runs.by_gauss_newton(NormalForm())
    rows = (int(numbers) - (205**2 + 5 * 205)) // 8
    # half of the rows being zero, every step is refused for its curvature before it is taken
    expected = shared_runs.normal_numbers(rows, 205, 2, num_tries=NUM_TRIES) - NUM_TRIES * rows
    assert abs(state[-2] - shared_runs.sent(expected, 2)) <= state[-1] * shared_runs.NUMBER


def test_a_ring_has_more_messages_and_no_more_bytes() -> None:
    by_halves, around = (
        shared_runs.seconds_of_sum(1e6, 64, 8, is_ring=ring) for ring in (False, True)
    )
    assert around - by_halves == pytest.approx((126 - 12) * shared_runs.LATENCY)
    assert shared_runs.sent(1e6, 64) == pytest.approx(2 * 63 / 64 * 8e6)
    assert math.isclose(shared_runs.sent(1e6, 1), 0)
