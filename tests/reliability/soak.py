"""Many solves in one process: memory, descriptors and threads stay as they were."""

from __future__ import annotations

import gc
import statistics
import threading
import time
from dataclasses import dataclass

import psutil

import pinngate
from pinngate import config
from tests.reliability.small import PROBLEM, SETTINGS

FLAT = 1.05


@dataclass(frozen=True)
class Soaked:
    """What was seen of a soak: solves, and first and last third of what it held, in medians."""

    solves: int
    megabytes: tuple[float, float]
    descriptors: tuple[int, int]
    threads: tuple[int, int]

    @property
    def failures(self) -> list[str]:
        """What grew."""
        found = []
        if self.megabytes[1] > FLAT * self.megabytes[0]:
            found.append(f"memory from {self.megabytes[0]:.0f} to {self.megabytes[1]:.0f} MB")
        if self.descriptors[1] > self.descriptors[0]:
            found.append(f"descriptors from {self.descriptors[0]} to {self.descriptors[1]}")
        if self.threads[1] > self.threads[0]:
            found.append(f"threads from {self.threads[0]} to {self.threads[1]}")
        return found


def soak(minutes: float, fewest: int = 12) -> Soaked:
    """Solve small problems for some minutes, and `fewest` times at least."""
    process, began = psutil.Process(), time.monotonic()
    held: list[tuple[float, int, int]] = []
    while time.monotonic() - began < 60 * minutes or len(held) < fewest:
        seed = len(held)
        settings = list(SETTINGS.values())[seed % len(SETTINGS)]
        stated = [*settings, f"solve.seed={seed}"]
        pinngate.solve(config.load(config.resolve(PROBLEM), overrides=stated))
        gc.collect()
        held.append((process.memory_info().rss / 1e6, process.num_fds(), threading.active_count()))
    third = len(held) // 3
    first, last = held[third : 2 * third], held[2 * third :]
    ends = [
        (statistics.median(row[k] for row in first), statistics.median(row[k] for row in last))
        for k in range(3)
    ]
    return Soaked(
        len(held),
        ends[0],
        (int(ends[1][0]), int(ends[1][1])),
        (int(ends[2][0]), int(ends[2][1])),
    )
