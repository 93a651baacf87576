"""Runs that are stopped from outside: what is kept, what is said, the same numbers in the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate import solution as runs
from pinngate.errors import InputError, Interrupted, StorageError
from pinngate.runs import bug, signals
from pinngate.runs.lock import locked
from pinngate.runs.signals import Signalled, noted
from pinngate.runs.training import Progress
from pinngate.solution.folders import draw_report

SMALL = ["solve.collocation=60", "solve.network={width: 8, depth: 1}", "solve.iterations=12"]
OPTIMIZERS = ["population-risk-gauss-newton", "population-risk-adam", "adam", "adamw"]


def stated(optimizer: str = "adam"):
    overrides = [*SMALL, f"solve.optimizer={optimizer}", "observations.0.count=40"]
    return config.load(config.resolve("heat-noisy-ic"), overrides=overrides)


def at_iteration(count: int, act: Callable[[], object]) -> Callable[[Progress], None]:
    def told(progress: Progress) -> None:
        if progress.iteration == count:
            act()

    return told


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    runs.run(stated(), folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of an uninterrupted run of an optimizer."""

    @cache
    def run(optimizer: str) -> Path:
        folder = tmp_path_factory.mktemp("whole") / optimizer
        runs.run(stated(optimizer), folder, has_report=False)
        return folder

    return run


def assert_same_numbers(folder: Path, other: Path) -> None:
    with np.load(folder / "solution.npz") as a, np.load(other / "solution.npz") as b:
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])
    first, second = (json.loads((f / "metrics.json").read_text()) for f in (folder, other))
    assert first["fields"] == second["fields"]
    assert first["risk"] == second["risk"]


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [*((optimizer, "SIGTERM") for optimizer in OPTIMIZERS), ("adam", "SIGINT"), ("adam", "SIGHUP")],
)
def test_a_signal_waits_for_the_end_of_the_iteration(
    optimizer: str, name: str, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    steps: list[int] = []

    def send(progress: Progress) -> None:
        steps.append(progress.iteration)
        if progress.iteration == 4:
            os.kill(os.getpid(), getattr(signal, name))

    with pytest.raises(Interrupted) as caught:
        runs.run(stated(optimizer), tmp_path / "parts", callback=send)
    assert steps[-1] == 4
    assert caught.value.status == (130 if name == "SIGINT" else 143)
    assert f"pinngate resume {tmp_path / 'parts'}" in str(caught.value)
    runs.resume(tmp_path / "parts", has_report=False)
    assert_same_numbers(whole(optimizer), tmp_path / "parts")
    assert not (tmp_path / "parts" / "report.html").exists()


def test_a_second_signal_ends_at_once() -> None:
    with noted(is_waiting=True) as pending:
        os.kill(os.getpid(), signal.SIGTERM)
        assert pending.name == "SIGTERM"
        with pytest.raises(Signalled):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_that_had_only_its_problem_is_complete_after_resume(
    finished: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(finished / "problem.yaml", begun)
    runs.resume(begun)
    assert {p.name for p in begun.iterdir()} == {p.name for p in finished.iterdir()}
    assert_same_numbers(finished, begun)


def _interrupt_and_work() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)


def test_a_long_iteration_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.1)
    began = time.perf_counter()
    with pytest.raises(Interrupted) as caught, noted(is_waiting=True):
        _interrupt_and_work()
    assert time.perf_counter() - began < 5
    assert caught.value.status == 130


def test_no_second_signal_follows_where_the_iteration_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.1)
    with noted(is_waiting=True) as pending:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    assert pending.name == "SIGINT"


@pytest.mark.parametrize("missing", ["judging", "drawing"])
def test_what_was_killed_while_it_judged_or_drew_is_finished(
    missing: str, finished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "figures")
    (folder / "report.html").unlink()
    if missing == "judging":
        (folder / "metrics.json").unlink()
    runs.resume(folder)
    assert_same_numbers(finished, folder)
    assert (folder / "report.html").is_file()
    with pytest.raises(InputError, match="is finished"):
        runs.resume(folder)


def test_a_report_is_drawn_anew(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "report.html").write_text("half a pa")
    assert draw_report(folder).read_text().rstrip().endswith("</html>")
    with pytest.raises(InputError, match="holds no run"):
        draw_report(tmp_path)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "the folder goes": (shutil.rmtree, "nothing is kept"),
    "a file takes its place": (
        lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
        "nothing is kept",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_folder_that_goes_is_told_once(name: str, tmp_path: Path) -> None:
    act, message = FAULTS[name]
    folder = tmp_path / "run"
    with pytest.raises(StorageError) as caught:
        runs.run(stated(), folder, on_progress=at_iteration(3, lambda: act(folder)))
    assert message in str(caught.value)


@pytest.mark.parametrize("after", range(0, 14, 3))
def test_a_full_disk_at_any_moment(
    after: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, folder, sync = 0, tmp_path / "run", os.fsync

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count > after:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("pinngate.writing.os.fsync", full)
    with pytest.raises((InputError, StorageError), match="No space left") as caught:
        runs.run(stated(), folder)
    assert isinstance(caught.value, InputError) or "pinngate resume" in str(caught.value)
    assert not list(tmp_path.rglob("*.part"))
    monkeypatch.undo()
    if (folder / "problem.yaml").exists():
        runs.resume(folder)
    else:
        runs.run(stated(), folder)
    assert_same_numbers(finished, folder)


def test_one_process_at_a_time(finished: Path) -> None:
    with locked(finished), pytest.raises(InputError, match="another process is at work"):
        draw_report(finished)
    command = [sys.executable, "-m", "pinngate", "report", str(finished)]
    with locked(finished):
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "another process is at work" in done.stderr
    with locked(finished):
        pass


def test_a_checkpoint_of_another_run_is_refused(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        runs.run(stated("adamw"), folder, callback=at_iteration(2, _interrupt))
    shutil.copy(finished / "checkpoint.pt", folder)
    with pytest.raises(InputError, match="belongs to another problem"):
        runs.resume(folder)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_fault_of_the_package_can_be_reported(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    error = RuntimeError("the unforeseen \x1b[2J")
    assert bug.keep(folder, error) == folder
    assert str(folder) in bug.command_for(error)
    text = "\n".join(bug.lines(folder))
    assert "the unforeseen" in text
    assert "u_t = kappa*u_xx" in text
    assert "torch" in text
    with pytest.raises(InputError, match="holds no run and no traceback"):
        list(bug.lines(tmp_path))


class _Cleaned:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(3):
            pass


def test_a_signal_that_cleaning_up_swallows_comes_again() -> None:
    with pytest.raises(Interrupted), noted(is_waiting=False):
        time.sleep(5 if _Cleaned() is None else 4)


def test_a_signal_while_a_checkpoint_is_read_is_no_damage(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    (folder / "metrics.json").unlink()

    def read(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr("pinngate.runs.checkpoint.torch.load", read)
    with pytest.raises(Interrupted, match="pinngate resume") as caught:
        runs.resume(folder)
    assert caught.value.status == 143


def as_an_extension_does() -> None:
    """Meet a signal's exception as code in C does that calls Python, and raise another."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException:
        raise ValueError("Invalid bounding box") from None


def test_a_signal_that_an_extension_turns_into_its_own_error_is_the_signal() -> None:
    with pytest.raises(Interrupted), noted(is_waiting=False):
        as_an_extension_does()
    with pytest.raises(ValueError, match="box"), noted(is_waiting=False):
        raise ValueError("Invalid bounding box")
