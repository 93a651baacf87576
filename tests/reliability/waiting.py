"""How well the time left is foretold: told at half of a run, against what it then took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pinngate
from pinngate.runs.training import Progress, begin, train

FACTOR = 2.0  # of the time left, either way
SHIPPED = (  # all that take more than a moment and more than one iteration
    "wave-noisy-ic", "heat-noisy-ic", "advection-noisy-ic", "heat-scattered", "heat-sensors",
    "darcy-field", "helmholtz-2d", "poisson-2d", "membrane-noisy-ic", "heat-2d-scattered",
    "kovasznay", "heat-disk", "heat-hole", "poisson-l-shape", "plume-2d",
)  # fmt: skip


@dataclass(frozen=True)
class Foretold:
    """One run: seconds of solving that were left at its half, as told and as they were."""

    problem: str
    seed: int
    told: float
    left: float

    @property
    def ratio(self) -> float:
        """Told over true."""
        return self.told / self.left

    @property
    def is_right(self) -> bool:
        """Whether it is within a factor of two."""
        return 1 / FACTOR <= self.ratio <= FACTOR


def foretold(problem: str, seed: int) -> Foretold | None:
    """Solve a shipped problem; None where it has too few iterations for anything to be told."""
    session = begin(pinngate.load(problem, overrides=[f"solve.seed={seed}"]))
    seen: list[Progress] = []
    train(session, callback=seen.append)
    total = session.seconds
    middle = min(seen, key=lambda progress: abs(progress.seconds - total / 2))
    left = total - middle.seconds
    return Foretold(problem, seed, middle.seconds_left, left) if left > 0.1 * total else None


def runs(seeds: range, problems: tuple[str, ...] = SHIPPED) -> Iterator[Foretold]:
    """Yield what was told in each run, problem by problem."""
    for problem in problems:
        for seed in seeds:
            found = foretold(problem, seed)
            if found is not None:
                yield found
