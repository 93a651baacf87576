"""Conditions on parts of a side: how they are stated, joined, asked for and written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pinngate import InputError, Problem, dumps, loads
from pinngate.expression import evaluate
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.points.batches import BatchSource
from pinngate.statement.condition_windows import with_joined_windows
from pinngate.statement.kinks import kink_places
from pinngate.statement.problem import Plane, Window

EARLY, LATE = "u = 1 at x = 0 and t < 0.5", "u_x = 0 at x = 0 and t > 0.5"


def problem(*conditions: str, **parts: Any) -> Problem:
    stated: dict[str, Any] = {
        "domain": {"x": (0, 1), "t": (0, 2)},
        "unknowns": ["u"],
        "equations": ["u_t = u_xx"],
        "conditions": ["u = 0 at t = 0", "u = 0 at x = 1", *conditions],
    }
    return Problem(**(stated | parts))


def test_bounds_of_other_axes_make_a_window() -> None:
    made = problem("u = 0 at x = 0 and t > 0.5 and t < 1")
    assert made.conditions[2].where == Window(Plane("x", 0.0), (("t", 0.5, 1.0),))
    assert str(made.conditions[2].where) == "x = 0 and 0.5 < t < 1"
    assert loads(dumps(made)) == made
    assert kink_places(made)["t"] == (0.5, 1.0)


def test_bounds_beyond_the_domain_bound_nothing() -> None:
    assert problem("u = 0 at x = 0 and t > -1").conditions[2].where == Plane("x", 0.0)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("x = 0 and t > 3", "nothing is left of t"),
        ("x = 0 and t > 1 and t < 1", "nothing is left of t"),
        ("x = 0 and x < 1", "nothing is left of x"),
        ("x = 0 and y > 1", "'y > 1' is no bound of an axis"),
        ("x = 0 and 1 < t", "'1 < t' is no bound of an axis"),
        ("x = 0 and t = 1", "is not a plane, or a part of one"),
        ("x < 0.5", "is not a plane, or a part of one"),
        ("x = 0 and t > u", "unknown name 'u' in 'where'"),
    ],
)
def test_what_is_no_window_is_refused(where: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        problem(f"u = 0 at {where}")
    assert said in str(caught.value)


def test_windows_that_fill_the_time_are_one_condition() -> None:
    made = with_joined_windows(problem(EARLY, LATE))
    assert [c.where for c in made.conditions[2:]] == [Plane("x", 0.0)]
    known = {"t": np.array([0.2, 0.8]), "u": 3.0, "u_x": 7.0}
    assert evaluate(made.conditions[2].residual, known, np).tolist() == [2.0, 7.0]
    assert not MarchingForm(problem(EARLY, LATE)).open_ends[0]


@pytest.mark.parametrize("conditions", [[EARLY], [EARLY, "u = 0 at x = 0 and t > 1"]])
def test_windows_with_a_gap_stay_windows(conditions: list[str]) -> None:
    made = problem(*conditions)
    assert with_joined_windows(made) is made


def test_points_of_a_window_are_inside_it() -> None:
    made = problem(EARLY)
    source = BatchSource(
        made, [], num_collocation=16, num_condition=32, seed=0,
        dtype=torch.float64, device=torch.device("cpu"),
    )  # fmt: skip
    x, t = source.draw()["condition_3"].points.T
    assert x.tolist() == [0.0] * 32
    assert t.max() < 0.5
    assert t.max() > 0.4


def test_windows_of_one_side_count_once() -> None:
    problem(EARLY, LATE)
    with pytest.raises(InputError, match="nothing determines this problem"):
        problem(EARLY, LATE, conditions=["u = 0 at t = 0", EARLY, LATE])
