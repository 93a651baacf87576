"""Unknowns as a mapping: what is known of each field beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from pinngate import InputError, Problem, dumps, loads
from pinngate.model.scales import field_scales
from pinngate.optim.direct_fit.started_fit import stated_guess

ODE = """\
pinngate: 1
name: ode
domain: {t: [0, 1]}
unknowns: {C: {size: 1e5}, u: {}}
equations:
  - C_t = -C
  - u_t = -u
conditions:
  - {where: t = 0, equation: C = 1}
  - {where: t = 0, equation: u = 1}
"""


def test_a_stated_size_is_the_scale_of_a_field() -> None:
    problem = loads(ODE)
    assert problem.unknowns == ("C", "u")
    assert problem.sizes == {"C": 1e5}
    assert field_scales(problem, [])["C"].size == 1e5
    assert loads(dumps(problem)) == problem


def test_python_says_the_same() -> None:
    problem = Problem(
        domain={"t": (0, 1)},
        unknowns={"C": {"size": "10**5"}},
        equations=["C_t = -C"],
        conditions=["C = 1 at t = 0"],
    )
    assert problem.sizes == {"C": 1e5}


def test_a_guess_is_where_the_fit_through_the_solver_starts() -> None:
    problem = loads(ODE.replace("u: {}", "u: {initial_guess: 2*exp(-t)}"))
    assert loads(dumps(problem)) == problem
    guess = stated_guess(problem)
    assert guess is not None
    assert guess(np.array([[0.0], [1.0]])).tolist() == [[0, 2], [0, pytest.approx(2 / np.e)]]
    assert stated_guess(loads(ODE)) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size: 1e5", "sise: 1e5", ["ode.yaml:4:16", "unknown key 'sise'", "did you mean 'size'"]),
        ("size: 1e5", "size: -1", ["ode.yaml:4:22", "a size of -1"]),
        ("size: 1e5", "size: [1]", ["ode.yaml:4:22", "'unknowns.C.size' cannot be a list of 1"]),
        ("size: 1e5", "initial_guess: 2*u", ["ode.yaml:4:33", "unknown name 'u' in 'initial_gue"]),
        ("{C: {size: 1e5}, u: {}}", "{}", ["'unknowns' cannot be an empty mapping"]),
        ("{C: {size: 1e5}, u: {}}", "[C, 3]", ["ode.yaml:4:15", "'unknowns.1' cannot be the"]),
        ("{C: {size: 1e5}, u: {}}", "C", ["'unknowns' cannot be the text 'C'"]),
        ("u: {}}", "t: {}}", ["ode.yaml:4:28", "'t' cannot name an unknown: it is an axis"]),
        ("u: {}}", "v: {}}", ["unknown name 'u_t'"]),
    ],
)
def test_wrong_mappings_are_refused(old: str, new: str, said: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        loads(ODE.replace(old, new), file="ode.yaml")
    assert all(part in str(caught.value) for part in said), caught.value
