"""Fields on grids or at points, written as CSV, NPZ or NetCDF by the suffix of the file.

Above `artifacts`, which writes single files, and below `runs`, which makes the fields. NetCDF is
what `xarray.open_dataset` opens: named axes, units, and where the fields come from (CF conventions
1.8). It needs the extra ``netcdf``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.geometry.region import Region
from pinngate.memory import budget, rounded_text
from pinngate.points.grid import Grid
from pinngate.reading import finite_decimal, whole
from pinngate.runs import files as artifacts
from pinngate.statement.axis_bounds import like
from pinngate.statement.axis_places import spaced
from pinngate.statement.problem import Problem
from pinngate.writing import replacing

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]
SUFFIXES = (".csv", ".npz", ".nc")
GRID_FORM = "axis=low:high:count or axis=value, joined by commas, as in x=0:1:200,t=0.5"
COPIES = 4  # of points and fields that are held at once on the way to a file
DEFAULT_COUNT = 101  # points along an axis that a grid does not mention


def parse_grid(text: str, problem: Problem) -> Grid:
    """Read a grid such as ``x=0:1:200,t=0:1:100``; an axis that is not named has 101 points.

    Its points are those inside the geometry, where the problem states one.

    Raises:
        InputError: it is no grid, or leaves the domain.
    """
    ends = {axis: (low, high, DEFAULT_COUNT) for axis, (low, high) in problem.domain.items()}
    named = set()
    for part in text.split(","):
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or axis not in ends or axis in named:
            raise InputError(
                f"'{part.strip()}' is no part of a grid",
                expected=f"{GRID_FORM}; the axes are {', '.join(ends)}, each once",
            )
        named.add(axis)
        ends[axis] = _coordinates(axis, value, problem.domain[axis])
    _refuse_large(text, problem, [count for _, _, count in ends.values()])
    axes = {
        axis: spaced(like(problem.domain[axis], low, high), count)
        for axis, (low, high, count) in ends.items()
    }
    mesh = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
    inside = Region(problem).inside(mesh.reshape(-1, len(axes))).reshape(mesh.shape[:-1])
    return Grid(axes, mesh[inside], inside, problem.coordinates)


def _refuse_large(text: str, problem: Problem, counts: Sequence[int]) -> None:
    """Refuse a grid whose fields memory does not hold.

    Raises:
        InputError: it is one.
    """
    num_points = math.prod(counts)
    columns = len(counts) * COPIES + 2 * COPIES * len(problem.outputs)
    needed, allowed = 8 * columns * num_points, budget(None)
    if needed > allowed:
        raise InputError(
            f"the grid {text} has {num_points:,} points, which need {rounded_text(needed)}",
            expected=f"{rounded_text(allowed)} at most, half of the memory that is free",
            hint="state fewer points, or predict it in pieces",
        )


def _coordinates(axis: str, text: str, bounds: tuple[float, float]) -> tuple[float, float, int]:
    pieces = text.split(":")
    try:
        ends = [finite_decimal(piece) for piece in pieces[:2]]
        count = whole(pieces[2]) if len(pieces) == 3 else 1
    except ValueError:
        ends, count = [], 0
    if len(pieces) not in (1, 3) or len(ends) != min(len(pieces), 2) or count < 1:
        raise InputError(f"'{axis}={text}' is no part of a grid", expected=GRID_FORM)
    slack = 1e-9 * (bounds[1] - bounds[0])
    if not all(bounds[0] - slack <= end <= bounds[1] + slack for end in ends):
        raise InputError(
            f"the grid {axis}={text} leaves the domain",
            expected=f"{axis} from {bounds[0]:g} to {bounds[1]:g}",
        )
    return ends[0], ends[-1], count


def check_suffix(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed.

    Raises:
        InputError: an unknown suffix, or NetCDF without its extra.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"cannot write '{path.name}'", expected=f"a name that ends in {', '.join(SUFFIXES)}"
        )
    if path.suffix.lower() == ".nc":
        require_netcdf()


def require_netcdf() -> None:
    """Refuse to go on without the packages of the extra ``netcdf``.

    Raises:
        InputError: they are not installed.
    """
    _require("NetCDF files", "xarray", "netCDF4")


def require_xarray() -> None:
    """Refuse to go on without xarray, which the extra ``netcdf`` brings.

    Raises:
        InputError: it is not installed.
    """
    _require("labelled arrays", "xarray")


def _require(what: str, *packages: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{what} need {' and '.join(missing)}",
            hint="install them with: pip install 'pinngate[netcdf]'",
        )


def write_fields(
    path: Path, problem: Problem, axes: Mapping[str, Array], fields: Mapping[str, Array]
) -> None:
    """Write fields by the suffix of the file; it appears complete or not at all.

    Args:
        path: ends in .csv, .npz or .nc.
        problem: names axes, title and units.
        axes: coordinates of the points (n,), or of a grid.
        fields: (n,) at points, or on the grid of the axes.

    Raises:
        InputError: the file cannot be written.
    """
    check_suffix(path)
    is_grid = any(np.ndim(values) != 1 for values in fields.values()) or len(axes) == 1
    try:
        if path.suffix.lower() == ".npz":
            artifacts.write_arrays(path, {**axes, **fields})
        elif path.suffix.lower() == ".nc":
            write_netcdf(path, problem, axes, fields)
        else:
            columns = dict(axes)
            if is_grid:
                mesh = np.meshgrid(*axes.values(), indexing="ij")
                columns = {axis: m.ravel() for axis, m in zip(axes, mesh, strict=True)}
            artifacts.write_csv(path, columns | {n: np.ravel(v) for n, v in fields.items()})
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def write_netcdf(
    path: Path, problem: Problem, axes: Mapping[str, Array], fields: Mapping[str, Array]
) -> None:
    """Write fields as NetCDF 4.

    Raises:
        InputError: the extra is not installed.
    """
    require_netcdf()
    with replacing(path) as part:
        dataset(problem, axes, fields).to_netcdf(part, engine="netcdf4")


def dataset(
    problem: Problem, axes: Mapping[str, Array], fields: Mapping[str, Array]
) -> xarray.Dataset:
    """Return the fields as an `xarray.Dataset` with the axes as coordinates."""
    import xarray

    from pinngate import __version__

    shape = tuple(len(values) for values in axes.values())
    is_grid = any(np.shape(values) == shape for values in fields.values())
    dims = tuple(axes) if is_grid else ("point",)
    over = _own_axes(problem)

    def own_dims(name: str, values: Array) -> tuple[str, ...]:
        """Coefficient fields of some axes alone lie on the grid of these."""
        if not is_grid or np.shape(values) == shape:
            return dims
        return over.get(name, ()) or over[name.rpartition("_")[0]]

    def attributes(name: str) -> dict[str, str]:
        stem, _, kind = name.rpartition("_")
        words = {"std": f"standard deviation of {stem}", "truth": f"true {stem}"}.get(kind, name)
        unit = problem.units.get(name) or problem.units.get(stem if words != name else name)
        return {"long_name": words} | ({"units": unit} if unit else {})

    return xarray.Dataset(
        {n: (own_dims(n, values), values, attributes(n)) for n, values in fields.items()},
        coords={
            axis: ((axis,) if is_grid else dims, values, attributes(axis))
            for axis, values in axes.items()
        },
        attrs={
            "Conventions": "CF-1.8",
            "title": problem.title or problem.name,
            "source": f"pinngate {__version__}, problem {problem.name}",
        },
    )


def _own_axes(problem: Problem) -> dict[str, tuple[str, ...]]:
    """Return the dimensions of what does not lie on the grid of the fields."""
    over = {field.name: field.over for field in (*problem.coefficient_fields, *problem.pieces)}
    for f in problem.field_functions:
        over |= {f.name: f.places} | {name: (name,) for name in f.places}
        over |= dict.fromkeys(f.seen, (f"{f.name}_seen",))
    return over


__all__ = [
    "check_suffix",
    "dataset",
    "parse_grid",
    "require_netcdf",
    "require_xarray",
    "write_fields",
    "write_netcdf",
]
