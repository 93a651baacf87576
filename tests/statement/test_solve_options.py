"""Options that an optimizer does not read are refused, with their place."""

from __future__ import annotations

import pytest

from pinngate.config import loads
from pinngate.errors import InputError
from pinngate.statement.checks.schema import SolveSection
from pinngate.statement.options import (
    MEANINGS,
    RACE,
    GaussNewtonSolveOptions,
    NetworkOptions,
    SolveOptions,
    unread,
)

HEAT = """\
pinngate: 1
name: heat
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: [u_t = u_xx]
observations: [{of: u, count: 9, noise: {std: 0.1}}]
truth: {u: 0}
"""


def refusal(solve: str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        loads(HEAT + solve, file="heat.yaml", overrides=overrides)
    return caught.value


def test_the_message_names_place_cause_and_who_reads_it() -> None:
    error = refusal("solve:\n  optimizer: population-risk-gauss-newton\n  learning_rate: 7\n")
    assert str(error) == (
        "heat.yaml:10:3: the optimizer population-risk-gauss-newton does not read 'learning_rate'\n"
        "    learning_rate: 7\n"
        "    ^^^^^^^^^^^^^\n"
        "  it reads network, collocation, iterations, polish, weights (equations, conditions), "
        "seed, precision, device, max_memory\n"
        "  learning_rate is read by population-risk-adam, adam, adamw"
    )


@pytest.mark.parametrize(
    ("solve", "overrides", "said"),
    [
        ("solve: {gate: hard}", (), "heat.yaml:8:9: the optimizer population-risk-gauss-newton, "),
        ("solve: {weights: {observations: 100}}", (), "heat.yaml:8:19: "),
        ("", ("solve.gate=hard",), "--set:1:1: "),
        ("", ("solve.weights={equations: 2, observations: 3}",), "--set:1:30: "),
        # the option stands in the file, and the optimizer comes from the command line
        ("solve: {strictness: 2, optimizer: population-risk-adam}", ("solve.optimizer=adamw",),
         "heat.yaml:8:9: the optimizer adamw does not read 'strictness'"),
        ("solve: {optimizer: adam, network: race}", (), "heat.yaml:8:26: the optimizer adam "),
        ("solve: {optimizer: adamm}", (), "heat.yaml:8:20: unknown optimizer 'adamm'"),
        ("solve: {network: rice}", (), "heat.yaml:8:18: 'solve.network' cannot be the text"),
    ],
)  # fmt: skip
def test_faults_have_their_place(solve: str, overrides: tuple[str, ...], said: str) -> None:
    assert str(refusal(solve, *overrides)).startswith(said)


def test_switching_the_optimizer_keeps_what_both_read() -> None:
    stated = "solve: {weights: {equations: 2}, iterations: 30, network: {width: 8}}"
    for name in ("auto", "adam", "population-risk-adam", "own"):
        solve = loads(HEAT + stated, overrides=[f"solve.optimizer={name}"]).solve
        assert solve == SolveOptions(
            name, NetworkOptions(width=8), iterations=30, weights={"equations": 2.0}
        )


@pytest.mark.parametrize(
    "solve",
    [
        # what earlier versions wrote into the folder of a run
        "{optimizer: population-risk-gauss-newton, network: null, learning_rate: null, gate: null, "
        "weights: {equations: 3, conditions: 5, observations: 1}}",
        "{optimizer: adam, gate: none, statistics: streaming, gated_terms: all, strictness: null, "
        "basis: null, weights: {equations: 1, conditions: 5, observations: 1}}",
    ],
)
def test_facts_may_be_stated(solve: str) -> None:
    assert unread(loads(f"{HEAT}solve: {solve}").solve) == []


def test_the_race_may_be_asked_for_by_name() -> None:
    solve = loads(HEAT + "solve: {network: race}").solve
    assert solve.network == RACE
    assert GaussNewtonSolveOptions.of(solve) == GaussNewtonSolveOptions.of(SolveOptions())


def test_a_misspelt_weight_is_refused_in_python_too() -> None:
    ((path, error),) = unread(SolveOptions(weights={"equation": 2.0}))
    assert path == "weights.equation"
    assert error.hint == "did you mean 'weights.equations'?"


def test_the_file_and_python_have_the_same_options() -> None:
    assert list(SolveSection.model_fields) == list(MEANINGS)
    for name, info in SolveSection.model_fields.items():
        assert info.description == MEANINGS[name]
