"""A problem stated in Python: the same problem, numbers and words as from YAML."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import pinngate
from pinngate import Observations, Problem, Unknown
from pinngate.config import catalog, load, loads
from pinngate.config.yaml_source import read
from pinngate.errors import DataError, InputError
from pinngate.statement.problem import changed
from tests.statement import test_messages as messages

SCRIPT = Path(__file__).parent / "user_script.py"
FEW = {"iterations": 3, "collocation": 32, "network": {"width": 8, "depth": 2}}

ROD: dict[str, Any] = {
    "domain": {"x": (0, 1), "t": (0, 1)},
    "unknowns": ["u"],
    "equations": ["u_t = k*u_xx"],
    "estimate": {"k": Unknown(initial=0.1, positive=True)},
    "conditions": ["u = 0 at x = 0", "u = 0 at x = 1"],
}
ROD_TEXT = """\
pinngate: 1
name: problem
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: [u_t = k*u_xx]
estimate: {k: {initial: 0.1, positive: true}}
conditions: [u = 0 at x = 0, "u = 0 at x = 1"]
"""


def readings(count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    points = random.random((count, 2))
    field = np.exp(-points[:, 1]) * np.sin(np.pi * points[:, 0])
    return points, field + 0.1 * random.standard_normal(count)


def write_csv(file: Path, **columns: Any) -> None:
    rows = zip(*columns.values(), strict=True)
    lines = [",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows]
    file.write_text("\n".join([",".join(columns), *lines]) + "\n")


def test_it_is_the_problem_that_a_file_states() -> None:
    text = ROD_TEXT + "observations:\n  - {of: u, count: 9, layout: grid, noise: {std: 0.1}}\n"
    text += "truth: {u: exp(-t)*sin(pi*x), constants: {k: 0.2}}\nsolve: {seed: 3}\nunits: {x: m}\n"
    stated = Problem(
        **ROD,
        observations=[Observations.synthetic("u", count=9, layout="grid", noise={"std": 0.1})],
        truth={"u": "exp(-t)*sin(pi*x)", "constants": {"k": 0.2}},
        solve={"seed": 3},
        units={"x": "m"},
    )
    assert stated == loads(text)
    assert isinstance(loads(text), Problem)
    assert loads(pinngate.dumps(stated)) == stated


@pytest.mark.parametrize("name", catalog.names())
def test_every_shipped_problem_can_be_stated_in_python(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = catalog.path(name)
    tree = read(file.read_text(encoding="utf-8")).tree
    del tree["pinngate"]
    monkeypatch.chdir(file.parent)  # relative data files start at the working directory
    assert Problem(**tree) == load(file) == pinngate.load(name)


def test_values_in_memory_give_the_numbers_of_a_file(tmp_path: Path) -> None:
    points, values = readings()
    values[4] = np.nan  # not measured
    stated = Problem(**ROD, observations=[Observations("u", points, values, std=0.1)], solve=FEW)
    write_csv(tmp_path / "u.csv", x=points[:, 0], t=points[:, 1], u=values)
    observed = {"of": "u", "file": "u.csv", "noise": {"std": 0.1}}
    tree = {"observations": [observed], "solve": FEW}
    read_back = loads(ROD_TEXT + yaml.safe_dump(tree), folder=tmp_path)
    assert changed(stated, observations=()) == changed(read_back, observations=())

    of_memory, of_file = pinngate.solve(stated), pinngate.solve(read_back)
    assert np.array_equal(of_memory(points)["u"], of_file(points)["u"])
    assert of_memory.metrics["coefficients"] == of_file.metrics["coefficients"]
    assert "1 of 30 values missing" in str(of_memory.metrics["data"])


def test_a_run_folder_is_complete_in_itself(tmp_path: Path) -> None:
    points, values = readings()
    held = Observations("-k*u_x", points[:5], values[:5])
    stated = Problem(
        **ROD,
        observations=[
            Observations("u", points, values, std=np.full(30, 0.1), max_rows=20),
            Observations("-k*u_x", points[5:], values[5:], noise={"std": 1}, holdout=held),
        ],
        solve=FEW,
    )
    first = pinngate.run(stated, tmp_path / "first")
    moved = (tmp_path / "first").rename(tmp_path / "moved")
    again = pinngate.run(load(moved / "problem.yaml"), tmp_path / "again")
    assert np.array_equal(first(points)["u"], again(points)["u"])
    assert first.metrics["risk"] == again.metrics["risk"]
    names = sorted(file.name for file in (moved / "data").iterdir())
    assert names == ["observations-1.csv", "observations-2-holdout.csv", "observations-2.csv"]
    with pytest.raises(InputError, match="in memory"):
        pinngate.dumps(stated)


def test_every_kind_of_array_and_table_gives_the_same_problem() -> None:
    pandas = pytest.importorskip("pandas")
    xarray = pytest.importorskip("xarray")
    points, values = readings()
    values[2] = np.nan
    std = np.linspace(0.1, 0.2, 30)
    x, t = points.T
    table = {"x": x, "t": t, "u": values, "u_std": std}
    frame = pandas.DataFrame(table | {"note": "ok"})
    gaps = frame.astype({"u": "Float64"})
    gaps.loc[2, "u"] = pandas.NA
    structured = np.array(list(zip(*table.values(), strict=True)), [(n, float) for n in table])
    station = {"x": ("station", x), "t": ("station", t)}
    labelled = xarray.DataArray(values, dims="station", coords=station)
    lists = [None if np.isnan(v) else v for v in values.tolist()]
    variables = {"u": ("station", values), "u_std": ("station", std)}
    same = {
        "arrays": Observations("u", points, values, std=std),
        "lists": Observations("u", points.tolist(), lists, std=std.tolist()),
        "column": Observations("u", points, values[:, None], std=std[:, None]),
        "torch": Observations(
            "u", torch.tensor(points), torch.tensor(values), std=torch.tensor(std)
        ),
        "gradients": Observations("u", points, torch.tensor(values, requires_grad=True), std=std),
        "masked": Observations("u", points, np.ma.masked_invalid(values), std=std),
        "mapping": Observations("u", {"t": t, "x": x}, values, std=std),
        "mapping of values": Observations("u", points, {"u": values}, std={"u": std}),
        "whole mapping": Observations("u", table),
        "frame": Observations("u", frame),
        "frame with NA": Observations("u", gaps),
        "frame, columns": Observations("u", frame, "u", std="u_std"),
        "frame, values": Observations("u", frame[["x", "t"]], frame["u"], std=frame["u_std"]),
        "structured": Observations("u", structured),
        "xarray": Observations("u", labelled, std=std),
        "dataset": Observations("u", xarray.Dataset(variables, station)),
        "one of a list": Observations(["u"], frame, ["u"]),
    }
    made = {name: Problem(**ROD, observations=[given]) for name, given in same.items()}
    assert [name for name, problem in made.items() if problem != made["arrays"]] == []
    assert Problem(**ROD, observations=[Observations("u", frame, std=2 * std)]) != made["arrays"]


def test_a_grid_of_xarray_is_spread_over_its_coordinates() -> None:
    xarray = pytest.importorskip("xarray")
    x, t = np.linspace(0, 1, 4), np.linspace(0, 1, 3)
    grid = np.arange(12.0).reshape(3, 4)
    labelled = xarray.DataArray(grid, dims=("t", "x"), coords={"x": x, "t": t}, name="u")
    (observed,) = Problem(**ROD, observations=[Observations("u", labelled)]).observations
    columns = observed.file.columns
    assert np.array_equal(columns["u"], grid.ravel())
    assert np.array_equal(columns["x"], np.tile(x, 3))
    assert np.array_equal(columns["t"], np.repeat(t, 4))


def test_several_quantities_share_one_table(tmp_path: Path) -> None:
    points, values = readings()
    table = {"x": points[:, 0], "t": points[:, 1], "u": values, "v": 2 * values, "v_std": values**2}
    pair = ROD | {"unknowns": ["u", "v"], "equations": ["u_t = k*u_xx", "v_t = v_xx"]}
    stated = Problem(**pair, observations=[Observations(["u", "v"], table)])
    both = Observations(["u", "v"], points, np.stack([values, 2 * values], axis=1))
    assert [o.of for o in stated.observations] == ["u", "v"]
    assert len(stated.data_files()) == 1
    second = Problem(**pair, observations=[both]).observations[1]
    assert np.array_equal(second.file.columns["v"], 2 * values)


def test_means_have_no_axis_that_they_are_taken_over() -> None:
    observed = Observations("u", [0.25, 0.5], [1, 2], mean={"over": "x"})
    whole = Observations("u", None, [1.5], mean={"over": ["x", "t"]})
    one, other = Problem(**ROD, observations=[observed, whole]).observations
    assert list(one.file.columns) == ["t", "u"]
    assert list(other.file.columns) == ["u"]
    with pytest.raises(DataError, match="a column for each of x, t"):
        Problem(
            **ROD, observations=[Observations("u", [0.25], [1], mean={"over": "x", "width": 0.1})]
        )


def test_numbers_of_every_kind_are_numbers() -> None:
    observed = {"observations": [Observations("u", POINTS, VALUES)]}
    bounds = {"domain": {"x": np.array([0, 1]), "t": (Fraction(0), torch.tensor(1.0))}}
    stated = Problem(**(ROD | observed | bounds), constants={"a": np.float32(0.5)})
    assert stated == Problem(**(ROD | observed), constants={"a": 0.5})
    as_mapping = {"estimate": {"k": {"initial": 0.1, "positive": True}}}
    assert Problem(**(ROD | observed | as_mapping)) == Problem(**(ROD | observed))
    assert Problem(**(ROD | observed | {"estimate": {"k": 0.1}})).coefficients[0].initial == 0.1


# Faults: what is changed, the place that the message names, the text over the caret. Each is
# written in YAML too, and both must say the same.
POINT = {"of": "u", "count": 5, "noise": {"std": 0.1}}
TRUTH = {"u": "sin(pi*x)"}
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "name in equation": ({"equations": ["u_t = kk*u_xx"]}, "equations[0]", "kk"),
    "derivative": ({"equations": ["u_t = k*u_xz"]}, "equations[0]", "u_xz"),
    "second line": ({"equations": ["u_t =\n  k*u_xz"]}, "equations[0]", "u_xz"),
    "order": ({"equations": ["u_t = k*u_xxxxt"]}, "equations[0]", "u_xxxxt"),
    "call": ({"equations": ["u_t = k*open(u)"]}, "equations[0]", "open(u)"),
    "letter": ({"equations": ["u_t = κ*u_xx"]}, "equations[0]", "κ"),
    "not text": ({"equations": [3]}, "equations[0]", "3"),
    "no equation": ({"equations": []}, "equations", "[]"),
    "one text": ({"unknowns": "u"}, "unknowns", "u"),
    "unused field": ({"unknowns": ["u", "w"]}, "unknowns[1]", "w"),
    "reserved": ({"unknowns": ["u", "file"]}, "unknowns[1]", "file"),
    "axis": ({"domain": {"r": [0, 1]}}, "domain['r']", "r"),
    "one bound": ({"domain": {"x": [0], "t": [0, 1]}}, "domain['x']", "[0]"),
    "bounds": ({"domain": {"x": [1, 0], "t": [0, 1]}}, "domain['x']", "[1, 0]"),
    "bound": ({"domain": {"x": [0, "q"], "t": [0, 1]}}, "domain['x'][1]", "q"),
    "infinite": ({"domain": {"x": [0, float("inf")], "t": [0, 1]}}, "domain['x'][1]", "inf"),
    "no axis": ({"domain": {}}, "domain", "domain"),
    "constant": ({"constants": {"a": "1/0"}}, "constants['a']", "1/0"),
    "clash": ({"constants": {"x": 1}}, "constants['x']", "x"),
    "start": (
        {"estimate": {"k": {"initial": -1, "positive": True}}},
        "estimate['k']['initial']",
        "-1",
    ),
    "short start": ({"estimate": {"k": "2*q"}}, "estimate['k']", "q"),
    "key": ({"estimate": {"k": {"initial": 1, "low": 0}}}, "estimate['k']['low']", "low"),
    "missing key": ({"estimate": {"k": {"positive": True}}}, "estimate['k']", "k"),
    "no place": ({"conditions": ["u = 0"]}, "conditions[0]", "u = 0"),
    "plane": ({"conditions": ["u = 0 at x > 0"]}, "conditions[0]", "x > 0"),
    "plane outside": ({"conditions": ["u = 0 at x = 7"]}, "conditions[0]", "7"),
    "name at plane": ({"conditions": ["u = 0 at x = q"]}, "conditions[0]", "q"),
    "name in condition": ({"conditions": ["u = q at x = 0"]}, "conditions[0]", "q"),
    "part": ({"conditions": ["u = 0 on hole"]}, "conditions[0]", "hole"),
    "periodic": ({"conditions": ["periodic in y"]}, "conditions[0]", "y"),
    "twice": ({"conditions": ["periodic in x", "periodic in x"]}, "conditions[1]", "x"),
    "half": ({"conditions": [{"where": "x = 0"}]}, "conditions[0]", "{'where': 'x = 0'}"),
    "field": ({"observations": [POINT | {"of": "v"}]}, "observations[0]['of']", "v"),
    "no truth": ({"observations": [POINT]}, "observations[0]", ""),
    "count": ({"observations": [POINT | {"count": 1.5}]}, "observations[0]['count']", "1.5"),
    "layout": ({"observations": [POINT | {"layout": "gird"}]}, "observations[0]['layout']", "gird"),
    "noise": ({"observations": [POINT | {"noise": 0.1}]}, "observations[0]['noise']", "0.1"),
    "file": ({"observations": [{"of": "u", "file": "u.csv"}]}, "observations[0]['file']", "u.csv"),
    "truth": ({"truth": {"u": "sin(y)"}}, "truth['u']", "y"),
    "empty truth": ({"truth": {}}, "truth", "truth"),
    "unit": ({"units": {"w": "m"}}, "units['w']", "w"),
    "option": ({"solve": {"sed": 1}}, "solve['sed']", "sed"),
    "seed": ({"solve": {"seed": -1}}, "solve['seed']", "-1"),
    "name": ({"name": "my problem"}, "name", "my problem"),
    "shape": (
        {"geometry": {"shapes": {"a": {"disc": 1}}}},
        "geometry['shapes']['a']['disc']",
        "disc",
    ),
    "nothing determines": ({"conditions": []}, "equations", "equations"),
}


def fault_of(arguments: dict[str, Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        Problem(**arguments)
    return caught.value


def words(error: InputError) -> tuple[str, str, str]:
    return error.what, error.expected, error.hint


def marked(error: InputError) -> str:
    """Return the text over the caret."""
    assert error.span is not None
    line, caret = error.span.excerpt().splitlines()
    start = caret.index("^")
    return line[start : start + caret.count("^")]


def yaml_tree(arguments: dict[str, Any]) -> str:
    plain = arguments | {
        "domain": {axis: list(bounds) for axis, bounds in arguments["domain"].items()}
    }
    if plain["estimate"] == ROD["estimate"]:
        plain["estimate"] = {"k": {"initial": 0.1, "positive": True}}
    return yaml.safe_dump({"pinngate": 1, "name": "problem"} | plain, sort_keys=False)


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_has_the_words_of_a_file_and_the_place_of_the_argument(case: str) -> None:
    changes, place, over_caret = FAULTS[case]
    arguments = ROD | changes
    error = fault_of(arguments)
    with pytest.raises(InputError) as caught:
        loads(yaml_tree(arguments))
    assert words(error) == words(caught.value)
    assert error.span is not None
    assert error.span.file == f"Problem({place})"
    assert over_caret in marked(error)
    if not over_caret.startswith(("{", "[")):
        assert not over_caret or marked(error).strip("'") == over_caret


FORMAT = 1


def yaml_cases() -> list[Any]:
    """Return every faulty text of the problem file's own tests that is a mapping at least."""
    rows = [*messages.SCHEMA, *messages.MEANING]
    texts = {row[0]: messages.changed(row[1], row[2]) for row in rows}
    texts |= {row[0]: row[1] for row in messages.WHOLE[3:12]}
    texts |= {str(k): row[0] for k, row in enumerate(messages.UNDETERMINED)}
    return [pytest.param(text, id=name) for name, text in texts.items()]


