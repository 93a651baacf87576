"""How a stated set of observations was taken: means over an axis, missing codes, held-out values.

Part of the stated problem, next to `problem`, which says what was observed where. Everything here
is a plain statement; `observations` reads the files and `quantities` evaluates what a sensor sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pinngate.tables.in_memory import InMemoryTable


@dataclass(frozen=True)
class Mean:
    """The mean over some axes: over their whole extent, or over a window about each point.

    `width` is the full width of the window along its only axis, cut off at the ends of the domain.
    """

    axes: tuple[str, ...]
    width: float | None = None

    def __str__(self) -> str:
        over = ", ".join(self.axes)
        return f"over {over}" if self.width is None else f"over {self.width:g} in {over}"


@dataclass(frozen=True)
class Table:
    """How a file holds one observed quantity.

    Attributes:
        columns: the file's name for what pinngate calls otherwise: axes, ``value`` and ``std``.
        missing: cells that stand for "not measured", as text; empty cells always do.
        max_rows: most values that are fitted; more are thinned to a stratified subset. All where
            it is None.
        at: places on axes that the file has no column of.
        sensors: in a wide table the place of each sensor, by its column.
    """

    columns: Mapping[str, str]
    missing: tuple[str, ...] = ()
    max_rows: int | None = None
    at: Mapping[str, float] = field(default_factory=dict)
    sensors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def placed(self) -> tuple[str, ...]:
        """The axes that the file has no column of."""
        return (*self.at, *next(iter(self.sensors.values()), {}))


@dataclass(frozen=True)
class Holdout:
    """Values that are never fitted: a random fraction of the set, or those of another file."""

    fraction: float | None = None
    file: Path | InMemoryTable | None = None


__all__ = ["Holdout", "Mean", "Table"]
