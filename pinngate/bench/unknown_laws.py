"""How well unknown functions of fields are found: ``python -m pinngate.bench.unknown_laws``.

A pendulum with a law of friction that nobody named, the decay of a substrate with an unknown law of
its rate, a migration assay with two unknown functions, a diffusivity and a growth law, and two
populations with a law of both that says how fast predators find prey. Data
come from an independent solver. Tables go to a folder as CSV; `results/notation` holds them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import pinngate
from pinngate.bench.stated_noise import write
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


def _solved(rate: Callable[[float, Array], Any], start: Sequence[float], times: Array) -> Array:
    """Return the states (n, times) of an independent solver."""
    span = (0.0, float(times[-1]))
    found = solve_ivp(rate, span, start, "LSODA", t_eval=times, rtol=1e-9, atol=1e-10)
    return np.asarray(found.y)


def pendulum(random: np.random.Generator) -> Problem:
    """Return θ'' = −sin θ − F(θ'), θ at 100 times with 0.03 of noise."""

    def rate(_: float, state: Array) -> list[float]:
        angle, speed = state
        return [speed, -np.sin(angle) - 0.1 * speed - 0.05 * speed * abs(speed)]

    times = np.linspace(0, 20, 100)
    angle = _solved(rate, [2.0, 0.0], times)[0] + 0.03 * random.standard_normal(len(times))
    return pinngate.Problem(
        domain={"t": [0, 20]},
        unknowns=["a", "w"],
        equations=["a_t = w", "w_t = -sin(a) - F(w)"],
        estimate={"F": pinngate.Unknown(0, over="w", range=[-2, 2], truth="0.1*w + 0.05*w*abs(w)")},
        observations=[pinngate.Observations("a", {"t": times}, angle)],
    )


def substrate(random: np.random.Generator) -> Problem:
    """Return S' = −f(S) with S at 40 times, noise of 3 % of its spread."""
    times = np.linspace(0, 10, 40)
    clean = _solved(lambda _, s: -s / (0.7 + s), [5.0], times)[0]
    values = clean + 0.03 * clean.std() * random.standard_normal(len(times))
    return pinngate.Problem(
        domain={"t": [0, 10]},
        unknowns=["S"],
        equations=["S_t = -f(S)"],
        estimate={"f": pinngate.Unknown(0.5, over="S", positive=True, truth="S/(0.7 + S)")},
        observations=[pinngate.Observations("S", {"t": times}, values)],
    )


def assay(random: np.random.Generator) -> Problem:
    """Return u_t = (D(u) u_x)_x + G(u) at 3 times, 38 places, 3 times over, 10 % of each value."""
    nodes, times = np.linspace(0, 2, 401), np.array([0.0, 1.0, 2.0])
    width = nodes[1]

    def rate(_: float, u: Array) -> Array:
        middle = (u[1:] + u[:-1]) / 2
        flux = 0.02 * (1 + 2 * middle) * np.diff(u) / width
        inflow = np.diff(np.concatenate([[0.0], flux, [0.0]])) / width
        inflow[[0, -1]] *= 2  # half a cell at each end
        return inflow + u * (1 - u)

    start = 0.05 + 0.425 * (1 - np.tanh((nodes - 1) / 0.15))
    found = solve_ivp(rate, (0, 2), start, "BDF", t_eval=times, rtol=1e-8, atol=1e-9).y
    places = np.linspace(0.03, 1.97, 38)
    clean = np.array([np.interp(places, nodes, state) for state in found.T])
    values = clean * (1 + 0.1 * random.standard_normal((3, *clean.shape)))
    t, x = (np.broadcast_to(a, values.shape).ravel() for a in (times[:, None], places))
    return pinngate.Problem(
        domain={"x": [0, 2], "t": [0, 2]},
        unknowns=["u"],
        equations=["u_t = (D(u)*u_x)_x + G(u)"],
        conditions=["u_x = 0 at x = 0", "u_x = 0 at x = 2"],
        estimate={
            "D": pinngate.Unknown(0.05, over="u", positive=True, truth="0.02*(1 + 2*u)"),
            "G": pinngate.Unknown(0.2, over="u", truth="u*(1 - u)"),
        },
        observations=[
            pinngate.Observations(
                "u", {"x": x, "t": t}, values.ravel(), noise={"kind": "proportional"}
            )
        ],
    )


def feeding(random: np.random.Generator) -> Problem:
    """Return N' = 1.2 N (1 − N/4) − f N P, P' = 0.6 f N P − 0.4 P from two starts, f(N, P).

    40 values of each with 0.01 of noise.
    """

    def rate(_: float, state: Array) -> list[float]:
        prey, predators = state
        found = 1.6 / (1 + 0.8 * prey + predators) * prey * predators
        return [1.2 * prey * (1 - prey / 4) - found, 0.6 * found - 0.4 * predators]

    times = np.linspace(0, 12, 40)
    runs = {"few": [0.5, 0.5], "many": [3.5, 2.5]}
    clean = {name: _solved(rate, start, times) for name, start in runs.items()}
    return pinngate.Problem(
        domain={"t": [0, 12]},
        unknowns=["N", "P"],
        equations=["N_t = 1.2*N*(1 - N/4) - f(N, P)*N*P", "P_t = 0.6*f(N, P)*N*P - 0.4*P"],
        estimate={
            "f": pinngate.Unknown(0.5, over=["N", "P"], positive=True, truth="1.6/(1 + 0.8*N + P)")
        },
        experiments=[
            {
                "name": name,
                "observations": [
                    pinngate.Observations(
                        of, {"t": times}, values + 0.01 * random.standard_normal(len(times))
                    )
                    for of, values in zip("NP", states, strict=True)
                ],
            }
            for name, states in clean.items()
        ],
    )


LAWS = {"pendulum": pendulum, "substrate": substrate, "assay": assay, "feeding": feeding}


def runs(make: Callable[[np.random.Generator], Problem], seeds: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of every function on every draw of the noise."""
    for seed in range(seeds):
        began = time.perf_counter()
        metrics = pinngate.solve(make(np.random.default_rng(seed)), progress=False).metrics
        seconds = time.perf_counter() - began
        for name, entry in metrics["coefficient_fields"].items():
            yield {
                "function": name,
                "seed": seed,
                "relative_l2": round(entry["relative_l2"], 4),
                "coverage_95": round(entry["coverage_95"], 3),
                "half_width": round(entry["half_width"], 4),
                "verdict": metrics["verdict"],
                "seconds": round(seconds, 1),
            }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--laws", nargs="+", choices=LAWS, default=list(LAWS))
    parser.add_argument("--out", type=Path, default=Path("results/notation"))
    asked = parser.parse_args(arguments)
    for law in asked.laws:
        write(runs(LAWS[law], asked.seeds), asked.out / f"law-{law}.csv")


if __name__ == "__main__":
    main()
