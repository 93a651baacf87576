from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate.data.observations import ObservationSet, collect, read_points, standard_errors
from pinngate.data.tables import read_columns
from pinngate.errors import DataError, TruthError
from pinngate.expression import parse, parse_equation
from pinngate.reference import finite_difference, initial_from
from pinngate.reference import truth as reference_of
from pinngate.statement.components import Statement
from pinngate.statement.measurement import Holdout, Table
from pinngate.statement.problem import (
    Condition,
    Equation,
    MeasuredObservations,
    Noise,
    Plane,
    Problem,
    SyntheticObservations,
)
from pinngate.streams import generator, torch_seed

ROOT = Path(__file__).parents[2]
DOMAIN = {"x": (0.0, 1.0), "t": (0.0, 2.0)}


def problem(*observations: object) -> Problem:
    return Problem.of(
        Statement(
            "p",
            DOMAIN,
            ("u",),
            (Equation("u_t = u_xx", parse_equation("u_t = u_xx")),),
            observations=observations,  # type: ignore[arg-type]
        )
    )


def truth(points: np.ndarray) -> dict[str, np.ndarray]:
    return {"u": 3 * np.sin(np.pi * points[:, 0]) + points[:, 1]}


def synthetic(count: int = 400, **options: object) -> SyntheticObservations:
    return SyntheticObservations("u", count, **({"noise": Noise(std=0.5)} | options))  # type: ignore[arg-type]


def one(stated: object, seed: int = 0) -> ObservationSet:
    (data,) = collect(problem(stated), truth, seed)
    return data


def test_synthetic_values_are_truth_plus_noise_of_the_stated_size() -> None:
    data = one(synthetic(20_000))
    assert data.points.shape == (20_000, 2)
    assert data.clean is not None
    np.testing.assert_array_equal(data.clean, truth(data.points)["u"])
    errors = data.values - data.clean
    # standard errors of mean and standard deviation: 0.0035 and 0.0025; four of them
    assert abs(errors.mean()) < 0.014
    assert abs(errors.std() - 0.5) < 0.010
    assert data.std is None, "training must not be told the noise"
    for k, (low, high) in enumerate(DOMAIN.values()):
        assert low <= data.points[:, k].min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < data.points[:, k].max() <= high


def test_relative_noise_is_a_fraction_of_the_spread_of_the_clean_values() -> None:
    data = one(synthetic(20_000, noise=Noise(relative=0.1)))
    assert data.clean is not None
    ratio = (data.values - data.clean).std() / data.clean.std()
    assert ratio == pytest.approx(0.1, rel=0.02)  # four standard errors of a standard deviation


def test_a_plane_fixes_its_axis_exactly() -> None:
    data = one(synthetic(where=Plane("t", 0.0)))
    assert (data.points[:, 1] == 0.0).all()
    assert np.unique(data.points[:, 0]).size == 400
    assert data.where == Plane("t", 0.0)


def test_a_grid_is_regular_and_reaches_the_ends() -> None:
    line = one(synthetic(11, layout="grid", where=Plane("t", 0.0)))
    np.testing.assert_allclose(line.points[:, 0], np.linspace(0, 1, 11), atol=1e-15)
    area = one(synthetic(400, layout="grid"))
    assert [np.unique(area.points[:, k]).size for k in (0, 1)] == [20, 20]
    assert area.points[:, 1].max() == 2.0


@pytest.mark.parametrize("kind", ["gaussian", "student-t", "outliers"])
def test_noise_kinds_differ_in_their_tails(kind: str) -> None:
    noise = Noise(std=1.0, kind=kind, fraction=0.1, scale=10.0)  # type: ignore[arg-type]
    errors = standard_errors(noise, 200_000, np.random.default_rng(0))
    # exact probabilities; 200,000 draws know them to 3 %
    beyond_3 = {"gaussian": 0.0027, "student-t": 0.01384, "outliers": 0.9 * 0.0027 + 0.1 * 0.7642}
    assert np.mean(abs(errors) > 3) == pytest.approx(beyond_3[kind], rel=0.12)
    if kind != "outliers":
        # the variance of a squared Student-t with three degrees of freedom is infinite
        assert errors.std() == pytest.approx(1.0, rel=0.01 if kind == "gaussian" else 0.1)
    assert abs(np.median(errors)) < 0.02


