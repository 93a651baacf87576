"""An optimizer of the caller's own drives a first-order run, by its attributes alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pinngate
from pinngate import config
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.own_optimizer import OwnFirstOrder
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.runs.folder import load_session
from pinngate.runs.training import Session, begin, train
from pinngate.statement.options import SolveOptions
from pinngate.statement.problem import Problem, changed

SMALL = ("solve.network={width: 8, depth: 1}", "solve.collocation=32", "solve.iterations=30")
DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"


def heat(*overrides: str) -> Problem:
    return config.load(config.resolve("heat-noisy-ic"), overrides=[*SMALL, *overrides])


def trained(session: Session) -> list[torch.Tensor]:
    train(session)
    return [parameter.detach() for parameter in session.stepper.network.parameters()]


class Bare:
    """Gradient descent with `step` and nothing else."""

    def __init__(self, parameters: Any) -> None:
        self.parameters = list(parameters)

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.parameters:
            parameter -= 1e-3 * parameter.grad


class Listening(torch.optim.SGD):
    """Keeps the statistics that it is given."""

    def attach_statistics(self, *, variances: Any, means: Any = None) -> None:
        self.given = (variances, means)


def test_adam_given_is_adam_by_name_to_the_last_bit() -> None:
    own = begin(heat(), optimizer=lambda p: torch.optim.Adam(p, lr=3e-3))
    named = begin(heat("solve.optimizer=adam"))
    for first, second in zip(trained(own), trained(named), strict=True):
        assert torch.equal(first, second)
    assert own.history[-1].keys() == named.history[-1].keys()
    rates = [[row["learning_rate"] for row in s.history] for s in (own, named)]
    assert rates[0] == rates[1]


def test_a_gated_optimizer_given_is_the_one_by_name_to_the_last_bit() -> None:
    """Statistics and the openness of the gate reach it as they reach the registry's own."""
    options = ("solve.gated_terms=all", "solve.statistics=pairs")
    gated = ("solve.optimizer=population-risk-adam", "solve.gate=snr", "solve.basis=weights")
    level = 1 / 19  # (1 − β)/(1 + β) at β = 0.9
    own = begin(
        heat("solve.optimizer=own", *options),
        optimizer=lambda p: PopulationRiskAdam(
            p, lr=1e-2, gate="snr", variance="per-point", threshold=level, strength=level
        ),
    )
    named = begin(heat(*gated, *options, "solve.strictness=1"))
    for first, second in zip(trained(own), trained(named), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-7)
    opened = [[row["open_fraction"] for row in s.history] for s in (own, named)]
    assert opened[0] == pytest.approx(opened[1], rel=1e-4)
    assert 0 < opened[0][-1] < 1


def test_each_group_keeps_its_own_rate_under_the_schedule() -> None:
    def make(parameters: Any) -> torch.optim.Optimizer:
        first, *rest = parameters
        return torch.optim.SGD([{"params": [first], "lr": 1e-3}, {"params": rest}], lr=1e-2)

    stepper = begin(heat(), optimizer=make).stepper
    assert isinstance(stepper, FirstOrder)
    for _ in range(5):
        stepper.step()
        slow, fast = (group["lr"] for group in stepper.optimizer.param_groups)
        assert fast == pytest.approx(10 * slow, rel=1e-12)
    # warm-up over 100 iterations, then a cosine: the fifth of 30 is at 5 % of the rate
    assert fast == pytest.approx(1e-2 * 0.05 * 0.5 * (1 + np.cos(np.pi * 4 / 30)))


def test_step_alone_is_enough(tmp_path: Path) -> None:
    session = begin(heat(), optimizer=Bare)
    before = [p.detach().clone() for p in session.stepper.network.parameters()]
    assert not all(map(torch.equal, before, trained(session)))
    assert "learning_rate" not in session.history[-1]
    assert session.stepper.describe()["optimizer"] == "Bare"


def test_statistics_are_computed_for_those_that_take_them() -> None:
    session = begin(heat(), optimizer=lambda p: Listening(p, lr=1e-3))
    session.stepper.step()
    variances, means = session.stepper.optimizer.given  # type: ignore[attr-defined]
    shapes = [p.shape for p in session.stepper.network.parameters()]
    assert [v.shape for v in variances] == [m.shape for m in means] == shapes
    assert all(bool((v >= 0).all()) for v in variances)
    for make in (torch.optim.SGD, lambda p: PopulationRiskAdam(p, gate="snr")):
        stepper = begin(heat(), optimizer=make).stepper
        assert isinstance(stepper, OwnFirstOrder)
        assert stepper.options.statistics is None
        stepper.step()
    silent = begin(
        heat("solve.optimizer=own", "solve.statistics=streaming"),
        optimizer=lambda p: Listening(p, lr=1e-3),
    ).stepper
    silent.step()
    assert not hasattr(silent.optimizer, "given")  # type: ignore[attr-defined]


def test_a_resumed_run_is_bitwise_that_of_an_uninterrupted_one() -> None:
    make = lambda p: torch.optim.NAdam(p, lr=3e-3)  # noqa: E731
    whole, parts = begin(heat(), optimizer=make).stepper, begin(heat(), optimizer=make).stepper
    for _ in range(20):
        whole.step()
    for _ in range(8):
        parts.step()
    rest = begin(heat(), optimizer=make).stepper
    rest.load_state_dict(parts.state_dict())
    for _ in range(12):
        rest.step()
    for first, second in zip(whole.network.parameters(), rest.network.parameters(), strict=True):
        assert torch.equal(first, second)


def test_a_run_folder_is_evaluated_without_the_optimizer_and_resumed_with_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    make = lambda p: torch.optim.NAdam(p, lr=3e-3)  # noqa: E731
    solution = pinngate.run(heat(), folder, optimizer=make)
    assert solution.metrics["optimizer"] == "NAdam"
    assert "optimizer: own" in (folder / "problem.yaml").read_text()
    points = np.array([[0.5, 0.1], [0.2, 0.7]])
    predicted = pinngate.predict(folder, points)
    np.testing.assert_array_equal(predicted["u"], solution(points)["u"])
    with pytest.raises(pinngate.InputError, match="optimizer given in Python"):
        load_session(folder).stepper.step()

    (folder / "metrics.json").unlink()
    with pytest.raises(pinngate.InputError, match="none is given"):
        pinngate.resume(folder)
    assert pinngate.resume(folder, optimizer=make).metrics["optimizer"] == "NAdam"

    other = tmp_path / "adam"
    pinngate.run(heat("solve.optimizer=adam"), other)
    (other / "metrics.json").unlink()
    with pytest.raises(pinngate.InputError, match="was begun with adam"):
        pinngate.resume(other, optimizer=make)


class Stepless:
    def __init__(self, parameters: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (torch.optim.Adam([torch.zeros(1)]), "Adam, which cannot be called"),
        (Stepless, "Stepless, has no step()"),
        (torch.optim.LBFGS, "LBFGS.step asks for arguments, such as a closure"),
    ],
)
def test_what_cannot_be_used_is_refused(optimizer: Any, said: str) -> None:
    with pytest.raises(pinngate.InputError, match=re.escape(said)):
        pinngate.solve(heat(), optimizer=optimizer)


def test_options_that_are_not_read_beside_it_are_refused() -> None:
    stated = changed(heat(), solve=SolveOptions("adam", learning_rate=1e-3))
    with pytest.raises(pinngate.InputError, match="own does not read 'learning_rate'"):
        pinngate.solve(stated, optimizer=torch.optim.NAdam)
