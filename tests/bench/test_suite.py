"""Suites: what a file may say, what is refused, which runs it makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinngate.bench import load_suite
from pinngate.bench.matrix import identity
from pinngate.bench.suite import cut, runs_of
from pinngate.bench.suite_file import suite_names
from pinngate.errors import InputError

STATED = """
problems: [heat-noisy-ic, burgers-inverse]
settings:
  default: []
  quiet: {set: [observations.0.noise.std=0.1], problems: [heat-noisy-ic]}
methods:
  ours: {method: population-risk-gauss-newton}
  AdamW 1e-4: {method: adamw, learning_rate: 1e-4, settings: [default], seeds: 1}
  spline-solver: {problems: [heat-noisy-ic]}
baseline: ours
levels: [0.4, 1e-1]
seeds: 2
"""


def written(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_shipped_suites_load_and_can_be_resolved() -> None:
    assert {"quick", "paper", "standard", "full"} <= set(suite_names())
    for name in suite_names():
        suite = load_suite(name)
        first = [run for run in runs_of(suite) if run.seed == 0]
        # every cell is a run of its own: no two labels mean the same thing
        assert len({identity(run) for run in first}) == len(first), name


def test_cells_are_restricted_as_stated(tmp_path: Path) -> None:
    suite = load_suite(written(tmp_path, STATED))
    cells = [(r.seed, r.problem, r.setting, r.label) for r in runs_of(suite)]
    assert [c[1:] for c in cells if c[0] == 0] == [
        ("heat-noisy-ic", "default", "ours"),
        ("heat-noisy-ic", "default", "AdamW 1e-4"),
        ("heat-noisy-ic", "default", "spline-solver"),
        ("heat-noisy-ic", "quiet", "ours"),
        ("heat-noisy-ic", "quiet", "spline-solver"),
        ("burgers-inverse", "default", "ours"),
        ("burgers-inverse", "default", "AdamW 1e-4"),
    ]
    assert [c for c in cells if c[0] == 1 and "AdamW" in c[3]] == []
    assert suite.methods["AdamW 1e-4"].options == {"learning_rate": 1e-4}
    assert suite.levels == (0.4, 0.1)
    assert suite.reference == "ours"


def test_cutting(tmp_path: Path) -> None:
    suite = cut(
        load_suite(written(tmp_path, STATED)),
        num_seeds=1,
        methods=["spline-solver"],
        problems=["heat-noisy-ic"],
        overrides=["observations.0.count=50"],
    )
    runs = list(runs_of(suite))
    assert {r.label for r in runs} == {"ours", "spline-solver"}
    assert {r.seed for r in runs} == {0}
    assert all("observations.0.count=50" in r.overrides for r in runs)
    with pytest.raises(InputError, match="did you mean 'spline-solver'"):
        cut(suite, methods=["spline-solvr"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problems: [heat-noisy-ic]\nsedes: 3\n", "is no suite"),
        ("settings: {}\n", "is no suite"),
        ("problems: [p]\nmethods: {a: {method: adamm}}\n", "did you mean 'adam'"),
        ("problems: [p]\nmethods: {a: {method: adam, iteration: 3}}\n", "'iterations'"),
        ("problems: [p]\nmethods: {a: 3}\n", "got 3"),
        ("problems: [p]\nmethods: {adam: {problems: [q]}}\n", "'q' is not in this suite"),
        ("problems: [p]\nbaseline: ours\n", "'ours' is not in this suite"),
        ("problems: [p]\nseeds: 0\n", "got 0"),
        ("problems: [p]\nlevels: [-1]\n", "got -1"),
        ("problems: [p]\nproblems: [q]\n", "twice|duplicate|already"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_suite(written(tmp_path, text))
    import re

    assert re.search(message, str(caught.value))


@pytest.mark.parametrize(
    ("name", "message"), [("quik", "did you mean 'quick'"), ("no/such.yaml", "there is no suite")]
)
def test_unknown_suite(name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_suite(name)
    assert message in str(caught.value)


def test_what_a_cut_keeps_is_drawn() -> None:
    """A suite may draw some of its methods; those asked for by name are all drawn."""
    suite = load_suite("paper")
    assert set(suite.drawn) < set(suite.methods)
    assert cut(suite, methods=["AdamW 1e-3"]).drawn == ()
