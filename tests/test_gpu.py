"""Whole runs on a CUDA device: the same answers as on the processor."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from pinngate import config
from pinngate.runs.judgement import judge
from pinngate.runs.training import Session, begin, train
from pinngate.statement.problem import changed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]
SETTINGS = ["solve.collocation=64", "observations.0.count=60"]
ITERATIONS = {"population-risk-gauss-newton": 6, "population-risk-adam": 40, "adamw": 40}


def session(name: str, device: str, overrides: list[str]) -> Session:
    problem = config.load(config.resolve(name), overrides=[*SETTINGS, *overrides])
    return begin(changed(problem, solve=replace(problem.solve, device=device)))


@pytest.mark.parametrize("optimizer", ITERATIONS)
@pytest.mark.parametrize("name", ["heat-noisy-ic", "burgers-inverse"])
def test_first_iterations_are_those_of_the_processor(name: str, optimizer: str) -> None:
    overrides = [
        f"solve.optimizer={optimizer}",
        f"solve.iterations={ITERATIONS[optimizer]}",
        "solve.precision=float64",
        "solve.network={width: 12, depth: 2, activation: tanh, features: 1.0}",
    ]
    losses = {}
    for device in ("cpu", "cuda"):
        here = session(name, device, overrides)
        train(here)
        losses[device] = [row["loss"] for row in here.history]
    # the same sums in another order: rounding grows with every nonlinear iteration
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-5)


@pytest.mark.parametrize("memory", ["default", "matrix-free"])
def test_a_run_is_judged_with_its_uncertainty(memory: str) -> None:
    overrides = ["solve.iterations=12"]
    if memory == "matrix-free":
        overrides = [
            "observations.0.count=4000",
            "solve.max_memory=75MB",
            "solve.collocation=32",
            "solve.network={width: 12, depth: 2}",
            "solve.iterations=3",
        ]
    here = session("heat-noisy-ic", "cuda", overrides)
    assert here.stepper.network.low.is_cuda
    assert (here.stepper.memory().form == "matrix-free") is (memory == "matrix-free")
    evaluation = judge(here, train(here), 0.0)
    field = evaluation.metrics["fields"]["u"]
    assert math.isfinite(field["relative_l2"])
    assert 0 <= field["coverage_95"] <= 1


def test_coefficients_that_vary_move_to_the_device() -> None:
    overrides = ["solve.iterations=3", "solve.network={width: 12, depth: 2}"]
    here = session("heat-conductivity", "cuda", overrides)
    train(here)
    assert here.stepper.posterior() is not None