@pytest.mark.parametrize("text", yaml_cases())
def test_every_fault_of_a_file_is_one_in_python(text: str) -> None:
    plain = text.replace("«", "").replace("»", "")
    tree = read(plain).tree
    if tree.pop("pinngate") is not FORMAT or "titel" in tree:
        return  # Python has no format, and knows its keywords itself
    with pytest.raises(InputError) as caught:
        loads(plain)
    assert words(fault_of(tree)) == words(caught.value)


# Values in memory: what is given, the argument that is named, and what is said.
POINTS, VALUES = readings(6)
INFINITE, NOWHERE = VALUES.copy(), POINTS.copy()
INFINITE[2], NOWHERE[3, 1] = np.inf, np.nan
DATES = np.array(["2024-01-01"] * 6, dtype="M8[s]")
TABLE = {"x": POINTS[:, 0], "t": POINTS[:, 1], "u": VALUES}
GIVEN: dict[str, tuple[tuple[Any, ...], dict[str, Any], str, str]] = {
    "values": (("u", POINTS, VALUES[:5]), {}, ".values", "u has the shape (5,)"),
    "points": (("u", POINTS[:, :1], VALUES), {}, ".points", "points have the shape (6, 1)"),
    "flat": (("u", POINTS.ravel(), VALUES), {}, ".points", "points have the shape (12,)"),
    "std": (("u", POINTS, VALUES), {"std": [0.1, 0.2]}, ".std", "u_std has the shape (2,)"),
    "wide": (("u", POINTS, POINTS), {}, ".values", "values have the shape (6, 2)"),
    "infinite": (("u", POINTS, INFINITE), {}, ".values", "entry 2: u is not finite (inf)"),
    "no place": (("u", NOWHERE, VALUES), {}, ".points", "entry 3: t is not finite (nan)"),
    "text": (("u", POINTS, [*VALUES[:5], "x"]), {}, ".values", "entry 5: u is 'x', not a number"),
    "complex": (("u", POINTS, VALUES * 1j), {}, ".values", "u holds complex128, not numbers"),
    "dates": (
        ("u", {**TABLE, "t": POINTS[:, 1].astype("M8[s]")}),
        {},
        ".points",
        "t holds datetime64",
    ),
    "no values": (("u", POINTS), {}, ".values", "'u' is the name of a column"),
    "no column": (("u", TABLE, "w"), {}, ".values", "there is no column 'w'"),
    "no axis": (("u", {"x": TABLE["x"], "u": VALUES}), {}, ".points", "there is no column 't'"),
    "no mapping": (("u", POINTS, {"w": VALUES}), {}, ".values", "there is no column 'u'"),
    "empty": (("u", POINTS[:0], VALUES[:0]), {}, ".points", "hold no data"),
    "ragged": (
        ("u", [[0.1, 0.2], [0.1]], [1, 2]),
        {},
        ".points",
        "entry 0: points is '[0.1, 0.2]'",
    ),
    "field": (("w", POINTS, VALUES), {}, ".of", "unknown field 'w'"),
    "mean": (("u", POINTS, VALUES), {"mean": {"over": "z"}}, ".mean['over']", "no axis 'z'"),
    "noise": (("u", POINTS, VALUES), {"std": 0}, ".noise['std']", "'std' is 0"),
    "holdout": (("u", POINTS, VALUES), {"holdout": 2}, ".holdout", "'holdout' is 2"),
    "max_rows": (("u", POINTS, VALUES), {"max_rows": 0}, ".max_rows", "the number 0"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_given_values_that_do_not_fit(case: str) -> None:
    values, keywords, place, said = GIVEN[case]
    error = fault_of(ROD | {"observations": [Observations(*values, **keywords)]})
    assert said in error.what
    assert error.span is not None
    assert error.span.file == f"Problem(observations[0]{place})"
    assert error.expected


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"x": [0.5, 1.5], "t": [0, 0], "u": [1, 2]}, "x = 1.5 lies outside the domain"),
        ({"x": [0.5, 0.6], "t": [0, 0], "u": [1, 2], "u_std": [1, -1]}, "u_std is -1"),
        ({"x": [0.5, 0.6], "t": [0, 0], "u": [np.nan] * 2}, "every value of u is missing"),
    ],
)
def test_what_the_data_say_is_said_as_of_a_file(
    rows: dict[str, list[float]], said: str, tmp_path: Path
) -> None:
    write_csv(tmp_path / "u.csv", **rows)
    of_file = loads(ROD_TEXT + "observations: [{of: u, file: u.csv}]\n", folder=tmp_path)
    found = []
    for stated in (Problem(**ROD, observations=[Observations("u", rows)]), of_file):
        with pytest.raises(DataError, match=said) as caught:
            pinngate.solve(stated)
        found.append((caught.value.what.rpartition(": ")[2], *words(caught.value)[1:]))
    assert found[0] == found[1]


