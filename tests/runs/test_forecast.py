"""The memory that is foretold is the memory that the built session plans with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pinngate import config
from pinngate.config import catalog
from pinngate.data.observations import collect
from pinngate.errors import InputError
from pinngate.geometry.isolation import is_available
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.reference import truth
from pinngate.runs.forecast import memory_of_a_run
from pinngate.runs.training import begin
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import changed

MODES = {
    "race": SolveOptions(max_memory=10**9),
    "one deep network": SolveOptions(network=NetworkOptions(width=20, depth=2), max_memory=10**9),
    "no room for the Jacobian": SolveOptions(
        network=NetworkOptions(width=64, depth=2), max_memory=80_000_000
    ),
    "first order": SolveOptions(optimizer="population-risk-adam"),
}


def plan_or_refusal(planned: Callable[[], MemoryPlan]) -> MemoryPlan | str:
    try:
        return planned()
    except InputError as error:
        return str(error)


SLOW_TRUTH = {"soil-temperature"}  # half a minute


@pytest.mark.parametrize("name", sorted({*catalog.names()} - SLOW_TRUTH))
def test_the_forecast_is_what_a_session_plans_with(name: str) -> None:
    problem = config.load(catalog.path(name))
    if problem.geometry is not None and not is_available():
        pytest.skip("needs the extra geometry (deepxde)")
    reference = truth(problem)
    data = collect(problem, reference, 0)
    for mode, solve in MODES.items():
        stated = changed(problem, solve=solve)
        built = plan_or_refusal(lambda s=stated: begin(s, reference, data).stepper.memory())
        assert plan_or_refusal(lambda s=stated: memory_of_a_run(s, data)) == built, mode
