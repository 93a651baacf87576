"""Problems whose equations call Python functions, against the same problems as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import pinngate
from pinngate import config
from pinngate.config import catalog
from pinngate.errors import InputError
from pinngate.linear.jacobian import jacobian, row_weights
from pinngate.report import mathml
from pinngate.runs.training import begin
from pinngate.statement.problem import Problem

FEW = ["solve.collocation=48", "solve.iterations=6", "solve.network.width=8"]


def logistic(u: Tensor, rate: Tensor) -> Tensor:
    return rate * u * (1 - u)


def fisher(u: Tensor, u_t: Tensor, u_xx: Tensor, diffusivity: Tensor, growth: Tensor) -> Tensor:
    return u_t - (diffusivity * u_xx + growth * u * (1 - u))


TEXT = "u_t = diffusivity*u_xx + growth*u*(1 - u)"
TERM = "u_t = diffusivity*u_xx + logistic(u, growth)"
WHOLE = "fisher(u, u_t, u_xx, diffusivity, growth)"
FUNCTIONS = {"logistic": logistic, "fisher": fisher}


def problem_of(equation: str, **functions: object) -> Problem:
    text = catalog.path("fisher-kpp").read_text(encoding="utf-8")
    changed = text.replace(TEXT, equation)
    assert equation in changed
    return config.loads(changed, overrides=FEW, functions=functions or FUNCTIONS)


def heat(equation: str, **functions: object) -> Problem:
    text = catalog.path("heat-noisy-ic").read_text(encoding="utf-8")
    changed = text.replace("u_t = kappa*u_xx", equation)
    return config.loads(changed, overrides=FEW, functions=functions)


def conduction(u_t: Tensor, u_xx: Tensor, kappa: Tensor) -> Tensor:
    return u_t - kappa * u_xx


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (problem_of(TEXT), problem_of(TERM)),
        (heat("u_t = kappa*u_xx"), heat("heat(u_t, u_xx, kappa)", heat=conduction)),
    ],
    ids=["a term", "a whole residual"],
)
def test_residuals_and_jacobian_are_those_of_the_text(text: Problem, own: Problem) -> None:
    found = []
    for problem in (text, own):
        session = begin(problem)
        stepper = session.stepper
        model, batches = stepper.parts.model, session.batches.draw()
        ones = row_weights(model, batches, {term.name: 1.0 for term in model.terms})
        found.append(jacobian(model, stepper.network, stepper.coefficients, batches, ones))
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("optimizer", ["auto", "adam"])
def test_the_solution_is_that_of_the_text(optimizer: str) -> None:
    points = np.random.default_rng(0).random((30, 2))
    solved = []
    for equation in (TEXT, TERM):
        text = catalog.path("fisher-kpp").read_text(encoding="utf-8").replace(TEXT, equation)
        overrides = [*FEW, "solve.precision=float64", f"solve.optimizer={optimizer}"]
        solved.append(pinngate.solve(config.loads(text, overrides=overrides, functions=FUNCTIONS)))
    expected, found = solved
    np.testing.assert_allclose(found(points)["u"], expected(points)["u"], rtol=1e-8, atol=1e-8)
    assert found.metrics["coefficients"]["growth"]["estimate"] == pytest.approx(
        expected.metrics["coefficients"]["growth"]["estimate"], rel=1e-8
    )


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("heat-noisy-ic", "kappa*u_xx", "f(kappa*u_xx)"),
        ("wave-noisy-ic", "u_tt", "f(u_tt)"),
        ("poisson-2d", "u_xx", "f(u_xx)"),
    ],
)
def test_what_cannot_be_computed_is_left_out(name: str, old: str, new: str) -> None:
    """Limits and classical rivals read such a problem or leave it, and never crash."""
    text = catalog.path(name).read_text(encoding="utf-8")
    overrides = ["solve.collocation=32", "solve.iterations=2", "observations.0.count=50"]
    functions = {"f": lambda a: 1.0 * a}
    problem = config.loads(text.replace(old, new), overrides=overrides, functions=functions)
    metrics = pinngate.solve(problem).metrics
    assert metrics["fields"]["u"]["relative_l2"] is not None
    assert {"limit", "classical"} <= set(metrics)


def test_a_truth_that_cannot_be_computed_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"'fisher.*' is not linear in 'u_t'"):
        begin(problem_of(WHOLE))


def test_the_statement_knows_the_functions() -> None:
    problem = problem_of(TERM)
    assert problem == problem_of(TERM)
    assert dict(problem.functions) == FUNCTIONS
    shown = mathml.equation(TERM, problem.equations[0].residual, problem)
    assert "<mi>logistic</mi>" in shown


@pytest.mark.parametrize(
    ("equation", "functions", "told"),
    [
        ("u_t = logistic(u)", FUNCTIONS, "logistic takes 2 argument(s), found 1"),
        ("u_t = logistik(u, 1)", FUNCTIONS, "did you mean 'logistic'?"),
        ("u_t = own(u)", {}, "functions={'own': ...}"),
        ("u_t = logistic*u", FUNCTIONS, "logistic is a function: logistic(...)"),
        ("u_t = logistic(w, 1)", FUNCTIONS, "unknown name 'w'"),
    ],
)
def test_wrong_calls_are_shown_in_the_file(equation: str, functions: dict, told: str) -> None:
    text = catalog.path("fisher-kpp").read_text(encoding="utf-8").replace(TEXT, equation)
    with pytest.raises(InputError) as caught:
        config.loads(text, functions=functions)
    assert told in str(caught.value)
    assert caught.value.span.line == next(
        k for k, line in enumerate(text.splitlines(), 1) if equation in line
    )


@pytest.mark.parametrize(
    ("functions", "told"),
    [
        ({"sin": torch.sin}, "'sin' cannot name a function: it is a function"),
        ({"x": torch.sin}, "'x' cannot name an axis"),
        ({"growth": torch.sin}, "'growth' cannot name"),
        ({"a b": torch.sin}, "'a b' cannot name a function"),
        ({"u_x": torch.sin}, "'u_x' cannot name a function: it is a derivative of 'u'"),
        ({"g": 3.0}, "'g' in functions is a float"),
    ],
)
def test_names_of_functions_are_checked(functions: dict, told: str) -> None:
    with pytest.raises(InputError) as caught:
        problem_of(TEXT, **functions)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda u: u.sum(), "returns the shape ()"),
        (lambda u: u - u.mean(), "among others than alone"),
        (lambda u: torch.log(u - 100), "equation_1, which calls 'f', is not finite"),
        (lambda u: torch.sqrt(0 * u), "is not finite at the start, or its derivatives"),
    ],
)
def test_functions_are_tried_before_the_fit_begins(function: object, told: str) -> None:
    with pytest.raises(InputError) as caught:
        begin(heat("u_t = kappa*u_xx + f(u)", f=function))
    assert told in str(caught.value)


def test_a_run_asks_for_the_functions_again(tmp_path: Path) -> None:
    own = {"heat": conduction}
    solved = pinngate.run(heat("heat(u_t, u_xx, kappa)", **own), tmp_path / "run")
    assert "<mi>heat</mi>" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    points = np.random.default_rng(0).random((20, 2))
    (tmp_path / "run" / "metrics.json").unlink()
    resumed = pinngate.resume(tmp_path / "run", functions=own)
    assert np.array_equal(resumed(points)["u"], solved(points)["u"])
    predicted = pinngate.predict(tmp_path / "run", points, functions=own)
    assert np.array_equal(predicted["u"], solved(points)["u"])
    with pytest.raises(InputError, match="unknown function 'heat'") as caught:
        pinngate.predict(tmp_path / "run", points)
    assert "functions={'heat': ...}" in str(caught.value)
