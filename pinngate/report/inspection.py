"""What `pinngate check` says: the problem as understood, and whether its truth solves it.

An analytic truth is put into every equation and condition, its derivatives taken exactly; the
largest residual is reported relative to the size of the terms it is made of. Where the inside of a
bracket with a step became a flux, its derivative is right on both sides only, so that it has to be
continuous as well. Nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pinngate.errors import InputError
from pinngate.expression import Binary, Expression, evaluate, names, substitute, tables_in
from pinngate.expression.printing import to_text
from pinngate.geometry.region import Region
from pinngate.model.channels.plan import Plan, plan_channels
from pinngate.statement.axis_bounds import is_logarithmic
from pinngate.statement.coefficient_fields import searched, with_true_fields
from pinngate.statement.components import (
    has_true_coefficients,
    is_before_events,
    single_coefficients,
)
from pinngate.statement.derivatives import differentiated
from pinngate.statement.equations import Where, Window
from pinngate.statement.kinks import kink_places, kinks_of, oblique_kinks
from pinngate.statement.problem import (
    BoundaryPart,
    Coefficient,
    CoefficientField,
    MeasuredObservations,
    Plane,
    Problem,
    SyntheticObservations,
    changed,
    label_of,
)

NUM_CHECKED = 2000
TOLERANCE = 1e-6  # relative; exact derivatives leave rounding alone, so anything larger is an error
MOST_SHOWN = 8  # kinks on an axis
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


def describe(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield (heading, line) pairs: the problem as it was understood."""
    for heading, section in _SECTIONS:
        for line in section(problem):
            yield heading, line


def _domain(problem: Problem) -> Iterator[str]:
    for axis, (low, high) in problem.domain.items():
        extent = f"{axis} from {low:g} to {high:g}"
        counted = f", in {problem.clock}" if axis == "t" and problem.clock else ""
        kind = f", a {problem.coordinates[axis]}" if axis in problem.coordinates else ""
        scale = ", on its logarithm" if is_logarithmic(problem.domain[axis]) else ""
        turns = ", periodic" if axis in problem.periodic else ""
        yield extent + turns + counted + kind + scale


def _geometry(problem: Problem) -> Iterator[str]:
    if problem.geometry is not None:
        yield f"{to_text(problem.geometry.inside)}, inside the domain"


def _candidates(problem: Problem) -> Iterator[str]:
    for name, one in problem.candidates.items():
        texts = "; ".join(equation.text for equation in one.equations)
        numbers = [c.name for c in single_coefficients(one)]
        estimated = ", ".join([*numbers, *(own.name for own in one.pieces)])
        yield f"{name}: {texts}" + (f", unknown {estimated}" if estimated else "")
        if one.optional:
            yield f"{name}: {len(one.optional)} of the terms may be left out"


def _unknowns(problem: Problem) -> Iterator[str]:
    sized = {name: f" of the size {size:g}" for name, size in problem.sizes.items()}
    words = dict.fromkeys(problem.positive, ", positive")
    yield ", ".join(
        f"{name}{sized.get(name, '')}{words.get(name, '')}" for name in problem.unknowns
    )


def _constants(problem: Problem) -> Iterator[str]:
    for name, value in problem.constants.items():
        yield f"{name} = {value:.10g}"


def _inputs(problem: Problem) -> Iterator[str]:
    for given in problem.inputs:
        own = given.function
        low, high = float(own.values.min()), float(own.values.max())
        yield (
            f"{given.name}({', '.join(given.over)}), {low:g} to {high:g}, "
            f"{own.values.size:,} values from {given.file}, {own.interpolation}"
        )


def _estimated(problem: Problem) -> Iterator[str]:
    for c in single_coefficients(problem):
        yield f"{c.name}, starting at {c.initial:g}{_bounds(c)}" + (
            f", prior {c.prior}" if c.prior is not None else ""
        )
    for f in problem.coefficient_fields:
        over = ", ".join(f.over)
        yield f"{f.name}({over}), a field starting at {f.initial:g}{_bounds(f)}"
    for g in problem.field_functions:
        lives = "the range of the data" if g.range is None else "{:g} to {:g}".format(*g.range)
        yield (
            f"{g.name}({g.over[0]}), a function of a field on {lives}, starting at "
            f"{g.initial:g}{_bounds(g)}"
        )
    yield from _pieces(problem)


def _pieces(problem: Problem) -> Iterator[str]:
    for own in problem.pieces:
        cells = " × ".join(map(str, own.function.shape))
        prior = "" if own.prior is None else f", prior of each {own.prior}"
        yield (
            f"{own.name}({', '.join(own.over)}), constant on {cells} pieces, starting at "
            f"{own.initial:g}{_bounds(own)}{prior}"
        )


def _bounds(c: Coefficient | CoefficientField) -> str:
    if c.lower is None and c.upper is None:
        return ""
    return ", positive" if c.is_positive else f", between {c.lower} and {c.upper}"


def _equations(problem: Problem) -> Iterator[str]:
    for equation in problem.equations:
        yield equation.text if "=" in equation.text else f"{equation.text} = 0"
    definitions = [flux.equation.residual for flux in problem.fluxes]
    for residual in problem.solved_residuals:
        fields = {d.field for d in problem.derivatives(residual).values()}
        if fields & set(problem.hidden) and residual not in definitions:
            yield f"solved as {_sides(residual)}"
    for flux in problem.fluxes:
        yield f"with {flux.equation.text}"


