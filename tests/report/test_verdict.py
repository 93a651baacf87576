"""The verdict says what the numbers show, and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pinngate.report import RunArchive
from pinngate.report.verdict import accuracy_rows, noise_rows, verdict

Make = Callable[[str], RunArchive]
PERCENT = "\N{NO-BREAK SPACE}%"


def _with(archive: RunArchive, **metrics: Any) -> RunArchive:
    return replace(archive, metrics=archive.metrics | metrics)


def test_a_good_run(make_archive: Make) -> None:
    fields = {"u": {"relative_l2": 0.027, "coverage_95": 0.96}}
    said = verdict(_with(make_archive("heat"), fields=fields))
    assert said.tone == "good"
    assert said.sentence == (
        f"Solved: the field u is within 2.7{PERCENT} of the truth (relative L2), against "
        f"3.3{PERCENT} for the classical method and 2.1{PERCENT} at best; the true field lies "
        f"inside the 95 % interval at 96{PERCENT} of the grid."
    )


@pytest.mark.parametrize(
    "field",
    [
        {"relative_l2": 0.4, "coverage_95": 0.95},
        {"relative_l2": 0.03, "coverage_95": 0.6},
    ],
)
def test_converged_is_not_enough(make_archive: Make, field: dict[str, float]) -> None:
    said = verdict(_with(make_archive("heat"), fields={"u": field}))
    assert said.tone == "doubtful"
    assert said.sentence.startswith("Converged, but with doubts")
    assert ("too narrow" in said.sentence) == (field["coverage_95"] < 0.9)


def test_not_converged(make_archive: Make) -> None:
    said = verdict(make_archive("membrane"))
    assert said.tone == "bad"
    assert said.sentence.startswith("Did not converge (the iteration limit of 40 was reached)")
    assert "Solved" not in said.sentence


def test_without_a_truth_the_run_speaks_for_itself(make_archive: Make) -> None:
    said = verdict(make_archive("volume")).sentence
    assert "by its own estimate (no truth to compare with)" in said
    assert "within" not in said


def test_without_anything_it_says_so(make_archive: Make) -> None:
    said = verdict(make_archive("bare"))
    assert "neither a truth nor an uncertainty" in said.sentence


@pytest.mark.parametrize("ends", [[0.71, 0.73], [0.6, 0.69]])
def test_a_coefficient_outside_its_interval_is_a_doubt(
    make_archive: Make, ends: list[float]
) -> None:
    archive = make_archive("decay")
    assert "k = 0.720 ± 0.021 (the truth, 0.7, is inside" in verdict(archive).sentence
    missed = {"k": archive.metrics["coefficients"]["k"] | {"interval_95": ends}}
    said = verdict(_with(archive, coefficients=missed))
    assert said.tone == "doubtful"
    assert "is outside its 95 % interval" in said.sentence


@pytest.mark.parametrize(("error", "tone"), [(0.03, "good"), (1.44, "doubtful")])
def test_a_coefficient_without_an_interval_is_judged_by_its_truth(
    make_archive: Make, error: float, tone: str
) -> None:
    archive = make_archive("decay")
    bare = archive.metrics["coefficients"]["k"] | {"interval_95": None, "std": None}
    said = verdict(_with(archive, coefficients={"k": bare | {"relative_error": error}}))
    assert said.tone == tone
    assert "k = 0.72 (off the truth by" in said.sentence


def test_tables(make_archive: Make) -> None:
    archive = make_archive("heat")
    archive = _with(archive, fields={"u": {"relative_l2": 0.042, "max_abs": 0.06}})
    assert accuracy_rows(archive, "u") == [
        ["relative L2 error", f"4.2{PERCENT}", f"3.3{PERCENT}", f"2.1{PERCENT}", "2.00"],
        ["largest error", "0.06", "–", "–", "–"],
    ]
    assert [value for _, value in noise_rows(archive)] == [
        "0.298 (stated: 0.3)",
        "0.0912 = 0.302²",
        "0.0871",
    ]
    assert accuracy_rows(make_archive("bare"), "u") == []
