"""What a method says of its answers: counted against the truth and the best that data allow."""

from __future__ import annotations

from typing import Any

import pytest

from pinngate.bench.honesty import honesty, tally
from pinngate.bench.suite import Choice, Suite
from tests.bench.tiny import made_row

SUITE = Suite(
    "made",
    ("p", "q"),
    methods={name: Choice("spline-solver") for name in ("ours", "best")},
    num_seeds=4,
    best="best",
    unanswerable=("q",),
)


def row(method: str, seed: int, off: float, verdict: str, **more: Any) -> dict[str, Any]:
    """An answer whose coefficient is so many deviations of the best off, twice as wide."""
    width = 2.0 if method == "ours" else 1.0
    own: dict[str, Any] = {
        "estimate": 3 + 0.1 * off,
        "truth": 3.0,
        "std": 0.1 * width,
        "interval_95": [3 + 0.1 * off - 0.2 * width, 3 + 0.1 * off + 0.2 * width],
    }
    flat = {f"coefficients.k.{key}": value for key, value in own.items()}
    return made_row(method, seed, 0.01, solve_seconds=1.0, **flat, **more) | {"verdict": verdict}


def counts(rows: list[dict[str, Any]], problem: str = "p") -> list[int]:
    (found,) = (r for r in honesty(SUITE, rows) if (r["method"], r["problem"]) == ("ours", problem))
    keys = ("solved_right", "doubtful_right", "solved_wrong", "told_wrong")
    return [found[key] for key in keys]


BEST = [row("best", seed, 0.5, "solved") for seed in range(4)]
OURS = [
    row("ours", seed, off, verdict)
    for seed, (off, verdict) in enumerate(
        [(1.0, "solved"), (-3.9, "doubtful"), (5.0, "solved"), (9.0, "doubtful")]
    )
]


def test_answers_are_counted_by_what_is_said_and_what_is_true() -> None:
    assert counts(OURS + BEST) == [1, 1, 1, 1]


def test_a_field_far_worse_than_the_best_is_wrong() -> None:
    wrong = OURS[0] | {"fields.u.relative_l2": 0.031}
    assert counts([wrong, *OURS[1:], *BEST]) == [0, 1, 2, 1]


def test_failures_are_told_and_no_answer_of_the_unanswerable_is_right() -> None:
    failed = made_row("ours", 0, None)
    assert counts([failed, *OURS[1:], *BEST]) == [0, 1, 1, 2]
    moved = [r | {"problem": "q"} for r in OURS + BEST]
    assert counts(moved, "q") == [0, 0, 2, 2]


def test_right_answers_are_compared_in_deviations_of_the_best() -> None:
    table = honesty(SUITE, OURS + BEST)
    ours = next(r for r in table if r["method"] == "ours")
    assert ours["rms_over_best"] == pytest.approx(((1 + 3.9**2) / (2 * 0.25)) ** 0.5)
    assert ours["width_over_best"] == pytest.approx(2.0)
    assert ours["coverage_95"] == 1.0
    (whole,) = (r for r in tally(table) if r["method"] == "ours")
    assert whole["num_seeds"] == 4
    assert whole["solved_wrong"] == 1


def test_without_a_best_method_nothing_is_said() -> None:
    assert honesty(Suite("made", ("p",)), OURS + BEST) == []
