"""What processes agree on between two iterations, each against a partner that is played here."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import pinngate
from pinngate.errors import Interrupted, SolveError
from pinngate.optim.line_up import memory_plan
from pinngate.parallel.ranks import Ranks, sharing
from pinngate.runs.signals import STATUS
from pinngate.runs.training import STOPPED, Session, begin, train

STATED = ["solve.optimizer=adam", "solve.iterations=30", "solve.collocation=16"]
SMALL = [*STATED, "solve.network={width: 4, depth: 1, activation: tanh}", "solve.device=cpu"]


def with_partner(partner: Callable[[Tensor], Tensor], index: int = 0) -> Ranks:
    return Ranks(index, 2, lambda given, _: partner(given.clone()))


def session() -> Session:
    return begin(pinngate.load("heat-noisy-ic", overrides=SMALL))


def told_of(signal: str, stopped: float = 0.0) -> Callable[[Tensor], Tensor]:
    """Return a partner of the same weights that a signal or its callback stops."""

    def answer(given: Tensor) -> Tensor:
        given[0], given[1] = ["", *STATUS].index(signal), stopped
        return given

    return answer


@pytest.mark.parametrize("signal", list(STATUS))
def test_a_signal_of_another_stops_with_a_checkpoint(signal: str) -> None:
    kept: list[int] = []
    with sharing(with_partner(told_of(signal))), pytest.raises(Interrupted) as caught:
        train(session(), on_checkpoint=lambda s: kept.append(s.stepper.iteration))
    assert caught.value.status == STATUS[signal]
    assert kept == [1]


def test_the_callback_of_another_stops() -> None:
    with sharing(with_partner(told_of("", 1.0))):
        assert train(session()) == STOPPED


def test_one_process_alone_keeps_checkpoints() -> None:
    kept: list[int] = []
    with sharing(with_partner(lambda given: given, index=1)):
        train(session(), on_checkpoint=lambda s: kept.append(s.stepper.iteration))
    assert kept == []


def test_other_weights_end_the_run() -> None:
    def differs(given: Tensor) -> Tensor:
        if given.dtype == torch.float64:  # no sum of the network's
            given[2:] += torch.tensor([1e-9, -1e-9])
        return given

    with sharing(with_partner(differs)), pytest.raises(SolveError, match="no longer have the same"):
        train(session())


def test_the_form_is_that_of_the_process_with_least_memory() -> None:
    overrides = ["solve.network={width: 40, depth: 2, activation: tanh}", "solve.device=cpu"]
    problem = pinngate.load("heat-noisy-ic", overrides=overrides)
    parts = begin(problem).stepper.parts
    network = parts.network(problem.solve.network)
    assert memory_plan(parts, network).form == "dense"
    with sharing(with_partner(lambda given: torch.full_like(given, -9.2e7))):
        plan = memory_plan(parts, network)
    assert plan.form == "matrix-free"
    assert plan.num_bytes <= 9.2e7
