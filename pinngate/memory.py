"""Amounts of main memory: read from text, written as text, and what the machine has free.

`solve.max_memory` and ``--max-memory`` are read here; the solvers compare the budget with what they
are going to need (`pinngate.linear.memory_plan`). Decimal units as on a disk (kB, MB, GB, TB)
and binary ones (KiB, MiB, GiB, TiB).
"""

from __future__ import annotations

import os
import re
import sys

try:
    import resource
except ImportError:  # no such module on Windows
    resource = None  # type: ignore[assignment]

UNITS = {
    "B": 1,
    **{unit + "B": 1000**power for power, unit in enumerate(["k", "M", "G", "T"], 1)},
    **{unit + "iB": 1024**power for power, unit in enumerate(["K", "M", "G", "T"], 1)},
}
_BY_NAME = {name.lower(): size for name, size in UNITS.items()}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE)
SHARE = 0.5  # of the free memory that is used unless a budget is stated


def parse_size(text: str | int | float) -> int:
    """Return the bytes of ``2GB``, ``500 MB``, ``1.5GiB``; a plain number counts bytes.

    Raises:
        ValueError: it is no amount of memory of one byte or more.
    """
    match = _AMOUNT.fullmatch(str(text))
    unit = _BY_NAME.get((match[2] or "B").lower()) if match else None
    if match is None or unit is None or (size := round(float(match[1]) * unit)) < 1:
        raise ValueError(f"{text!r} is no amount of memory")
    return size


def exact_text(size: int) -> str:
    """Return the shortest text that `parse_size` reads back to exactly this number of bytes."""
    texts = [f"{size // unit}{name}" for name, unit in UNITS.items() if size % unit == 0]
    return min(texts, key=len)


def rounded_text(size: float) -> str:
    """Return an amount for a person, three digits in decimal units: ``1.23 GB``."""
    name, unit = "B", 1
    for larger in ("kB", "MB", "GB", "TB"):
        if size >= 999.5 * unit:
            name, unit = larger, UNITS[larger]
    return f"{size / unit:.3g} {name}"


def free_memory() -> int:
    """Return the bytes of main memory that are free now, of all memory where that is not told."""
    known = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return os.sysconf(known) * os.sysconf("SC_PAGE_SIZE")


def peak_memory() -> int | None:
    """Return the most bytes that this process has held so far, None where that is not told."""
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def budget(stated: int | None) -> int:
    """Return the bytes that a solver may use: what is stated, else half of what is free."""
    return int(SHARE * free_memory()) if stated is None else stated
