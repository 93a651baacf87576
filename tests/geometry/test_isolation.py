"""DeepXDE changes nothing outside the places where it is used, and is asked for by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pinngate import config
from pinngate.errors import InputError
from pinngate.geometry import isolation
from pinngate.geometry.region import Region
from tests.geometry.stated import needs_deepxde, problem

PROGRAM = """
import os, random, sys
import numpy as np, torch
from pinngate.config import load
from pinngate.geometry.region import Region

def state():
    return (
        torch.get_default_dtype(), torch.get_default_device(), torch.initial_seed(),
        random.getstate(), str(np.random.get_state()), dict(os.environ), np.geterr(),
    )

torch.set_default_dtype(torch.float64)
torch.cuda.is_available = lambda: True  # on such a machine DeepXDE makes the GPU the default device
before = state()
region = Region(load(sys.argv[1]))
region.boundary()
region.inside(np.zeros((1, 3)))
assert "deepxde" in sys.modules
assert state() == before
from deepxde.config import real
assert real.precision == 32  # as a user of DeepXDE knows it
"""


@needs_deepxde
def test_nothing_global_changes(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    problem_file = str(config.catalog.path("heat-hole"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, problem_file],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.glob(".deepxde*"))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "deepxde", raising=False)
    monkeypatch.setattr(isolation, "find_spec", lambda name: None)
    stated = problem()  # a problem is read without it
    with pytest.raises(InputError, match=r"deepxde.*\n.*pinngate\[geometry\]"):
        Region(stated)


@needs_deepxde
def test_a_fault_inside_puts_everything_back_too() -> None:
    import torch

    before = torch.get_default_dtype(), sys.stdout
    with pytest.raises(ValueError, match="xmin"), isolation.isolated() as deepxde:
        deepxde.Rectangle([1, 1], [0, 0])
    assert (torch.get_default_dtype(), sys.stdout) == before
