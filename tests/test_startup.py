"""What is loaded when: heavy packages only where they are used, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["torch", "numpy", "scipy", "matplotlib", "pydantic", "yaml", "rich", "typer", "jinja2"]


def loaded_by(code: str, folder: Path) -> set[str]:
    """Return all modules that a new interpreter has loaded after running some code."""
    end = "\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code + end], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    """Return code that runs the command line and goes on after it."""
    return (
        "import sys\n"
        f"sys.argv = ['pinngate', *{list(arguments)!r}]\n"
        "from pinngate.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )


def test_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by("import pinngate", tmp_path) & set(HEAVY) == set()


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",), ("cite",)])
def test_help_needs_no_numbers(arguments: tuple[str, ...], tmp_path: Path) -> None:
    found = loaded_by(command(*arguments), tmp_path)
    assert found & {"torch", "numpy", "scipy", "matplotlib", "yaml"} == set()


def test_check_builds_no_network_and_draws_nothing(tmp_path: Path) -> None:
    found = loaded_by(command("check", "heat-noisy-ic"), tmp_path)
    assert found & {"torch", "scipy", "matplotlib", "jinja2"} == set()


def test_a_run_without_a_report_draws_nothing(tmp_path: Path) -> None:
    asked = ("--out", "out", "--quiet", "--no-report", "--set", "solve.iterations=1")
    run = command("run", "heat-noisy-ic", *asked).replace("not end.code", "end.code in (0, 1)")
    assert loaded_by(run, tmp_path) & {"matplotlib", "jinja2"} == set()


def test_a_run_does_without_scipy_stats(tmp_path: Path) -> None:
    run = command("run", "heat-noisy-ic", "--out", "out", "--quiet", "--set", "solve.iterations=1")
    found = loaded_by(run.replace("assert not end.code", "assert end.code in (0, 1)"), tmp_path)
    assert (tmp_path / "out" / "report.html").is_file()
    assert "scipy.stats" not in found
    assert {"torch", "matplotlib"} <= found
