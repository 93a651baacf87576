"""Grids as text, and files that others open."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.runs.exports import parse_grid, require_netcdf, write_fields
from pinngate.statement.problem import Problem


@pytest.fixture
def problem() -> Problem:
    return loads(
        "pinngate: 1\nname: rod\ntitle: A rod\ndomain: {x: [0, 2], t: [0, 1]}\nunknowns: [u]\n"
        "equations: [u_t = u_xx]\nunits: {x: m, u: K}\n"
        "observations:\n  - {of: u, count: 3, noise: {std: 1}}\ntruth: {u: x}\n"
    )


def test_a_grid_is_read_in_the_order_of_the_axes(problem: Problem) -> None:
    grid = parse_grid("t=0.5, x=0:2:5", problem)
    assert grid.inside.shape == (5, 1)
    np.testing.assert_array_equal(grid.points[:, 0], [0, 0.5, 1, 1.5, 2])
    np.testing.assert_array_equal(grid.points[:, 1], 0.5)
    assert parse_grid("x=1:2:3", problem).inside.shape == (3, 101)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("y=0:1:3", "'y=0:1:3' is no part"),
        ("x=0:1", "'x=0:1' is no part"),
        ("x=0:1:0", "is no part"),
        ("x=a:1:3", "is no part"),
        ("x=0:1:3,x=1", "'x=1' is no part"),
        ("x=0:3:3", "leaves the domain"),
        ("", "is no part"),
    ],
)
def test_what_is_no_grid_is_refused(problem: Problem, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        parse_grid(text, problem)


def test_a_grid_of_one_line_and_of_a_plane_as_csv_and_npz(problem: Problem, tmp_path: Path) -> None:
    x, t = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5])
    u = np.arange(6.0).reshape(3, 2)
    write_fields(tmp_path / "u.csv", problem, {"x": x, "t": t}, {"u": u})
    with (tmp_path / "u.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["x"], r["t"], r["u"]) for r in rows[:3]] == [
        ("0", "0", "0"),
        ("0", "0.5", "1"),
        ("1", "0", "2"),
    ]
    write_fields(tmp_path / "u.npz", problem, {"x": x, "t": t}, {"u": u})
    with np.load(tmp_path / "u.npz") as arrays:
        np.testing.assert_array_equal(arrays["u"], u)
    with pytest.raises(InputError, match=r"cannot write 'u.txt'"):
        write_fields(tmp_path / "u.txt", problem, {"x": x}, {"u": x})
    assert not list(tmp_path.glob("*.part"))


def test_netcdf_has_axes_units_and_names(problem: Problem, tmp_path: Path) -> None:
    pytest.importorskip("netCDF4", reason="the extra netcdf is not installed")
    xarray = pytest.importorskip("xarray", reason="the extra netcdf is not installed")
    x, t = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5])
    u = np.arange(6.0).reshape(3, 2)
    write_fields(tmp_path / "u.nc", problem, {"x": x, "t": t}, {"u": u, "u_std": u})
    with xarray.open_dataset(tmp_path / "u.nc") as found:
        assert found["u"].dims == ("x", "t")
        np.testing.assert_array_equal(found["u"].sel(x=1.0), [2, 3])
        assert found["x"].attrs["units"] == "m"
        assert found["u_std"].attrs == {"long_name": "standard deviation of u", "units": "K"}
        assert "units" not in found["t"].attrs
        assert found.attrs["title"] == "A rod"
    points = {"x": x, "t": np.zeros(3)}
    write_fields(tmp_path / "points.nc", problem, points, {"u": x})
    with xarray.open_dataset(tmp_path / "points.nc") as found:
        assert found["u"].dims == ("point",)


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InputError, match="NetCDF files need xarray"):
        require_netcdf()
