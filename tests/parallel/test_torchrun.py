"""Processes that torchrun has started against one process: numbers, files, signals, faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from pinngate.runs import checkpoint
from tests.parallel.shared_work import ADAM, everything

ROOT = Path(__file__).parents[2]
WAITING = 120.0
RUN = ["run", "burgers-inverse", "--no-report", "--quiet"]


def torchrun(count: int, *arguments: str) -> subprocess.Popen[str]:
    """Start processes on this machine, one thread each."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*command, "--nproc-per-node", str(count), *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pinngate(count: int, *arguments: str) -> subprocess.Popen[str]:
    return torchrun(count, "-m", "pinngate", *arguments)


def told(errors: str) -> list[str]:
    """Return what the processes tell of themselves, before torchrun reports of them."""
    own = errors.split("Traceback")[0].splitlines()
    return [line for line in own if line and not line.startswith(("W", "E", "[", "*"))]


def process_of(started: subprocess.Popen[str], rank: int) -> psutil.Process:
    """Return the process of a rank once it is there."""
    deadline = time.monotonic() + WAITING
    while time.monotonic() < deadline:
        for child in psutil.Process(started.pid).children():
            if child.environ().get("RANK") == str(rank):
                return child
        time.sleep(0.05)
    raise AssertionError("torchrun has started nothing")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAITING
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.05)


@pytest.mark.slow
def test_two_processes_equal_one_and_go_on_as_one(tmp_path: Path) -> None:
    started = torchrun(2, str(ROOT / "tests/parallel/shared_work.py"), str(tmp_path))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one = everything()
        _, errors = started.communicate(timeout=WAITING)
        assert started.returncode == 0, errors
        two = [torch.load(tmp_path / f"rank-{k}.pt") for k in range(2)]
        on_one, on_two = everything(one), everything(two[1])
    finally:
        torch.set_num_threads(before)
    for name, found in one.items():
        for key in found.keys() - {"state"}:
            for own in two:
                assert float((own[name][key] - found[key]).abs().max()) < 1e-10, (name, key)
            if key != "row" or name not in ("grouped", "pairs"):
                difference = on_two[name][key] - on_one[name][key]
                assert float(difference.abs().max()) < 1e-10, (name, key)
    assert two[0]["sent"] == two[1]["sent"]
    assert two[0]["sent"]["bytes"] > 0


def stated(*more: str) -> list[str]:
    return [part for entry in (*ADAM, *more) for part in ("--set", entry)]


@pytest.mark.slow
def test_a_signal_leaves_one_checkpoint_and_one_message(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = pinngate(2, *RUN, "--out", str(out), *stated("solve.iterations=100000"))
    wait_for(out / "checkpoint.pt")  # it is in the midst of training
    process_of(run, 1).send_signal(signal.SIGTERM)
    printed, errors = run.communicate(timeout=WAITING)
    assert run.returncode == 1
    assert printed == ""
    (line,) = told(errors)
    assert line.startswith("interrupted at iteration ")
    assert "the last checkpoint is kept; go on with: pinngate resume" in line
    state = checkpoint.load(out / "checkpoint.pt")
    assert f"iteration {state['stepper']['iteration']};" in line


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_the_others(rank: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = pinngate(2, *RUN, "--out", str(out), *stated("solve.iterations=100000"))
    wait_for(out / "environment.json")
    time.sleep(2)  # it is in the midst of training
    process_of(run, rank).kill()
    printed, errors = run.communicate(timeout=WAITING)
    assert run.returncode == 1
    assert printed == ""
    (line,) = told(errors)
    assert line.startswith("another process of this run has ended")
    assert "go on with: pinngate resume" in line


@pytest.mark.parametrize(
    ("count", "arguments", "message"),
    [
        (2, ["run", "nothing.yaml"], "'nothing.yaml' is neither a file nor a shipped problem"),
        (3, ["run", "heat-noisy-ic"], "torchrun has started 3 processes"),
        (2, ["list"], "torchrun has started 'list'"),
    ],
)
def test_what_is_wrong_is_told_once(count: int, arguments: list[str], message: str) -> None:
    run = pinngate(count, *arguments)
    printed, errors = run.communicate(timeout=WAITING)
    assert run.returncode == 1
    assert printed == ""
    assert errors.count(message) == 1


def test_a_plain_run_has_nothing_to_do_with_groups() -> None:
    code = (
        "import sys; from pinngate.parallel.launch import joined\n"
        "with joined(): import pinngate.cli\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "pinngate.cli" in loaded
    assert loaded & {"torch", "pinngate.parallel.group"} == set()


def test_one_room_alone_knows_of_distributed_torch() -> None:
    naming = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pinngate").rglob("*.py")
        if "import torch.distributed" in path.read_text(encoding="utf-8")
    ]
    assert naming == ["pinngate/parallel/group.py"]
