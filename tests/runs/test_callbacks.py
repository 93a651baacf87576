"""Callbacks: told of every iteration, able to stop a run, and without a trace in its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pinngate
from pinngate import config
from pinngate.errors import Interrupted
from pinngate.optim.second_order import SecondOrder
from pinngate.runs import training
from pinngate.runs.training import STOPPED, Callback, Progress, begin, train

FIRST = {
    "optimizer": "population-risk-adam",
    "iterations": 120,
    "network": {"width": 8, "depth": 2},
}
SECOND = {"network": {"width": 12, "depth": 1}, "iterations": 14, "collocation": 32}
NEVER = ("seconds",)


def heat() -> pinngate.Problem:
    return config.load(config.resolve("heat-noisy-ic"))


def without_time(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in NEVER} for row in rows]


@pytest.mark.parametrize("options", [FIRST, SECOND])
def test_it_is_told_of_every_iteration_and_changes_nothing(options: dict) -> None:
    seen: list[Progress] = []
    watched = pinngate.solve(heat(), callback=seen.append, **options)
    alone = pinngate.solve(heat(), **options)
    assert [p.iteration for p in seen] == list(range(1, watched.metrics["iterations"] + 1))
    assert without_time(watched.session.history) == without_time(alone.session.history)
    at = np.random.default_rng(0).random((20, 2))
    np.testing.assert_array_equal(watched(at)["u"], alone(at)["u"])
    assert watched.metrics["reason"] == alone.metrics["reason"]
    for progress in seen:
        assert progress.row["iteration"] == progress.iteration
        assert progress.row["loss"] > 0
        assert progress.row["loss_equation_1"] >= 0
    seconds = [p.seconds for p in seen]
    assert seconds == sorted(seconds)
    assert seen[-1].seconds_left == 0
    logged = {row["iteration"] for row in watched.session.history}
    assert {p.iteration for p in seen if "relative_l2_u" in p.row} == logged
    assert watched.session.history[-1]["iteration"] == seen[-1].iteration


@pytest.mark.parametrize(("callback", "num_rows"), [(None, 10), (lambda progress: None, 30)])
def test_errors_are_computed_no_more_often_for_a_callback(
    callback: Callback | None, num_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "NUM_LOGGED", 10)
    overrides = ["solve.optimizer=adam", "solve.iterations=30", "solve.network.width=8"]
    session = begin(config.load(config.resolve("heat-noisy-ic"), overrides=overrides))
    calls: list[str] = []
    evaluate, log_row = session.evaluate, session.stepper.log_row
    monkeypatch.setattr(session, "evaluate", lambda at: calls.append("errors") or evaluate(at))
    monkeypatch.setattr(session.stepper, "log_row", lambda: calls.append("row") or log_row())
    train(session, callback=callback)
    assert (calls.count("errors"), calls.count("row")) == (10, num_rows)


@pytest.mark.parametrize("stop", [1, 47])
@pytest.mark.parametrize("options", [FIRST, {}])
def test_returning_true_stops_and_leaves_an_answer(
    options: dict, stop: int, tmp_path: Path
) -> None:
    seen: list[int] = []

    def callback(progress: Progress) -> bool:
        seen.append(progress.iteration)
        return progress.iteration == stop

    solution = pinngate.solve(heat(), callback=callback, **options)
    assert seen == list(range(1, stop + 1))
    assert solution.metrics["iterations"] == stop
    assert solution.metrics["status"] == "not converged"
    assert solution.metrics["reason"] == STOPPED
    assert solution.verdict.word == "failed"
    at = np.random.default_rng(0).random((20, 2))
    assert np.isfinite(solution(at)["u"]).all()
    assert (solution.std(at)["u"] > 0).all()
    assert solution.session.history[-1]["iteration"] == stop
    again = pinngate.load_solution(solution.save(tmp_path / "run"))
    np.testing.assert_array_equal(again(at)["u"], solution(at)["u"])
    np.testing.assert_array_equal(again.std(at)["u"], solution.std(at)["u"])


def test_a_race_that_is_stopped_answers_with_the_best_so_far() -> None:
    scores: dict[str, float] = {}

    def callback(progress: Progress) -> bool:
        return progress.iteration == 43  # the third network has just begun

    solution = pinngate.solve(heat(), callback=callback)
    stepper = solution.session.stepper
    assert isinstance(stepper, SecondOrder)
    scores = {n: s.score for n, s in stepper.solvers.items() if s.stopping.best is not None}
    assert len(scores) == 2
    assert stepper.at_work == min(scores, key=lambda name: scores[name])
    assert solution.metrics["fields"]["u"]["relative_l2"] < 0.1


@pytest.mark.parametrize("answer", [None, False, 0, 1, "stop", [1], np.False_])
def test_nothing_but_true_stops(answer: object) -> None:
    options = FIRST | {"iterations": 3}
    solution = pinngate.solve(heat(), callback=lambda progress: answer, **options)
    assert solution.metrics["iterations"] == 3
    stopped = pinngate.solve(heat(), callback=lambda progress: np.True_, **options)
    assert stopped.metrics["iterations"] == 1


def test_at_the_last_iteration_the_optimizers_own_reason_counts() -> None:
    options = FIRST | {"iterations": 3}
    solution = pinngate.solve(heat(), callback=lambda p: p.iteration == 3, **options)
    assert solution.metrics["status"] == "converged"
    assert "learning rate" in solution.metrics["reason"]


def test_an_exception_of_the_callback_is_the_callers(tmp_path: Path) -> None:
    def fail(progress: Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pinngate.solve(heat(), callback=fail, **FIRST)

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        pinngate.run(heat(), tmp_path / "run", callback=interrupt)
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    stopped = pinngate.resume(tmp_path / "run", callback=lambda p: p.iteration == 4)
    assert stopped.metrics["reason"] == STOPPED
    assert stopped.metrics["iterations"] == 4
    assert pinngate.load_solution(tmp_path / "run").metrics == stopped.metrics
