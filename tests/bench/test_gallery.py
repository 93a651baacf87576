"""The gallery shows what its summary says, and every shipped problem."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pinngate.bench import gallery
from pinngate.config import catalog
from pinngate.errors import SolveError
from pinngate.statement.problem import Problem

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "results" / "gallery"
MAX_BYTES = 60_000  # of a figure: the page shows all of them


def test_the_page_is_made_from_the_committed_summary() -> None:
    written = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert written == gallery.page(gallery.read_summary(COMMITTED))


def test_every_shipped_problem_is_in_the_summary() -> None:
    named = [row["problem"] for row in gallery.read_summary(COMMITTED)]
    assert list(dict.fromkeys(named)) == catalog.names()


def test_every_target_of_the_page_exists() -> None:
    written = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", written, re.MULTILINE)
    for target in re.findall(r"\]\(([^)]+)\)", written):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (ROOT / "docs" / target).exists(), target


def test_figures_are_small() -> None:
    for figure in COMMITTED.glob("*.png"):
        assert figure.stat().st_size < MAX_BYTES, figure.name


def test_a_problem_is_solved_once_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[str] = []
    run = gallery.runs.run

    def short_run(problem: Problem, folder: Path) -> None:
        solved.append(problem.name)
        if problem.name == "poisson-2d":
            raise SolveError("it did not work")
        overrides = ["solve.iterations=3", "solve.optimizer=adam"]
        run(gallery.config.load(catalog.path(problem.name), overrides=overrides), folder)

    monkeypatch.setattr(gallery.runs, "run", short_run)
    names = ["poisson-2d", "heat-noisy-ic"]
    gallery.solve_missing(tmp_path, names)
    gallery.solve_missing(tmp_path, names)
    assert solved == names
    rows = gallery.read_summary(tmp_path)
    assert [row["problem"] for row in rows] == ["heat-noisy-ic", "poisson-2d"]
    assert np.isfinite(float(rows[0]["relative_l2"]))
    assert rows[1]["status"] == "it did not work"
    assert (tmp_path / "heat-noisy-ic.png").read_bytes().startswith(b"\x89PNG")
    text = gallery.page(rows)
    assert "Failed: it did not work." in text
    assert f"error of `u` {float(rows[0]['relative_l2']):.3g}".lower() in text.lower()
