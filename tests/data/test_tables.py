"""CSV files as others write them: each fault with file and row."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pinngate.data import tables
from pinngate.data.tables import read_columns
from pinngate.errors import DataError

FAULTS: dict[str, tuple[bytes, str]] = {
    "line end in quotes": (b'x,u,note\n1,2,"a\nb"\n', "row 2: a quote is not closed"),
    "line end in a quoted header": (b'x,"u\n",v\n1,2,3\n', "row 1: a quote is not closed"),
    "late quote": (b'x,u\n1,2\n3,"4\n5,6\n', "row 3: a quote is not closed"),
    "latin-1": (b"x,u\n1,2\n3,4\xe9\n", "row 3: cannot be read: the text is not in UTF-8"),
    "latin-1 header": (b"x,u,temp\xe9rature\n1,2,3\n", "row 1: cannot be read"),
    "utf-16": ("x,u\n1,2\n".encode("utf-16"), "but in UTF-16"),
    "ragged": (b"x,u\n1,2\n3\n", "row 3: 1 values"),
    "underscores": (b"x,u\n1,2\n3,1_000\n", "row 3: u is '1_000', not a number"),
    "arabic digits": ("x,u\n1,2\n3,\u0664\n".encode(), "row 3: u is '\u0664'"),
    "full-width digits": ("x,u\n1,\uff12\n".encode(), "row 2: u is '\uff12'"),
    "zero bytes": (b"x,u\n1,2\n3,\x004\n", "row 3: "),
    "decimal commas": (b"x;u\n1,5;2,5\n", "has no column 'x'"),
    "a long cell": (b"x,u\n1," + b"z" * 5000 + b"\n", "row 2: u is 'zzz"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_file_and_row(name: str, tmp_path: Path) -> None:
    content, message = FAULTS[name]
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_columns(path, ["x", "u"])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_quotes_on_one_line_and_old_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b'\xef\xbb\xbfx,u,note\r1,"2","a, b"\r\n3,4,"say ""no"""\n')
    found = read_columns(path, ["x", "u"])
    np.testing.assert_array_equal(found.arrays["u"], [2.0, 4.0])
    np.testing.assert_array_equal(found.rows, [2, 3])


def test_a_line_without_end_is_refused_before_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"x,u\n1,2\n")
    os.truncate(path, 1 << 40)  # a terabyte of zero bytes that takes no room
    with pytest.raises(DataError, match="row 3: has more than 1,000,000 characters"):
        read_columns(path, ["x", "u"])


def test_more_rows_than_memory_holds_are_refused_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,u\n" + "1,2\n" * 10_000)
    monkeypatch.setattr(tables, "budget", lambda _: 100_000)
    with pytest.raises(DataError, match="10,001 rows need 480 kB"):
        read_columns(path, ["x", "u"])
