"""The matrix of runs: complete, resumable, failures kept."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate.bench import matrix, run_matrix, write_page, write_tables
from pinngate.bench.matrix import identity
from pinngate.bench.measures import case_of, score
from pinngate.bench.methods import METHODS
from pinngate.bench.methods.contract import Method, Outcome
from pinngate.bench.suite import Choice, runs_of
from pinngate.errors import InputError, SolveError
from tests.bench.tiny import SMALL, row_of, tiny_suite


def test_identity_depends_on_all_that_is_run() -> None:
    options = {**SMALL, "learning_rate": 1e-4}
    suite = tiny_suite(
        methods={
            "a": Choice("adam", SMALL),
            "b": Choice("adamw", SMALL),
            "c": Choice("adam", options),
            "d": Choice("deepxde-adam"),
            "e": Choice("deepxde-adam", {"width": 21}),
        }
    )
    keys = [identity(run) for run in runs_of(suite)]
    assert len(set(keys)) == 10
    assert keys == [identity(run) for run in runs_of(suite)]


def test_identity_of_a_rival_is_free_of_our_defaults() -> None:
    """A change of a default of ours must not run a rival again; its own problem must."""
    ours, theirs = (
        [identity(r) for r in runs_of(tiny_suite(methods={"m": Choice(m)}, num_seeds=1))]
        for m in ("adam", "spline-solver")
    )
    short = METHODS["spline-solver"].prepare
    problem = config.load(config.resolve("heat-noisy-ic"), overrides=["solve.collocation=99"])
    assert "99" not in config.dumps(short(problem, {}))
    assert ours != theirs


def test_interrupted_matrix_resumes_to_the_same_tables(tmp_path: Path) -> None:
    suite, seen = tiny_suite(), []
    rows = run_matrix(suite, tmp_path, on_row=lambda row, done, total: seen.append((done, total)))
    assert len(rows) == 6
    assert seen[-1] == (6, 6)
    file = tmp_path / "runs.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:4]) + "\n" + lines[4][:40])
    again = run_matrix(suite, tmp_path)
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()][:4] == [
        json.loads(line)["id"] for line in lines[:4]
    ]
    timed = {"course", "solve_seconds", *(k for r in rows for k in r if k.startswith("seconds."))}
    for a, b in zip(rows, again, strict=True):
        assert {k: v for k, v in a.items() if k not in timed} == {
            k: v for k, v in b.items() if k not in timed
        }
    text = write_tables(suite, again, tmp_path, "pinngate bench tiny").read_text()
    assert "pinngate bench tiny" in text
    with (tmp_path / "summary.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert [(row["method"], row["num_seeds"]) for row in table] == [
        ("gated", "2"), ("Adam", "2"), ("spline", "2"),
    ]  # fmt: skip
    page = write_page(suite, again, tmp_path, "pinngate bench <tiny>").read_text()
    assert "bench &lt;tiny&gt;" in page
    assert (tmp_path / "figures" / "heat-noisy-ic.png").stat().st_size > 1000
    assert "http" not in page.split("<style>")[0].split("<title>")[1]


def test_all_methods_of_a_seed_get_the_same_data() -> None:
    first, second = row_of("spline-solver"), row_of("adam", SMALL)
    assert first["classical.u.relative_l2"] == second["classical.u.relative_l2"]
    # the pipeline as a method is the baseline that every run is compared with
    assert first["fields.u.relative_l2"] == pytest.approx(first["classical.u.relative_l2"])
    other = row_of("spline-solver", seed=1)
    assert other["fields.u.relative_l2"] != first["fields.u.relative_l2"]


def test_failure_is_a_row() -> None:
    row = row_of("adam", {**SMALL, "learning_rate": 1e35})
    assert row["status"] == "failed"
    assert "not finite" in row["reason"]
    json.dumps(row, allow_nan=False)


def test_error_inside_a_rival_is_its_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(task: object) -> Outcome:
        raise ZeroDivisionError("inside")

    broken = Method("broken", "classical", "breaks", breaks)
    monkeypatch.setitem(METHODS, "broken", broken)
    row = row_of("broken")
    assert (row["status"], row["reason"]) == ("failed", "ZeroDivisionError: inside")


def test_missing_library_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Method("absent", "deepxde", "is not there", lambda task: None, module="no_such_module")  # type: ignore[arg-type,return-value]
    monkeypatch.setitem(METHODS, "absent", absent)
    suite = tiny_suite(methods={"absent": Choice("absent")})
    with pytest.raises(InputError, match=r"pinngate\[bench\]"):
        run_matrix(suite, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answer_that_is_not_finite_is_refused() -> None:
    case = case_of(config.load(config.resolve("heat-noisy-ic")))
    fields = {"u": np.full(len(case.grid.points), np.nan)}
    with pytest.raises(SolveError, match="not finite"):
        score(case, Outcome(fields, 1.0, "done"))


def test_perfect_answer_has_no_error() -> None:
    case = case_of(config.load(config.resolve("heat-noisy-ic")))
    assert case.known is not None
    std = {"u": np.full(len(case.grid.points), 0.1)}
    row = matrix.flatten(score(case, Outcome(case.known, 1.0, "done", std=std)))
    assert row["fields.u.relative_l2"] == row["fields.u.relative_l2_initial"] == 0
    assert row["fields.u.coverage_95"] == 1
    assert row["limit.u.relative_l2"] > 0


def _kill_itself(key: str, run: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sleep(key: str, run: object) -> None:
    time.sleep(600)


def _answer(key: str, run: object) -> dict[str, str]:
    return {"id": key}


@pytest.mark.parametrize(
    ("execute", "limit", "reason"),
    [(_kill_itself, None, "killed by signal 9"), (_sleep, 0.5, "time limit of 0.5 s")],
)
def test_a_worker_that_dies_or_hangs_is_a_failed_row(
    execute: object, limit: float | None, reason: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(matrix, "execute", execute)
    suite = tiny_suite(methods={"a": Choice("adam", SMALL)}, num_seeds=1)
    rows = run_matrix(suite, tmp_path, num_workers=2, time_limit=limit)
    assert [row["status"] for row in rows] == ["failed"]
    assert all(reason in row["reason"] for row in rows)
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1
    monkeypatch.setattr(matrix, "execute", _answer)  # it is done, and nothing is run again
    assert run_matrix(suite, tmp_path) == rows


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return [int(child) for child in listed.split()]


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except FileNotFoundError:
        return False
    return state.split()[0] != "Z"


@pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(),
    reason="this system does not list the children of a process",
)
def test_no_worker_outlives_a_killed_benchmark(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pinngate", "bench", "inverse", "--workers", "1"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        # the resource tracker and the worker; the worker then still has to load torch
        while len(_children(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(5)
        workers = _children(process.pid)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(_is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(workers) >= 2
    assert not any(map(_is_running, workers))
