from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pinngate.errors import DataError, InputError
from pinngate.expression import parse
from pinngate.reference import truth
from pinngate.statement.problem import Coefficient, Truth
from tests.reference.stated import FIXED_ENDS, error, scattered, state, values_of

HEAT = "exp(-0.05*pi**2*t)*sin(pi*x)"


def heat(**options: Any) -> Any:
    return state("u_t = kappa*u_xx", conditions=FIXED_ENDS, **options)


def test_no_stated_truth_gives_none() -> None:
    assert truth(heat()) is None
    only_constants = Truth(constants={"kappa": 0.05})
    assert truth(heat(coefficients=(Coefficient("kappa", 1.0),), truth=only_constants)) is None


def test_formulas_use_constants_and_true_coefficients() -> None:
    fields = {"u": parse("a*exp(-kappa*pi**2*t)*sin(pi*x)")}
    problem = heat(
        constants={"a": 2.0},
        coefficients=(Coefficient("kappa", 1.0, truth=0.05),),
        truth=Truth(fields=fields),
    )
    reference = truth(problem)
    assert reference is not None
    assert error(problem, reference, {"u": f"2*{HEAT}"}) < 1e-14
    assert (reference.method, reference.error_estimate) == ("analytic", None)
    with pytest.raises(InputError, match="'kappa'"):
        truth(heat(coefficients=(Coefficient("kappa", 1.0),), truth=Truth(fields=fields)))


def test_a_constant_formula_fills_every_point() -> None:
    reference = truth(heat(truth=Truth(fields={"u": parse("3")})))
    assert reference is not None
    np.testing.assert_array_equal(reference(np.zeros((4, 2)))["u"], [3.0] * 4)


def test_a_formula_without_a_value_names_the_point() -> None:
    reference = truth(heat(truth=Truth(fields={"u": parse("1/x")})))
    assert reference is not None
    with pytest.raises(InputError, match="not finite at x = 0, t = 1"):
        reference(np.array([[0.5, 0.0], [0.0, 1.0]]))


@pytest.mark.parametrize("solver", ["finite-difference", "spectral"])
def test_solvers_start_from_the_clean_data_exactly(solver: Any) -> None:
    problem = heat(
        constants={"kappa": 0.05}, truth=Truth(solver=solver, clean={"u": parse("sin(pi*x)")})
    )
    reference = truth(problem)
    assert reference is not None
    assert error(problem, reference, {"u": HEAT}) < 1e-6
    points = scattered(problem, 200)
    points[:100, 1] = 0.0
    found = reference(points)["u"]
    np.testing.assert_array_equal(found[:100], np.sin(np.pi * points[:100, 0]))
    np.testing.assert_allclose(found[100:], values_of(problem, HEAT, points[100:]), atol=1e-6)


# Files


def grid() -> dict[str, np.ndarray]:
    x, t = np.linspace(0, 1, 41), np.linspace(0, 1, 31)
    return {"x": x, "t": t, "u": np.exp(-0.05 * np.pi**2 * t) * np.sin(np.pi * x)[:, None]}


def columns(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    x, t = np.meshgrid(arrays["x"], arrays["t"], indexing="ij")
    return {"x": x.ravel(), "t": t.ravel(), "u": arrays["u"].ravel()}


def from_file(path: Path) -> Any:
    return heat(constants={"kappa": 0.05}, truth=Truth(file=path))


@pytest.mark.parametrize("layout", ["grid", "matlab", "rows", "shuffled", "reversed", "csv"])
def test_files_hold_a_grid_in_any_layout(layout: str, tmp_path: Path) -> None:
    path = tmp_path / ("truth.csv" if layout == "csv" else "truth.npz")
    arrays = grid()
    if layout == "matlab":  # a column for one axis, a row for the other
        arrays |= {"x": arrays["x"][:, None], "t": arrays["t"][None, :]}
    elif layout == "reversed":
        arrays |= {"x": arrays["x"][::-1], "u": arrays["u"][::-1]}
    elif layout != "grid":
        arrays = columns(arrays)
        order = np.random.default_rng(0).permutation(len(arrays["u"]))
        arrays = arrays if layout == "rows" else {k: v[order] for k, v in arrays.items()}
    if layout == "csv":
        table = np.column_stack(list(arrays.values()))
        np.savetxt(path, table, delimiter=",", header="x,t,u", comments="", fmt="%.17g")
    else:
        np.savez(path, **arrays)
    problem = from_file(path)
    reference = truth(problem)
    assert reference is not None
    # cubic splines, h = 1/40: h⁴ π⁴ · 5/384 is 5e-7 at most
    assert error(problem, reference, {"u": HEAT}) < 1e-6
    assert "41 x 31" in reference.method


def test_axes_of_equal_length_are_a_grid_when_the_field_is_one(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 41)
    u = np.exp(-0.05 * np.pi**2 * x) * np.sin(np.pi * x)[:, None]
    np.savez(tmp_path / "square.npz", x=x, t=x, u=u)
    problem = from_file(tmp_path / "square.npz")
    reference = truth(problem)
    assert reference is not None
    assert error(problem, reference, {"u": HEAT}) < 1e-6


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no axis": ({"t": None}, "no array or column 't'"),
    "no field": ({"u": None}, "no array or column 'u'"),
    "transposed": ({"u": grid()["u"].T}, "'u' has the shape"),
    "not finite": (
        {"u": np.where(grid()["u"] > 0.99, np.nan, grid()["u"])},
        r"not finite at index \[",
    ),
    "text": ({"u": np.array(["a"])}, "cannot be read"),
    "does not cover": ({"t": np.linspace(0, 0.9, 31)}, "does not cover"),
    "one time": ({"t": np.zeros(31)}, "one value only"),
    "repeated": ({"x": np.append(np.linspace(0, 1, 40), 1.0)}, "'u' has the shape"),
    "two-dimensional axis": ({"x": np.zeros((41, 31))}, "axes have the shapes"),
    "empty": ({"t": np.zeros(0)}, "'t' is empty"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_words(name: str, tmp_path: Path) -> None:
    changes, message = BROKEN[name]
    arrays = {k: v for k, v in (grid() | changes).items() if v is not None}
    path = tmp_path / "truth.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        truth(from_file(path))
    assert caught.value.file == path


def test_scattered_points_are_no_grid(tmp_path: Path) -> None:
    path = tmp_path / "truth.npz"
    arrays = columns(grid())
    np.savez(path, **{k: v[:-1] for k, v in arrays.items()})
    with pytest.raises(DataError, match="do not fill a grid"):
        truth(from_file(path))


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_missing_and_unreadable_files(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        truth(from_file(tmp_path / f"absent.{suffix}"))
    (tmp_path / f"broken.{suffix}").write_bytes(b"\xff\xfe\x00nothing")
    with pytest.raises(DataError, match="cannot be read"):
        truth(from_file(tmp_path / f"broken.{suffix}"))
