from __future__ import annotations

import math
from pathlib import Path

import pytest

from pinngate.config import catalog, load, resolve
from pinngate.errors import InputError
from pinngate.expression import differentiate, evaluate
from pinngate.statement.problem import Problem, SyntheticObservations

NAMES = {
    "advection-noisy-ic",
    "burgers-inverse",
    "burgers-noisy-ic",
    "heat-disk",
    "heat-hole",
    "heat-noisy-ic",
    "heat-scattered",
    "heat-sensors",
    "poisson-l-shape",
    "wave-noisy-ic",
}


def test_the_catalogue_holds_the_documented_problems_with_titles() -> None:
    assert set(catalog.names()) >= NAMES
    assert all(catalog.describe()[name] for name in catalog.names())


@pytest.mark.parametrize("name", catalog.names())
def test_a_file_has_the_name_of_its_problem_and_its_source(name: str) -> None:
    text = catalog.path(name).read_text(encoding="utf-8")
    assert f"\nname: {name}\n" in text
    assert "\ndescription: " in text
    assert "\nsource: " in text
    assert "\nsolve:" not in text


def test_a_name_or_a_path_resolves(tmp_path: Path) -> None:
    assert resolve("heat-noisy-ic") == catalog.path("heat-noisy-ic")
    file = tmp_path / "mine.yaml"
    file.touch()
    assert resolve(str(file)) == file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("heat-noisy-id", "did you mean 'heat-noisy-ic'?"),
        ("problems/heat-noisy-id.yaml", "did you mean 'heat-noisy-ic'?"),
        ("/", "a folder"),
        ("", "a folder"),
        ("a" * 5000, "no path"),
        ("a\0b", "neither a file|no path"),
    ],
)
def test_what_does_not_resolve_says_so(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(text)
    assert any(part in str(caught.value) for part in said.split("|"))
    with pytest.raises(InputError, match="no shipped problem"):
        catalog.path(text)


def field_value(problem: Problem, name: str, point: dict[str, float]) -> float:
    """Evaluate the stated truth or an exact derivative of it."""
    assert problem.truth is not None
    field, _, axes = name.partition("_")
    expression = problem.truth.fields[field]
    for axis in axes:
        expression = differentiate(expression, axis)
    return float(evaluate(expression, problem.constants | point, math))


ANALYTIC = ["advection-noisy-ic", "heat-noisy-ic", "heat-scattered", "wave-noisy-ic"]


@pytest.mark.parametrize("name", ANALYTIC)
def test_the_stated_truth_solves_the_stated_problem(name: str) -> None:
    problem = load(catalog.path(name))

    def residual(expression: object, point: dict[str, float]) -> float:
        values = {n: field_value(problem, n, point) for n in problem.derivatives(expression)}
        return float(evaluate(expression, problem.constants | values | point, math))

    for x, t in [(0.13, 0.2), (0.5, 0.71), (0.97, 0.05)]:
        for equation in problem.equations:
            # rounding of terms of size 9 pi^2
            assert abs(residual(equation.residual, {"x": x, "t": t})) < 1e-12
        for condition in problem.conditions:
            point = {"x": x, "t": t} | {condition.where.axis: condition.where.value}
            assert abs(residual(condition.residual, point)) < 1e-12
        for axis in problem.periodic:
            ends = [
                field_value(problem, "u", {"x": x, "t": t} | {axis: end})
                for end in problem.domain[axis]
            ]
            assert ends[0] == pytest.approx(ends[1], abs=1e-12)


@pytest.mark.parametrize("name", sorted(n for n in NAMES if n.endswith("noisy-ic")))
def test_noisy_initial_conditions_are_two_hundred_samples_at_the_start(name: str) -> None:
    (observed,) = load(catalog.path(name)).observations
    assert isinstance(observed, SyntheticObservations)
    assert (observed.count, observed.noise.std, str(observed.where)) == (200, 0.3, "t = 0")


def test_the_inverse_problem_knows_its_coefficients() -> None:
    problem = load(catalog.path("burgers-inverse"))
    assert problem.true_coefficients() == {"speed": 1.0, "nu": 0.01 / math.pi}
    assert [(c.name, c.initial, c.is_positive) for c in problem.coefficients] == [
        ("speed", 0.5, False),
        ("nu", 0.02, True),
    ]
    assert problem.conditions == ()
