"""The form that fits is chosen, and what it takes is what was estimated."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pinngate.errors import InputError
from pinngate.linear.memory_plan import (
    LARGE,
    MOST_WEIGHTS,
    NUMBER,
    TALL,
    Size,
    choose_form,
    dense_memory,
    matrix_free_memory,
    normal_memory,
    plan_posterior,
)

MEASURE = """
import gc, json, sys, torch
from pinngate import config
from pinngate.runs.training import begin
torch.set_num_threads(1)
session = begin(config.load(config.resolve("heat-noisy-ic"), overrides=sys.argv[1:]))
def memory(entry):
    # ru_maxrss would carry over the peak of the parent that this process was forked from
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith(entry))
gc.collect()
with open("/proc/self/clear_refs", "w") as forget:
    forget.write("5")  # the peak so far: reading the problem takes more than it keeps
before, stepper = memory("VmRSS"), session.stepper
stepper.step()
stepper.posterior()
plan, taken = stepper.memory(), memory("VmHWM") - before
print(json.dumps({"form": plan.form, "estimate": plan.num_bytes, "taken": taken}))
"""
LARGE_PROBLEM = [
    "solve.network={width: 16, depth: 3, activation: tanh, features: null}",
    "solve.collocation=256",
    "observations.0.count=7000",
]


TALL_PROBLEM = [
    "solve.network={width: 100, depth: 1, activation: sin, features: 3}",
    "solve.collocation=256",
    "observations.0.count=100000",
]


def measured(max_memory: str, overrides: list[str]) -> dict[str, float]:
    command = [sys.executable, "-c", MEASURE, *overrides, f"solve.max_memory={max_memory}"]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from /proc"
)
def test_a_measured_peak_stays_within_the_estimate_and_the_limit() -> None:
    dense, free = (measured(memory, LARGE_PROBLEM) for memory in ("1GB", "90MB"))
    assert (dense["form"], free["form"]) == ("dense", "matrix-free")
    assert free["taken"] <= free["estimate"] <= 90e6 < dense["taken"] <= dense["estimate"]
    # an estimate far above what is taken would refuse what fits
    assert dense["estimate"] < 3 * dense["taken"]


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak is read from /proc"
)
def test_normal_equations_stay_within_their_estimate_far_below_the_jacobian() -> None:
    normal = measured("1GB", TALL_PROBLEM)
    assert normal["form"] == "normal"
    # no bound from below: from run to run the allocator gives back between a tenth and a half of
    # the blocks that are done with, so that the same run takes 120 MB or 400 MB
    assert normal["taken"] <= normal["estimate"]
    # with J and what the dense form makes of it, three times its size
    assert normal["estimate"] < 3 * 8 * 401 * 100_000 / 2


def size(rows: int, columns: int, width: int = 128) -> Size:
    return Size(rows, rows, rows // 2, columns, width)


def test_estimates_tell_the_forms_apart() -> None:
    large, twice = size(50_000, 50_000), size(100_000, 50_000)
    assert matrix_free_memory(large) < 8e9 < dense_memory(large)
    assert dense_memory(size(1000, 1000, width=32)) < 2e8
    assert dense_memory(twice) > dense_memory(large)
    assert matrix_free_memory(large) < matrix_free_memory(twice) < 2 * matrix_free_memory(large)


@pytest.mark.parametrize("allowed", [6 * 10**8, 10**9, 4 * 10**9, 10**11, 10**12])
def test_the_plan_fits_and_wastes_nothing(allowed: int) -> None:
    plan = choose_form(size(50_000, 20_000), allowed)
    assert plan.num_bytes <= allowed
    assert (plan.form == "dense") == (dense_memory(size(50_000, 20_000)) <= allowed)
    assert plan.form != "normal"
    if plan.work is not None and plan.work.max_rank < 512:
        # twice the rank, or the cache that is left, would not have fitted
        assert plan.num_bytes > 0.4 * allowed


def test_what_fits_in_no_form_is_refused_with_both_amounts() -> None:
    with pytest.raises(InputError) as refused:
        choose_form(size(50_000, 20_000), 100_000_000)
    message = str(refused.value)
    assert "100 MB are allowed" in message
    assert "population-risk-adam" in message
    assert "fewer collocation points" in message


def test_tall_jacobians_are_not_formed() -> None:
    million = size(1_000_000, 1000)
    plan = choose_form(million, 10**12)
    assert (plan.form, plan.num_bytes) == ("normal", normal_memory(million))
    assert plan.num_bytes < 2 * 10**9 < dense_memory(million)
    assert plan_posterior(million).form == "normal"
    # nothing of a row grows with the number of weights
    ten = normal_memory(size(10_000_000, 1000)) - normal_memory(million)
    assert ten == normal_memory(size(10_000_000, 2000)) - normal_memory(size(1_000_000, 2000))


@pytest.mark.parametrize("columns", [200, 1000, MOST_WEIGHTS, MOST_WEIGHTS + 1])
@pytest.mark.parametrize("rows", [1000, 5000, 20_000, 100_000])
def test_small_and_wide_jacobians_are_formed_as_ever(rows: int, columns: int) -> None:
    is_large = NUMBER * rows * columns > LARGE
    is_tall = rows >= TALL * columns and columns <= MOST_WEIGHTS
    expected = "normal" if is_large and is_tall else "dense"
    assert choose_form(size(rows, columns, width=32), 10**12).form == expected
    assert plan_posterior(size(rows, columns, width=32)).form == expected


def test_normal_equations_stand_in_for_a_jacobian_that_does_not_fit() -> None:
    wide = size(12_000, 3500, width=32)
    between = (normal_memory(wide) + dense_memory(wide)) // 2
    assert normal_memory(wide) < between
    assert choose_form(wide, between).form == "normal"
    assert choose_form(size(1000, 2000, width=32), 10**8).form == "matrix-free"
