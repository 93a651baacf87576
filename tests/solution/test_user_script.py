"""The script of a user who brings data frames, a network, an optimizer and a callback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pinngate

SCRIPT = Path(__file__).with_name("user_script.py")


def test_it_runs(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_is_typed(pytestconfig: pytest.Config) -> None:
    pytest.importorskip("mypy")
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("mypy")
    strict = ["--strict", "--config-file=", f"--cache-dir={cache}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *strict, SCRIPT],
        capture_output=True,
        text=True,
        check=False,
        cwd=cache,
        env=os.environ | {"MYPYPATH": str(Path(pinngate.__file__).parent.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
