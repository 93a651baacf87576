"""One, two and four processes against each other: ``python -m pinngate.bench.shared_runs``.

Every way of iterating is run a few times by one process and by as many as torchrun starts; written
are the largest difference of the weights and of the figures of an iteration, and the bytes that a
process sent in one, from the least to the most, beside what the formula says. No times: on a
machine with fewer cores than processes they would tell of the machine. What a cluster would need
for larger problems follows from the same formula, with speeds that are assumed. `results/parallel`
holds the tables.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import pinngate
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.forms import Form, MatrixFreeForm, NormalForm
from pinngate.linear.jacobian import flatten
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.second_order import SecondOrder
from pinngate.parallel.launch import joined
from pinngate.parallel.ranks import ranks
from pinngate.runs.training import begin
from pinngate.statement.options import NetworkOptions

PROBLEM = "burgers-inverse"
COUNTS = (1, 2, 4)
POINTS = 1 << 14  # four tiles of the equation
ITERATIONS = 5
NETWORK = NetworkOptions(12, 2, "tanh")
RIDGES = 17  # that one iteration of Gauss–Newton compares
NUMBER = 8  # bytes of a double
FORMS: Mapping[str, Form] = {
    "Gauss–Newton, normal equations": NormalForm(),
    "Gauss–Newton, matrix-free": MatrixFreeForm(
        MatrixFreeOptions(num_sampled=128, max_rank=48, num_probes=2)
    ),
}
ADAM = {"PopulationRiskAdam, grouped": "grouped", "PopulationRiskAdam, pairs": "pairs"}
# of a cluster of GPUs, assumed and not measured
BANDWIDTH = 50e9  # bytes a second that one GPU sends to another node
LATENCY = 10e-6  # seconds of a message
SPEED = 20e12  # operations a second
CLUSTER = 64
Row = dict[str, object]


def adam_numbers(num_terms: int, num_parameters: int) -> int:
    """Return what a step sums: Σg, Σg² of every parameter and Σr², for every term."""
    return num_terms * (2 * num_parameters + 1)


def normal_numbers(
    num_rows: int, num_weights: int, num_free: int, num_values: int = 0, num_tries: int = 1
) -> int:
    """Return what an iteration by normal equations sums.

    The Gram matrix; residuals, C, and A times the offset; Aᵀ of C and b; for every step that is
    tried four vectors of a row and two of a weight. Where the values fill as many tiles as there
    are processes, `num_values` of them: the risks, and three figures of each value.
    """
    found = num_weights**2 + (2 + num_free) * num_rows + (1 + num_free) * num_weights
    found += num_tries * (4 * num_rows + 2 * num_weights)
    return found + (3 * num_values + RIDGES if num_values else 0)


def sent(numbers: float, count: int, size: int = NUMBER) -> float:
    """Return the bytes that one of `count` processes sends to sum so many numbers."""
    return 2 * (1 - 1 / count) * numbers * size


def seconds_of_sum(numbers: float, count: int, size: int, *, is_ring: bool = False) -> float:
    """Return the assumed seconds of a sum by recursive halving and doubling, or around a ring."""
    messages = 2 * (count - 1) if is_ring else 2 * math.log2(count)
    return sent(numbers, count, size) / BANDWIDTH + messages * LATENCY


def by_adam(statistics: str) -> tuple[list[torch.Tensor], str]:
    """Return weights and figures after every step, and the formula's numbers."""
    stated = {"optimizer": "population-risk-adam", "precision": "float64", "device": "cpu"}
    stated |= {"collocation": str(POINTS), "statistics": statistics}
    overrides = [f"solve.{key}={value}" for key, value in stated.items()]
    stepper = begin(pinngate.load(PROBLEM, overrides=[*overrides, _network()])).stepper
    assert isinstance(stepper, FirstOrder)

    def step() -> torch.Tensor:
        stepper.step()
        figures = torch.tensor([*stepper.log_row().values()])
        return torch.cat([flatten(stepper.network, stepper.coefficients), figures])

    num_parameters = sum(p.numel() for p in stepper.parameters)
    numbers = adam_numbers(len(stepper.model.terms), num_parameters)
    return _steps(step), str(numbers)


