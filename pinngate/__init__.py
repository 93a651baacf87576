"""Partial differential equations from noisy observations.

    import pinngate

    problem = pinngate.load("problems/heat-noisy-ic.yaml")
    solution = pinngate.solve(problem)
    solution(x=0.5, t=[0.1, 0.2])["u"]

Names are loaded when they are first used: importing the package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinngate.citation import citation
    from pinngate.config import load, loads
    from pinngate.errors import InputError, PinngateError, SolveError
    from pinngate.optim.population_risk_adam import PopulationRiskAdam
    from pinngate.runs.training import Progress
    from pinngate.solution.finished import load_solution, predict
    from pinngate.solution.solved import Solution
    from pinngate.solution.solving import resume, run, solve
    from pinngate.statement.problem import Problem

__version__ = "0.1.0"

_HOMES = {
    "InputError": "errors",
    "PinngateError": "errors",
    "PopulationRiskAdam": "optim.population_risk_adam",
    "Problem": "statement.problem",
    "Progress": "runs.training",
    "Solution": "solution.solved",
    "SolveError": "errors",
    "citation": "citation",
    "load": "config",
    "load_solution": "solution.finished",
    "loads": "config",
    "predict": "solution.finished",
    "resume": "solution.solving",
    "run": "solution.solving",
    "solve": "solution.solving",
}

__all__ = [
    "InputError",
    "PinngateError",
    "PopulationRiskAdam",
    "Problem",
    "Progress",
    "Solution",
    "SolveError",
    "citation",
    "load",
    "load_solution",
    "loads",
    "predict",
    "resume",
    "run",
    "solve",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"pinngate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'pinngate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
