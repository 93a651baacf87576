"""Runs on disk: complete, repeatable, resumable, and nothing half-written."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pinngate import config
from pinngate import solution as runs
from pinngate.errors import InputError, Interrupted
from pinngate.linear.forms import DenseForm, MatrixFreeForm
from pinngate.runs import checkpoint
from pinngate.runs.training import Progress, begin
from pinngate.statement.problem import Problem, changed

QUICK = [
    "solve.optimizer=population-risk-adam",
    "solve.iterations=60",
    "solve.collocation=32",
    "solve.network={width: 12, depth: 2}",
]
FILES = {
    "problem.yaml",
    "metrics.json",
    "history.csv",
    "solution.npz",
    "observations.csv",
    "checkpoint.pt",
    "report.html",
    "environment.json",
}


def quick(name: str = "heat-noisy-ic", *more: str) -> Problem:
    return config.load(config.resolve(name), overrides=[*QUICK, *more])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> runs.Solution:
    return runs.run(quick(), tmp_path_factory.mktemp("runs") / "heat")


def arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "solution.npz") as archive:
        return dict(archive)


def test_folder_is_complete(finished: runs.Solution) -> None:
    folder = finished.folder
    assert folder is not None
    assert {p.name for p in folder.iterdir()} >= FILES
    assert {p.name for p in (folder / "figures").iterdir()} >= {"solution.svg", "training.svg"}
    assert not list(folder.rglob("*.part"))
    assert json.loads((folder / "metrics.json").read_text()) == finished.metrics
    with (folder / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert int(rows[-1]["iteration"]) == 60
    assert {"loss", "loss_equation_1", "loss_observation_1", "open_fraction"} <= set(rows[0])
    solution = arrays(folder)
    assert solution["u"].shape == (len(solution["x"]), len(solution["t"]))
    assert solution["u_truth"].shape == solution["u"].shape
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert state["format"] == checkpoint.FORMAT


def test_metrics_have_every_key_of_the_contract(finished: runs.Solution) -> None:
    metrics = finished.metrics
    keys = """format problem status reason optimizer seed iterations seconds points parameters
        fields limit classical coefficients noise_std risk"""
    assert set(metrics) >= set(keys.split())
    assert set(metrics["seconds"]) >= {"total", "setup", "solve", "evaluate"}
    assert set(metrics["fields"]["u"]) >= {
        "relative_l2",
        "relative_l2_initial",
        "max_abs",
        "coverage_95",
    }
    text = json.dumps(metrics, allow_nan=False)
    assert "NaN" not in text


def test_written_problem_gives_the_same_numbers_again(
    finished: runs.Solution, tmp_path: Path
) -> None:
    assert finished.folder is not None
    again = runs.run(config.load(finished.folder / "problem.yaml"), tmp_path / "again")
    for key in ("fields", "iterations", "parameters", "risk", "noise_std"):
        assert again.metrics[key] == finished.metrics[key]


RACE = [
    "solve.optimizer=population-risk-gauss-newton",
    "solve.network=null",
    "solve.collocation=32",
    "solve.iterations=14",
]


@pytest.mark.parametrize(
    ("problem", "overrides"),
    [
        ("heat-noisy-ic", QUICK),
        ("burgers-inverse", [*QUICK, "solve.iterations=30"]),
        ("heat-noisy-ic", RACE),
    ],
)
def test_resumed_run_is_bitwise_the_uninterrupted_one(
    problem: str, overrides: list[str], tmp_path: Path
) -> None:
    stated = config.load(config.resolve(problem), overrides=overrides)
    whole = runs.run(stated, tmp_path / "whole", has_report=False)

    def interrupt(progress: Progress) -> None:
        if progress.iteration >= 11:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        runs.run(stated, tmp_path / "parts", on_progress=interrupt)
    assert not (tmp_path / "parts" / "metrics.json").exists()
    resumed = runs.resume(tmp_path / "parts", has_report=False)
    networks = (s.session.stepper.network for s in (whole, resumed))
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(a, b)
    assert whole.metrics["fields"] == resumed.metrics["fields"]
    first, second = (
        [{k: v for k, v in row.items() if k != "seconds"} for row in s.session.history]
        for s in (whole, resumed)
    )
    assert first == second


def test_a_resumed_solver_keeps_its_form_unless_a_memory_is_stated() -> None:
    overrides = [*RACE, "solve.network={width: 12, depth: 2}", "observations.0.count=4000"]
    problem = config.load(config.resolve("heat-noisy-ic"), overrides=overrides)
    narrow = changed(problem, solve=replace(problem.solve, max_memory=72_000_000))
    wide = changed(problem, solve=replace(problem.solve, max_memory=10**9))
    session = begin(narrow)
    assert session.stepper.memory().form == "matrix-free"
    session.stepper.step()
    state = session.state_dict()
    found = {}
    for name, stated in (("open", problem), ("wide", wide)):
        again = begin(stated)
        again.load_state_dict(state)
        found[name] = type(next(iter(again.stepper.solvers.values())).form)
    assert found == {"open": MatrixFreeForm, "wide": DenseForm}


def test_only_a_stated_memory_is_written(finished: runs.Solution, tmp_path: Path) -> None:
    assert finished.folder is not None
    assert "max_memory" not in (finished.folder / "problem.yaml").read_text()
    stated = quick("heat-noisy-ic", "solve.iterations=2", "solve.max_memory=1MB")
    run = runs.run(stated, tmp_path / "run")
    assert "max_memory: 1MB" in (tmp_path / "run" / "problem.yaml").read_text()
    # first-order steps go on; only the Jacobian of the uncertainty does not fit
    assert run.metrics["fields"]["u"]["relative_l2"] > 0
    assert run.metrics["fields"]["u"]["coverage_95"] is None


def test_killed_process_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "pinngate", "run", "heat-noisy-ic", "--out", str(folder)]
    for item in [*QUICK, "solve.iterations=100000"]:
        command += ["--set", item]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    state = checkpoint.load(folder / "checkpoint.pt")
    assert state["stepper"]["iteration"] > 0
    assert not (folder / "metrics.json").exists()
    with pytest.raises(InputError, match="already holds a run"):
        runs.run(quick(), folder)


def test_interrupt_from_the_keyboard_is_status_130(tmp_path: Path) -> None:
    folder = tmp_path / "interrupted"
    command = [sys.executable, "-m", "pinngate", "run", "heat-noisy-ic", "--out", str(folder)]
    for item in [*QUICK, "solve.iterations=100000"]:
        command += ["--set", item]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted at iteration" in message
    assert "Traceback" not in message
    assert checkpoint.load(folder / "checkpoint.pt")["stepper"]["iteration"] > 0


def test_prediction_equals_the_solution_on_its_grid(finished: runs.Solution) -> None:
    assert finished.folder is not None
    solution = arrays(finished.folder)
    points = np.array([[solution["x"][7], solution["t"][3]], [solution["x"][50], 0.0]])
    found = runs.predict(finished.folder, points)
    # a batch of another size may be summed in another order, in single precision
    np.testing.assert_allclose(
        found["u"], [solution["u"][7, 3], solution["u"][50, 0]], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        found["u_std"], [solution["u_std"][7, 3], solution["u_std"][50, 0]], rtol=1e-4
    )


def test_finished_run_is_not_resumed_or_overwritten(finished: runs.Solution) -> None:
    assert finished.folder is not None
    with pytest.raises(InputError, match="finished"):
        runs.resume(finished.folder)
    with pytest.raises(InputError, match="already holds a run"):
        runs.run(quick(), finished.folder)


def test_measured_data_travel_with_the_run(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("x,t,u,u_std\n0.1,0,0.3,0.1\n0.5,0,0.9,0.1\n0.9,0.5,0.2,0.2\n")
    text = config.resolve("heat-sensors").read_text().replace("heat-sensors.csv", str(source))
    problem = config.loads(text, overrides=[*QUICK, "solve.iterations=10"])
    solution = runs.run(problem, tmp_path / "run")
    source.unlink()
    again = runs.run(config.load(tmp_path / "run" / "problem.yaml"), tmp_path / "again")
    assert again.metrics["risk"] == solution.metrics["risk"]
    assert solution.metrics["fields"]["u"]["relative_l2"] is None


def test_unusable_folder_is_one_message(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match="cannot write to"):
        runs.run(quick(), blocked / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_one_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write to"):
        runs.run(quick(), tmp_path / "run")


def test_changing_the_optimizer_leaves_the_data(finished: runs.Solution) -> None:
    other = runs.solve(quick("heat-noisy-ic", "solve.optimizer=adam", "solve.iterations=2"))
    for a, b in zip(finished.session.observations, other.session.observations, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    assert other.metrics["optimizer"] == "adam"


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_is_other_data(finished: runs.Solution, seed: int) -> None:
    other = runs.solve(quick("heat-noisy-ic", f"solve.seed={seed}", "solve.iterations=2"))
    values = other.session.observations[0].values
    assert not np.array_equal(values, finished.session.observations[0].values)


def test_a_checkpoint_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"format": checkpoint.FORMAT - 1}, path)
    with pytest.raises(InputError, match="no checkpoint of format") as refused:
        checkpoint.load(path)
    assert "run the problem again" in str(refused.value)
