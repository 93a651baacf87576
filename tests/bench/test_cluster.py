"""Runs as jobs: the local executor of submitit does all that the scheduler of a cluster would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from pinngate.bench import run_matrix
from pinngate.bench.cluster import Cluster, cluster_of, executed_on
from pinngate.bench.suite import Choice, Run, runs_of
from pinngate.errors import InputError, Interrupted
from tests.bench.tiny import SMALL, tiny_suite

needs_submitit = pytest.mark.usefixtures("submitit")


@pytest.fixture
def submitit() -> object:
    return pytest.importorskip("submitit", reason="the extra 'cluster' is not installed")


def failed(key: str, run: Run, reason: str) -> dict[str, object]:
    return {"id": key, "status": "failed", "reason": reason}


def dies(key: str, run: Run) -> dict[str, object]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def hangs(key: str, run: Run) -> dict[str, object]:
    time.sleep(600)
    return {}


def told_by(execute: object, folder: Path, time_limit: float | None) -> list[dict[str, object]]:
    (run,) = runs_of(tiny_suite(methods={"a": Choice("adam", SMALL)}, num_seeds=1))
    return list(
        executed_on(
            Cluster("local"),
            folder,
            [("key", run)],
            execute,
            num_workers=1,
            time_limit=time_limit,
            failed=failed,
        )
    )


@needs_submitit
@pytest.mark.slow
def test_jobs_give_the_rows_of_processes_and_are_not_run_twice(tmp_path: Path) -> None:
    suite = tiny_suite(methods={"Adam": Choice("adam", SMALL)})
    rows = run_matrix(suite, tmp_path / "jobs", cluster=Cluster("local"), num_workers=2)
    here = run_matrix(suite, tmp_path / "here")
    for job, own in zip(rows, here, strict=True):
        for key in ("id", "seed", "status", "fields.u.relative_l2"):
            assert job[key] == own[key]
    kept = (tmp_path / "jobs" / "runs.jsonl").read_text()
    again = run_matrix(suite, tmp_path / "jobs", cluster=Cluster("local"))
    assert again == rows
    assert (tmp_path / "jobs" / "runs.jsonl").read_text() == kept
    assert len(list((tmp_path / "jobs" / "jobs").glob("*_result.pkl"))) == 2


@needs_submitit
@pytest.mark.slow
def test_a_job_that_dies_is_tried_once_more_and_is_a_failed_row(tmp_path: Path) -> None:
    (row,) = told_by(dies, tmp_path, None)
    assert row["status"] == "failed"
    assert "failed 2 times" in str(row["reason"])
    assert len(list(tmp_path.glob("*_submitted.pkl"))) == 2


@needs_submitit
def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (row,) = told_by(hangs, tmp_path, 1.0)
    assert row["reason"] == "it took longer than the time limit of 1 s"
    time.sleep(1.0)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in left.stdout


@needs_submitit
def test_what_is_wrong_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown cluster 'pbs'"):
        cluster_of("pbs", ())
    with pytest.raises(InputError, match="--job fast"):
        cluster_of("local", ["fast"])
    unknown = cluster_of("local", ["colour=red"])
    with pytest.raises(InputError, match="--cluster local"):
        run_matrix(tiny_suite(), tmp_path, cluster=unknown)
    assert (tmp_path / "runs.jsonl").read_text() == ""


def test_options_of_jobs_need_a_cluster() -> None:
    assert cluster_of(None, ()) is None
    with pytest.raises(InputError, match="--job says how jobs run"):
        cluster_of(None, ["slurm_partition=gpu"])


def test_without_submitit_the_way_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match="--cluster needs submitit"):
        cluster_of("local", ())


@needs_submitit
def test_a_job_that_is_being_submitted_is_cancelled_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = import_module("submitit").LocalExecutor
    submit = executor._submit_command

    def interrupted(self: object, command: str) -> object:
        job = submit(self, command)
        os.kill(os.getpid(), signal.SIGINT)
        return job

    monkeypatch.setattr(executor, "_submit_command", interrupted)
    with pytest.raises(Interrupted):
        told_by(hangs, tmp_path, None)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in left.stdout


@needs_submitit
@pytest.mark.slow
def test_a_stopped_benchmark_cancels_its_jobs_and_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pinngate", "bench", "quick", "--cluster", "local"]
    command += ["--out", str(tmp_path), "--seeds", "1", "--problem", "heat-noisy-ic"]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    file, deadline = tmp_path / "runs.jsonl", time.monotonic() + 120
    while not (file.exists() and file.read_text().count("\n") >= 1):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    started.send_signal(signal.SIGINT)
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    done = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in left.stdout
    assert len(done) >= 1
