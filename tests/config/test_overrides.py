from __future__ import annotations

import pytest

from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.statement.problem import Plane
from tests.statement.test_building import RICH


def test_overrides_count_as_if_they_stood_in_the_file() -> None:
    changes = [
        "solve.optimizer=population-risk-adam",
        "solve.network.features=null",
        "solve.weights={observations: 2}",
        "observations.1.noise.std=1e-2",
        "observations.1.where=t = 2*length",
        "title=A = B",
        "truth.flow_x=sin(x)",
    ]
    problem = loads(RICH, overrides=changes)
    assert problem.solve.optimizer == "population-risk-adam"
    assert problem.solve.weights == {"observations": 2.0}
    assert problem.observations[2].noise.std == 0.01
    assert problem.observations[2].where == Plane("t", 0.2)
    assert problem.title == "A = B"


def test_sections_that_are_absent_are_made() -> None:
    text = RICH[: RICH.index("solve:")]
    assert loads(text, overrides=["solve.network.width=8"]).solve.network.width == 8
    assert loads(text, overrides=["solve.seed=3", "solve.seed=4"]).solve.seed == 4


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("solve.optimiser=adam", "--set:1:1: unknown key 'optimiser'"),
        ("solve.seed=x", "--set:1:12: 'solve.seed' cannot be the text 'x'"),
        ("solver.seed=3", "--set:1:1: unknown key 'solver'"),
        ("observations.7.count=1", "--set:1:14: 'observations' has no item 7"),
        ("observations.last.count=1", "--set:1:14: 'observations' has no item last"),
        ("name.first=1", "--set:1:6: 'name' has no parts"),
        ("equations.0=u_t = nu*u_qq", "--set:1:22: unknown name 'u_qq' in an equation"),
        ("solve.seed", "is no path=value"),
        ("=3", "is no path=value"),
        ("solve={a: 1, a: 2}", "--set:1:14: duplicate key 'a'"),
        ("solve.weights={equations: 0}", "--set:1:27: 'solve.weights.equations' cannot be"),
    ],
)
def test_faults_point_into_the_override(override: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        loads(RICH, overrides=[override])
    message = str(caught.value)
    assert said in message
    if caught.value.span:
        assert override in message


def test_a_fault_that_remains_in_the_file_still_points_there() -> None:
    with pytest.raises(InputError) as caught:
        loads(RICH.replace("title", "titel"), file="f.yaml", overrides=["solve.seed=3"])
    assert str(caught.value).startswith("f.yaml:3:1: ")
