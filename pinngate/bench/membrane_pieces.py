"""A membrane of 64 pieces beside a long sampler: ``python -m pinngate.bench.membrane_pieces``.

The benchmark of D. Aristoff and W. Bangerth (SIAM Review 65, 2023): −∇·(a∇u) = 10 on the unit
square, u = 0 at its boundary, a constant on 8 × 8 squares with ln a ~ N(0, 2²), 169 values of u
with a noise of 0.05. `--reference` makes mean and deviation of the logarithms by a sampler of its
own on the benchmark's own discretisation, 32 × 32 bilinear elements: Hamiltonian Monte Carlo on
A(a) = Σ a_c A_c with a banded factorisation, from several seeds, whose disagreement is told.
Without it the answer of `pinngate.solve` is compared with these. The data are not part of the
package.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded

import pinngate
from pinngate.bench.stated_noise import write
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]

CELLS, PIECES, NOISE, SPREAD, LOAD = 32, 8, 0.05, 2.0, 10.0
ELEMENT = np.array([[4, -1, -1, -2], [-1, 4, -2, -1], [-1, -2, 4, -1], [-2, -1, -1, 4]]) / 6


class Membrane:
    """E(ln a) = ‖(u − data)/σ‖²/2 + ‖ln a‖²/(2·2²), on the benchmark's elements.

    Args:
        data: x, y, u, (n, 3).
    """

    def __init__(self, data: Array) -> None:
        self.values = data[:, 2]
        inner = CELLS - 1
        self.size = inner**2
        i, j = (m.ravel() for m in np.meshgrid(np.arange(CELLS), np.arange(CELLS), indexing="ij"))
        corners = np.stack([i + np.array([[0], [1], [0], [1]]), j + np.array([[0], [0], [1], [1]])])
        is_inner = ((corners > 0) & (corners < CELLS)).all(0).T
        self.nodes = np.where(is_inner, ((corners[0] - 1) * inner + corners[1] - 1).T, self.size)
        self.piece = (i * PIECES // CELLS) * PIECES + j * PIECES // CELLS
        rows = np.repeat(self.nodes, 4, 1).ravel()
        columns = np.tile(self.nodes, (1, 4)).ravel()
        kept = (rows <= columns) & (columns < self.size)
        self.width = inner + 1
        self.place = (self.width + rows - columns)[kept] * self.size + columns[kept]
        self.entry = np.tile(ELEMENT.ravel(), len(i))[kept]
        self.owner = np.repeat(self.piece, 16)[kept]
        weights = np.full(self.nodes.shape, LOAD / CELLS**2 / 4)
        self.load = np.bincount(self.nodes.ravel(), weights.ravel(), self.size + 1)[:-1]
        self.seen = self._seen(data[:, :2])

    def _seen(self, points: Array) -> Array:
        """Return what takes u at inner nodes to u at points, (n, N)."""
        cell = np.minimum((points * CELLS).astype(int), CELLS - 1)
        s, t = (points * CELLS - cell).T
        shapes = np.stack([(1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t], 1)
        seen = np.zeros((len(points), self.size + 1))
        np.add.at(
            seen,
            (np.arange(len(points))[:, None], self.nodes[cell[:, 0] * CELLS + cell[:, 1]]),
            shapes,
        )
        return seen[:, :-1]

    def _solved(self, logarithms: Array) -> tuple[tuple[Array, bool], Array]:
        """Return the factors of A, and u (N,)."""
        shape = (self.width + 1) * self.size
        entries = self.entry * np.exp(logarithms)[self.owner]
        band = np.bincount(self.place, entries, shape).reshape(-1, self.size)
        factors = cholesky_banded(band, check_finite=False), False
        return factors, cho_solve_banded(factors, self.load, check_finite=False)

    def _pulled(self, logarithms: Array, u: Array, adjoint: Array) -> Array:
        """Return λᵀ ∂u/∂ln a of an adjoint solution λ."""
        own, other = (np.append(v, 0.0)[self.nodes] for v in (u, adjoint))
        along = -np.exp(logarithms)[self.piece] * ((other @ ELEMENT) * own).sum(1)
        return np.asarray(np.bincount(self.piece, along, PIECES**2), dtype=float)

    def energy(self, logarithms: Array) -> tuple[float, Array]:
        """Return E and its gradient, infinite where u cannot be computed."""
        try:
            factors, u = self._solved(logarithms)
        except (np.linalg.LinAlgError, ValueError):
            return math.inf, np.zeros(PIECES**2)
        scaled = (self.seen @ u - self.values) / NOISE
        adjoint = cho_solve_banded(factors, self.seen.T @ scaled / NOISE, check_finite=False)
        prior = logarithms / SPREAD**2
        energy = float(scaled @ scaled + logarithms @ prior) / 2
        return energy, self._pulled(logarithms, u, adjoint) + prior

    def curvature(self, logarithms: Array) -> Array:
        """Return JᵀJ/σ² and the prior's part, (64, 64)."""
        factors, u = self._solved(logarithms)
        adjoints = cho_solve_banded(factors, self.seen.T, check_finite=False).T
        jacobian = np.stack([self._pulled(logarithms, u, own) for own in adjoints]) / NOISE
        return jacobian.T @ jacobian + np.eye(PIECES**2) / SPREAD**2