def test_a_seed_gives_the_same_data_and_another_seed_other_data() -> None:
    a, b, other = one(synthetic()), one(synthetic()), one(synthetic(), seed=1)
    np.testing.assert_array_equal(a.points, b.points)
    np.testing.assert_array_equal(a.values, b.values)
    assert not np.isin(a.points[:, 0], other.points[:, 0]).any()
    assert not np.isin(a.values, other.values).any()


def test_sets_have_streams_of_their_own() -> None:
    first, second = collect(problem(synthetic(), synthetic()), truth, 0)
    np.testing.assert_array_equal(first.values, one(synthetic()).values)
    assert not np.isin(first.values, second.values).any()
    louder = one(synthetic(noise=Noise(std=2.0)))
    np.testing.assert_array_equal(louder.points, first.points)


def test_streams_are_repeatable_and_independent() -> None:
    draws = {
        (seed, name): generator(seed, name).standard_normal(5000)
        for seed in (0, 1)
        for name in ("noise", "places")
    }
    np.testing.assert_array_equal(draws[0, "noise"], generator(0, "noise").standard_normal(5000))
    matrix = np.corrcoef(list(draws.values()))
    assert abs(matrix - np.eye(4)).max() < 4 / np.sqrt(5000)
    seeds = {torch_seed(seed, name) for seed, name in draws}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_synthetic_observations_need_a_truth() -> None:
    with pytest.raises(DataError, match="truth"):
        collect(problem(synthetic()), None, 0)


def test_shapes_are_checked_at_construction() -> None:
    points = np.zeros((3, 2))
    ObservationSet("a", "u", points, np.zeros(3), np.ones(3))
    for arrays in ((np.zeros(2),), (np.zeros((3, 1)),), (np.zeros(3), np.ones(1))):
        with pytest.raises(DataError, match="shape"):
            ObservationSet("a", "u", points, *arrays)
    with pytest.raises(DataError, match="shape"):
        ObservationSet("a", "u", np.zeros(3), np.zeros(3))


# Measured data


def measured(path: Path, noise: Noise | None = None) -> ObservationSet:
    (data,) = collect(problem(MeasuredObservations("u", path, noise)), None, 0)
    return data


READABLE = {
    "plain": "x,t,u\n0.5,1,2\n0.25,0,-1e-3\n",
    "spaces": " x , t,u \n 0.5 , 1 ,2\n0.25,0 , -1e-3\n",
    "byte order mark": "\ufeffx,t,u\n0.5,1,2\n0.25,0,-1e-3\n",
    "windows line ends": "x,t,u\r\n0.5,1,2\r\n0.25,0,-1e-3\r\n",
    "no last line end": "x,t,u\n0.5,1,2\n0.25,0,-1e-3",
    "blank lines": "x,t,u\n\n0.5,1,2\n   \n0.25,0,-1e-3\n\n",
    "quotes": '"x","t",u\n"0.5",1,2\n0.25,0,"-1e-3"\n',
    "other order": "u,t,x\n2,1,0.5\n-1e-3,0,0.25\n",
    "other columns": "sensor,x,t,u,remark\nA,0.5,1,2,nan\nB,0.25,0,-1e-3,\n",
}


@pytest.mark.parametrize("name", READABLE)
def test_csv_is_read_as_people_write_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(READABLE[name].encode())
    data = measured(path)
    np.testing.assert_array_equal(data.points, [[0.5, 1.0], [0.25, 0.0]])
    np.testing.assert_array_equal(data.values, [2.0, -1e-3])
    assert data.std is None
    assert data.clean is None
    assert data.source == "data.csv"


