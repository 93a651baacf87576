"""One process at a time in a folder of a run.

The lock is the system's own, on the folder itself: it leaves no file, and goes with the process
that holds it, however that ends. Where a system or a network disk has no such locks, there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EAGAIN
from pathlib import Path

from pinngate.errors import InputError

try:
    import fcntl
except ImportError:  # no such module on Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder inside the block.

    Raises:
        InputError: another process is at work in it.
    """
    held = None if fcntl is None else _taken(folder)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _taken(folder: Path) -> int | None:
    """Return the descriptor that holds the lock, None where there are no locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (EAGAIN, EACCES):
            raise InputError(
                f"another process is at work in {folder}",
                expected="one run, resume, report or predict in a folder at a time",
                hint="wait until it is done, or stop it",
            ) from None
        return None
    return descriptor
