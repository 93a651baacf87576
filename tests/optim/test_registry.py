"""The registry builds what is declared, with nothing left open."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from pinngate import config
from pinngate.citation import USED_BY
from pinngate.errors import InputError
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.registry import OPTIMIZERS, OWN, complete, method, resolve
from pinngate.runs.training import begin
from pinngate.statement.options import (
    DECLARATIONS,
    DEFAULT_OPTIMIZER,
    NAMED,
    GaussNewtonSolveOptions,
    NetworkOptions,
    SolveOptions,
)
from pinngate.statement.problem import Problem, changed


def shipped(name: str, **options: object) -> Problem:
    problem = config.load(config.resolve(name))
    return changed(problem, solve=SolveOptions(**options))


def test_registry_and_declarations_agree() -> None:
    assert tuple(OPTIMIZERS) == NAMED == tuple(USED_BY)
    assert {*OPTIMIZERS, OWN.name} == DECLARATIONS.keys()
    assert method("auto").name == DEFAULT_OPTIMIZER


@pytest.mark.parametrize("name", DECLARATIONS)
def test_no_resolved_option_is_none(name: str) -> None:
    options = complete(shipped("heat-noisy-ic", optimizer=name))
    left = [key for key, value in asdict(options).items() if value is None]
    # a network of one's own is there or not, and how much memory is free depends on the machine
    assert left == ["own_network", "max_memory"]


@pytest.mark.parametrize("name", NAMED)
def test_what_is_stated_arrives(name: str) -> None:
    options = {"network": NetworkOptions(8, 1), "collocation": 17, "iterations": 9, "seed": 5}
    weights = dict.fromkeys(DECLARATIONS[name].weight_names(), 2.5)
    problem = shipped("heat-noisy-ic", optimizer=name, weights=weights, **options)
    found = complete(problem)
    assert {key: getattr(found, key) for key in options} == options
    assert asdict(found.weights) == weights
    assert complete(resolve(problem)) == found


@pytest.mark.parametrize(
    ("problem", "optimizer", "expected"),
    [
        ("heat-noisy-ic", "auto", 256),  # linear, two axes
        ("burgers-noisy-ic", "auto", 512),  # nonlinear
        ("burgers-inverse", "auto", 1024),  # coefficients are estimated
        ("oscillator", "adam", 64),  # one axis
        ("membrane-noisy-ic", "adam", 512),  # three
    ],
)
def test_collocation_points_by_axes_and_equations(
    problem: str, optimizer: str, expected: int
) -> None:
    options = complete(shipped(problem, optimizer=optimizer))
    assert options.collocation == expected
    stated = complete(shipped(problem, optimizer=optimizer, collocation=33))
    assert stated.collocation == 33


def test_gauss_newton_has_one_set_of_defaults() -> None:
    declared, internal = GaussNewtonSolveOptions(), GaussNewtonOptions()
    assert internal.equation_weight == declared.weights.equations
    assert internal.condition_weight == declared.weights.conditions
    assert internal.max_iterations == declared.iterations


CHANGES = {
    "network": NetworkOptions(8, 1),
    "learning_rate": 5e-2,
    "gate": "none",
    "statistics": "streaming",
    "gated_terms": "all",
    "strictness": 50.0,
    "basis": "weights",
    "collocation": 16,
    "seed": 3,
    "precision": "float64",
}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (name, path)
        for name in ("population-risk-adam", "adam")
        for path in DECLARATIONS[name].paths()
        if path in CHANGES or path.startswith("weights.")
    ],
)
def test_every_option_that_is_read_moves_the_weights(name: str, path: str) -> None:
    """What an optimizer declares is read indeed; an option without effect would be declared for
    nothing."""

    def after_steps(**options: object) -> list[float]:
        options = {"network": NetworkOptions(6, 2), "collocation": 8, "iterations": 40} | options
        problem = shipped("heat-noisy-ic", optimizer=name, **options)
        stepper = begin(problem).stepper
        for _ in range(14):  # the basis turns at the first and the eleventh
            stepper.step()
        return [float(p.detach().double().sum()) for p in stepper.network.parameters()]

    key, _, kind = path.partition(".")
    change = {"weights": {kind: 40.0}} if kind else {key: CHANGES[key]}
    if (name, key) == ("adam", "basis"):
        change = {"basis": "layers"}
    assert after_steps(**change) != after_steps()


def test_an_option_that_is_not_read_is_refused_in_python() -> None:
    with pytest.raises(InputError) as caught:
        begin(shipped("heat-noisy-ic", learning_rate=7.0))
    assert "the default, does not read 'learning_rate'" in str(caught.value)
    assert "learning_rate is read by population-risk-adam, adam, adamw" in str(caught.value)


def test_every_option_is_declared_by_some_optimizer() -> None:
    read = {name for reads in DECLARATIONS.values() for name in reads.names()}
    assert read | {"optimizer"} == {key.name for key in fields(SolveOptions)}
