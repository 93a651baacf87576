"""Dates as numbers: how long after an origin, in a unit.

Dates are those of ISO 8601, ``2024-01-01``, ``2024-01-01 06:30``, ``2024-01-01T06:30:00+02:00``;
one without an offset is taken as UTC, for a clock that is put forward would make an hour vanish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TimeUnit = Literal["s", "min", "h", "d", "week", "year"]
SECONDS: dict[str, float] = {
    "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "week": 604800.0, "year": 31557600.0,
}  # fmt: skip
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}.*)?", re.ASCII)


def read_date(text: str) -> datetime:
    """Return the instant that a date says.

    Raises:
        ValueError: it is no date.
    """
    text = text.strip()
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date")
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def is_date(text: str) -> bool:
    """Whether a text says a date."""
    try:
        read_date(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Clock:
    """Turns dates into numbers. Attributes: `origin`, which is zero, and the `unit`."""

    origin: datetime
    unit: TimeUnit = "s"

    def __str__(self) -> str:
        return f"{self.unit} since {self.origin_text}"

    @property
    def origin_text(self) -> str:
        """The origin as a date."""
        return self.origin.isoformat(sep=" ").removesuffix("+00:00").removesuffix(" 00:00:00")

    def number(self, text: str) -> float:
        """Return the time at a date.

        Raises:
            ValueError: it is no date.
        """
        return (read_date(text) - self.origin).total_seconds() / SECONDS[self.unit]

    def numbers(self, dates: NDArray[np.datetime64] | Any) -> NDArray[np.float64]:
        """Return the times at an array of dates of numpy; NaN where there is none."""
        import numpy as np

        start = np.datetime64(self.origin.astimezone(UTC).replace(tzinfo=None), "us")
        passed = np.asarray(dates).astype("datetime64[us]") - start
        seconds = passed.astype(np.float64) / 1e6
        return np.where(np.isnat(passed), np.nan, seconds) / SECONDS[self.unit]


NO_CLOCK = "time: {origin: 2024-01-01, unit: h}, from when on and in which unit t counts"

__all__ = ["NO_CLOCK", "SECONDS", "Clock", "TimeUnit", "is_date", "read_date"]
