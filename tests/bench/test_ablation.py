"""What an ablation tells of a mechanism, on rows as runs leave them."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

import pytest

from pinngate.bench.ablation import effects, write_ablation
from pinngate.bench.suite import Choice, Suite
from pinngate.bench.suite_file import load_suite
from pinngate.errors import InputError
from pinngate.optim.mechanisms import ALL, Mechanisms
from tests.bench.tiny import made_row

METHOD = "gauss-newton-without"
SUITE = Suite(
    "ablation", ("p",), {"all": Choice(METHOD), "no ramp": Choice(METHOD, {"without": "ramp"})}
)


def test_the_suite_leaves_out_every_mechanism_once() -> None:
    suite = load_suite("ablation")
    off = [choice.options["without"] for choice in suite.methods.values() if choice.options]
    assert sorted(off) == sorted(field.name for field in fields(Mechanisms))
    assert suite.is_ablation
    assert (len(suite.problems), suite.num_seeds) == (16, 5)
    assert suite.reference == "all"


def test_a_mechanism_is_switched_off_by_its_name() -> None:
    assert not ALL.without(["ramp"]).ramp
    assert ALL.without(["ramp"]).basis
    with pytest.raises(InputError, match="did you mean 'ramp'"):
        ALL.without(["rmp"])


def test_ratios_are_geometric_means_over_pairs_and_failures_are_counted(tmp_path: Path) -> None:
    rows = [
        *(made_row("all", seed, 0.1) for seed in range(4)),
        made_row("no ramp", 0, 0.4, solve_seconds=4.0),
        made_row("no ramp", 1, 0.1),
        made_row("no ramp", 2, 0.1),
        made_row("no ramp", 3, None),
    ]
    (found,) = effects(SUITE, rows)
    assert found["mechanism"] == "no ramp"
    assert (found["pairs"], found["changed"], found["failed"]) == (4, 1, 1)
    assert found["error_ratio"] == pytest.approx(4 ** (1 / 3))
    assert found["error_quartiles"] == pytest.approx([4, 4])
    assert found["seconds_ratio"] == pytest.approx(2 ** (1 / 3))
    text = write_ablation(SUITE, rows, tmp_path, "Command.").read_text()
    assert "| no ramp | 4 | 1 | 1 | 1.59 |" in text
    with (tmp_path / "ablation.csv").open() as stream:
        assert [row["mechanism"] for row in csv.DictReader(stream)] == ["no ramp"]
