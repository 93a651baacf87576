"""Kernel spectrum of a finished run: the command ``pinngate spectrum``.

The problem is rebuilt from the run folder, the residuals are linearised at the answer
(`pinngate.inference.kernel`), and what was logged of the spectrum during training is read from
``history.csv``. Nothing is trained and no file of the run is changed; ``spectrum.csv`` and
``figures/spectrum.png`` are added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinngate.errors import InputError
from pinngate.inference.kernel import KernelSpectrum
from pinngate.report.archive import read
from pinngate.report.candidates import Course, winner_of
from pinngate.report.spectrum_figure import EVOLUTION, spectrum_figure
from pinngate.report.style import png
from pinngate.runs import files
from pinngate.runs.folder import load_session
from pinngate.runs.training import limited_threads
from pinngate.writing import write_bytes

TABLE = "spectrum.csv"
FIGURE = "figures/spectrum.png"
NUM_COURSE = 5  # logged rows in the table
NUM_LEADING = 24  # directions in the table, spread evenly over the orders of magnitude of j


@dataclass(frozen=True)
class RunSpectrum:
    """The kernel at the answer of a run, and the log of the network that gave it."""

    problem: str
    optimizer: str
    kernel: KernelSpectrum
    course: Course

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns of ``spectrum.csv``, a row for each direction."""
        kernel = self.kernel
        return {
            "direction": np.arange(1, len(kernel.eigenvalues) + 1),
            "eigenvalue": kernel.eigenvalues,
            "filter": kernel.filters,
            "energy": kernel.energy,
            "cumulated_share": kernel.cumulated_share,
        }

    def evolution(self) -> dict[str, list[float | None]]:
        """Return what was logged of the spectrum, by the winner's own iterations."""
        columns = self.course.columns
        logged = [name for name in EVOLUTION if self.course.series([name])]
        return {
            name: [float(v) if math.isfinite(v) else None for v in columns[name]]
            for name in ("iteration", *logged)
        }

    def summary(self) -> dict[str, Any]:
        """Return everything as plain numbers and lists."""
        kernel = self.kernel
        return {
            "format": 1,
            "problem": self.problem,
            "optimizer": self.optimizer,
            "rows": kernel.num_rows,
            "weights": kernel.num_weights,
            "observations": kernel.num_observations,
            "ridge": kernel.ridge,
            "kernel_dimension": kernel.kernel_dimension,
            "effective_dimension": kernel.effective_dimension,
            "signal_directions": kernel.num_signal,
            "is_partial": kernel.is_partial,
            "signal_share": kernel.signal_share,
            "explained_share": kernel.explained_share,
            "spectrum": {name: column.tolist() for name, column in self.columns().items()},
            "evolution": self.evolution(),
        }

    def lines(self) -> list[str]:
        """Return the table that the command prints."""
        kernel = self.kernel
        num_all = min(kernel.num_rows, kernel.num_weights)
        least, most = ("at least ", "at most ") if kernel.is_partial else ("", "")
        lines = [
            f"{self.problem}: kernel of {kernel.num_rows} residuals in {kernel.num_weights} "
            f"weights, {self.optimizer}",
            f"  signal channel   {least}{kernel.num_signal} of {num_all} directions with λ > α = "
            f"{kernel.ridge:.3g}, {kernel.signal_share:.1%} of the target",
            f"  reservoir        {most}{num_all - kernel.num_signal} directions and what no weight "
            f"moves, {1 - kernel.signal_share:.1%} of the target",
            f"  dimension        {least}{kernel.kernel_dimension:.1f} of the kernel, effective "
            f"{kernel.effective_dimension:.1f} on {kernel.num_observations} observations",
            "",
            "  direction   eigenvalue   filter   share of the target up to here",
        ]
        columns = list(self.columns().values())
        for k in _spread(len(kernel.eigenvalues)):
            j, eigenvalue, weight, _, share = (column[k] for column in columns)
            lines.append(f"  {j:9d}   {eigenvalue:10.3e}   {weight:6.3f}   {share:.4f}")
        return lines + _evolution_lines(self.evolution())


def _evolution_lines(evolution: dict[str, list[float | None]]) -> list[str]:
    """Return the logged quantities at a few iterations; nothing where none was logged."""
    if len(evolution) <= 1:
        return []
    names = [EVOLUTION.get(name, (name,))[0] for name in evolution]
    lines = ["", "  " + "   ".join(names)]
    num_rows = len(evolution["iteration"])
    for row in sorted({round(k) for k in np.linspace(0, num_rows - 1, NUM_COURSE)}):
        cells = [_cell(evolution[name][row]) for name in evolution]
        padded = [c.rjust(len(n)) for c, n in zip(cells, names, strict=True)]
        lines.append("  " + "   ".join(padded))
    return lines


def _spread(count: int) -> list[int]:
    """Return places 0 … count − 1, all of the first and then ever fewer."""
    places = np.geomspace(1, max(1, count), min(count, NUM_LEADING))
    return sorted({round(float(place)) - 1 for place in places})


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def analyse(folder: Path) -> RunSpectrum:
    """Return the spectrum of a finished run.

    Raises:
        InputError: the folder holds no finished run, the problem has no observations, or the
            kernel does not fit into memory.
    """
    archive = read(folder)
    session = load_session(folder)
    stepper = session.stepper
    with limited_threads(stepper.num_threads):
        kernel = stepper.kernel()
    if kernel is None:
        raise InputError(
            f"the run in {folder} has no observations",
            expected="data, against which the ridge and so the signal channel are chosen",
        )
    problem = session.problem
    return RunSpectrum(problem.name, problem.solve.optimizer, kernel, winner_of(archive))


def write(spectrum: RunSpectrum, folder: Path) -> None:
    """Write ``spectrum.csv`` and ``figures/spectrum.png`` into the folder of the run.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        (folder / FIGURE).parent.mkdir(exist_ok=True)
        files.write_csv(folder / TABLE, spectrum.columns())
        figure = png(spectrum_figure(spectrum.kernel, spectrum.course))
        write_bytes(folder / FIGURE, figure)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}") from None
