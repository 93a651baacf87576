"""The memory that is foretold is the memory that the built session plans with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pinngate import config
from pinngate.config import catalog
from pinngate.errors import InputError
from pinngate.runs.forecast import memory_of_a_run
from pinngate.runs.training import begin
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import Problem

MODES = {
    "race": SolveOptions(max_memory=10**9),
    "one deep network": SolveOptions(network=NetworkOptions(width=20, depth=2), max_memory=10**9),
    "no room for the Jacobian": SolveOptions(
        network=NetworkOptions(width=64, depth=2), max_memory=80_000_000
    ),
    "first order": SolveOptions(optimizer="population-risk-adam"),
}


def with_solve(problem: Problem, solve: SolveOptions) -> Problem:
    return replace(problem, solve=solve)


@pytest.mark.parametrize(
    "name", [n for n in catalog.names() if n not in ("heat-disk", "heat-hole", "poisson-l-shape")]
)
def test_the_forecast_is_what_a_session_plans_with(name: str) -> None:
    problem = config.load(catalog.path(name))
    known = None
    for mode, solve in MODES.items():
        stated = with_solve(problem, solve)
        try:
            session = begin(stated, *([] if known is None else known))
        except InputError as error:
            with pytest.raises(InputError) as foretold:
                memory_of_a_run(stated, known[1] if known else [])
            assert str(foretold.value) == str(error), mode
            continue
        known = [session.reference, session.observations]
        assert memory_of_a_run(stated, session.observations) == session.stepper.memory(), mode
