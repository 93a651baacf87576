"""What the strengths of octaves buy where noisy values of a function of one axis are smoothed.

    python -m pinngate.bench.smoothing --seeds 20 --out results/ablation

Signals with few lines, bumps, kinks and jumps, as sines between two fixed ends; the ridge is chosen
by `optim.direct_fit.block_ridges`, with octaves and without, on the same values.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pinngate.config import load, resolve
from pinngate.optim.direct_fit.block_ridges import Ridges
from pinngate.optim.direct_fit.weighted_functions import AxisBasis, Block

Array = NDArray[np.float64]

SIGNALS: dict[str, Callable[[Array], Array]] = {
    "one line": lambda x: np.sin(np.pi * x),
    "two lines": lambda x: np.sin(np.pi * x) + 0.5 * np.sin(4 * np.pi * x),
    "a high line": lambda x: np.sin(9 * np.pi * x),
    "a bump": lambda x: 4 * x * (1 - x) * np.exp(-np.square((x - 0.4) / 0.1)),
    "a kink": lambda x: np.minimum(x / 0.3, (1 - x) / 0.7),
    "two jumps": lambda x: ((x > 0.12) & (x < 0.37)).astype(float),
}
SETTINGS = ((50, 0.3), (200, 0.3), (1000, 0.1))  # values, standard deviation
ROUNDS = 4  # in which a ridge is chosen
COLUMNS = ("signal", "values", "std", "seeds", "error", "ratio", "quartile_1", "quartile_3")


def error(
    basis: AxisBasis,
    signal: Callable[[Array], Array],
    std: float,
    x: Array,
    noise: Array,
    *,
    has_octaves: bool,
) -> float:
    """Return the root mean square error over the axis of a fit to signal(x) + std·noise.

    Args:
        basis: the functions.
        signal: the truth.
        std: of the noise.
        x: places, (n,).
        noise: of standard deviation one, (n,).
        has_octaves: whether each octave has its part in the ridge.
    """
    block = Block("initial 0", slice(0, basis.count), 1.0, basis)
    ridges = Ridges([block], 0, 0.1, has_octaves=has_octaves)
    rows, right = basis(x) / std, -(signal(x) / std + noise)
    for _ in range(ROUNDS):
        ridges.choose(rows, right, np.zeros(basis.count))
    system = rows.T @ rows + np.diag(ridges.diagonal)
    everywhere = np.linspace(0, 1, 401)
    found = basis(everywhere) @ np.linalg.solve(system, -rows.T @ right)
    return float(np.sqrt(np.mean(np.square(found - signal(everywhere)))))


def compared(seeds: int) -> Iterator[tuple[object, ...]]:
    """Yield a row for each signal and setting: the error without, and with over without."""
    basis = AxisBasis.of(load(resolve("heat-noisy-ic")), "x", 33, [0.0, 1.0])
    for name, signal in SIGNALS.items():
        for count, std in SETTINGS:
            errors = []
            for seed in range(seeds):
                generator = np.random.default_rng(seed)
                x, noise = generator.random(count), generator.standard_normal(count)
                errors.append(
                    [error(basis, signal, std, x, noise, has_octaves=on) for on in (False, True)]
                )
            off, on = np.array(errors).T
            quartiles = np.quantile(on / off, (0.25, 0.75))
            size = float(np.sqrt(np.mean(off**2)))
            ratio = float(np.sqrt(np.mean(on**2))) / size
            yield name, count, std, seeds, *(f"{v:.3g}" for v in (size, ratio, *quartiles))


def main() -> None:
    """Write `octaves-smoothing.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("results/ablation"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "octaves-smoothing.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in compared(given.seeds):
            print(*row, flush=True)
            writer.writerow(row)


if __name__ == "__main__":
    main()
