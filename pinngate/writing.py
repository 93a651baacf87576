"""How anything is written: beside its place, then moved there, so that no file is half-written.

Whatever happens on the way (a full disk, a signal, a folder that is gone) the place holds what it
held before, and nothing is left beside it. Every room that writes a file writes it through here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a new file, which takes the place of `path` when the block ends well.

    Raises:
        OSError: it cannot be written; the old file stays and the new one goes.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())  # what a crash of the machine must not turn into nothing
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a text file and end its last line.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    write_bytes(path, (text + "\n").encode("utf-8"))
