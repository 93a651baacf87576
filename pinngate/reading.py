"""How anything from outside is read: regular files only, bounded, numbers in ASCII digits.

What a problem, a table or a folder of a run names may be a device, a pipe or a link to something
else, may have no end, and may be written in digits that Python takes and a person does not expect.
Every room that reads text or numbers of others reads them through here.
"""

from __future__ import annotations

import math
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from pinngate.errors import DataError, InputError

_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would wait


def decimal(text: str) -> float:
    """Return the number that a text in ASCII digits says; nan and inf are read as such.

    Raises:
        ValueError: it is no number, or one that only Python would take, ``1_000``.
    """
    text = text.strip(" \t\r\n")
    if _DECIMAL.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return float(text)
    raise ValueError(f"{text!r} is no number")


def whole(text: str) -> int:
    """Return the whole number of 18 ASCII digits at most that a text says.

    Raises:
        ValueError: it says none.
    """
    text = text.strip(" \t\r\n")
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def what_it_is(path: Path, *, follow: bool = False) -> str:
    """Return ``a device``, ``a pipe``, ``a folder`` …, or an empty text for a regular file.

    Raises:
        OSError: there is nothing, or it cannot be looked at.
    """
    mode = (os.stat if follow else os.lstat)(path).st_mode
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "")


def open_data(path: Path) -> BinaryIO:
    """Open a regular file of data for reading.

    Raises:
        DataError: it is a link, a folder, a pipe, a socket or a device.
        OSError: it is not there or cannot be read.
    """
    kind = what_it_is(path)
    if kind:
        raise irregular(path, kind)
    stream = os.fdopen(os.open(path, os.O_RDONLY | NO_WAITING), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):  # exchanged in between
        stream.close()
        raise irregular(path, "no regular file")
    return stream


def irregular(path: Path, kind: str) -> DataError:
    """Return the error of a file that is not read because of what it is."""
    hint = f"name the file itself: {path.resolve()}" if kind == "a link" else ""
    return DataError(f"{path}: is {kind}", expected="a regular file", hint=hint, file=path)


def read_bounded(path: Path, most: int, what: str) -> bytes:
    """Return the bytes of a regular file, or of a link to one.

    Args:
        path: the file.
        most: bytes that are read at most.
        what: that it should be, ``a problem file``.

    Raises:
        InputError: it is no regular file, or larger.
        OSError: it is not there or cannot be read.
    """
    kind = what_it_is(path, follow=True)
    if kind:
        raise InputError(f"{path} is {kind}", expected=what)
    with os.fdopen(os.open(path, os.O_RDONLY | NO_WAITING), "rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise InputError(f"{path} is too large to be {what}", expected=f"at most {most:,} bytes")
    return content


def finite_decimal(text: str) -> float:
    """Return `decimal`, where it is finite.

    Raises:
        ValueError: it is no number, or not finite.
    """
    number = decimal(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not finite")
    return number
