from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from pinngate.config import load, load_located, loads
from pinngate.expression import evaluate, parse
from pinngate.statement.derivatives import Derivative
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import (
    Coefficient,
    MeasuredObservations,
    Noise,
    Plane,
    SyntheticObservations,
)

HEAD = "pinngate: 1\nname: p\n"

RICH = """\
pinngate: 1
name: rich_1-a
title: Two fields
domain: {t: [0, 2], y: [-pi, pi], x: [0, 3*length]}
unknowns: [u, flow_x]
constants: {length: 1e-1, rate: .5e-2, double: 2*length}
estimate:
  nu: {initial: 2*double, positive: true, upper: 9, truth: 0.5}
  a: {initial: 0, lower: -1, upper: 1}
  b: {initial: 1}
equations:
  - u_t + a*u*u_x = nu*(u_xx + u_yy) - b*flow_x
  - flow_x_tx = rate*exp(-t)*u_yx + heaviside(x)
conditions:
  - {where: x = 0, equation: u + 2*u_x = 1}
  - {where: t=0, equation: flow_x}
  - {where: x = 3*length, equation: u = sin(y)}
  - {periodic: y}
observations:
  - {of: [u, flow_x], count: 1e2, noise: {relative: 0.05, kind: student-t}}
  - {of: u, where: t = 1, count: 9, layout: grid,
     noise: {std: rate, kind: outliers, fraction: 0.2, scale: 5}}
truth:
  constants: {a: 0.25, b: 1/3}
  u: exp(-nu*t)*x + a
  flow_x: 0
solve:
  optimizer: population-risk-adam
  network: {width: 32, features: null}
  collocation: 1e3
  iterations: 500
  learning_rate: 1e-3
  gate: none
  statistics: pairs
  gated_terms: data
  weights: {equations: 3, conditions: 5.5}
  seed: 7
  precision: float64
  device: cpu
"""


def test_every_key_arrives() -> None:
    problem = loads(RICH)
    assert problem.axes == ("t", "y", "x")
    assert problem.space_axes == ("y", "x")
    assert problem.domain["y"] == (-math.pi, math.pi)
    assert problem.domain["x"] == (0.0, pytest.approx(0.3))
    assert problem.constants == {"length": 0.1, "rate": 0.005, "double": 0.2}
    assert problem.coefficients == (
        Coefficient("nu", 0.4, lower=0.0, upper=9.0, truth=0.5),
        Coefficient("a", 0.0, lower=-1.0, upper=1.0),
        Coefficient("b", 1.0),
    )
    assert problem.true_coefficients() == {"nu": 0.5, "a": 0.25, "b": pytest.approx(1 / 3)}
    assert problem.periodic == ("y",)
    assert [c.where for c in problem.conditions] == [
        Plane("x", 0.0),
        Plane("t", 0.0),
        Plane("x", problem.domain["x"][1]),
    ]
    assert problem.observations == (
        SyntheticObservations("u", 100, Noise(relative=0.05, kind="student-t")),
        SyntheticObservations("flow_x", 100, Noise(relative=0.05, kind="student-t")),
        SyntheticObservations(
            "u",
            9,
            Noise(std=0.005, kind="outliers", fraction=0.2, scale=5.0),
            Plane("t", 1.0),
            "grid",
        ),
    )
    assert problem.solve.network == NetworkOptions(width=32, features=None)
    assert problem.solve.weights == {"equations": 3.0, "conditions": 5.5}
    assert (problem.solve.collocation, problem.solve.gate) == (1000, "none")


def test_derivatives_are_canonical_and_residuals_are_left_minus_right() -> None:
    problem = loads(RICH)
    assert problem.derivatives(problem.equations[1].residual) == {
        "flow_x_tx": Derivative("flow_x", (1, 0, 1)),
        "u_yx": Derivative("u", (0, 1, 1)),
    }
    same = loads(RICH.replace("flow_x_tx", "flow_x_xt").replace("u_yx", "u_xy"))
    assert same.equations[1].residual == problem.equations[1].residual
    values = dict.fromkeys(["u_t", "a", "u", "u_x", "nu", "u_xx", "u_yy", "b", "flow_x"], 2.0)
    assert evaluate(problem.equations[0].residual, values, math) == 2 + 8 - (2 * 4 - 4)


def test_the_spec_example_of_a_measured_problem(tmp_path: Path) -> None:
    (tmp_path / "sensors.csv").write_text("x,t,u\n0,0,0\n")
    file = tmp_path / "burgers.yaml"
    file.write_text(
        "pinngate: 1\nname: burgers-inverse\ndomain: {x: [-1, 1], t: [0, 0.99]}\nunknowns: [u]\n"
        "estimate:\n  speed: {initial: 0.5}\n  nu: {initial: 0.02, positive: true}\n"
        "equations:\n  - u_t + speed*u*u_x - nu*u_xx\n"
        "observations:\n  - {of: u, file: sensors.csv}\n"
    )
    located = load_located(file)
    data = tmp_path / "sensors.csv"
    assert located.problem.observations == (MeasuredObservations("u", data.resolve()),)
    assert str(located.files[data.resolve()]) == f"{file}:11:19"
    assert load(str(file)) == located.problem
    assert [c.is_positive for c in located.problem.coefficients] == [False, True]


def test_a_bound_typed_in_decimals_is_the_bound() -> None:
    text = HEAD + (
        "domain: {x: [0, 2*pi]}\nunknowns: [u]\nequations: [u_x = 1]\n"
        "conditions: [{where: x = 6.28318530717958, equation: u = 0}]\n"
    )
    assert loads(text).conditions[0].where.value == 2 * math.pi


def test_planes_may_lie_inside_the_domain() -> None:
    text = HEAD + (
        "domain: {x: [0, 1]}\nunknowns: [u]\nequations: [u_x = 1]\n"
        "conditions: [{where: x = 1/4, equation: u = 0}]\n"
    )
    assert loads(text).conditions[0].where == Plane("x", 0.25)


def test_a_solver_and_its_clean_data() -> None:
    text = HEAD + (
        "domain: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nestimate: {c: {initial: 2}}\n"
        "equations: [u_tt = c*u_xx]\nobservations: [{of: u, count: 5, noise: {std: 0}}]\n"
        "truth: {solver: spectral, clean: {u: c*x, u_t: 0}, constants: {c: 3}}\n"
    )
    truth = loads(text).truth
    assert truth is not None
    assert truth.clean == {"u": parse("c*x"), "u_t": parse("0")}
    assert truth.constants == {"c": 3.0}


def test_true_values_may_be_known_where_the_field_is_not(tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(b"PK")
    text = HEAD + (
        "domain: {x: [0, 1]}\nunknowns: [u]\nestimate: {c: {initial: 2}}\nequations: [u_x = c]\n"
        "observations: [{of: u, file: d.npz}]\ntruth: {constants: {c: 3}}\n"
    )
    problem = loads(text, folder=tmp_path)
    assert problem.true_coefficients() == {"c": 3.0}
    assert problem.truth is not None
    assert not problem.truth.fields


def test_reading_problem_files_imports_nothing_heavy() -> None:
    program = (
        "import sys, pinngate.config\n"
        "sys.exit(bool({'torch', 'scipy', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
