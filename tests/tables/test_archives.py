"""NPZ files that say more than they hold, or hold what nobody can read."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pinngate.errors import DataError
from pinngate.tables import archives
from pinngate.tables.archives import read_arrays
from pinngate.tables.named_columns import read_columns


def header(text: str) -> bytes:
    padded = text.ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()


def archive_of(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", content)
    return path


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
DAMAGED = {
    "a shape of terabytes": (header(HUGE % "1000000000000"), "says it has 1,000,000,000,000"),
    "a negative shape": (header(HUGE % "-5"), "'x'"),
    "a shape of no numbers": (header(HUGE % "'a'"), "'x' cannot be read"),
    "no header": (b"nothing", "'x' cannot be read"),
    "an unknown format": (b"\x93NUMPY\x09\x00" + b"\0" * 60, "its format is 9.0"),
    "a header without end": (b"\x93NUMPY\x02\x00" + b"\xff" * 64, "'x' cannot be read"),
    "a header of brackets": (header("(" * 110), "'x' cannot be read"),
    "cut short": (header(HUGE % "4") + b"\0" * 31, "bytes follow"),
    "objects": (header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"), "object"),
    "records": (
        header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }") + b"\0" * 8,
        "holds",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told_with_file_and_array(name: str, tmp_path: Path) -> None:
    content, message = DAMAGED[name]
    path = archive_of(tmp_path / "data.npz", content)
    with pytest.raises(DataError, match=message) as caught:
        read_arrays(path)
    assert caught.value.file == path
    assert str(path) in str(caught.value)


def flipped(content: bytes, start: bytes, at: int, value: int) -> bytes:
    """Change one byte of the local and of the central header."""
    changed = bytearray(content)
    for mark, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        changed[changed.index(mark) + at + shift] = value
    return bytes(changed)


def test_encrypted_and_strangely_packed_members_are_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, x=np.arange(3.0))
    path = tmp_path / "data.npz"
    path.write_bytes(flipped(stream.getvalue(), b"", 6, 1))
    with pytest.raises(DataError, match="'x' is encrypted"):
        read_arrays(path)
    path.write_bytes(flipped(stream.getvalue(), b"", 8, 99))
    with pytest.raises(DataError, match="method 99"):
        read_arrays(path)


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, x=np.arange(50.0), u=np.arange(50.0))
    content = stream.getvalue()
    path = tmp_path / "data.npz"
    random = np.random.default_rng(0)
    for at in random.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[at] ^= int(random.integers(1, 256))
        path.write_bytes(damaged[: None if at % 3 else at])
        try:
            read_columns(path, ["x", "u"])
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - every outcome but this and none fails


def test_more_than_memory_holds_is_refused_with_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.zeros(1000), y=np.zeros(10**6))
    monkeypatch.setattr(archives, "budget", lambda _: 10**6)
    with pytest.raises(DataError, match=r"y need 24 MB") as caught:
        read_arrays(path)
    assert "1 MB at most" in str(caught.value)
    assert len(read_arrays(path, lambda _: ["x"])["x"]) == 1000


def test_an_archive_of_too_many_members_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "data.npz", x=np.zeros(2), y=np.zeros(2), z=np.zeros(2))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(DataError, match="holds 3 arrays"):
        read_arrays(tmp_path / "data.npz")
