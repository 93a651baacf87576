"""What a basis buys on more than two axes: ``python -m pinngate.bench.three_axes``.

Linear problems with known coefficients, each solved with the mechanism `basis` and without it, on
the same values: a pattern that drifts and spreads on a torus, a membrane with a high mode, and
plane waves of little more than a length. Seconds are those of the
processor in the solve, judging left out. The table goes to a folder as CSV; `results/three-axes`
holds it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pinngate
from pinngate.bench.choosing import write_as_made
from pinngate.optim.registry import resolve
from pinngate.optim.second_order import SecondOrder
from pinngate.runs.judgement import judge
from pinngate.runs.training import Session, begin, train
from pinngate.statement.problem import Problem, changed

UNIT = {"x": [0, 1], "y": [0, 1], "t": [0, 1]}
NOISE = 0.1


def _scattered(count: int) -> list[pinngate.Observations]:
    return [
        pinngate.Observations.synthetic("u", count=count, layout="random", noise={"std": NOISE})
    ]


def torus() -> Problem:
    """Return u_t + u_x + u_y/2 = D Δu on a torus, two lines of two and a half periods in time."""
    return pinngate.Problem(
        domain=UNIT,
        unknowns=["u"],
        constants={"a": 1.0, "b": 0.5, "D": 0.01},
        equations=["u_t + a*u_x + b*u_y = D*(u_xx + u_yy)"],
        conditions=["periodic in x", "periodic in y"],
        observations=_scattered(2000),
        truth={
            "u": "exp(-8*D*pi**2*t)*sin(2*pi*(x - a*t))*cos(2*pi*(y - b*t))"
            " + 0.5*exp(-20*D*pi**2*t)*cos(2*pi*(2*(x - a*t) + y - b*t))"
        },
    )


def membrane() -> Problem:
    """Return u_tt = Δu between fixed sides, the modes (1, 1) and (4, 2)."""
    sides = [f"u = 0 at {axis} = {end}" for axis in "xy" for end in (0, 1)]
    return pinngate.Problem(
        domain=UNIT,
        unknowns=["u"],
        equations=["u_tt = u_xx + u_yy"],
        conditions=sides,
        observations=_scattered(4000),
        truth={
            "u": "cos(sqrt(2)*pi*t)*sin(pi*x)*sin(pi*y)"
            " + 0.5*cos(sqrt(20)*pi*t)*sin(4*pi*x)*sin(2*pi*y)"
        },
    )


def plane_waves() -> Problem:
    """Return Δu + 81 u = 0 in a cube whose sides are not known, two plane waves."""
    return pinngate.Problem(
        domain={"x": [0, 1], "y": [0, 1], "z": [0, 1]},
        unknowns=["u"],
        constants={"k": 9.0},
        equations=["u_xx + u_yy + u_zz + k**2*u = 0"],
        observations=_scattered(3000),
        truth={"u": "sin(k*(0.6*x + 0.48*y + 0.64*z)) + cos(k*(0.8*x - 0.36*y - 0.48*z))"},
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "torus": torus,
    "membrane": membrane,
    "plane-waves": plane_waves,
}


def _session(problem: Problem, seed: int, *, has_basis: bool) -> Session:
    session = begin(resolve(changed(problem, solve=replace(problem.solve, seed=seed))))
    stepper = session.stepper
    if not isinstance(stepper, SecondOrder):
        raise TypeError("the default optimizer races")
    mechanisms = replace(stepper.options.mechanisms, basis=has_basis)
    options = replace(stepper.options, mechanisms=mechanisms)
    session.stepper = SecondOrder(stepper.parts, stepper.divisions, options)
    return session


def measured(name: str, seed: int, *, has_basis: bool) -> dict[str, object]:
    """Return error, coverage, verdict, winner and seconds of one solve."""
    began = time.process_time()
    session = _session(PROBLEMS[name](), seed, has_basis=has_basis)
    reason = train(session)
    seconds = time.process_time() - began
    metrics = judge(session, reason, 0.0).metrics
    field = metrics["fields"]["u"]
    return {
        "problem": name,
        "seed": seed,
        "basis": "on" if has_basis else "off",
        "error": round(field["relative_l2"], 5),
        "coverage_95": round(field["coverage_95"], 3),
        "verdict": metrics["verdict"],
        "winner": "basis" if "basis" in metrics["network"] else "networks",
        "processor_seconds": round(seconds, 1),
    }


def rows(names: Sequence[str], seeds: int) -> Iterator[dict[str, object]]:
    """Yield the row of every solve, without and with the basis in turn."""
    for seed in range(seeds):
        for name in names:
            for has_basis in (False, True):
                yield measured(name, seed, has_basis=has_basis)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `three-axes.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--out", type=Path, default=Path("results/three-axes"))
    asked = parser.parse_args(arguments)
    write_as_made(rows(asked.problems, asked.seeds), asked.out / "three-axes.csv", math.inf)


if __name__ == "__main__":
    main()
