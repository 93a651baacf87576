"""Whether a stated truth solves its problem, as `pinngate check` says.

An analytic truth is put into every equation and condition, its derivatives taken exactly; the
largest residual is reported relative to the size of the terms it is made of. Where the inside of a
bracket with a step became a flux, its derivative is right on both sides only, so that it has to be
continuous as well. Beside `inspection`; nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pinngate.errors import InputError
from pinngate.expression import Expression, evaluate, substitute
from pinngate.expression.printing import to_text
from pinngate.geometry.region import Region
from pinngate.statement.coefficient_fields import with_true_fields
from pinngate.statement.components import (
    has_true_coefficients,
    is_before_events,
)
from pinngate.statement.derivatives import differentiated
from pinngate.statement.equations import Where, Window
from pinngate.statement.kinks import kinks_of
from pinngate.statement.problem import (
    BoundaryPart,
    Plane,
    Problem,
    changed,
)

NUM_CHECKED = 2000
TOLERANCE = 1e-6  # relative; exact derivatives leave rounding alone, so anything larger is an error
NEXT_TO = 1e-9  # of an axis: the distance from a step at which a flux is compared


@dataclass(frozen=True)
class Finding:
    """One statement that was verified: its text, the largest relative residual, the verdict."""

    statement: str
    residual: float

    @property
    def is_satisfied(self) -> bool:
        """Whether the truth satisfies it to rounding."""
        return self.residual <= TOLERANCE


def verify_truth(problem: Problem) -> list[Finding]:
    """Put an analytic truth (or the clean initial data) into the equations and conditions.

    Returns:
        One finding for each statement that could be checked; none without such a truth.
    """
    problem = with_true_fields(problem)
    truth = problem.truth
    has_values = has_true_coefficients(problem)
    if truth is None or problem.coefficient_fields or not has_values:
        return []
    constants: dict[str, float] = dict(problem.constants) | problem.true_coefficients()
    random = np.random.default_rng(0)
    findings = []
    known = _with_fluxes(problem, truth.fields) if truth.fields else {}
    for equation in problem.equations if truth.fields else ():
        points = _points(problem, random, None)
        residual = _relative_residual(problem, equation.residual, known, constants, points)
        findings.append(Finding(equation.text, residual))
    if truth.fields:
        findings += _continuity(changed(problem, constants=constants), known)
    for condition in (c for c in problem.conditions if not is_before_events(problem, c)):
        fields = known or _fields_at(problem, condition.where, truth.clean)
        if fields:
            points = _points(problem, random, condition.where)
            try:
                residual = _relative_residual(
                    problem, condition.residual, fields, constants, points
                )
            except KeyError:
                continue
            findings.append(Finding(f"{condition.text} at {condition.where}", residual))
    return findings


def _with_fluxes(problem: Problem, fields: Mapping[str, Expression]) -> dict[str, Expression]:
    """Return the true fields with the fluxes that they make."""
    known = dict(fields)
    for flux in problem.fluxes:
        known[flux.name] = _inserted(problem, flux.inside, known)
    return known


def _inserted(
    problem: Problem, expression: Expression, fields: Mapping[str, Expression]
) -> Expression:
    return substitute(expression, _true_derivatives(problem, expression, fields))


def _true_derivatives(
    problem: Problem, expression: Expression, fields: Mapping[str, Expression]
) -> dict[str, Expression]:
    """Return the formula of every field and derivative that an expression names."""
    return {
        name: differentiated(fields[derivative.field], problem.axes, derivative.orders)
        for name, derivative in problem.derivatives(expression).items()
    }


def _continuity(problem: Problem, fields: Mapping[str, Expression]) -> Iterator[Finding]:
    """Yield whether each flux is continuous where it is differentiated across a step."""
    for flux in problem.fluxes:
        formula = fields[flux.name]
        along = _differentiated_along(problem, flux.name)
        for axis, places in kinks_of(problem, [formula]).items():
            for place in places if axis in along else ():
                jump = _relative_jump(problem, formula, axis, place)
                yield Finding(f"{to_text(flux.inside)} continuous at {axis} = {place:g}", jump)


def _differentiated_along(problem: Problem, field: str) -> set[str]:
    return {
        axis
        for residual in problem.solved_residuals
        for derivative in problem.derivatives(residual).values()
        if derivative.field == field
        for axis, order in zip(problem.axes, derivative.orders, strict=True)
        if order
    }


def _relative_jump(problem: Problem, formula: Expression, axis: str, place: float) -> float:
    """Return the largest jump of a formula at a place of one axis, over its largest value."""
    points = {**problem.constants, **_points(problem, np.random.default_rng(0), None)}
    low, high = problem.domain[axis]
    step = NEXT_TO * (high - low)
    before, after = (
        evaluate(formula, {**points, axis: np.full_like(points[axis], place + side * step)}, np)
        for side in (-1, 1)
    )
    size = float(np.max(np.abs(evaluate(formula, points, np))))
    return float(np.max(np.abs(after - before))) / (size or 1.0)


def _fields_at(
    problem: Problem, where: Where, clean: Mapping[str, Expression]
) -> dict[str, Expression]:
    """Return what clean initial data tell at a place: nothing but at the initial time."""
    is_initial = problem.has_time and where == Plane("t", problem.domain["t"][0])
    return _initial_fields(problem, clean) if is_initial else {}


def _initial_fields(problem: Problem, clean: Mapping[str, Expression]) -> dict[str, Expression]:
    """Return the initial values as fields that grow linearly in time at the initial velocity."""
    from pinngate.expression import Name, Number, add, multiply, subtract

    start = problem.domain["t"][0]
    elapsed = subtract(Name("t"), Number(start))
    return {
        name: add(clean[name], multiply(clean[f"{name}_t"], elapsed))
        for name in problem.unknowns
        if name in clean and f"{name}_t" in clean
    }


def _points(
    problem: Problem, random: np.random.Generator, where: Where | None
) -> dict[str, np.ndarray]:
    """Return coordinates, and components of the normal on a part of the boundary, by name."""
    domain: Mapping[str, tuple[float, float]] = problem.domain
    if isinstance(where, Window):
        domain, where = where.domain(domain), where.plane
    points = {a: random.uniform(lo, hi, NUM_CHECKED) for a, (lo, hi) in domain.items()}
    region = Region(problem)
    if isinstance(where, BoundaryPart):
        chosen = random.integers(len(region.boundary(where.name)[0]), size=NUM_CHECKED)
        places, normals = (array[chosen].T for array in region.boundary(where.name))
        points |= dict(zip(problem.space_axes, places, strict=True))
        return points | dict(zip(problem.normal, normals, strict=True))
    if where is not None:
        points[where.axis] = np.full(NUM_CHECKED, where.value)
    inside = region.inside(np.stack(list(points.values()), axis=1))
    if not inside.any():
        raise InputError(f"hardly any point of {where or 'the domain'} is inside the geometry")
    return {axis: values[inside] for axis, values in points.items()}


def _relative_residual(
    problem: Problem,
    residual: Expression,
    fields: Mapping[str, Expression],
    constants: Mapping[str, float],
    points: Mapping[str, np.ndarray],
) -> float:
    """Return how much of a statement the truth leaves, infinite where it has no finite value."""
    inserted = _true_derivatives(problem, residual, fields)
    try:
        total = np.abs(evaluate(substitute(residual, inserted), {**constants, **points}, np))
    except (ArithmeticError, TypeError, ValueError):  # of numbers alone, where arrays hold NaN
        return math.inf
    everywhere = {**constants, **_points(problem, np.random.default_rng(0), None)}
    sizes = [np.max(np.abs(evaluate(e, everywhere, np))) for e in inserted.values()]
    size = max(sizes, default=0.0)
    with np.errstate(invalid="ignore"):
        left = float(np.max(total) / (size or 1.0))
    return left if math.isfinite(left) else math.inf
