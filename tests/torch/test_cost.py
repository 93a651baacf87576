"""The table of costs: complete, and of steps that learn."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from pinngate.torch import PerExample
from pinngate.torch.cost import COLUMNS, MODULUS, WAYS, DivisionTransformer, division_batch, main


def test_answers_times_divisors_are_the_dividends() -> None:
    words, answers = division_batch(1000)
    assert torch.equal(answers * words[:, 2] % MODULUS, words[:, 0])
    assert int(words[:, 2].min()) >= 1


def test_modes_agree_on_the_transformer() -> None:
    words, answers = division_batch(12)
    model = DivisionTransformer().double()
    found = {}
    for mode in ("loop", "pairs"):
        with PerExample(model, mode=mode) as examples:
            torch.nn.functional.cross_entropy(model(words), answers).backward()
            found[mode] = examples.take().variance
    for parameter, variance in found["loop"].items():
        difference = (found["pairs"][parameter] - variance).abs().max()
        assert difference <= 1e-10 * variance.max()


def test_the_table_has_a_row_for_each_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--repetitions", "2", "--batch-size", "8"]
    main([*small, "--out", str(tmp_path / "cost.csv")])
    rows = list(csv.DictReader((tmp_path / "cost.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["way"] for row in rows] == list(WAYS)
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[0]["ratio"]) == 1
    main(small)
    assert capsys.readouterr().out.count("\n") == len(WAYS) + 1
