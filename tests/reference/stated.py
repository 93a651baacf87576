"""Problems stated in a line, and errors against formulas, for the tests of the references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pinngate.expression import evaluate, parse, parse_equation
from pinngate.reference import Initial, Reference, initial_from
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import canonical
from pinngate.statement.problem import Condition, Equation, Plane, Problem

UNIT = {"x": (0.0, 1.0), "t": (0.0, 1.0)}
FIXED_ENDS = (("x", 0.0, "u = 0"), ("x", 1.0, "u = 0"))
AT_REST = ("t", 0.0, "u_t = 0")


def state(
    *equations: str,
    domain: dict[str, tuple[float, float]] | None = None,
    conditions: tuple[tuple[str, float, str], ...] = (),
    unknowns: tuple[str, ...] = ("u",),
    **options: Any,
) -> Problem:
    domain = UNIT if domain is None else domain

    def residual(text: str) -> Any:
        return canonical(parse_equation(text), unknowns, tuple(domain))

    return Problem.of(
        Statement(
            "stated",
            domain,
            unknowns,
            tuple(Equation(e, residual(e)) for e in equations),
            tuple(Condition(Plane(a, v), e, residual(e)) for a, v, e in conditions),
            **options,
        )
    )


def initial(**formulas: str) -> dict[str, Initial]:
    return initial_from({name: parse(text) for name, text in formulas.items()})


def scattered(problem: Problem, count: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.uniform(*bounds, count) for bounds in problem.domain.values()])


def values_of(problem: Problem, formula: str, points: np.ndarray) -> np.ndarray:
    axes = dict(zip(problem.axes, points.T, strict=True))
    return np.broadcast_to(evaluate(parse(formula), axes, np), len(points))


def error(problem: Problem, reference: Reference, formulas: Mapping[str, str]) -> float:
    """Return the largest relative L2 error over the fields at scattered points."""
    points = scattered(problem)
    found = reference(points)
    exact = {f: values_of(problem, text, points) for f, text in formulas.items()}
    return max(float(np.linalg.norm(found[f] - e) / np.linalg.norm(e)) for f, e in exact.items())
