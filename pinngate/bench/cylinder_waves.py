"""Plane waves beside a direct spectral fit: ``python -m pinngate.bench.cylinder_waves``.

On the values that `pinngate.solve` is given: least squares on Σ_m J_m(k r)(a_m cos mθ + b_m sin mθ)
about the middle of the square, whose members solve Helmholtz' equation exactly, m up to the order
of least leave-one-out risk. Such waves go on beyond the square, which the problem does not say.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import jv

import pinngate

Array = NDArray[np.float64]

STD, COUNT, EDGE = 0.1, 4000, 0.03
COLUMNS = ("k", "seed", "ours", "ours_inside", "coverage", "spectral", "spectral_inside", "order")


def plane_waves(x: Array, y: Array, k: float) -> Array:
    """Return the truth of `results/any-signal/problems/helmholtz.yaml`."""
    return np.sin(0.6 * k * x + 0.8 * k * y) + np.cos(0.8 * k * x - 0.6 * k * y)


def cylinder_waves(x: Array, y: Array, k: float, order: int) -> Array:
    """Return J_0(k r), J_1(k r) cos θ, J_1(k r) sin θ, … about (0.5, 0.5), (N, 2·order + 1)."""
    r, angle = np.hypot(x - 0.5, y - 0.5), np.arctan2(y - 0.5, x - 0.5)
    pairs = [
        jv(m, k * r)[:, None] * np.stack([np.cos(m * angle), np.sin(m * angle)], 1)
        for m in range(1, order + 1)
    ]
    return np.concatenate([jv(0, k * r)[:, None], *pairs], 1)


def spectral_fit(x: Array, y: Array, values: Array, k: float) -> tuple[int, Array]:
    """Return the order of least leave-one-out risk and the weights of its functions."""
    best: tuple[float, int, Array] | None = None
    for order in range(int(0.5 * k), int(0.9 * k) + 10, 2):
        u, s, vt = np.linalg.svd(cylinder_waves(x, y, k, order), full_matrices=False)
        kept = s > 1e-10 * s[0]
        inside = u[:, kept].T @ values
        errors = (values - u[:, kept] @ inside) / (1 - np.square(u[:, kept]).sum(1))
        risk = float(np.mean(np.square(errors)))
        if best is None or risk < best[0]:
            best = risk, order, vt[kept].T @ (inside / s[kept])
    if best is None:
        raise ValueError("no order to try")
    return best[1], best[2]


def compared(k: float, seed: int) -> dict[str, float]:
    """Return errors over the square, and over what is `EDGE` inside it, of both."""
    generator = np.random.default_rng(seed)
    x, y = generator.uniform(size=(2, COUNT))
    values = plane_waves(x, y, k) + STD * generator.standard_normal(COUNT)
    problem = pinngate.Problem(
        domain={"x": [0, 1], "y": [0, 1]},
        unknowns=["u"],
        constants={"k": k},
        equations=["u_xx + u_yy + k**2*u = 0"],
        observations=[pinngate.Observations("u", {"x": x, "y": y}, values)],
    )
    solution = pinngate.solve(problem)
    grid = np.linspace(0, 1, 101)
    across, along = (g.ravel() for g in np.meshgrid(grid, grid, indexing="ij"))
    truth = plane_waves(across, along, k)
    inside = np.maximum(np.abs(across - 0.5), np.abs(along - 0.5)) < 0.5 - EDGE
    order, weights = spectral_fit(x, y, values, k)
    theirs = cylinder_waves(across, along, k, order) @ weights - truth
    ours = solution(x=across, y=along)["u"] - truth
    deviation = solution.std(x=across, y=along)["u"]

    def relative(error: Array, rows: NDArray[np.bool_]) -> float:
        return float(np.linalg.norm(error[rows]) / np.linalg.norm(truth[rows]))

    everywhere = np.ones(len(truth), dtype=bool)
    return {
        "k": k,
        "seed": seed,
        "ours": relative(ours, everywhere),
        "ours_inside": relative(ours, inside),
        "coverage": float(np.mean(np.abs(ours) < 1.96 * deviation)),
        "spectral": relative(theirs, everywhere),
        "spectral_inside": relative(theirs, inside),
        "order": order,
    }


def main() -> None:
    """Write one row for each wave number and seed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--wave-numbers", type=float, nargs="+", default=[30.0, 60.0, 120.0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "cylinder-waves.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for k in options.wave_numbers:
            for seed in range(options.seeds):
                row = compared(k, seed)
                writer.writerow({name: f"{value:.5g}" for name, value in row.items()})
                file.flush()


if __name__ == "__main__":
    main()
