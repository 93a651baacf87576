"""Amounts of main memory: read from text, written as text, and what the machine has free.

`solve.max_memory` and ``--max-memory`` are read here; the solvers compare the budget with what they
are going to need (`pinngate.linear.memory_plan`). Decimal units as on a disk (kB, MB, GB, TB)
and binary ones (KiB, MiB, GiB, TiB).
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

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
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class ControlGroup:
    """Where Linux tells the limit of a container; psutil knows the machine alone."""

    limit: Path
    usage: Path
    statistics: Path
    cached: str


_ROOT = Path("/sys/fs/cgroup")
CONTROL_GROUPS = (
    ControlGroup(
        _ROOT / "memory.max", _ROOT / "memory.current", _ROOT / "memory.stat", "inactive_file"
    ),
    ControlGroup(
        _ROOT / "memory" / "memory.limit_in_bytes",
        _ROOT / "memory" / "memory.usage_in_bytes",
        _ROOT / "memory" / "memory.stat",
        "total_inactive_file",
    ),
)
MOST = 2.0**60  # bytes; more no machine has
SHARE = 0.5  # of the free memory that is used unless a budget is stated


def parse_size(text: str | int | float) -> int:
    """Return the bytes of ``2GB``, ``500 MB``, ``1.5GiB``; a plain number counts bytes.

    Raises:
        ValueError: it is no amount of memory of one byte or more.
    """
    match = _AMOUNT.fullmatch(str(text))
    unit = _BY_NAME.get((match[2] or "B").lower()) if match else None
    size = float(match[1]) * unit if match is not None and unit is not None else 0.0
    if not 0.5 < size < MOST:
        raise ValueError(f"{text!r} is no amount of memory")
    return round(size)


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
    """Return the bytes of main memory that are free now, in a container those it may still use."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return min([free, *(room for group in CONTROL_GROUPS if (room := _room(group)) is not None)])


def _room(group: ControlGroup) -> int | None:
    """Return the bytes that a control group may still take, None where it has no limit.

    What its files hold in the cache is given back when memory is short and counts as free.
    """
    try:
        limit = int(group.limit.read_text())
        used = int(group.usage.read_text())
        statistics = dict(line.split() for line in group.statistics.read_text().splitlines())
        return max(0, limit - used + int(statistics.get(group.cached, 0)))
    except (OSError, ValueError):  # no such group, or "max"
        return None


def peak_memory() -> int | None:
    """Return the most bytes that this process has held so far, None where that is not told."""
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def keep_freed() -> bool:
    """Let this process keep the memory that it frees for what it needs next; return whether it may.

    By default glibc asks the system for every array of more than 128 KiB anew and gives it back at
    once, and the system clears each page of it: half of the time of a first-order step. What is
    kept is at most the peak so far. Of the whole process and for good, so a matter of whoever owns
    it: the command line asks for it, the library does not. Source: mallopt(3). Nothing happens
    where there is no glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    allocator = ctypes.CDLL(None).mallopt
    return all(allocator(option, _NEVER) for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h numbers the options
_NEVER = 1 << 30  # bytes from which it is done all the same


def budget(stated: int | None) -> int:
    """Return the bytes that a solver may use: what is stated, else half of what is free.

    Processes that torchrun has started on one machine divide that half among them.
    """
    if stated is not None:
        return stated
    return int(SHARE * free_memory()) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
