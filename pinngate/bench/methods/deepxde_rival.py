"""DeepXDE as it is shipped, as methods of a benchmark: Adam, Adam with L-BFGS, and NNCG.

DeepXDE prints, writes into the home directory and changes torch's defaults when it is imported, so
every run is a child process with a home of its own (`pinngate.bench.methods.deepxde_child`), which
translates our problem. Defaults are those of DeepXDE's own Burgers example. Source: L. Lu et al.,
SIAM Review 63 (2021) 208, arXiv 1907.04502; NNCG: arXiv 2402.01868.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pinngate.bench.methods.contract import Method, NotApplicable, Outcome, Task, require_plain
from pinngate.errors import SolveError

CHILD = "pinngate.bench.methods.deepxde_child"
STEPS = {"deepxde-adam": ("adam",), "deepxde-lbfgs": ("adam", "L-BFGS")}
STEPS["deepxde-nncg"] = ("adam", "NNCG")

DEFAULTS: Mapping[str, Any] = {
    "width": 20,
    "depth": 3,
    "learning_rate": 1e-3,
    "iterations": 15000,  # of Adam
    "second_iterations": 15000,  # of what follows Adam, at most
    "num_domain": 2540,
    "num_boundary": 80,
    "num_initial": 160,
    "precision": "float32",
    # Wall-clock seconds for all of training, None for no limit. With a budget L-BFGS gets what Adam
    # leaves, and Adam at most half of it.
    "budget": None,
}


def _solve(task: Task) -> Outcome:
    """Run the child and read its answer.

    Raises:
        NotApplicable: NNCG on a problem with coefficients; no box.
        SolveError: the child failed; the message holds the end of what it printed.
    """
    require_plain(task.problem)
    if "NNCG" in task.options["steps"] and task.problem.coefficients:
        raise NotApplicable("DeepXDE's NNCG takes no trainable variables beside the network")
    with tempfile.TemporaryDirectory(prefix="pinngate-deepxde-") as name:
        folder = Path(name)
        request = {
            "problem": task.problem,
            "observations": [(o.of, o.points, o.values) for o in task.observations],
            "points": task.points,
            "watched": task.course.points,
            "options": dict(task.options),
        }
        (folder / "task.pickle").write_bytes(pickle.dumps(request))
        _run_child(name)
        told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        with np.load(folder / "result.npz") as arrays:
            values, states = arrays["values"], arrays["states"]
    unknowns = task.problem.unknowns
    for seconds, iteration, state in zip(told["seconds"], told["iterations"], states, strict=True):
        task.course.add(seconds, iteration, {f: state[:, k] for k, f in enumerate(unknowns)})
    return Outcome(
        {f: values[:, k] for k, f in enumerate(unknowns)},
        told["total"],
        told["reason"],
        iterations=told["iterations"][-1],
        coefficients=told["coefficients"],
        details={"library": told["library"]},
    )


def _run_child(folder: str) -> None:
    """Solve the task of a folder in a process of its own, which DeepXDE may set up as it likes."""
    environment = {**os.environ, "DDE_BACKEND": "pytorch", "HOME": folder}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "MPLCONFIGDIR": folder}
    environment.setdefault("OMP_NUM_THREADS", "1")
    finished = subprocess.run(
        [sys.executable, "-m", CHILD, folder],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        lines = (finished.stderr or finished.stdout).strip().splitlines()
        raise SolveError("DeepXDE failed: " + (lines[-1] if lines else "no message"))


def _method(name: str, summary: str, **changed: Any) -> Method:
    defaults = {**DEFAULTS, "steps": list(STEPS[name]), **changed}
    return Method(
        name,
        "deepxde",
        summary,
        _solve,
        defaults,
        module="deepxde",
        extra="deepxde",
        source="arXiv 1907.04502",
    )


DEEPXDE = [
    _method("deepxde-adam", "DeepXDE with Adam, as in its Burgers example"),
    _method("deepxde-lbfgs", "DeepXDE with Adam, then L-BFGS, as in its Burgers example"),
    # As in DeepXDE's own NNCG example: Adam first, then a thousand iterations.
    _method("deepxde-nncg", "DeepXDE with Adam, then Nyström–Newton–CG", second_iterations=1000),
]