def test_arguments_that_exclude_each_other() -> None:
    with pytest.raises(InputError, match="both 'std' and 'noise'"):
        Observations("u", POINTS, VALUES, std=0.1, noise={"std": 0.1})
    with pytest.raises(InputError, match="cannot judge observations of u"):
        Observations("u", POINTS, VALUES, holdout=Observations("u_x", POINTS, VALUES))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"constants": {"a": 1j}}, "an object of the type complex"),
        ({"unknowns": {"u"}}, "an object of the type set"),
        ({"constants": {1: 2}}, "a key is not text"),
        ({"units": {"x": b"m"}}, "an object of the type bytes"),
    ],
)
def test_objects_that_no_file_can_hold(value: dict[str, Any], said: str) -> None:
    assert said in fault_of(ROD | value).what


def test_arguments_in_a_circle_are_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert "nested too deeply" in fault_of(ROD | {"equations": circle}).what


def test_it_is_immutable_and_can_be_copied() -> None:
    points, values = readings()
    stated = Problem(**ROD, observations=[Observations("u", points, values)])
    values[0] = 99.0  # what was given is not what is held
    assert stated.observations[0].file.columns["u"][0] != 99.0
    with pytest.raises(ValueError, match="read-only"):
        stated.observations[0].file.columns["u"][0] = 1.0
    with pytest.raises(AttributeError):
        stated.name = "other"  # type: ignore[misc]
    assert copy.deepcopy(stated) == stated
    assert pickle.loads(pickle.dumps(stated)) == stated
    with pytest.raises(TypeError):
        changed(stated, nonsense=1)
    with pytest.raises(TypeError):
        replace(stated, name="other")
    assert changed(stated, name="other").name == "other"


