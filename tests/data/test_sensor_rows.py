"""Places that the file has no column of: one sensor, wide tables, dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pinngate import Observations, Problem, dumps, loads
from pinngate.data.observations import collect
from pinngate.errors import InputError

HEAT = """\
pinngate: 1
name: heat
domain: {x: [0, 4], t: [0, 10]}
unknowns: [u]
equations:
  - u_t = u_xx
observations:
  - {of: u, file: f.csv, at: {x: 3}}
"""
WIDE = "t;S 1;S2;other\n0;1;10;a\n2;;20;b\n4;3;30;c\n"


def collected(folder: Path, content: str, old: str = "", new: str = "") -> dict[str, list[float]]:
    (folder / "f.csv").write_text(content)
    text = HEAT.replace(old, new) if old else HEAT
    problem = loads(text, folder=folder)
    assert loads(dumps(problem)) == problem
    (made,) = collect(problem, None, 0)
    x, t = made.points.T
    return {"x": x.tolist(), "t": t.tolist(), "u": made.values.tolist()}


def test_a_sensor_whose_place_is_stated(tmp_path: Path) -> None:
    found = collected(tmp_path, "t,u\n0,1\n2,5\n")
    assert found == {"x": [3, 3], "t": [0, 2], "u": [1, 5]}


def test_a_column_for_each_sensor(tmp_path: Path) -> None:
    new = "sensors: {S 1: {x: 1}, S2: {x: 2}}"
    found = collected(tmp_path, WIDE, "at: {x: 3}", new)
    assert found == {"x": [1, 1, 2, 2, 2], "t": [0, 4, 0, 2, 4], "u": [1, 3, 10, 20, 30]}


def test_places_of_sensors_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("# measured in May\nsensor,x [m]\nS2,2\nS 1,1\n")
    found = collected(tmp_path, WIDE, "at: {x: 3}", "sensors: places.csv")
    assert found == {"x": [2, 2, 2, 1, 1], "t": [0, 2, 4, 0, 4], "u": [10, 20, 30, 1, 3]}


def test_dates_and_bounds_that_are_dates(tmp_path: Path) -> None:
    clock = "time: {origin: 2024-03-01, unit: d}\nunknowns"
    content = "t,u\n2024-03-01,1\n2024-03-03 12:00,5\n"
    assert collected(tmp_path, content, "unknowns", clock)["t"] == [0, 2.5]
    text = HEAT.replace("[0, 10]", "[2024-03-02, 2024-03-11]").replace("unknowns", clock)
    assert loads(text, folder=tmp_path).domain["t"] == (1.0, 10.0)


def test_the_unit_of_time_is_that_of_the_axis(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("t,u\n0,1\n")
    text = HEAT.replace("unknowns", "time: {origin: 2024-03-01 06:00}\nunits: {t: h}\nunknowns")
    clock = loads(text, folder=tmp_path).clock
    assert str(clock) == "h since 2024-03-01 06:00:00"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("at: {x: 3}", "at: {x: 5}", "heat.yaml:8:34: x = 5 is outside the domain"),
        ("at: {x: 3}", "at: {y: 5}", "heat.yaml:8:31: the domain has no axis 'y'"),
        ("at: {x: 3}", "sensors: {S 1: {x: 1}, S2: {t: 2}}", "the sensor 'S2' has places on t"),
        ("at: {x: 3}", "at: {x: 3}, sensors: {S2: {x: 2}}", "x has no place of its own here"),
        ("at: {x: 3}", "sensors: {S2: {x: 2}}, column: S2", "one name in 'of', and no column"),
        ("at: {x: 3}", "sensors: nowhere.csv", "heat.yaml:8:35: there is no file 'nowhere.csv'"),
        ("at: {x: 3}", "sensors: f.csv", "heat.yaml:8:35: "),
        ("at: {x: 3}", "sensors: 3", "cannot be the number 3"),
        ("[0, 10]", "[2024-01-01, 2024-02-01]", "heat.yaml:3:25: '2024-01-01' is a date"),
        ("unknowns", "time: {origin: May}\nunknowns", "heat.yaml:4:16: 'May' is no date"),
        ("unknowns", "time: {origin: 2024-01-01, unit: y}\nunknowns", "one of s, min, h, d, week"),
    ],
)
def test_wrong_places_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "f.csv").write_text(WIDE)
    with pytest.raises(InputError) as caught:
        loads(HEAT.replace(old, new), file="heat.yaml", folder=tmp_path)
    assert said in str(caught.value), caught.value


def test_python_says_the_same() -> None:
    frame = {"t": np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"), "A-1": [1.0, 2.0]}
    problem = Problem(
        domain={"x": (0, 1), "t": (0, 2)},
        unknowns=["u"],
        equations=["u_t = u_xx"],
        time={"origin": "2024-01-01", "unit": "d"},
        observations=[
            Observations("u", frame, sensors={"A-1": {"x": 0.5}}),
            Observations("u", {"t": [0.0, 1.0]}, [3.0, 4.0], at={"x": 0.25}),
        ],
    )
    first, second = collect(problem, None, 0)
    assert first.points.tolist() == [[0.5, 0], [0.5, 1]]
    assert first.values.tolist() == [1, 2]
    assert second.points.tolist() == [[0.25, 0], [0.25, 1]]
