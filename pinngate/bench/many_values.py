"""Error, memory and seconds against the number of values: ``python -m pinngate.bench.many_values``.

Runs the shipped problem of a cooling plate, heat in two space dimensions, with ever more values,
each in a process of its own, whose seconds of processor and largest resident memory the operating
system tells. The table goes to a folder as CSV with a figure; `results/many-values` holds them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PROBLEM = "heat-2d-scattered"


def measured(count: int, seed: int) -> dict[str, float]:
    """Return error, seconds of processor and peak memory of one run on `count` values.

    Raises:
        subprocess.CalledProcessError: the run failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "pinngate", "run", PROBLEM, "--seed", str(seed), "--quiet"]
        command += ["--set", f"observations.0.count={count}", "--out", str(out)]
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        metrics = json.loads((out / "metrics.json").read_text())
    return {
        "values": count,
        "seed": seed,
        "error": metrics["fields"]["u"]["relative_l2"],
        "coverage": metrics["fields"]["u"]["coverage_95"],
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "solve_seconds": round(metrics["seconds"]["solve"], 1),
        "memory_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
    }


def rows(counts: Sequence[int], seeds: Sequence[int]) -> Iterator[dict[str, float]]:
    """Yield the row of every run, the small ones first; so many seeds of each count."""
    for count, num_seeds in zip(counts, seeds, strict=True):
        for seed in range(num_seeds):
            yield measured(count, seed)


def figure(found: Sequence[Mapping[str, float]]) -> Figure:
    """Draw medians against the number of values with the slope of independent errors."""
    drawn = Figure(figsize=(9, 3), layout="constrained")
    panels: Sequence[Axes] = drawn.subplots(1, 3)
    columns = ("error", "processor_seconds", "memory_gb")
    labels = ("relative L2 error", "seconds of processor", "peak memory, GB")
    by_count = {k: list(own) for k, own in groupby(found, key=lambda row: int(row["values"]))}
    counts = np.array(list(by_count))
    for axes, column, label in zip(panels, columns, labels, strict=True):
        medians = [np.median([row[column] for row in own]) for own in by_count.values()]
        axes.loglog([r["values"] for r in found], [r[column] for r in found], ".", color="#999999")
        axes.loglog(counts, medians, "o-", color="#0072b2", label="median")
        if column == "error":
            slope = medians[0] * np.sqrt(counts[0] / counts)
            axes.loglog(counts, slope, "--", color="#555555", label="one over the square root")
        axes.set(xlabel="values", ylabel=label)
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return drawn


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write `runs.csv` and `figures/curves.png` to the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 5, 1])
    parser.add_argument("--out", type=Path, default=Path("results/many-values"))
    stated = parser.parse_args(arguments)
    figures = stated.out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, float]] = []
    for row in rows(stated.counts, stated.seeds):
        found.append(row)
        with (stated.out / "runs.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerows(found)
    figure(found).savefig(figures / "curves.png", dpi=110)


if __name__ == "__main__":
    main()
