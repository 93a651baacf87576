"""Faults put into a run: numbers that are none, factors that fail, clocks that jump."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import pinngate
from pinngate import config
from pinngate.errors import PinngateError
from pinngate.model.networks import Network
from tests.reliability.small import PROBLEM, SETTINGS, SMALL

Patch = pytest.MonkeyPatch
RACE = [*SMALL[::2], "solve.iterations=12"]


def stated(optimizer: str) -> Any:
    overrides = RACE if optimizer == "race" else [*SETTINGS[optimizer], "solve.iterations=12"]
    return config.load(config.resolve(PROBLEM), overrides=overrides)


def after(calls: int, function: Callable, fails: Callable) -> Callable:
    """Return a function that is replaced by another after some calls."""
    counted = itertools.count()

    def either(*arguments: Any, **options: Any) -> Any:
        return (fails if next(counted) >= calls else function)(*arguments, **options)

    return either


def answer_or_words(problem: Any) -> str:
    """Solve; return the verdict, or what was told."""
    try:
        metrics = pinngate.solve(problem).metrics
    except PinngateError as error:
        return str(error)
    fields = metrics["fields"]["u"]
    assert all(v is None or np.isfinite(v) for v in fields.values() if isinstance(v, float))
    return metrics["verdict"]


@pytest.mark.parametrize("calls", [0, 3, 12])
@pytest.mark.parametrize("optimizer", [*SETTINGS, "race"])
def test_a_network_that_gives_no_numbers(optimizer: str, calls: int, monkeypatch: Patch) -> None:
    true = Network.propagate

    def fails(self: Network, channels: Any) -> Any:
        tape = true(self, channels)
        tape.outputs.fill_(float("nan"))
        return tape

    monkeypatch.setattr(Network, "propagate", after(calls, true, fails))
    told = answer_or_words(stated(optimizer))
    assert told != "solved" or optimizer == "race"  # the basis is no network


@pytest.mark.parametrize("name", ["cholesky", "cholesky_ex", "eigh", "svd", "qr"])
@pytest.mark.parametrize("calls", [0, 5])
def test_a_matrix_without_factors(name: str, calls: int, monkeypatch: Patch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise torch.linalg.LinAlgError("the input is not positive-definite")

    monkeypatch.setattr(torch.linalg, name, after(calls, getattr(torch.linalg, name), fails))
    answer_or_words(stated("population-risk-gauss-newton"))


def test_a_clock_that_jumps_changes_no_number(monkeypatch: Patch) -> None:
    problem = stated("population-risk-gauss-newton")
    expected = pinngate.solve(problem).metrics
    jumps = itertools.cycle([0.0, 7200.0, -86400.0])
    for name in ("time", "perf_counter", "monotonic"):
        true = getattr(time, name)
        monkeypatch.setattr(time, name, lambda true=true: true() + next(jumps))
    found = pinngate.solve(problem).metrics
    assert found["fields"] == expected["fields"]
    assert found["risk"] == expected["risk"]
    assert all(np.isfinite(v) for v in found["seconds"].values())
