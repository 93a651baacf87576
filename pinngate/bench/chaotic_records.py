"""How far chaotic records are fitted: ``python -m pinngate.bench.chaotic_records``.

Lorenz' equations and a driven pendulum, all fields or one of them measured with 5 % of noise, over
longer and longer records; rates begin at about half of their values, initial states are unknown.
Solved with default settings. The table goes to a folder as CSV; `results/any-signal` holds it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import pinngate
from pinngate.bench.choosing import write_as_made

Array = NDArray[np.float64]
Rates = Callable[[float, Array], list[float]]

NOISE = 0.05  # of each field's standard deviation
TOLERANCE = 1e-12  # of the truth, in whose last digits chaos has no say up to forty units


@dataclass(frozen=True)
class System:
    """Equations with rates at the truth, what is measured how often, and how far."""

    equations: Sequence[str]
    unknowns: Sequence[str]
    rates: Rates
    begin: Sequence[float]
    truth: Mapping[str, float]
    starts: Mapping[str, float]
    measured: Sequence[str]
    values_per_unit: int
    lengths: Sequence[float]


def _lorenz(_: float, y: Array) -> list[float]:
    return [10 * (y[1] - y[0]), y[0] * (28 - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]


def _pendulum(t: float, y: Array) -> list[float]:
    return [y[1], -0.5 * y[1] - np.sin(y[0]) + 1.15 * np.cos(2 * t / 3)]


LORENZ = ("x_t = s*(y - x)", "y_t = x*(r - z) - y", "z_t = x*y - b*z")
AT, FAR = {"s": 10.0, "r": 28.0, "b": 8 / 3}, {"s": 5.0, "r": 15.0, "b": 1.0}
SYSTEMS = {
    "lorenz": System(LORENZ, "xyz", _lorenz, (-8, 7, 27), AT, FAR, "xyz", 20, (5, 10, 20, 40)),
    "lorenz, x alone": System(LORENZ, "xyz", _lorenz, (-8, 7, 27), AT, FAR, "x", 20, (5, 10, 20)),
    "pendulum": System(
        ("u_tt = -q*u_t - sin(u) + g*cos(2/3*t)",),
        "u",
        _pendulum,
        (0.2, 0),
        {"q": 0.5, "g": 1.15},
        {"q": 1.0, "g": 1.0},
        "u",
        4,
        (25, 50, 100),
    ),
}


def measured(name: str, length: float, seed: int) -> dict[str, object]:
    """Return the row of one record."""
    system, random = SYSTEMS[name], np.random.default_rng(seed)
    times = np.sort(random.uniform(0, length, round(system.values_per_unit * length)))
    bounds = (0.0, length)
    truth = solve_ivp(
        system.rates,
        bounds,
        system.begin,
        method="DOP853",
        rtol=TOLERANCE,
        atol=TOLERANCE,
        dense_output=True,
    ).sol
    columns = {field: k for k, field in enumerate(system.unknowns)}
    data = []
    for field in system.measured:
        values = truth(times)[columns[field]]
        noise = NOISE * values.std() * random.standard_normal(len(times))
        data.append(pinngate.Observations(field, {"t": times}, values + noise))
    problem = pinngate.Problem(
        domain={"t": list(bounds)},
        unknowns=list(system.unknowns),
        equations=list(system.equations),
        estimate={n: pinngate.Unknown(v, positive=True) for n, v in system.starts.items()},
        observations=data,
        solve={"seed": seed},
    )
    began = time.perf_counter()
    solution = pinngate.solve(problem)
    seconds = time.perf_counter() - began
    found = {name: solution.coefficients[name] for name in system.truth}
    grid = np.linspace(0, length, 2000)
    fields, bands = solution(t=grid), solution.interval(t=grid)
    errors, covered = [], []
    for field in system.measured:
        exact = truth(grid)[columns[field]]
        errors.append(float(np.linalg.norm(fields[field] - exact) / np.linalg.norm(exact)))
        covered.append(float(np.mean((bands[field][0] <= exact) & (exact <= bands[field][1]))))
    stds = {n: one.std or np.nan for n, one in found.items()}
    return {
        "system": name,
        "length": length,
        "seed": seed,
        "verdict": solution.verdict.word,
        "seconds": round(seconds, 1),
        "worst_deviations": round(
            max(abs(one.estimate - system.truth[n]) / stds[n] for n, one in found.items()), 2
        ),
        "widest_std_percent": round(100 * max(stds[n] / abs(system.truth[n]) for n in found), 3),
        "worst_field_error": round(max(errors), 5),
        "coverage_95": round(min(covered), 3),
    }


def rows(names: Sequence[str], seeds: int) -> Iterator[dict[str, object]]:
    """Yield the row of every record, the seeds of one length together."""
    for name in names:
        for length in SYSTEMS[name].lengths:
            for seed in range(seeds):
                yield measured(name, length, seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `chaotic-records.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--out", type=Path, default=Path("results/any-signal"))
    asked = parser.parse_args(arguments)
    write_as_made(rows(asked.systems, asked.seeds), asked.out / "chaotic-records.csv", math.inf)


if __name__ == "__main__":
    main()
