"""CSV files as others write them: each fault with file and row."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from pinngate.errors import DataError
from pinngate.tables import text_files
from pinngate.tables.clock import Clock, read_date
from pinngate.tables.named_columns import Gaps, read_columns

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
    "two decimal signs": (b"x;u\n1,5;2\n1;2.5\n", "row 3: u is '2.5', and other numbers"),
    "thousands and decimals": (b"x;u\n1;1.234,5\n", "row 2: u is '1.234,5', not a number"),
    "a date without a clock": (b"x,u\n1,2024-01-01\n", "row 2: u is '2024-01-01', not a number"),
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
    monkeypatch.setattr(text_files, "budget", lambda _: 100_000)
    with pytest.raises(DataError, match="10,001 rows need 480 kB"):
        read_columns(path, ["x", "u"])


def read(path: Path, text: str, needed: list[str]) -> tuple[list[list[float]], list[int]]:
    path.write_text(text, encoding="utf-8")
    found = read_columns(path, needed)
    return [found.arrays[name].tolist() for name in needed], found.rows.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "x,u\n0.5,1e3\n2,-7\n",
        "x;u\n0.5;1e3\n2;-7\n",
        "x;u\n0,5;1e3\n2;-7,0\n",
        "x\tu\n0,5\t1e3\n2\t-7\n",
        "x [m];u (°C)\n0,5;1e3\n2;-7\n",
        '"x [m]","u (K, absolute)"\n0.5,1e3\n2,-7\n',
        "note;x;u\na, b.;0,5;1e3\nc;2;-7\n",
    ],
)
def test_tables_as_programs_write_them(text: str, tmp_path: Path) -> None:
    assert read(tmp_path / "f.csv", text, ["x", "u"]) == ([[0.5, 2], [1000, -7]], [2, 3])


def test_comments_before_the_header_keep_the_numbers_of_rows(tmp_path: Path) -> None:
    text = "# station 7\n\n# reset, on; Monday\nx,u\n1,2\n\n3,4\n"
    assert read(tmp_path / "f.csv", text, ["x", "u"]) == ([[1, 3], [2, 4]], [5, 7])
    with pytest.raises(DataError, match="row 6: u is 'b'"):
        read(tmp_path / "f.csv", "# a\n# b\n\nx,u\n1,2\n3,b\n", ["x", "u"])


def test_a_header_that_numpy_wrote_is_a_comment(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "f.csv", [[1, 2], [3, 4]], delimiter=",", header="note\nx,u")
    found = read_columns(tmp_path / "f.csv", ["x", "u"])
    assert found.arrays["u"].tolist() == [2, 4]
    assert found.rows.tolist() == [3, 4]


def test_a_name_with_its_unit_may_be_asked_for(tmp_path: Path) -> None:
    assert read(tmp_path / "f.csv", "x,u [m],u [ft]\n1,2,3\n", ["x", "u [ft]"])[0] == [[1], [3]]
    with pytest.raises(DataError, match="two columns are called 'u'"):
        read(tmp_path / "f.csv", "x,u [m],u [ft]\n1,2,3\n", ["x", "u"])


def test_dates_become_numbers_by_a_clock(tmp_path: Path) -> None:
    text = "t,u\n2024-01-01,1\n2024-01-01 06:30,2\n2024-01-02T00:00:00+02:00,3\n5.5,4\n"
    (tmp_path / "f.csv").write_text(text)
    clock = Clock(read_date("2024-01-01"), "h")
    found = read_columns(tmp_path / "f.csv", ["t", "u"], dates={"t": clock})
    assert found.arrays["t"].tolist() == [0, 6.5, 22, 5.5]
    with pytest.raises(DataError, match="row 2: t is the date '2024-01-01'"):
        read_columns(tmp_path / "f.csv", ["t", "u"], dates={"t": None})


def test_netcdf_is_a_table_of_its_grid(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("netCDF4")
    times = np.array(["2024-01-01T00", "2024-01-01T12"], dtype="datetime64[ns]")
    values = [[1.0, 2.0, np.nan], [4.0, 5.0, 6.0]]
    made = xarray.Dataset({"u": (("t", "x"), values)}, {"t": times, "x": [0.0, 0.5, 1.0]})
    made.to_netcdf(tmp_path / "f.nc")
    clock = Clock(read_date("2024-01-01"), "h")
    found = read_columns(tmp_path / "f.nc", ["x", "t", "u"], gaps=Gaps(["u"]), dates={"t": clock})
    assert sorted(found.arrays["t"].tolist()) == [0, 0, 0, 12, 12, 12]
    at = (found.arrays["t"] == 12) & (found.arrays["x"] == 0.5)
    assert found.arrays["u"][at].tolist() == [5.0]
    with pytest.raises(DataError, match="u is not finite"):
        read_columns(tmp_path / "f.nc", ["x", "t", "u"], dates={"t": clock})
    with pytest.raises(DataError, match="t holds dates"):
        read_columns(tmp_path / "f.nc", ["x", "t", "u"], gaps=Gaps(["u"]))


@pytest.mark.parametrize(
    ("name", "library"), [("f.parquet", "pyarrow.parquet"), ("f.nc", "xarray")]
)
def test_a_library_that_is_not_installed_is_named(
    name: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DataError, match=f"needs {library.partition('.')[0]}, which is not"):
        read_columns(tmp_path / name, ["x"])


def test_parquet_is_a_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1, 2], "u": [0.5, None]})
    frame.to_parquet(tmp_path / "f.parquet")
    found = read_columns(tmp_path / "f.parquet", ["x", "u"], gaps=Gaps(["u"]))
    np.testing.assert_array_equal(found.arrays["u"], [0.5, np.nan])


@pytest.mark.parametrize("name", ["f.parquet", "f.nc"])
def test_what_is_no_such_file_is_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow" if name.endswith("parquet") else "netCDF4")
    (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(DataError, match="cannot be read"):
        read_columns(tmp_path / name, ["x"])
