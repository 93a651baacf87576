"""Arrays of numbers from NPZ files: what a file says of itself is checked before anything is made.

An NPZ is a zip whose members start with a header that states type and shape. A few bytes can state
a shape of terabytes, or unpack to it; a member may be damaged, encrypted or packed in ways that
Python does not know. Below `tables` and `report.archive`. Format: numpy's NEP 1.
"""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError, InputError
from pinngate.memory import budget, rounded_text
from pinngate.reading import open_data

Array = NDArray[np.float64]

MAX_MEMBERS = 10_000  # arrays of one file; a run writes a few dozen
MAX_HEADER = 10_000  # bytes, as numpy itself allows
ENCRYPTED = 0x1  # bit of the flags of a member
COPIES = 3  # of what is read: as it stands, as numbers in double precision, and the chosen rows
DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, EOFError, ValueError,
    TypeError, AttributeError, SyntaxError, LookupError, OverflowError, RuntimeError, MemoryError,
)  # fmt: skip
"""What zipfile and numpy raise for files that are none."""


def read_arrays(
    file: Path, choose: Callable[[Sequence[str]], Sequence[str]] = lambda names: names
) -> dict[str, Array]:
    """Return arrays of an NPZ file as numbers in double precision.

    Args:
        file: a regular file.
        choose: from the names of all arrays those to read; it may raise.

    Raises:
        DataError: the file is no archive of numbers, damaged, encrypted, or states more than half
            of the free memory holds.
        OSError: it is not there or cannot be read.
    """
    with open_data(file) as stream, _explained(file), zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise _fault(file, f"holds {len(members):,} arrays", f"at most {MAX_MEMBERS:,}")
        by_name = {member.filename.removesuffix(".npy"): member for member in members}
        chosen = choose([*by_name])
        sizes = {name: _size(file, archive, by_name[name], name) for name in chosen}
        _refuse_large(file, sizes)
        return {name: _numbers(file, archive, by_name[name], name) for name in chosen}


def _fault(file: Path, what: str, expected: str = "", hint: str = "") -> DataError:
    return DataError(f"{file}: {what}", expected=expected, hint=hint, file=file)


@contextmanager
def _explained(file: Path, name: str = "") -> Iterator[None]:
    """Turn whatever a damaged file makes zipfile and numpy raise into a `DataError`."""
    inside = f"the array '{name}' " if name else ""
    try:
        yield
    except InputError:
        raise
    except DAMAGED as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _fault(
            file, f"{inside}cannot be read ({told})", expected="an NPZ archive of numbers"
        ) from None


def _size(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> int:
    """Return the bytes that an array will take as its header states them."""
    if member.flag_bits & ENCRYPTED:
        raise _fault(file, f"the array '{name}' is encrypted", hint="write it without a password")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _fault(
            file,
            f"the array '{name}' is packed in a way of its own (method {member.compress_type})",
            expected="what numpy.savez or numpy.savez_compressed writes",
        )
    with _explained(file, name), archive.open(member) as stream:
        shape, dtype = _header(stream)
        left = member.file_size - stream.tell()
        if dtype.hasobject or not np.can_cast(dtype, np.float64, "same_kind"):
            raise _fault(
                file,
                f"cannot be read: the array '{name}' holds {dtype}",
                expected="an NPZ archive of numbers",
            )
        count = math.prod(shape)
        if count < 0 or count * dtype.itemsize > left:
            raise _fault(
                file,
                f"the array '{name}' says it has {count:,} numbers, and {left:,} bytes follow",
            )
        return count * max(8, dtype.itemsize)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    reader = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if reader is None:
        raise ValueError(f"its format is {'.'.join(map(str, version))}")
    shape, _, dtype = reader(stream, max_header_size=MAX_HEADER)
    return shape, dtype


def _refuse_large(file: Path, sizes: dict[str, int]) -> None:
    needed, allowed = COPIES * sum(sizes.values()), budget(None)
    if needed > allowed:
        raise _fault(
            file,
            f"its arrays {', '.join(sizes)} need {rounded_text(needed)}",
            expected=f"{rounded_text(allowed)} at most, half of the memory that is free",
            hint="keep fewer entries",
        )


def _numbers(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Array:
    with _explained(file, name), archive.open(member) as stream:
        read = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER)
        return np.asarray(read).astype(np.float64, casting="same_kind")