def by_gauss_newton(form: Form) -> tuple[list[torch.Tensor], str]:
    """Return weights and figures after every iteration, and the formula's numbers, if any."""
    overrides = [f"solve.collocation={POINTS}", _network(), "solve.device=cpu"]
    whole = begin(pinngate.load(PROBLEM, overrides=overrides)).stepper
    assert isinstance(whole, SecondOrder)
    parts = whole.parts
    network, coefficients = parts.network(NETWORK, "/given"), parts.coefficients()
    solver = PopulationRiskGaussNewton(
        parts.model, network, coefficients, GaussNewtonOptions(), form
    )

    def step() -> torch.Tensor:
        figures = solver.step(parts.batches.draw_in_order())
        return torch.cat([flatten(network, coefficients), torch.tensor([*figures.values()])])

    # its values are half a tile: every process sees to all of them
    sizes = parts.batches.num_rows(), network.num_parameters, coefficients.raw.numel()
    numbers = normal_numbers(*sizes)
    return _steps(step), str(numbers) if isinstance(form, NormalForm) else ""


def _network() -> str:
    stated = f"width: {NETWORK.width}, depth: {NETWORK.depth}, activation: {NETWORK.activation}"
    return f"solve.network={{{stated}}}"


def _steps(step: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """Return what every iteration comes to, bytes and messages of it as last two entries."""
    found, among = [], ranks()
    for _ in range(ITERATIONS):
        before = among.num_bytes, among.num_messages
        state = step()
        moved = [among.num_bytes - before[0], among.num_messages - before[1]]
        found.append(torch.cat([state, torch.tensor(moved, dtype=torch.float64)]))
    return found


def measured_here(file: Path) -> None:
    """Run every way in the processes that torchrun has started; the first one writes."""
    torch.set_num_threads(1)
    with joined():
        found: dict[str, Any] = {name: by_adam(how) for name, how in ADAM.items()}
        found |= {name: by_gauss_newton(form) for name, form in FORMS.items()}
        if ranks().is_first:
            torch.save(found, file)


def measured_by(count: int) -> dict[str, tuple[list[torch.Tensor], str]]:
    """Return what so many processes come to.

    Raises:
        subprocess.CalledProcessError: they failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.pt"
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        launch += ["--nproc-per-node", str(count), "-m", "pinngate.bench.shared_runs"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run([*launch, "--child", str(file)], env=environment, check=True)
        found: dict[str, tuple[list[torch.Tensor], str]] = torch.load(file)
        return found


def rows(counts: Sequence[int]) -> list[Row]:
    """Return a row for each way and number of processes, compared with the first number."""
    table: list[Row] = []
    first: dict[str, tuple[list[torch.Tensor], str]] = {}
    for count in counts:
        found = measured_by(count)
        first = first or found
        for name, (states, numbers) in found.items():
            pairs = zip(states, first[name][0], strict=True)
            differences = [float((a[:-2] - b[:-2]).abs().max()) for a, b in pairs]
            moved = torch.stack([state[-2:] for state in states])
            table.append(
                {
                    "way": name,
                    "processes": count,
                    "iterations": ITERATIONS,
                    "largest_difference": max(differences),
                    "least_bytes": int(moved[:, 0].min()),
                    "formula": round(sent(int(numbers), count)) if numbers else "",
                    "most_bytes": int(moved[:, 0].max()),
                    "least_messages": int(moved[:, 1].min()),
                }
            )
    return table


def extrapolation() -> list[Row]:
    """Return seconds of computing and of sending on a cluster, on paper.

    Operations: 15 products of N points with every weight for grouped or exact statistics
    (2 N P each), two passes of N P² multiplications for normal equations.
    """
    million, most = 1_000_000, 4096
    adam = 15 * 2.0 * million * million
    normal = 2 * 2.0 * million * most**2
    cases = {
        "PopulationRiskAdam": (million, million, adam, adam_numbers(4, million), 4),
        "Gauss–Newton, normal equations": (
            million,
            most,
            normal,
            normal_numbers(million, most, 1, million // 2),
            NUMBER,
        ),
    }
    return [
        {
            "way": name,
            "points": points,
            "weights": weights,
            "one_seconds": work / SPEED,
            "computing_seconds": work / SPEED / CLUSTER,
            "sent_gigabytes": sent(numbers, CLUSTER, size) / 1e9,
            "sending_seconds": seconds_of_sum(numbers, CLUSTER, size),
            "ring_seconds": seconds_of_sum(numbers, CLUSTER, size, is_ring=True),
        }
        for name, (points, weights, work, numbers, size) in cases.items()
    ]


def _write(path: Path, table: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        for row in table:
            short = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()}
            writer.writerow(short)
            print("  ".join(str(value) for value in short.values()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write `processes.csv` and `extrapolation.csv` to the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--out", type=Path, default=Path("results/parallel"))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    stated = parser.parse_args(arguments)
    if stated.child:
        measured_here(stated.child)
        return
    stated.out.mkdir(parents=True, exist_ok=True)
    _write(stated.out / "processes.csv", rows(stated.counts))
    _write(stated.out / "extrapolation.csv", extrapolation())


if __name__ == "__main__":
    main()
