"""The bench of chaotic records on a short one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from pinngate.bench import chaotic_records


def test_a_short_record_is_measured_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(chaotic_records.SYSTEMS["pendulum"], lengths=(12,))
    monkeypatch.setitem(chaotic_records.SYSTEMS, "pendulum", short)
    chaotic_records.main(["--systems", "pendulum", "--seeds", "1", "--out", str(tmp_path)])
    with (tmp_path / "chaotic-records.csv").open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["system"] == "pendulum"
    assert row["verdict"] == "solved"
    assert float(row["worst_deviations"]) < 4
    assert float(row["worst_field_error"]) < 0.1
