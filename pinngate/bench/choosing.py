"""How well equations are chosen and measurements placed: ``python -m pinngate.bench.choosing``.

Ten equations are offered for the data of five of them; a library of twelve terms for data of
Burgers' equation and that of Korteweg and de Vries; and twenty proposed measurements stand against
twenty at random. Data come from an independent solver. Tables go to a folder as CSV;
`results/notation` holds them.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import pinngate
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

NUM_NODES = 64
NODES = np.arange(NUM_NODES) * 2 * np.pi / NUM_NODES
WAVES = 1j * np.fft.fftfreq(NUM_NODES, 1 / NUM_NODES)
TIMES = np.linspace(0, 2, 41)
NOISES = (0.01, 0.05, 0.2, 0.5)  # of the standard deviation of the clean values


def slope(u: Array, order: int = 1) -> Array:
    """Return a derivative of nodal values of a periodic function."""
    return np.asarray(np.fft.ifft(WAVES**order * np.fft.fft(u)).real)


def _start(nodes: Array) -> Array:
    return np.asarray(1 + np.sin(nodes) + 0.4 * np.cos(2 * nodes))


Rate = Callable[[Array], Array]
# of each true equation, the rate of u, and of the damped wave that of (u, u_t)
RATES: dict[str, Rate] = {
    "heat": lambda u: 0.2 * slope(u, 2),
    "burgers": lambda u: 0.1 * slope(u, 2) - u * slope(u),
    "fisher": lambda u: 0.1 * slope(u, 2) + u * (1 - u),
    "kdv": lambda u: -0.1 * slope(u, 3) - u * slope(u),
    "damped_wave": lambda s: np.concatenate(
        [s[NUM_NODES:], slope(s[:NUM_NODES], 2) - 0.5 * s[NUM_NODES:]]
    ),
}
CANDIDATES: dict[str, tuple[str, dict[str, float]]] = {
    "heat": ("u_t = D*u_xx", {"D": 0.1}),
    "advection": ("u_t = -c*u_x", {"c": 0.5}),
    "advection_diffusion": ("u_t = D*u_xx - c*u_x", {"D": 0.1, "c": 0.5}),
    "heat_loss": ("u_t = D*u_xx - r*u", {"D": 0.1, "r": 0.5}),
    "logistic": ("u_t = r*u*(1 - u)", {"r": 0.5}),
    "fisher": ("u_t = D*u_xx + r*u*(1 - u)", {"D": 0.1, "r": 0.5}),
    "burgers": ("u_t = D*u_xx - a*u*u_x", {"D": 0.1, "a": 0.5}),
    "kdv": ("u_t = -b*u_xxx - a*u*u_x", {"b": 0.1, "a": 0.5}),
    "wave": ("u_tt = k*u_xx", {"k": 0.5}),
    "damped_wave": ("u_tt = k*u_xx - g*u_t", {"k": 0.5, "g": 0.2}),
}
POSITIVE = {"D", "k"}
TERMS = (
    "u", "u**2", "u**3", "u_x", "u*u_x", "u**2*u_x",
    "u_xx", "u*u_xx", "u_x**2", "u_xxx", "u*u_xxx", "u_xxxx",
)  # fmt: skip
RIGHT = {"burgers": {"u*u_x", "u_xx"}, "kdv": {"u*u_x", "u_xxx"}}


def clean(name: str) -> Array:
    """Return the true field (times, nodes) of an equation."""
    start = _start(NODES)
    state = np.concatenate([start, 0 * start]) if name == "damped_wave" else start

    def rate(_: float, state: Array) -> Array:
        return RATES[name](state)

    found = solve_ivp(rate, (0, 2), state, "LSODA", t_eval=TIMES, rtol=1e-8, atol=1e-9)
    return np.asarray(found.y[:NUM_NODES].T)


def observed(name: str, noise: float, seed: int, count: int) -> pinngate.Observations:
    """Return values at random nodes and times, with noise of a share of their spread."""
    random, field = np.random.default_rng(seed), clean(name)
    i, j = random.integers(len(TIMES), size=count), random.integers(NUM_NODES, size=count)
    values = field[i, j] + noise * field.std() * random.standard_normal(count)
    return pinngate.Observations("u", {"x": NODES[j], "t": TIMES[i]}, values)


def offered(*data: pinngate.Observations, **more: Any) -> Problem:
    """Return a problem on the periodic domain of all."""
    return pinngate.Problem(
        domain={"x": (0, 2 * np.pi), "t": (0, 2)},
        unknowns=["u"],
        conditions=["periodic in x"],
        observations=data,
        **more,
    )


def _unknown(name: str, initial: float) -> pinngate.Unknown:
    return pinngate.Unknown(initial, positive=name in POSITIVE)


def choices(
    noises: Sequence[float], seeds: int, count: int, options: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield which of ten equations was chosen for the data of each of five."""
    candidates = {
        name: {
            "equations": [equation],
            "estimate": {c: _unknown(c, initial) for c, initial in estimate.items()},
        }
        for name, (equation, estimate) in CANDIDATES.items()
    }
    for seed in range(seeds):
        for noise in noises:
            for name in RATES:
                began = time.perf_counter()
                problem = offered(observed(name, noise, seed, count), candidates=candidates)
                yield _chosen(name, noise, seed, problem, options) | {
                    "seconds": round(time.perf_counter() - began, 1)
                }


