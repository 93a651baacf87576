"""The command ``pinngate theory``: repeat runs, measure, write tables and figures.

Runs are repeated from their folders (`repeated_draws`); tables and figures of each go into its
folder ``theory``, those of several together into one that is named. Top of the room.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

import pinngate
from pinngate.errors import InputError
from pinngate.report.style import png
from pinngate.theory import study_figures as drawn
from pinngate.theory import study_tables as tables
from pinngate.theory.repeated_draws import OnDraw, Study, study
from pinngate.writing import write_bytes, write_text

NUM_DRAWS = 3  # the least from which shares of the fitted noise have an error


@dataclass(frozen=True)
class StudiedRuns:
    """Studies of one or several runs, and what was said of them in words.

    Attributes:
        studies: one for each run.
        lines: the table that the command prints.
        folder: where tables and figures lie.
    """

    studies: list[Study]
    lines: list[str]
    folder: Path

    def summary(self) -> dict[str, Any]:
        """Return shares, exponents and risks as plain numbers; None for what is not known."""
        found = {
            "shares": tables.share_rows(self.studies),
            "growth": tables.growth_rows(self.studies),
            "risk": tables.risk_rows(self.studies),
        }
        plain: dict[str, Any] = json.loads(json.dumps(found), parse_constant=lambda _: None)
        return {"format": 1} | plain


def study_runs(
    folders: Sequence[Path],
    *,
    num_draws: int = NUM_DRAWS,
    out: Path | None = None,
    command: str = "",
    on_draw: OnDraw | None = None,
) -> StudiedRuns:
    """Study runs and write tables and figures.

    Args:
        folders: of the runs; different optimizers on one problem compare best.
        num_draws: noise draws of each.
        out: folder of the tables; of one run by default ``theory`` in its own.
        command: as it was typed, for the record beside the tables.
        on_draw: told in words what comes next.

    Raises:
        InputError: a folder holds no run that can be studied, or `out` is missing or cannot be
            written.
    """
    if out is None and len(folders) > 1:
        raise InputError("several runs are studied together", expected="--out, a folder for them")
    target = out or folders[0] / "theory"
    studies = [study(folder, num_draws, on_draw) for folder in folders]
    try:
        _write_tables(studies, target)
        _write_figures(studies, target / "figures")
        write_text(target / "about.json", json.dumps(_about(studies, command), indent=2))
    except OSError as error:
        raise InputError(f"cannot write to {target}: {error.strerror or error}") from None
    return StudiedRuns(studies, tables.summary_lines(studies), target)


def _write_tables(studies: Sequence[Study], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "shares": tables.share_rows(studies),
        "directions": tables.direction_rows(studies),
        "growth": tables.growth_rows(studies),
        "risk": tables.risk_rows(studies),
        "course": tables.course_rows(studies),
        "noise-spectrum": tables.wave_rows(studies),
        "kernel-spectrum": tables.kernel_rows(studies, "spectrum"),
        "kernel-evolution": tables.kernel_rows(studies, "evolution"),
    }
    for name, rows in written.items():
        if rows:
            _write_rows(folder / f"{name}.csv", rows)


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table to six significant digits; what is not known is an empty cell."""
    columns = tables.columns_of(list(rows))
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(
            zip(*([_cell(v) for v in c.tolist()] for c in columns.values()), strict=True)
        )
    part.replace(path)


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if value != value else f"{value:.6g}"


def _write_figures(studies: Sequence[Study], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure | None] = {
        "partition": drawn.partition_figure(studies),
        "risk": drawn.risk_figure(studies),
        "noise-spectrum": drawn.wave_figure(studies),
    }
    if any(len(moved) > 1 for one in studies for _, moved in one.walks.values()):
        figures["drift"] = drawn.growth_figure(studies)
    for k, one in enumerate(studies):
        figures["kernel" if len(studies) == 1 else f"kernel-{k + 1}"] = drawn.kernel_figure(one)
    for name, figure in figures.items():
        if figure is not None:
            write_bytes(folder / f"{name}.png", png(figure))


def _about(studies: Sequence[Study], command: str) -> dict[str, Any]:
    return {
        "command": command,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "pinngate": pinngate.__version__,
        "torch": version("torch"),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "runs": [
            {
                "problem": one.problem.name,
                "optimizer": one.label,
                "iterations": one.problem.solve.iterations,
                "seed": one.problem.solve.seed,
                "draws": len(one.draws),
            }
            for one in studies
        ],
    }
