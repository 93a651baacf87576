"""The curves of error, seconds and memory: one small run in a process of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pinngate.bench.many_values import main


@pytest.mark.slow
def test_a_run_is_measured_and_drawn(tmp_path: Path) -> None:
    main(["--counts", "300", "--seeds", "1", "--out", str(tmp_path)])
    (row,) = csv.DictReader((tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines())
    assert row["values"] == "300"
    assert 0 < float(row["error"]) < 0.1
    assert float(row["processor_seconds"]) > 1
    assert 0.1 < float(row["memory_gb"]) < 4
    assert (tmp_path / "figures" / "curves.png").stat().st_size > 1000
