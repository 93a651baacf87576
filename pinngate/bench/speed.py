"""What a first-order step costs, ours and DeepXDE's: ``pinngate bench speed``.

The same network (four tanh layers of 64), 2,048 collocation points, single precision and one
thread. The ways take turns within each repetition, so that whatever else the machine does falls on
all of them; a ratio is taken within its repetition. *Gradient* is mean r² of the equation and its
gradient; *grouped* and *pairs* add the per-point variances; *step* is the whole default step of
PopulationRiskAdam: points, gradient, statistics, gate and update. As on the command line, freed
memory is kept (`pinngate.memory.keep_freed`). DeepXDE's plain step is its
`train_step` with Adam, as shipped, in a process of its own (`deepxde_steps`). With ``--device
cuda`` all of them run there. `results/speed` holds the table.
"""

from __future__ import annotations

import csv
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

import pinngate
from pinngate.bench.methods import method
from pinngate.bench.methods.deepxde_rival import DEFAULTS
from pinngate.memory import keep_freed
from pinngate.model.moments import Mode, gradient_moments
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.registry import choose_device
from pinngate.runs.training import begin
from pinngate.statement.problem import Problem

EQUATIONS = {
    "heat": "u_t = 0.1*u_xx",
    "wave": "u_tt = 4*u_xx",
    "burgers": "u_t + u*u_x = 0.01*u_xx",
    "kuramoto-sivashinsky": "u_t + u*u_x + u_xx + u_xxxx = 0",
}
NUM_POINTS = 2048
WIDTH, DEPTH = 64, 4
FEW = 16  # values, and points of each side: they are not what is timed
REPETITIONS = 40
MODES: Mapping[str, Mode | None] = {"gradient": None, "grouped": "grouped", "pairs": "pairs"}
CHILD = "pinngate.bench.methods.deepxde_steps"
Timed = Callable[[], float]


def stated(equation: str, device: str) -> Problem:
    """Return the problem of an equation on the unit square, zero at a few places."""
    return pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=[equation],
        observations=[pinngate.Observations("u", *zeros())],
        solve={
            "optimizer": "population-risk-adam",
            "collocation": NUM_POINTS,
            "precision": "float32",
            "device": device,
            "network": {"width": WIDTH, "depth": DEPTH, "activation": "tanh"},
        },
    )


def zeros() -> tuple[np.ndarray, np.ndarray]:
    """Return places (n, 2) and values (n,) of the observations."""
    return np.random.default_rng(0).uniform(size=(FEW, 2)), np.zeros(FEW)


def own_ways(problem: Problem) -> dict[str, Timed]:
    """Return our ways, each a function that takes one step and returns its seconds."""
    stepper = begin(problem).stepper
    assert isinstance(stepper, FirstOrder)
    batches = stepper.batches.draw()
    inner = (stepper.model, stepper.network, stepper.coefficients, batches)

    def gradient(mode: Mode | None) -> Callable[[], object]:
        return lambda: gradient_moments(*inner, mode)

    ways: dict[str, Callable[[], object]] = {n: gradient(mode) for n, mode in MODES.items()}
    ways["step"] = stepper.step
    return {name: _timed(way, problem.solve.device or "cpu") for name, way in ways.items()}


def _timed(way: Callable[[], object], device: str) -> Timed:
    def seconds() -> float:
        began = time.perf_counter()
        way()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return seconds


def deepxde_way(problem: Problem, device: str, stack: ExitStack) -> Timed:
    """Return DeepXDE's plain step, taken by a child process that lives as long as the stack."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pinngate-speed-")))
    counts = {"num_domain": NUM_POINTS, "num_boundary": FEW, "num_initial": FEW}
    options = {**DEFAULTS, **counts, "width": WIDTH, "depth": DEPTH}
    request = {"problem": problem, "options": options, "observations": [("u", *zeros())]}
    (folder / "task.pickle").write_bytes(pickle.dumps(request))
    environment = {**os.environ, "DDE_BACKEND": "pytorch", "HOME": str(folder)}
    environment |= {"MPLCONFIGDIR": str(folder), "OMP_NUM_THREADS": "1"}
    environment |= {} if device == "cuda" else {"CUDA_VISIBLE_DEVICES": ""}
    child = stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-m", CHILD, str(folder / "task.pickle")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    )
    stack.callback(child.terminate)
    asked, told = child.stdin, child.stdout
    assert asked is not None
    assert told is not None

    def seconds() -> float:
        asked.write("step\n")
        asked.flush()
        return float(next(line for line in told if line.startswith("step ")).split()[1])

    return seconds


def measured(ways: Mapping[str, Timed], repetitions: int) -> dict[str, np.ndarray]:
    """Return the seconds of every way in turn, (repetitions,) each, after two rounds of warm-up."""
    rounds = [{name: way() for name, way in ways.items()} for _ in range(repetitions + 2)]
    return {name: np.array([taken[name] for taken in rounds[2:]]) for name in ways}


def table(equation: str, seconds: Mapping[str, np.ndarray]) -> list[dict[str, object]]:
    """Return a row for each way: quartiles of milliseconds, of ratios to ours and to DeepXDE's."""
    rows = []
    for name, taken in seconds.items():
        row: dict[str, object] = {"equation": equation, "way": name}
        compared = {"ms": 1e3 * taken, "of_gradient": taken / seconds["gradient"]}
        if "deepxde" in seconds:
            compared["of_deepxde"] = taken / seconds["deepxde"]
        for key, values in compared.items():
            low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
            row |= {key: f"{median:.3g}", f"{key}_quartiles": f"{low:.3g} to {high:.3g}"}
        rows.append(row)
    return rows


def run(device: str, out: Path, repetitions: int = REPETITIONS) -> None:
    """Measure, write `steps-<device>.csv` to a folder and print the rows.

    Raises:
        InputError: there is no such device, or DeepXDE is not installed.
    """
    choose_device(device)
    method("deepxde-adam").require()
    torch.set_num_threads(1)
    keep_freed()
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for name, equation in EQUATIONS.items():
        problem = stated(equation, device)
        with ExitStack() as stack:
            ways = {**own_ways(problem), "deepxde": deepxde_way(problem, device, stack)}
            rows += table(name, measured(ways, repetitions))
    with (out / f"steps-{device}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    machine = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    print(f"{machine}, torch {torch.__version__}, {datetime.now(UTC).date().isoformat()}")
    for row in rows:
        print("  ".join(f"{value}" for value in row.values()))
