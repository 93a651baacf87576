"""The cells of a study, arm by seed: each is run once, kept, and never run again.

A finished cell is one file, ``cells/NAME.json`` in the study's folder, written in one step with
all that it depends on. Within a cell the state of training is kept now and then in ``NAME.pt``, so
that what was interrupted goes on from there, with the same numbers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pinngate.errors import InputError
from pinngate.writing import replacing, write_text

CELLS = "cells"
KEPT_EVERY = 30.0  # seconds from one checkpoint to the next: more is lost than writing costs
Record = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes:
        name: of its files.
        about: all that its record depends on, as plain values.
        after: the cell whose record it needs.
    """

    name: str
    about: dict[str, Any]
    after: str | None = None


@dataclass
class Place:
    """Where a cell runs: its folder, its device, and the state it was left in.

    Attributes:
        folder: of the study.
        cell: that runs.
        device: ``cpu``, ``cuda`` …
        earlier: record of the cell that this one comes after.
    """

    folder: Path
    cell: Cell
    device: str = "cpu"
    earlier: Record | None = None
    _last: float = field(default_factory=time.monotonic)

    @property
    def checkpoint(self) -> Path:
        """The file of the unfinished state."""
        return self.folder / CELLS / f"{self.cell.name}.pt"

    def left_state(self) -> dict[str, Any] | None:
        """Return the state that an interrupted run of this cell has left, None where there is none.

        A file that cannot be read, or of a cell with other settings, counts as none.
        """
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        except Exception:  # damaged files make torch, pickle and zip raise whatever they can
            return None
        if not isinstance(state, dict) or state.pop("about", None) != json.dumps(self.cell.about):
            return None
        return state

    def keep_state(self, make: Callable[[], dict[str, Any]], *, is_now: bool = False) -> None:
        """Write the state of training if it is time, or now."""
        if not is_now and time.monotonic() - self._last < KEPT_EVERY:
            return
        with replacing(self.checkpoint) as part:
            torch.save(make() | {"about": json.dumps(self.cell.about)}, part)
        self._last = time.monotonic()


def finished(folder: Path, cell: Cell) -> Record | None:
    """Return the record of a finished cell, None where it has not been run.

    Raises:
        InputError: the folder holds a cell of this name with other settings, or no record.
    """
    path = folder / CELLS / f"{cell.name}.json"
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        about, record = kept["about"], kept["record"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path} is no record of a cell", hint="delete it to run it anew"
        ) from None
    if about != json.loads(json.dumps(cell.about)):
        raise InputError(
            f"{path} was made with other settings",
            expected="the settings that this folder was begun with",
            hint="choose another folder with --out",
        )
    return dict(record)


def run_cell(
    measure: Callable[[Place], Record], folder: Path, cell: Cell, device: str, earlier: Any
) -> Record:
    """Run one cell and keep its record."""
    place = Place(folder, cell, device, earlier)
    record = measure(place)
    write_text(
        folder / CELLS / f"{cell.name}.json", json.dumps({"about": cell.about, "record": record})
    )
    place.checkpoint.unlink(missing_ok=True)
    return record