def most_likely(membrane: Membrane) -> Array:
    """Return the minimum of E, by damped Gauss–Newton steps from a = 1."""
    here, damping = np.zeros(PIECES**2), 1.0
    energy, slope = membrane.energy(here)
    for _ in range(200):
        matrix = membrane.curvature(here)
        tried = here - np.linalg.solve(matrix + damping * np.diag(matrix.diagonal()), slope)
        found, steep = membrane.energy(tried)
        if found < energy:
            here, energy, slope, damping = tried, found, steep, damping / 5
        else:
            damping *= 4
    return here


def chain(membrane: Membrane, start: Array, root: Array, draws: int, seed: int) -> Array:
    """Return draws of ln a, (draws, 64), after a tenth as many that do not count."""
    random = np.random.default_rng(seed)
    here, (energy, slope) = start, membrane.energy(start)
    found = []
    for k in range(draws + draws // 10):
        momentum = random.standard_normal(len(start))
        before = energy + momentum @ momentum / 2
        step, there, (height, steep) = 0.1 * random.uniform(0.8, 1.2), here, (energy, slope)
        for _ in range(16):
            half = momentum - step / 2 * root.T @ steep
            there = there + step * root @ half
            height, steep = membrane.energy(there)
            momentum = half - step / 2 * root.T @ steep
            if not height < energy + 1e3:
                break
        if random.random() < math.exp(min(0.0, float(before - height - momentum @ momentum / 2))):
            here, energy, slope = there, height, steep
        if k >= draws // 10:
            found.append(here)
    return np.array(found)


def reference(data: Array, draws: int, seeds: int) -> Iterator[dict[str, object]]:
    """Yield mean and deviation of every logarithm, and how far chains disagree."""
    membrane = Membrane(data)
    start = most_likely(membrane)
    root = np.linalg.cholesky(np.linalg.inv(membrane.curvature(start)))
    chains = np.stack([chain(membrane, start, root, draws, seed) for seed in range(seeds)])
    means = chains.mean(1)
    every = chains.reshape(-1, PIECES**2)
    for k in range(PIECES**2):
        yield {
            "piece": f"a[{k // PIECES + 1}][{k % PIECES + 1}]",
            "mean_log": round(float(every[:, k].mean()), 4),
            "std_log": round(float(every[:, k].std()), 4),
            "error_of_mean": round(float(means[:, k].std(ddof=1)) / math.sqrt(seeds), 4),
        }


def membrane_problem(data: Array, seed: int) -> Problem:
    """Return the benchmark as a problem."""
    sides = [f"u = 0 at {axis} = {end}" for axis in "xy" for end in (0, 1)]
    return pinngate.Problem(
        name="membrane",
        domain={"x": (0, 1), "y": (0, 1)},
        unknowns=["u"],
        equations=[f"-(a*u_x)_x - (a*u_y)_y = {LOAD}"],
        estimate={
            "a": pinngate.Unknown(
                1.0,
                positive=True,
                pieces={"x": PIECES, "y": PIECES},
                prior={"median": 1, "factor": f"exp({SPREAD})"},
            )
        },
        conditions=sides,
        observations=[pinngate.Observations("u", data[:, :2], data[:, 2], std=NOISE)],
        solve={"seed": seed},
    )


def compared(data: Array, known: Sequence[dict[str, str]], seed: int) -> dict[str, object]:
    """Return how far an answer is from the reference."""
    began, used = time.perf_counter(), time.process_time()
    found = pinngate.solve(membrane_problem(data, seed)).coefficients
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    means, stds = (np.array([float(r[key]) for r in known]) for key in ("mean_log", "std_log"))
    own = [found[row["piece"]] for row in known]
    logs = np.log([piece.estimate for piece in own])
    deviations = np.array([(piece.std or math.nan) / piece.estimate for piece in own])
    away, ratio = np.abs(logs - means) / stds, deviations / stds
    return {
        "seed": seed,
        "median |difference| / deviation": round(float(np.median(away)), 3),
        "largest": round(float(away.max()), 3),
        "deviations within 15 %": round(float(np.mean(np.abs(ratio - 1) < 0.15)), 3),
        "least ratio": round(float(ratio.min()), 3),
        "largest ratio": round(float(ratio.max()), 3),
        "seconds": round(seconds, 1),
        "processor seconds": round(processor, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the reference, or the comparison with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the published data")
    parser.add_argument("--out", type=Path, default=Path("results/notation"))
    parser.add_argument("--reference", action="store_true", help="make the reference")
    parser.add_argument("--draws", type=int, default=4000, help="of each chain of the reference")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args(arguments)
    data = np.loadtxt(asked.data / "data/membrane.csv", delimiter=",", skiprows=1)
    file = asked.out / "membrane-reference.csv"
    if asked.reference:
        write(reference(data, asked.draws, asked.seeds), file)
        return
    with file.open(encoding="utf-8") as stream:
        known = list(csv.DictReader(stream))
    rows = (compared(data, known, seed) for seed in range(asked.seeds))
    write(rows, asked.out / "membrane-pieces.csv")


if __name__ == "__main__":
    main()
