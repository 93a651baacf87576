"""A study: cells to run and what they come to; the runner, and the folder of the result."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from matplotlib.figure import Figure

import pinngate
from pinngate.errors import InputError, nearest
from pinngate.report.style import png
from pinngate.studies.cells import CELLS, Cell, Place, Record, finished, run_cell
from pinngate.studies.study_settings import Settings, read_settings
from pinngate.writing import write_bytes, write_text

MODULES = MappingProxyType(
    {
        "grokking": "grokking",
        "noisy-image": "noisy_image",
        "double-descent": "double_descent",
        "dpo": "preference_tuning",
    }
)
"""Studies by name: the module that holds each as ``STUDY``."""

Rows = list[dict[str, Any]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What the records of a study come to.

    Attributes:
        lines: the answer in Markdown.
        tables: rows by name of their file.
        figures: by name of their file.
    """

    lines: list[str]
    tables: dict[str, Rows]
    figures: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """One of the studies.

    Attributes:
        title: one line.
        settings: kind of its settings.
        cells: what has to be run, those that others come after first.
        measure: runs one cell, ``(settings, place)`` → record of plain values.
        outcome: ``(settings, records by cell name)`` → what they come to.
        packages: beside torch, whose versions belong to the result.
    """

    title: str
    settings: type[Settings]
    cells: Callable[[Any], list[Cell]]
    measure: Callable[[Any, Place], Record]
    outcome: Callable[[Any, dict[str, Record]], Outcome]
    packages: tuple[str, ...] = ()


def study_named(name: str) -> Study:
    """Return a study.

    Raises:
        InputError: there is none of this name.
    """
    if name not in MODULES:
        raise InputError(
            f"unknown study '{name}'",
            expected=f"one of {', '.join(MODULES)}",
            hint=nearest(name, MODULES),
        )
    study = importlib.import_module(f"pinngate.studies.{MODULES[name]}").STUDY
    assert isinstance(study, Study)
    return study


def run_study(
    name: str,
    folder: Path,
    *,
    is_quick: bool = False,
    device: str = "cpu",
    num_workers: int = 1,
    overrides: Sequence[str] = (),
    command: str = "",
    tell: Tell = lambda _: None,
) -> Outcome:
    """Run what a study still lacks, and write its tables, figures and page.

    Args:
        name: of the study.
        folder: for the result and the records of finished cells.
        is_quick: whether to run the quick version.
        device: of torch.
        num_workers: processes, of one thread each; 1 runs here, with torch's own threads.
        overrides: of settings, ``path=value``.
        command: as it was typed, for the page.
        tell: told in words what was finished.

    Raises:
        InputError: the name, a setting or the device is wrong, a package is missing, or the folder
            holds cells of other settings or cannot be written.
    """
    _check_device(device)
    study = study_named(name)
    settings = read_settings(study.settings, name, is_quick=is_quick, overrides=overrides)
    cells = study.cells(settings)
    try:
        (folder / CELLS).mkdir(parents=True, exist_ok=True)
        records: dict[str, Record] = {}
        for cell in cells:
            if (record := finished(folder, cell)) is not None:
                records[cell.name] = record
        tell(f"{len(records)} of {len(cells)} cells are there")
        measure = partial(study.measure, settings)
        for done, record in _executed(measure, folder, cells, records, device, num_workers):
            records[done] = record
            tell(f"{len(records)}/{len(cells)}  {done}")
        outcome = study.outcome(settings, {cell.name: records[cell.name] for cell in cells})
        _write(study, outcome, folder, command, device)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}") from None
    return outcome


def _check_device(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        told = str(error).splitlines()
        raise InputError(
            f"device '{device}' cannot be used: {told[0] if told else error}",
            expected="cpu, or cuda where torch sees a device",
        ) from None


def _executed(
    measure: Callable[[Place], Record],
    folder: Path,
    cells: Sequence[Cell],
    records: dict[str, Record],
    device: str,
    num_workers: int,
) -> Iterator[tuple[str, Record]]:
    """Yield records of cells as they are finished, each after the one that it needs.

    The caller adds them to `records` before it asks for the next.
    """
    missing = [cell for cell in cells if cell.name not in records]
    if num_workers == 1:
        for cell in missing:
            yield cell.name, run_cell(measure, folder, cell, device, _earlier(cell, records))
        return
    with ProcessPoolExecutor(num_workers, get_context("spawn"), _one_thread) as pool:
        while missing:
            ready = [c for c in missing if c.after is None or c.after in records]
            missing = [c for c in missing if c not in ready]
            futures = {
                pool.submit(run_cell, measure, folder, c, device, _earlier(c, records)): c.name
                for c in ready
            }
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _one_thread() -> None:
    torch.set_num_threads(1)


def _earlier(cell: Cell, records: dict[str, Record]) -> Record | None:
    return None if cell.after is None else records[cell.after]


def _write(study: Study, outcome: Outcome, folder: Path, command: str, device: str) -> None:
    for name, rows in outcome.tables.items():
        write_text(folder / f"{name}.csv", table_text(rows))
    for name, figure in outcome.figures.items():
        write_bytes(folder / f"{name}.png", png(figure))
    files = [*(f"{name}.csv" for name in outcome.tables), *(f"{n}.png" for n in outcome.figures)]
    page = [
        f"# {study.title}",
        "",
        f"    {command}",
        "",
        f"{datetime.now().astimezone().date().isoformat()}; {_versions(study.packages)}; "
        f"device {device}. Written by the command: {', '.join(files)}.",
        "",
        *outcome.lines,
    ]
    write_text(folder / "README.md", "\n".join(page))


def _versions(packages: Sequence[str]) -> str:
    found = [f"pinngate {pinngate.__version__}"]
    for package in ("torch", "numpy", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} absent")
    return ", ".join(found)


def table_text(rows: Rows) -> str:
    """Return rows as CSV to six significant digits; what is not known is an empty cell."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell_text(row.get(key)) for key in columns] for row in rows])
    return text.getvalue().rstrip("\n")


def _cell_text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def markdown(rows: Rows) -> list[str]:
    """Return rows as lines of a Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row.get(key) for key in columns]
        shown = [f"{c:.3g}" if isinstance(c, float) else _cell_text(c) for c in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return lines
