"""A problem in other units: the same physics with other numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pinngate.expression import Expression, Name, Number, multiply, names, substitute
from pinngate.expression.printing import to_text
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import (
    Coefficient,
    Condition,
    Equation,
    Noise,
    Plane,
    Problem,
    SyntheticObservations,
    Truth,
    changed,
)


def rescaled(problem: Problem, units: Mapping[str, float]) -> Problem:
    """Return the problem with axes, fields and coefficients multiplied by `units`, 1 if absent.

    Every name s of a formula becomes s / unit(s), that of ∂^α u being unit(u) / Π unit(axis)^α.
    """

    def unit(name: str) -> float:
        derivative = parse_derivative(name, problem.unknowns, problem.axes)
        if derivative is None:
            return units.get(name, 1.0)
        found = units.get(derivative.field, 1.0)
        for axis, order in zip(problem.axes, derivative.orders, strict=True):
            found /= units.get(axis, 1.0) ** order
        return found

    def moved(expression: Expression, factor: float = 1.0) -> Expression:
        inner = {n: multiply(Number(1 / unit(n)), Name(n)) for n in names(expression)}
        return multiply(Number(factor), substitute(expression, inner))

    def plane(where: Plane) -> Plane:
        return Plane(where.axis, where.value * units.get(where.axis, 1.0))

    def noise(stated: Noise, field: str) -> Noise:
        return stated if stated.std is None else replace(stated, std=stated.std * unit(field))

    def observed(item: object) -> SyntheticObservations:
        assert isinstance(item, SyntheticObservations)
        where = item.where and plane(item.where)
        return replace(item, where=where, noise=noise(item.noise, item.of))

    def bound(c: Coefficient, value: float | None) -> float | None:
        return None if value is None else value * unit(c.name)

    truth = problem.truth
    assert truth is not None
    return changed(
        problem,
        domain={a: (lo * unit(a), hi * unit(a)) for a, (lo, hi) in problem.domain.items()},
        equations=tuple(
            Equation(to_text(moved(e.residual)), moved(e.residual)) for e in problem.equations
        ),
        conditions=tuple(
            Condition(plane(c.where), to_text(moved(c.residual)), moved(c.residual))
            for c in problem.conditions
        ),
        coefficients=tuple(
            replace(
                c,
                initial=c.initial * unit(c.name),
                lower=bound(c, c.lower),
                upper=bound(c, c.upper),
                truth=bound(c, c.truth),
            )
            for c in problem.coefficients
        ),
        observations=tuple(observed(o) for o in problem.observations),
        truth=Truth(
            {f: moved(e, unit(f)) for f, e in truth.fields.items()},
            truth.solver,
            {f: moved(e, unit(f)) for f, e in truth.clean.items()},
            None,
            {n: v * unit(n) for n, v in truth.constants.items()},
        ),
    )
