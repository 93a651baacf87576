"""``pinngate theory`` from end to end on a small run, resumed, and what it refuses."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from pinngate.cli import main
from pinngate.errors import InputError
from pinngate.theory.studied_runs import study_runs

SMALL = ["solve.network={width: 8, depth: 2, features: 2.0}", "solve.collocation=32"]
OVERRIDES = {
    "gate": [*SMALL, "solve.optimizer=population-risk-adam", "solve.iterations=12"],
    "ridge": [
        "solve.network={width: 24, depth: 1, activation: sin, features: 3}",
        "solve.iterations=20",
    ],
}


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pinngate", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, overrides in OVERRIDES.items():
            made[name] = tmp_path_factory.mktemp("runs") / name
            settings = [part for item in overrides for part in ("--set", item)]
            out = ("--out", str(made[name]), "--quiet", "--no-report")
            call(patch, "run", "wave-noisy-ic", *out, *settings)
    return made


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_both_kinds_of_runs(folders, tmp_path: Path, monkeypatch, capsys) -> None:
    both = [str(folder) for folder in folders.values()]
    arguments = ["theory", *both, "--draws", "3", "--out", str(tmp_path), "--quiet"]
    capsys.readouterr()
    assert call(monkeypatch, *arguments) == 0
    printed = capsys.readouterr().out
    assert "noise in the reservoir" in printed
    assert "exponent of diffusion" in printed
    shares = {(r["optimizer"], r["figure"]): r for r in rows_of(tmp_path / "shares.csv")}
    ridge = shares["population-risk-gauss-newton", "signal_in_channel"]
    assert float(ridge["mean"]) > 0.95
    assert all(float(r["mean"]) == 1 for (_, f), r in shares.items() if f == "is_bound_met")
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    names = ["partition", "risk", "drift", "noise-spectrum", "kernel-1", "kernel-2"]
    assert drawn == {f"{name}.png" for name in names}
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["command"].startswith("pinngate theory")
    assert [run["draws"] for run in about["runs"]] == [3, 3]

    stored = folders["gate"] / "theory" / "study" / "draw-2.json"
    before = stored.stat().st_mtime_ns
    assert call(monkeypatch, *arguments, "--json") == 0
    assert stored.stat().st_mtime_ns == before  # nothing is run twice
    summary = json.loads(capsys.readouterr().out)
    assert {row["part"] for row in summary["growth"]} == {"drift", "diffusion"}


def test_one_draw_of_one_run(folders, monkeypatch) -> None:
    assert call(monkeypatch, "theory", str(folders["gate"]), "--draws", "1", "--quiet") == 0
    assert (folders["gate"] / "theory" / "shares.csv").exists()
    assert not (folders["gate"] / "theory" / "growth.csv").exists()


def test_what_cannot_be_studied_is_wrong_input(folders, tmp_path: Path, monkeypatch) -> None:
    assert call(monkeypatch, "theory", str(tmp_path)) == 2
    with pytest.raises(InputError, match="studied together"):
        study_runs(list(folders.values()))
    measured = tmp_path / "measured"
    quick = ("--set", "solve.iterations=3", "--quiet", "--out", str(measured))
    call(monkeypatch, "run", "heat-sensors", "--set", "solve.optimizer=adam", *quick)
    assert call(monkeypatch, "theory", str(measured)) == 2
