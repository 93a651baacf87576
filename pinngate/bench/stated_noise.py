"""What stating noise and experiments is worth: ``python -m pinngate.bench.stated_noise``.

Coverage of 95 % intervals where noise is of another kind than Gaussian, stated and ignored; and two
published fits of real data, where the data are present: theophylline in twelve subjects (J. C.
Pinheiro, D. M. Bates, Mixed-Effects Models in S and S-PLUS, 2000, section 8.2) and hare and lynx
(posteriordb). Tables go to a folder as CSV; `results/notation` holds them.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import pinngate
from pinngate.data.observations import collect
from pinngate.reference import truth
from pinngate.statement.problem import Problem

RATES = {"a": 0.9, "b": 0.35}
KINDS: dict[str, tuple[dict[str, object], float]] = {
    "poisson": ({"kind": "poisson"}, 60.0),
    "proportional": ({"kind": "proportional", "relative": 0.2}, 60.0),
    "log-normal": ({"kind": "log-normal", "factor": 1.3}, 60.0),
}
BOUNDS: dict[str, object] = {"kind": "censored", "below": 0.08}  # a tenth of the values of `decay`
MEMORY: dict[str, object] = {"correlated": {"over": "t", "length": 0.5}}
OF_DECAY: dict[str, tuple[dict[str, object], int]] = {
    "censored": (BOUNDS, 400),
    "correlated": (MEMORY, 60),
}


def chain(noise: object, size: float, values: Mapping[str, tuple[Any, Any]] | None) -> Problem:
    """Return u → v → out with rates a and b, synthetic or with values (points, values) by field."""
    a, b = RATES.values()
    grown = f"{size}*{a}/({b} - {a})*(exp(-{a}*t) - exp(-{b}*t))"
    of = pinngate.Observations
    return pinngate.Problem(
        domain={"t": [0.05, 10]},
        unknowns=["u", "v"],
        equations=["u_t = -a*u", "v_t = a*u - b*v"],
        estimate={n: pinngate.Unknown(0.5, positive=True, truth=r) for n, r in RATES.items()},
        observations=[
            of.synthetic(f, count=40, layout="grid", noise=noise)  # type: ignore[arg-type]
            if values is None
            else of(f, *values[f], noise=noise)  # type: ignore[arg-type]
            for f in ("u", "v")
        ],
        truth={"u": f"{size}*exp(-{a}*t)", "v": grown} if values is None else None,
    )


def decay(
    noise: dict[str, object] | None, count: int, values: tuple[Any, Any] | None = None
) -> Problem:
    """Return u_t = −a u from an unknown start, synthetic or with values (points, values)."""
    of = pinngate.Observations
    return pinngate.Problem(
        domain={"t": [0, 3]},
        unknowns=["u"],
        equations=["u_t = -a*u"],
        estimate={"a": pinngate.Unknown(0.5, positive=True, truth=RATES["a"])},
        observations=[
            of.synthetic("u", count=count, layout="grid", noise=noise or {"std": 0.05})
            if values is None
            else of("u", *values, noise=noise)
        ],
        truth={"u": f"exp(-{RATES['a']}*t)"} if values is None else None,
    )


def decay_coverage(draws: int) -> Iterator[dict[str, object]]:
    """Yield the same of one rate where values are bounds and where errors remember.

    Ignored, bounds are taken as measured and errors as independent.
    """
    for kind, (noise, count) in OF_DECAY.items():
        for name, assumed in (("stated", noise), ("ignored", None)):
            ends = [_interval(noise, count, assumed, seed) for seed in range(draws)]
            low, high = np.array(ends).T
            yield {
                "noise": kind,
                "assumed": name,
                "intervals": low.size,
                "coverage": round(float(np.mean((low <= RATES["a"]) & (RATES["a"] <= high))), 3),
                "width": round(float(np.nanmedian((high - low) / RATES["a"])), 3),
            }


def _interval(
    noise: dict[str, object], count: int, assumed: dict[str, object] | None, seed: int
) -> tuple[float, float]:
    """Return the interval of the rate of decay on one draw, by noise that is assumed."""
    problem = decay({**noise, "std": 0.05}, count)
    (made,) = collect(problem, truth(problem), seed)
    given = decay(assumed, count, (made.points[:, 0], made.values))
    return pinngate.solve(given, seed=seed).coefficients["a"].interval or (math.nan, math.nan)


def coverage(draws: int) -> Iterator[dict[str, object]]:
    """Yield for each kind of noise how often intervals hold the truth, stated and ignored."""
    for kind, (noise, size) in KINDS.items():
        stated: dict[str, object] = dict(noise) if kind == "proportional" else {"kind": kind}
        for name, assumed in (("stated", stated), ("ignored", None)):
            ends = [_intervals(noise, size, assumed, seed) for seed in range(draws)]
            low, high = np.array(ends).reshape(-1, len(RATES), 2).transpose(2, 0, 1)
            true = np.array(list(RATES.values()))
            yield {
                "noise": kind,
                "assumed": name,
                "intervals": low.size,
                "coverage": round(float(np.mean((low <= true) & (true <= high))), 3),
                "width": round(float(np.nanmedian((high - low) / true)), 3),
            }


def _intervals(
    noise: dict[str, object], size: float, assumed: dict[str, object] | None, seed: int
) -> list[tuple[float, float]]:
    """Return the intervals of both rates on one draw, by noise that is assumed."""
    problem = chain(noise, size, None)
    sets = [made.as_measured for made in collect(problem, truth(problem), seed)]
    values = {made.of: (made.points[:, 0], made.values) for made in sets}
    found = pinngate.solve(chain(assumed, size, values), seed=seed).coefficients
    return [found[name].interval or (math.nan, math.nan) for name in RATES]


def theophylline(file: Path) -> Iterator[dict[str, object]]:
    """Yield the common values and spreads of twelve subjects: logarithms, as published."""
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    subjects: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        subjects.setdefault(row["subject"], []).append(row)
    found = pinngate.solve(
        pinngate.Problem(
            domain={"t": [0, 25]},
            unknowns=["A", "C"],
            equations=["A_t = -ka*A", "C_t = ka*ke/Cl*A - ke*C"],
            conditions=["A = dose at t = 0", "C = 0 at t = 0"],
            estimate={
                name: pinngate.Unknown(start, positive=True, each={"spread": True})
                for name, start in {"ke": 0.1, "ka": 1.0, "Cl": 0.05}.items()
            },
            experiments=[
                {
                    "name": f"s{subject}",
                    "constants": {"dose": float(own[0]["dose_mg_per_kg"])},
                    "observations": [
                        pinngate.Observations(
                            "C",
                            [float(row["t_h"]) for row in own],
                            [float(row["concentration_mg_per_l"]) for row in own],
                        )
                    ],
                }
                for subject, own in subjects.items()
            ],
        )
    )
    for name, spread in found.metrics["spreads"].items():
        estimate = found.coefficients[name]
        yield {
            "quantity": f"log {name}",
            "estimate": round(math.log(estimate.estimate), 4),
            "std": round((estimate.std or math.nan) / estimate.estimate, 4),
            "spread": round(spread["std"], 4),
        }


def hare_lynx(file: Path) -> Iterator[dict[str, object]]:
    """Yield the rates of predator and prey under log-normal noise."""
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    times = [float(row["t"]) for row in rows]
    found = pinngate.solve(
        pinngate.Problem(
            domain={"t": [0, 20]},
            unknowns=["h", "l"],
            equations=["h_t = a*h - b*h*l", "l_t = d*h*l - c*l"],
            estimate={
                name: pinngate.Unknown(start, positive=True)
                for name, start in {"a": 1.0, "b": 0.05, "c": 1.0, "d": 0.05}.items()
            },
            observations=[
                pinngate.Observations(
                    f, times, [float(row[f]) for row in rows], noise={"kind": "log-normal"}
                )
                for f in ("h", "l")
            ],
        )
    )
    for name, estimate in found.coefficients.items():
        yield {
            "rate": name,
            "estimate": round(estimate.estimate, 4),
            "std": round(estimate.std or math.nan, 4),
        }


def write(rows: Iterator[dict[str, object]], file: Path) -> None:
    """Write rows as CSV, and print them."""
    found = list(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    for row in found:
        print(row, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--data", type=Path, help="folder of the published data, if at hand")
    parser.add_argument("--out", type=Path, default=Path("results/notation"))
    asked = parser.parse_args(arguments)
    if asked.data is not None:
        write(hare_lynx(asked.data / "cases/hare-lynx/data.csv"), asked.out / "hare-lynx.csv")
        write(theophylline(asked.data / "data/theophylline.csv"), asked.out / "theophylline.csv")
    write(coverage(asked.draws), asked.out / "coverage.csv")
    write(decay_coverage(asked.draws), asked.out / "coverage-decay.csv")


if __name__ == "__main__":
    main()