def _chosen(name: str, noise: float, seed: int, problem: Problem, options: Any) -> dict[str, Any]:
    choice = pinngate.choose(problem, progress=False, **options)
    true = next((one for one in choice.order if one.other == name), None)
    return {
        "truth": name,
        "noise": noise,
        "seed": seed,
        "chosen": choice.name,
        "is_true": choice.name == name,
        "true_behind": "" if true is None else round(true.ratio, 2),
        "not_told_apart": true is not None and true.ratio < 2,
        "num_not_told_apart": sum(one.ratio < 2 for one in choice.order),
        "not_solved": " ".join(choice.failed),
    }


def terms_found(
    noises: Sequence[float], seeds: int, count: int, options: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Yield which of twelve terms were found in the data of two equations."""
    library = {"library": {"left": "u_t", "terms": list(TERMS)}}
    for seed in range(seeds):
        for noise in noises:
            for name, right in RIGHT.items():
                began = time.perf_counter()
                problem = offered(observed(name, noise, seed, count), candidates=library)
                choice = pinngate.choose(problem, progress=False, **options)
                stated = problem.candidates["library"].optional
                dropped = choice.dropped["library"]
                pairs = zip(stated, TERMS, strict=True)
                found = {term for c, term in pairs if c not in dropped}
                yield {
                    "truth": name,
                    "noise": noise,
                    "seed": seed,
                    "found": "; ".join(sorted(found)),
                    "true_positive_rate": round(len(found & right) / len(found | right), 3),
                    "equation": choice.entries()["table"][0]["equations"][0],
                    "seconds": round(time.perf_counter() - began, 1),
                }


def designs(seeds: int) -> Iterator[dict[str, Any]]:
    """Yield what twenty proposed and twenty random measurements told, against what was foreseen."""
    for name, quantity in (("heat", "D"), ("fisher", "r"), ("burgers", "end")):
        for seed in range(seeds):
            told = _design(name, quantity, seed)
            yield {"truth": name, "quantity": quantity, "seed": seed} | told


def _design(name: str, quantity: str, seed: int) -> dict[str, Any]:
    random, field = np.random.default_rng(seed), clean(name)
    std = 0.1 * field.std()
    equation, estimate = CANDIDATES[name]
    before = observed(name, 0.1, seed, 60)
    stated = {
        "equations": [equation],
        "estimate": {c: _unknown(c, initial) for c, initial in estimate.items()},
        "derived": {"end": "max(u, x) at t = 2"},
    }
    solution = pinngate.solve(offered(before, **stated), progress=False)
    proposed = pinngate.design(solution, quantity, points=20)
    at_random = np.column_stack([random.uniform(0, 2 * np.pi, 20), random.uniform(0, 2, 20)])
    widths = {}
    for label, points in (("proposed", proposed.points), ("random", at_random)):
        extra = _values(field, points) + std * random.standard_normal(20)
        more = pinngate.Observations("u", {"x": points[:, 0], "t": points[:, 1]}, extra)
        widths[label] = _half_width(offered(before, more, **stated), quantity)
    return {
        "before": round(float(proposed.half_widths[0]), 5),
        "foreseen": round(float(proposed.half_widths[-1]), 5),
        "proposed": round(widths["proposed"], 5),
        "random": round(widths["random"], 5),
        "better": round(widths["random"] / widths["proposed"], 3),
        "against_foreseen": round(widths["proposed"] / float(proposed.half_widths[-1]), 3),
    }


def _values(field: Array, points: Array) -> Array:
    """Return the true field at points (n, 2), exact along x, a cubic along t."""
    from scipy.interpolate import CubicSpline

    spectrum = CubicSpline(TIMES, np.fft.fft(field, axis=1))(points[:, 1])
    waves = np.exp(WAVES[None, :] * points[:, :1])
    return np.asarray((spectrum * waves).sum(1).real / NUM_NODES)


def _half_width(problem: Problem, quantity: str) -> float:
    metrics = pinngate.solve(problem, progress=False).metrics
    entry = {**metrics["coefficients"], **metrics["derived"]}[quantity]
    low, high = entry["interval_95"]
    return float(high - low) / 2


def write_as_made(rows: Iterator[dict[str, Any]], file: Path, seconds: float) -> None:
    """Write each row as CSV when it is made, and print it; begin none after so many seconds."""
    began = time.perf_counter()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        for k, row in enumerate(rows):
            writer = csv.DictWriter(stream, list(row))
            if k == 0:
                writer.writeheader()
            writer.writerow(row)
            stream.flush()
            print(row, flush=True)
            if time.perf_counter() - began > seconds:
                return


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--count", type=int, default=300, help="values of a draw")
    parser.add_argument("--seconds", type=float, default=1e9, help="of a table")
    parser.add_argument("--iterations", type=int, help="at most, of one solve")
    parser.add_argument("--noises", type=float, nargs="+", default=list(NOISES))
    tables = ("candidates", "library", "design")
    parser.add_argument("--tables", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--out", type=Path, default=Path("results/notation"))
    asked = parser.parse_args(arguments)
    options = {} if asked.iterations is None else {"iterations": asked.iterations}
    made = {
        "candidates": lambda: choices(asked.noises, asked.seeds, asked.count, options),
        "library": lambda: terms_found(asked.noises, asked.seeds, asked.count, options),
        "design": lambda: designs(asked.seeds),
    }
    for name in asked.tables:
        write_as_made(made[name](), asked.out / f"choosing-{name}.csv", asked.seconds)


if __name__ == "__main__":
    main()
