"""The Makefile as a newcomer meets it; `make --dry-run` shows what would be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make on a copy of the Makefile with only what is in `path` to be found as a program."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHON"}
    program = shutil.which("make") or "make"
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment | {"PATH": str(path)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder of programs: sh and what the recipes need, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "touch", "test", "echo"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return folder


def add_python(folder: Path, name: str, *, is_old: bool = False) -> None:
    script = "exit 1" if is_old else f'exec "{sys.executable}" "$@"'
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13", "python3"])
def test_any_python_that_is_new_enough_is_taken(name: str, programs: Path, tmp_path: Path) -> None:
    add_python(programs, name)
    if name != "python3":
        add_python(programs, "python3", is_old=True)
    done = make(tmp_path, programs, "--dry-run", "run")
    assert done.returncode == 0, done.stderr
    assert f"\n{name} -m venv .venv\n" in done.stdout


def test_without_one_the_message_says_what_to_do(programs: Path, tmp_path: Path) -> None:
    add_python(programs, "python3", is_old=True)
    done = make(tmp_path, programs, "run")
    assert done.returncode != 0
    assert "needs Python 3.11 or later" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_first_run_solves_the_wave_and_says_how_to_go_on(programs: Path, tmp_path: Path) -> None:
    add_python(programs, "python3.11")
    done = make(tmp_path, programs, "--dry-run", "run")
    assert "pinngate run wave-noisy-ic" in done.stdout
    assert "source .venv/bin/activate" in done.stdout


def test_the_tests_come_with_every_extra(programs: Path, tmp_path: Path) -> None:
    add_python(programs, "python3.11")
    done = make(tmp_path, programs, "--dry-run", "test")
    for extra in ("dev", "geometry", "bench", "netcdf"):
        assert extra in done.stdout