FAULTS = {
    "empty": ("", "holds no data", "header"),
    "header only": ("x,t,u\n", "holds no data", "header"),
    "missing column": ("x,t,v\n0,0,1\n", "no column 'u'", "x, t, v"),
    "nearly the column": ("x,t,u_\n0,0,1\n", "no column 'u'", "x, t, u_"),
    "wrong separator": ("x;t;u\n0;0;1\n", "no column 'x'", "x;t;u"),
    "text": ("x,t,u\n0,0,1\n0,1,abc\n", "row 3: u is 'abc'", "number"),
    "empty cell": ("x,t,u\n0,0,1\n0,,1\n", "row 3: t is empty", "number"),
    "after a blank line": ("x,t,u\n\n0,0,1\n\n0,1,abc\n", "row 5: u is 'abc'", "number"),
    "decimal comma": ("x,t,u\n0,0,1\n0,1,2,5\n", "row 3: 4 values", "3, as in the header"),
    "short row": ("x,t,u\n0,0\n", "row 2: 2 values", "3"),
    "nan": ("x,t,u\n0,0,1\n\n0,1,nan\n", "row 4: u is not finite", "drop"),
    "infinity": ("x,t,u\n0,0,inf\n", "row 2: u is not finite", "drop"),
    "outside": ("x,t,u\n0,0,1\n0,2.5,1\n", "row 3: t = 2.5", "t from 0 to 2"),
    "outside twice": ("x,t,u\n0,0,1\n-1,0,1\n0,9,1\n", "row 3: x = -1", "x from 0 to 1"),
    "zero std": ("x,t,u,u_std\n0,0,1,0.1\n0,0,1,0\n", "row 3: u_std is 0", "above zero"),
    "negative std": ("x,t,u,u_std\n0,0,1,-1\n", "row 2: u_std is -1", "above zero"),
    "same names": ("x,t,u,u\n0,0,1,1\n", "two columns are called 'u'", "u"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_name_the_place_and_what_was_expected(name: str, tmp_path: Path) -> None:
    text, what, more = FAULTS[name]
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        measured(path)
    assert what in str(caught.value)
    assert more in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.file == path


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        measured(tmp_path / "absent.csv")
    (tmp_path / "latin.csv").write_bytes(b"x,t,u\n0,0,1\xff\n")
    with pytest.raises(DataError, match="cannot be read"):
        measured(tmp_path / "latin.csv")
    for suffix in (".npz", ".NPZ"):
        broken = tmp_path / f"broken{suffix}"
        broken.write_bytes(b"not an archive")
        with pytest.raises(DataError):
            measured(broken)


def test_stated_standard_deviations_are_read_and_assumed_ones_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,t,u,u_std\n0,0,1,0.1\n0,1,3,0.2\n")
    for noise in (None, Noise(std=5.0)):  # the file knows better
        np.testing.assert_array_equal(measured(path, noise).std, [0.1, 0.2])
    path.write_text("x,t,u\n0,0,1\n0,1,3\n")
    np.testing.assert_array_equal(measured(path, Noise(std=0.3)).std, [0.3, 0.3])
    np.testing.assert_array_equal(measured(path, Noise(relative=0.5)).std, [0.5, 0.5])


# What scientists' files hold


def stated(path: Path, of: str = "u", **options: object) -> MeasuredObservations:
    columns = options.pop("columns", {})
    table = {k: options.pop(k) for k in ("missing", "max_rows") if k in options}
    return MeasuredObservations(of, path, table=Table(columns, **table), **options)  # type: ignore[arg-type]


def read(path: Path, **options: object) -> ObservationSet:
    (data,) = collect(problem(stated(path, **options)), None, 0)
    return data


def test_an_empty_cell_is_a_value_that_was_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,t,u,v,u_std\n0,0,1,9,0.1\n0,1,,8,\n1,1,3,,0.3\n")
    data = read(path)
    np.testing.assert_array_equal(data.values, [1.0, 3.0])
    np.testing.assert_array_equal(data.points, [[0, 0], [1, 1]])
    np.testing.assert_array_equal(data.std, [0.1, 0.3])
    assert data.num_missing == 1
    assert data.notes == ("1 of 3 values missing",)
    path.write_text("x,t,u,u_std\n0,0,1,0.1\n0,1,2,\n")
    with pytest.raises(DataError, match="row 3: u_std is missing"):
        read(path)
    path.write_text("x,t,u\n0,0,\n0,1,\n")
    with pytest.raises(DataError, match="every value of u is missing"):
        read(path)


def test_codes_for_missing_values_are_stated(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,t,u\n0,0,1\n0,1,nan\n1,1,-999\n1,1,-999.0\n1,0,n/a\n0.5,0,2\n")
    with pytest.raises(DataError, match="row 3: u is not finite"):
        read(path)
    data = read(path, missing=("nan", "-999", "n/a"))
    np.testing.assert_array_equal(data.values, [1.0, 2.0])
    assert data.num_missing == 4
    path.write_text("x,t,u\n0,0,1\n0,-999,1\n")
    with pytest.raises(DataError, match="row 3: t = -999"):
        read(path, missing=("-999",))
    path.write_text("x,t,u\n0,0,1\n0,nan,1\n")
    with pytest.raises(DataError, match="row 3: t is not finite"):
        read(path, missing=("nan",))
    archive = tmp_path / "data.npz"
    np.savez(archive, x=[0, 1], t=[0, 1], u=[np.nan, 2])
    assert read(archive, missing=("nan",)).num_missing == 1
    with pytest.raises(DataError, match="entry 0: u is not finite"):
        read(archive)


def test_columns_are_renamed(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("pos_m,t,temperature_K,error\n0.5,1,300,2\n")
    names = {"x": "pos_m", "value": "temperature_K", "std": "error"}
    data = read(path, columns=names)
    np.testing.assert_array_equal(data.points, [[0.5, 1.0]])
    assert data.values[0] == 300
    assert data.std is not None
    assert data.std[0] == 2
    with pytest.raises(DataError, match="no column 'pos_mm'"):
        read(path, columns={"x": "pos_mm"})


def test_held_out_values_are_apart_and_drawn_by_their_own_stream(tmp_path: Path) -> None:
    whole = one(synthetic(100))
    kept = one(synthetic(100, holdout=Holdout(fraction=0.2)))
    assert kept.held_out is not None
    assert len(kept.values) == 80
    assert len(kept.held_out.values) == 20
    both = np.concatenate([kept.values, kept.held_out.values])
    np.testing.assert_array_equal(np.sort(both), np.sort(whole.values))
    other = one(synthetic(100, holdout=Holdout(fraction=0.2)), seed=1)
    assert other.held_out is not None
    fitted, later = tmp_path / "a.csv", tmp_path / "b.csv"
    fitted.write_text("x,t,u\n0,0,1\n")
    later.write_text("x,t,u\n0,1,2\n")
    data = read(fitted, holdout=Holdout(file=later))
    assert data.held_out is not None
    assert (data.values[0], data.held_out.values[0]) == (1, 2)


def test_every_value_of_a_large_file_counts_by_default(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    random = np.random.default_rng(0)
    values = random.normal(size=60_000)
    np.savez(path, x=random.uniform(0, 1, 60_000), t=random.uniform(0, 2, 60_000), u=values)
    data = read(path)
    np.testing.assert_array_equal(data.values, values)
    assert data.notes == ()


def test_a_large_file_is_thinned_with_a_warning_where_that_is_stated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "large.npz"
    random = np.random.default_rng(0)
    np.savez(path, x=random.uniform(0, 1, 9000), t=random.uniform(0, 2, 9000), u=np.arange(9000))
    data = read(path, max_rows=500)
    assert len(data.values) == 500
    assert "500 of 9,000 values are fitted" in caplog.text
    assert "500 of 9,000" in data.notes[0]
    np.testing.assert_array_equal(read(path, max_rows=500).values, data.values)
    assert not read(path, max_rows=9000).notes


def test_saturation_is_suspected(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "clipped.npz"
    values = np.random.default_rng(0).normal(size=200)
    np.savez(path, x=np.zeros(200), t=np.zeros(200), u=np.minimum(values, 1.0))
    assert "values equal the largest, 1:" in read(path).notes[0]
    assert "saturated" in caplog.text
    np.savez(path, x=np.zeros(200), t=np.zeros(200), u=values)
    assert read(path).notes == ()


def test_npz_holds_arrays_of_the_same_names(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    x, t, u = np.array([0.5, 0.25], dtype=np.float32), np.array([1, 0]), np.array([2.0, -1e-3])
    np.savez(path, x=x, t=t, u=u, sensor=np.array(["A", "B"]))
    data = measured(path)
    np.testing.assert_array_equal(data.points, [[0.5, 1.0], [0.25, 0.0]])
    np.testing.assert_array_equal(data.values, u)
    assert data.points.dtype == np.float64
    for arrays, what in (
        ({"x": x, "t": t}, "no column 'u'"),
        ({"x": x, "t": t, "u": u[:1]}, "shapes"),
        ({"x": x, "t": t, "u": np.array(["a", "b"])}, "archive of numbers"),
        ({"x": x, "t": t, "u": np.array([1.0, np.nan])}, "entry 1: u is not finite"),
        ({"x": x, "t": t + 5, "u": u}, "entry 0: t = 6"),
        ({"x": x[:0], "t": t[:0], "u": u[:0]}, "holds no data"),
        ({"x": x, "t": t, "u": np.array([None, 1])}, "archive of numbers"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=what):
            measured(path)


def test_many_rows_are_read_exactly(tmp_path: Path) -> None:
    table = np.random.default_rng(0).uniform(0, 1, (50_000, 3))
    path = tmp_path / "many.csv"
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    path.write_text("\n".join(["x,t,u", *lines]))
    read = read_columns(path, ["x", "t", "u"])
    np.testing.assert_array_equal(np.column_stack(list(read.arrays.values())), table)
    np.testing.assert_array_equal(read.rows, np.arange(2, 50_002))
    path.write_text("\n".join(["x,t,u", *lines[:-1], "0.5,0.5,high"]))
    with pytest.raises(DataError, match="row 50001: u is 'high'"):
        measured(path)


def test_points_to_predict_at_need_the_axes_only(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("t,x\n1,0.5\n")
    np.testing.assert_array_equal(read_points(path, problem()), [[0.5, 1.0]])
    path.write_text("t\n1\n")
    with pytest.raises(DataError, match="no column 'x'"):
        read_points(path, problem())


# The readings that come with the shipped problem heat-sensors


def heat_sensor_readings() -> np.ndarray:
    """Return (200, 3): x, t, u of ten sensors read twenty times, gaussian noise 0.05."""
    equation = Equation("u_t = 0.05*u_xx", parse_equation("u_t = 0.05*u_xx"))
    ends = tuple(Condition(Plane("x", x), "u = 0", parse_equation("u = 0")) for x in (0.0, 1.0))
    rod = Problem.of(
        Statement("rod", {"x": (0.0, 1.0), "t": (0.0, 1.0)}, ("u",), (equation,), ends)
    )
    initial = initial_from({"u": parse("sin(pi*x) + 0.5*sin(3*pi*x)")})
    x, t = np.meshgrid(np.linspace(0.05, 0.95, 10), np.linspace(0.05, 1, 20), indexing="ij")
    points = np.column_stack([x.ravel(), t.ravel()])
    clean = finite_difference.solve(rod, initial, num_points=201)(points)["u"]
    noise = 0.05 * generator(2026, "heat-sensors").standard_normal(len(points))
    return np.round(np.column_stack([points, clean + noise]), 4)


def test_the_shipped_readings_are_what_they_are_said_to_be() -> None:
    with (ROOT / "problems" / "heat-sensors.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["x", "t", "u"]
    # a value halfway between two roundings may fall either way
    np.testing.assert_allclose(np.array(rows, dtype=float), heat_sensor_readings(), atol=1.01e-4)


def test_a_truth_beyond_all_sizes_is_refused() -> None:
    overrides = ["truth.u=exp(250*(1 + x))"]
    stated = config.load(config.resolve("heat-scattered"), overrides=overrides)
    with pytest.raises(TruthError, match="the true values of u reach"):
        collect(stated, reference_of(stated), 0)