def test_it_shows_what_it_states() -> None:
    shown = repr(Problem(**ROD, observations=[Observations("u", POINTS, VALUES)])).splitlines()
    assert shown == [
        "Problem problem",
        "  fields:     u on x in [0, 1], t in [0, 1]",
        "  equations:  u_t = k*u_xx",
        "  conditions: u = 0 at x = 0; u = 0 at x = 1",
        "  unknown:    k",
        "  data:       u, measured, 6 values",
    ]


def test_a_shipped_problem_is_found_by_its_name(tmp_path: Path) -> None:
    assert pinngate.load("heat-noisy-ic").name == "heat-noisy-ic"
    with pytest.raises(InputError, match="did you mean 'heat-noisy-ic'"):
        str(pinngate.load("heat-noisy-ci"))
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "heat-noisy-ic")  # a path is a path


def test_a_users_script_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_says_what_happens() -> None:
    page = (Path(pinngate.__file__).parent.parent / "docs" / "python.md").read_text("utf-8")
    code, message = page.split("```")[1::2]
    assert message.strip() == str(fault_of(ROD | {"equations": ["u_t = k*u_xz"]}))
    stated = code.removeprefix("python").partition("solution = ")[0]
    names: dict[str, Any] = {"points": POINTS, "values": VALUES}
    exec(stated, names)
    assert names["problem"] == Problem(
        **ROD, observations=[Observations("u", POINTS, VALUES, std=0.1)]
    )
