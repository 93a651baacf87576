"""Known functions from tables: how they are stated, what is refused, where their kinks are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pinngate import Input, Problem, dumps, load, loads
from pinngate.config import catalog
from pinngate.errors import InputError
from pinngate.expression import evaluate
from pinngate.statement.kinks import formula_kinks, kink_places, knot_stops

ROOM = """\
pinngate: 1
name: room
domain: {t: [0, 3]}
unknowns: [T]
inputs:
  outdoor: {file: log.csv}
estimate: {k: 1}
equations:
  - T_t = k*(outdoor - T)
observations:
  - {of: T, file: data.csv}
"""
LOG = "t,outdoor,heat\n0,1,0\n1,3,0\n2,3,1\n3,0,1\n"


def write(folder: Path, log: str = LOG) -> None:
    (folder / "log.csv").write_text(log, encoding="utf-8")
    (folder / "data.csv").write_text("t,T\n0,1\n1,2\n", encoding="utf-8")


def message(folder: Path, text: str = ROOM, log: str = LOG) -> str:
    write(folder, log)
    with pytest.raises(InputError) as caught:
        loads(text, file="room.yaml", folder=folder)
    return str(caught.value)


def test_a_table_stands_in_an_equation_like_a_constant(tmp_path: Path) -> None:
    write(tmp_path)
    problem = loads(ROOM, folder=tmp_path)
    known = {"t": np.array([0.5, 2.5]), "T": 0.0, "T_t": 0.0, "k": 1.0}
    assert evaluate(problem.equations[0].residual, known, np).tolist() == [-2.0, -1.5]
    assert problem.inputs[0].over == ("t",)
    assert tmp_path / "log.csv" in problem.data_files()


def test_columns_and_interpolation_may_be_stated(tmp_path: Path) -> None:
    log = LOG.replace("t,", "hours,").replace("outdoor", "To_C").replace("2,3,1", "2,NA,1")
    stated = "{file: log.csv, column: To_C, columns: {t: hours}, interpolation: step, missing: NA}"
    write(tmp_path, log)
    problem = loads(ROOM.replace("{file: log.csv}", stated), folder=tmp_path)
    assert problem.inputs[0].function.evaluate([np.array([0.5, 2.5])]).tolist() == [1.0, 3.0]
    assert loads(dumps(problem)) == problem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("log.csv}", "log.csv, column: To}", ["room.yaml:6:19", "has no column 'To'"]),
        ("log.csv}", "missing.csv}", ["room.yaml:6:19", "there is no file 'missing.csv'"]),
        ("log.csv}", "log.csv, interpolation: cubic}", ["one of linear, step, smooth"]),
        ("log.csv}", "log.csv, columns: {x: a}}", ["'x' is nothing that an input reads"]),
        ("log.csv}", "log.csv, columns: {t: a}}", ["no column of an axis for the input"]),
        ("[0, 3]", "[0, 4]", ["t goes from 0 to 3 and does not cover the domain"]),
        ("outdoor: {", "T: {", ["'T' cannot name an input: it is an unknown"]),
        ("outdoor: {", "T_t: {", ["'T_t' cannot name an input"]),
        ("outdoor - T", "outdor - T", ["unknown name 'outdor'", "did you mean 'outdoor'?"]),
        ("k: 1}", "k: outdoor}", ["'outdoor' is an input, which cannot stand here"]),
        ("observations", "truth: {T: outdoor}\nobservations", ["unknown name 'outdoor' in the"]),
    ],
)
def test_wrong_statements_are_refused(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    found = message(tmp_path, ROOM.replace(old, new))
    assert all(part in found for part in said), found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1,3,0", "1,hot,0", "row 3: outdoor is 'hot', not a number"),
        ("1,3,0", "1,inf,0", "row 3: outdoor is not finite"),
        ("1,3,0", "4,3,0", "row 4: t = 2 does not lie above that of the row before, 4"),
        ("1,3,0", "0,3,0", "row 3: t = 0 does not lie above"),
        ("0,1,0\n", "", "t goes from 1 to 3 and does not cover the domain"),
        ("t,", "time,", "no column of an axis for the input 'outdoor'"),
    ],
)
def test_wrong_tables_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = message(tmp_path, log=LOG.replace(old, new, 1))
    assert "room.yaml:6:19" in found
    assert said in found, found


def test_a_last_step_is_held(tmp_path: Path) -> None:
    write(tmp_path)
    text = ROOM.replace("[0, 3]", "[0, 9]").replace("log.csv}", "log.csv, interpolation: step}")
    assert loads(text, folder=tmp_path).inputs[0].function.evaluate([8.0]) == 0.0


def problem(equation: str, *further: str, **inputs: Any) -> Problem:
    return Problem(
        domain={"x": (0, 1), "t": (0, 2)},
        unknowns=["u"],
        inputs=inputs,
        equations=[equation],
        conditions=["u = 0 at x = 0", "u = 0 at x = 1", "u = 0 at t = 0", *further],
    )


def test_arrays_of_python_are_tables_of_their_axes() -> None:
    values = np.arange(6.0).reshape(3, 2)
    made = problem("u_t = u_xx + f", f=Input(x=[0, 0.5, 1], t=[0, 2], values=values))
    assert made.inputs[0].over == ("x", "t")
    assert made.inputs[0].function.evaluate([0.5, 1.0]) == 2.5
    turned = problem("u_t = u_xx + f", f=Input(t=[0, 2], x=[0, 0.5, 1], values=values.T))
    assert turned.inputs[0].function == made.inputs[0].function
    frame = {"x": [0, 1], "f": [3.0, 4.0]}
    assert problem("u_t = u_xx + f", f=Input(frame)).inputs[0].over == ("x",)
    assert problem("u_t = u_xx + f", f=Input({"x": [0, 1], "a": [3, 4]}, "a")).inputs


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Input(t=[0, 1, 2], values=[1, 2]), "Problem(inputs['f'].values)"),
        (Input(t=[0, 1], values=[1, 2]), "does not cover the domain"),
        (Input(t=[0, 2, 1], values=[1, 2, 3]), "entry 2: t = 1 does not lie above"),
        (Input(y=[0, 1], values=[1, 2]), "the domain has no axis 'y'"),
        (Input([0, 1, 2], [1, 2, 3]), "no table with named columns"),
        (Input({"x": [0, 1], "g": [3, 4]}), "there is no column 'f'"),
        (Input(x=[0, 1], t=[0, 2], values=[[1, 2, 3]]), "have the shape (1, 3)"),
    ],
)
def test_wrong_values_of_python_are_refused(given: Input, said: str) -> None:
    with pytest.raises(InputError) as caught:
        problem("u_t = u_xx + f", f=given)
    assert said in str(caught.value)


def test_a_table_or_its_axes_are_given() -> None:
    for wrong in ({}, {"table": {"t": [0]}, "t": [0]}):
        with pytest.raises(InputError, match="an input has"):
            Input(**wrong)


def test_knots_are_kinks_where_they_matter() -> None:
    t = np.linspace(0, 2, 2001)
    made = problem("u_t = u_xx + f", f=Input(t=t, values=np.sin(t)))
    assert knot_stops(made) == ()
    noisy = np.random.default_rng(0).standard_normal(2001)
    made = problem("u_t = u_xx + f", f=Input(t=t, values=noisy))
    assert len(knot_stops(made)) > 1900
    assert len(kink_places(made)["t"]) == 12
    assert formula_kinks(made)["t"] == ()


def test_on_a_plane_only_what_varies_there_has_kinks() -> None:
    f = Input(x=[0, 0.5, 1], t=[0, 1, 2], values=[[0, 0, 0], [0, 9, 0], [0, 0, 0]])
    made = problem("u_t = u_xx", "u = f at x = 0.5", f=f)
    assert kink_places(made) == {"x": (), "t": (1.0,)}


def test_a_step_in_a_bracket_goes_through_a_flux() -> None:
    k = Input(x=[0, 0.4], values=[1, 5], interpolation="step")
    made = problem("u_t = (k*u_x)_x", k=k)
    assert [flux.equation.text for flux in made.fluxes] == ["q1 = k*u_x"]
    assert kink_places(made)["x"] == (0.4,)
    linear = Input(x=[0, 0.4, 1], values=[1, 5, 2])
    assert problem("u_t = (k*u_x)_x", k=linear).fluxes == ()
    with pytest.raises(InputError, match="a pulse of no width"):
        problem("u_t = u_xx + (k)_x", k=k)
    with pytest.raises(InputError, match="interpolation: smooth"):
        problem("u_t = u_xx + (k)_xx", k=linear)


def test_the_shipped_log_is_its_formula() -> None:
    shipped = load(catalog.path("soil-temperature")).inputs[0].function
    for t, value in zip(*shipped.knots, shipped.values, strict=True):
        day, clouds = (
            8 * math.sin(2 * math.pi * t / 24),
            2.5 * math.sin(2 * math.pi * t / 7) * math.sin(2 * math.pi * t / 31),
        )
        front = 4 / (1 + math.exp((44 - t) / 1.5))
        assert value == pytest.approx(15 + day + clouds - front, abs=0.0051)
