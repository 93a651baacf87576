"""Generated inputs of every kind, a thousand: a result or words; `make nightly` tries 50,000."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.reliability import fuzz, grammar
from tests.reliability.small import finished

COUNT = 1000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished("population-risk-gauss-newton", tmp_path_factory.mktemp("fuzz") / "run")


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_every_case_is_a_result_or_told_in_words(kind: str, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cases" / "one"
    folder.mkdir(parents=True)
    tally = fuzz.Tally()
    for number in fuzz.numbers(kind, COUNT):
        fuzz.tried(kind, number, fuzz.Bench(folder, run), tally)
    told = [failure for failure in tally.failures if not failure[1].endswith(" s")]
    assert told == []  # processor time is for the night, when nothing else runs
    assert tally.cases == round(fuzz.KINDS[kind][1] * COUNT)
    assert 0 < tally.refused < tally.cases


def test_a_case_follows_from_its_number() -> None:
    assert grammar.problem(Random("files 3")) == grammar.problem(Random("files 3"))


def test_a_broken_promise_is_noted(run: Path, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "cases" / "one"
    folder.mkdir(parents=True)

    def leaves_a_file(*_: object) -> None:
        (tmp_path / "cases" / "other").write_text("")
        raise ZeroDivisionError

    monkeypatch.setitem(fuzz.KINDS, "formulas", (leaves_a_file, 1.0))
    tally = fuzz.Tally()
    fuzz.tried("formulas", 0, fuzz.Bench(folder, run), tally)
    assert len(tally.failures) == 2
    assert "ZeroDivisionError" in tally.failures[0][1]
    assert "outside" in tally.failures[1][1]