def _sides(residual: Expression) -> str:
    """Return a residual left − right as the equation that it comes from."""
    if isinstance(residual, Binary) and residual.operator == "-":
        return f"{to_text(residual.left)} = {to_text(residual.right)}"
    return f"{to_text(residual)} = 0"


def _kinks(problem: Problem) -> Iterator[str]:
    for axis, places in kink_places(problem).items():
        shown = [f"{place:g}" for place in places[:MOST_SHOWN]]
        if shown:
            more = f", … {len(places)} in all" if len(places) > MOST_SHOWN else ""
            yield f"at {axis} = {', '.join(shown)}{more}"
    for argument in oblique_kinks(problem):
        yield f"where {to_text(argument)} = 0"


def _channels(problem: Problem) -> Iterator[str]:
    plan = _plan(problem)
    yield f"{plan.num_channels}: " + ", ".join(plan.describe())


def _conditions(problem: Problem) -> Iterator[str]:
    yield from map(str, problem.conserved)
    for condition in problem.conditions:
        yield f"{condition.text} at {condition.where}"
    for axis in problem.periodic:
        yield f"periodic in {axis}"


def _events(problem: Problem) -> Iterator[str]:
    yield from (str(event) for event in problem.events)


def _derived(problem: Problem) -> Iterator[str]:
    yield from (f"{quantity.name} = {quantity.text}" for quantity in problem.derived)


def _observations(problem: Problem) -> Iterator[str]:
    for observed in problem.observations:
        if isinstance(observed, SyntheticObservations):
            yield _synthetic(observed)
        else:
            details = observed.noise.details if observed.noise else ""
            yield f"{label_of(observed)} from {observed.file}{_sites(observed)}{details}"


def _sites(observed: MeasuredObservations) -> str:
    """Return where sensors are that the file has no places of."""
    at = ", ".join(f"{axis} = {place:g}" for axis, place in observed.table.at.items())
    sensors = observed.table.sensors
    wide = f", {len(sensors)} sensors, a column each" if sensors else ""
    return (f" at {at}" if at else "") + wide


def _synthetic(observed: SyntheticObservations) -> str:
    place = "the whole domain" if observed.where is None else str(observed.where)
    noise = observed.noise
    size = f" of {noise.std:g}" if noise.std is not None else ""
    if noise.factor is not None:
        size = f" of a factor of {noise.factor:.3g}"
    elif noise.relative is not None:
        of = "each value" if noise.kind == "proportional" else "the spread"
        size = f" of {noise.relative:.3g} of {of}"
    layout: str | dict[str, int] = observed.layout
    if isinstance(layout, dict):
        layout = "grid of " + " by ".join(f"{n} along {a}" for a, n in layout.items())
    line = f"{observed.count} values of {label_of(observed)} on {place}, {layout}"
    return f"{line}, {noise.kind} noise{size}{noise.details}"


def _truth(problem: Problem) -> Iterator[str]:
    truth = problem.truth
    if truth is None:
        yield "not known"
    elif truth.solver is not None:
        yield f"computed: {truth.solver}"
    else:
        yield "from a file" if truth.file else "analytic"


def _unused(problem: Problem) -> Iterator[str]:
    used = {n for r in _expressions(problem) for n in names(r)}
    for name in sorted(set(problem.constants) - used):
        yield f"the constant {name} is not used"
    tables = {t.function.name for r in _expressions(problem) for t in tables_in(r)}
    for given in problem.inputs:
        if given.name not in tables:
            yield f"the input {given.name} is not used"


_SECTIONS: tuple[tuple[str, Callable[[Problem], Iterator[str]]], ...] = (
    ("domain", _domain),
    ("geometry", _geometry),
    ("unknowns", _unknowns),
    ("constants", _constants),
    ("inputs", _inputs),
    ("estimate", _estimated),
    ("equations", _equations),
    ("kinks", _kinks),
    ("channels", _channels),
    ("conditions", _conditions),
    ("candidates", _candidates),
    ("events", _events),
    ("observations", _observations),
    ("derived", _derived),
    ("truth", _truth),
    ("note", _unused),
)


def _plan(problem: Problem) -> Plan:
    """Return the channels that the equations need."""
    residuals = [searched(problem, e.residual) for e in problem.solved_equations]
    estimated = [c.name for c in problem.coefficients]
    return plan_channels(residuals, problem.outputs, problem.axes, estimated)


def _expressions(problem: Problem) -> Iterator[Expression]:
    yield from (e.residual for e in problem.solved_equations)
    yield from (c.residual for c in problem.conditions)
    yield from (q.expression for q in problem.derived)
    for event in problem.events:
        yield from (*event.add.values(), *event.set.values())
    yield from (o.quantity for o in problem.observations if o.quantity is not None)
    if problem.truth is not None:
        yield from problem.truth.fields.values()
        yield from problem.truth.clean.values()


def multiply_adds(problem: Problem, width: int, depth: int, num_collocation: int) -> float:
    """Return the multiply-adds of one iteration's products on the collocation points.

    Three products (forward, backward, weight gradient) of C·N rows for each hidden layer.
    """
    return 3.0 * _plan(problem).num_channels * num_collocation * max(1, depth - 1) * width**2
