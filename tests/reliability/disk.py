"""Disks that are full after k bytes or turn read-only, for every write of a run.

Small ones, of memory. Mounting one is for root; where that is not allowed nothing is tried, which
is told.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.reliability.children import Child
from tests.reliability.small import arguments, differences

ROOM = "64m"


@contextmanager
def disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a disk of some size.

    Raises:
        PermissionError: that is not allowed here.
    """
    place.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None or not _done(
        "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)
    ):
        raise PermissionError("no disk can be mounted")
    try:
        yield place
    finally:
        _done("umount", "-l", str(place))


def _done(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def remounted(place: Path, options: str) -> None:
    """Change a mounted disk."""
    assert _done("mount", "-o", f"remount,{options}", str(place))


def full_after(optimizer: str, kilobytes: int, whole: Path, place: Path) -> str | None:
    """Run on a disk of some kilobytes, make room, go on; return what is wrong, or None."""
    with disk(place, f"{kilobytes}k"):
        return _run_and_go_on(optimizer, whole, place, f"size={ROOM}", None)


def read_only_after(optimizer: str, seconds: float, whole: Path, place: Path) -> str | None:
    """Run on a disk that turns read-only after some seconds, turn it back, go on."""
    with disk(place, ROOM):
        return _run_and_go_on(optimizer, whole, place, "rw", seconds)


def _run_and_go_on(
    optimizer: str, whole: Path, place: Path, mended: str, seconds: float | None
) -> str | None:
    folder, said = place / "run", place.with_suffix(".txt")
    child = Child(arguments(optimizer, folder), said)
    if seconds is not None:
        time.sleep(seconds)
        if not _done("mount", "-o", "remount,ro", str(place)):  # busy: a file is open for writing
            seconds = None
    status, words = child.status(), child.words()
    if "Traceback" in words or "internal error" in words:
        return words[-600:]
    if status not in (0, 1, 2, 3):
        return f"status {status}: {words[-300:]}"
    is_done = (folder / "report.html").exists()
    if not is_done and not words.strip():
        return f"status {status} without a word"
    left = [path.name for path in place.rglob("*.part")]
    if left and seconds is None:
        return f"half-written: {left}"
    remounted(place, mended)
    if not is_done:
        command = ["resume", str(folder), "--quiet"]
        if not (folder / "problem.yaml").exists():
            command = arguments(optimizer, folder)
        child = Child(command, said)
        status, words = child.status(), child.words()
        if status not in (0, 1, 3):
            return f"does not go on, status {status}: {words[-400:]}"
    return "; ".join(differences(whole, folder)) or None


def moments(rng: Random, count: int, whole: Path) -> list[int]:
    """Return sizes of disks in kilobytes, from nothing to all that a run writes."""
    total = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file()) // 1024 + 64
    even = [4 + total * k // max(1, count) for k in range(count)]
    return [max(4, size + rng.randrange(-4, 5)) for size in even]


__all__ = ["disk", "full_after", "moments", "read_only_after"]
