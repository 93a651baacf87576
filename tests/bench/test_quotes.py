"""Quotes of the results: the committed pages, and how quotes are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinngate.bench.quotes import QUOTE, quoting_pages, requoted
from pinngate.errors import InputError

TABLE = "problem,setting,error\nheat,default,0.032519\nwave,default,0.0410\nheat,quiet,\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "summary.csv").write_text(TABLE)
    return tmp_path


@pytest.mark.parametrize("page", quoting_pages(), ids=lambda page: page.name)
def test_the_pages_quote_what_is_committed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert requoted(text) == text, "run: python -m pinngate.bench.quotes"


def test_the_readme_quotes_its_results() -> None:
    readme = quoting_pages()[0]
    assert readme.name == "README.md"
    assert QUOTE.search(readme.read_text(encoding="utf-8"))


def test_a_table_has_the_chosen_rows_and_columns(results: Path) -> None:
    text = "<!-- table: study/summary | name=problem, error | setting=default --><!-- end -->"
    lines = requoted(text, results).splitlines()
    assert lines[1:-1] == [
        "| name | error |",
        "|---|---|",
        "| heat | 0.0325 |",
        "| wave | 0.041 |",
    ]
    again = "\n".join(lines)
    assert requoted(again, results) == again


def test_a_value_is_replaced_in_its_sentence(results: Path) -> None:
    text = (
        "an error of <!-- value: study/summary | error | problem=wave -->9<!-- end -->, "
        "and <!-- value: study/summary | error | problem=heat, setting=quiet -->9<!-- end -->."
    )
    assert "-->0.041<!--" in requoted(text, results)
    assert "-->–<!--" in requoted(text, results)


def test_sums_and_weighted_means_go_over_several_tables(results: Path) -> None:
    (results / "study" / "more.csv").write_text("setting,error,runs\ndefault,0.2,30\n")
    (results / "study" / "runs.csv").write_text("setting,error,runs\ndefault,0.1,10\nquiet,,5\n")
    tables = "study/more + study/runs"
    assert "-->40<!--" in requoted(
        f"<!-- sum: {tables} | runs | setting=default --><!-- end -->", results
    )
    # (0.2 · 30 + 0.1 · 10)/40: a row without a number has no weight
    assert "-->0.175<!--" in requoted(
        f"<!-- mean: {tables} | error * runs --><!-- end -->", results
    )


@pytest.mark.parametrize(
    ("quote", "message"),
    [
        ("value: study/nothing | error", "there is no table"),
        ("value: study/summary | errors | problem=wave", "no column 'errors'"),
        ("value: study/summary | error | problem=heat", "value: study/summary"),
        ("sum: study/summary | errors", "sum: errors"),
        ("mean: study/summary | error", "WEIGHT"),
    ],
)
def test_a_quote_of_nothing_is_an_error(results: Path, quote: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        requoted(f"<!-- {quote} --><!-- end -->", results)
