"""DeepXDE as a method: the translation against our own residuals, and whole runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.tiny import row_of

pytest.importorskip("deepxde", reason="the extra 'deepxde' is not installed")

FAST = {"iterations": 20, "second_iterations": 10, "num_domain": 64, "num_boundary": 16}
FAST |= {"num_initial": 16}

# In a process of its own, as the method itself does: DeepXDE changes torch when it is imported.
CHECK = """
import torch, numpy as np, deepxde as dde
from pinngate import config
from pinngate.bench.methods.deepxde_rival import DEFAULTS
from pinngate.bench.methods.deepxde_child import Translation
dde.config.set_default_float("float64")
STATED = '[{where: x = 1, equation: u_x = 0}]', '[{of: u, count: 9, noise: {std: 0.1}}]'
KNOWN = {
    "u_t + 3*u*u_x = 0.1*u_xx": lambda x, s, c, e: -s*e + 6*s*c*e*e + 0.4*s*e,
    "u_xt - u_tt = x*u": lambda x, s, c, e: -2*c*e - s*e - x*s*e,
    "u_t + u_xxx + u_xxxx = 0": lambda x, s, c, e: -s*e - 8*c*e + 16*s*e,
}
for order in ("{x: [0, 1], t: [0, 2]}", "{t: [0, 2], x: [0, 1]}"):
    for equation, known in KNOWN.items():
        lines = ["pinngate: 1", "name: p", "domain: " + order, "unknowns: [u]"]
        lines += ["equations: [" + equation + "]", "truth: {u: x}"]
        lines += ["conditions: " + STATED[0], "observations: " + STATED[1]]
        problem = config.loads(chr(10).join(lines))
        translation = Translation(problem, dict(DEFAULTS))
        axes = translation.axes
        x = torch.rand(50, len(axes), dtype=torch.float64, requires_grad=True)
        at = {a: x[:, k] for k, a in enumerate(axes)}
        s, c, e = torch.sin(2*at["x"]), torch.cos(2*at["x"]), torch.exp(-at["t"])
        (r,) = translation.equations(x, (s*e)[:, None])
        off = float((r[:, 0] - known(at["x"], s, c, e)).abs().max())
        assert off < 1e-10, (order, equation, off)
        points = translation.condition(problem.conditions[0]).points
        assert np.allclose(points[:, axes.index("x")], 1.0), points
        dde.gradients.clear()
"""


def test_equations_are_ours(tmp_path: Path) -> None:
    """Residuals of u = sin(2x) exp(-t) by DeepXDE's derivatives against formulas."""
    finished = subprocess.run(
        [sys.executable, "-c", CHECK],
        env={**os.environ, "DDE_BACKEND": "pytorch", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-2000:]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("deepxde-lbfgs", "wave-noisy-ic"),  # second order in time, initial velocity
        ("deepxde-nncg", "advection-noisy-ic"),  # periodic
    ],
)
def test_whole_run(name: str, problem: str) -> None:
    row = row_of(name, FAST | ({"second_iterations": 1} if "nncg" in name else {}), problem)
    assert row["status"] == "converged", row["reason"]
    assert row["library"].startswith("deepxde 1.")
    assert 0 < row["fields.u.relative_l2"] < 2
    course = row["course"]
    assert course["iteration"][-1] == row["iterations"]
    assert course["seconds"] == sorted(course["seconds"])


def test_coefficients_move_and_the_budget_ends_the_run() -> None:
    row = row_of("deepxde-adam", {**FAST, "iterations": 10**6, "budget": 1.0}, "burgers-inverse")
    assert row["coefficients.speed.estimate"] != 0.5
    assert row["iterations"] < 10**6
    assert "the time was up" in row["reason"]


def test_nncg_says_that_it_knows_no_coefficients() -> None:
    assert row_of("deepxde-nncg", FAST, "burgers-inverse")["status"] == "not applicable"


def test_failure_of_the_library_is_told() -> None:
    row = row_of("deepxde-adam", {**FAST, "precision": "float17"})
    assert row["status"] == "failed"
    assert row["reason"].startswith("DeepXDE failed: ")
