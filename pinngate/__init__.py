"""Partial differential equations from noisy observations.

    import pinngate

    problem = pinngate.load("heat-noisy-ic")    # a file, or the name of a shipped problem
    solution = pinngate.solve(problem)
    solution([[0.5, 0.1]])["u"]

Names are loaded when they are first used: importing the package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinngate.citation import citation
    from pinngate.config import dumps, load, loads
    from pinngate.errors import InputError, Interrupted, PinngateError, SolveError
    from pinngate.inference.noise_model import NoiseModel
    from pinngate.optim.population_risk_adam import PopulationRiskAdam
    from pinngate.solution import (
        Solution,
        choose,
        design,
        load_solution,
        predict,
        resume,
        run,
        solve,
    )
    from pinngate.statement.arguments import Input, Observations, Unknown
    from pinngate.statement.problem import Problem

__version__ = "0.1.0"

_HOMES = {
    "Input": "statement.arguments",
    "InputError": "errors",
    "Interrupted": "errors",
    "NoiseModel": "inference.noise_model",
    "Observations": "statement.arguments",
    "PinngateError": "errors",
    "PopulationRiskAdam": "optim.population_risk_adam",
    "Problem": "statement.problem",
    "Solution": "solution",
    "SolveError": "errors",
    "Unknown": "statement.arguments",
    "choose": "solution",
    "citation": "citation",
    "design": "solution",
    "dumps": "config",
    "load": "config",
    "loads": "config",
    "load_solution": "solution",
    "predict": "solution",
    "resume": "solution",
    "run": "solution",
    "solve": "solution",
}

__all__ = [
    "Input",
    "InputError",
    "Interrupted",
    "NoiseModel",
    "Observations",
    "PinngateError",
    "PopulationRiskAdam",
    "Problem",
    "Solution",
    "SolveError",
    "Unknown",
    "choose",
    "citation",
    "design",
    "dumps",
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
