"""What `pinngate check` says of a problem: how it was understood, before anything is trained.

Whether its truth solves it is for `truth_check`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pinngate.expression import Binary, Expression, names, tables_in
from pinngate.expression.printing import to_text
from pinngate.model.channels.plan import Plan, plan_channels
from pinngate.statement.axis_bounds import is_logarithmic
from pinngate.statement.coefficient_fields import searched
from pinngate.statement.components import (
    single_coefficients,
)
from pinngate.statement.delays import delayed_values, past_formulas
from pinngate.statement.kinks import kink_places, oblique_kinks
from pinngate.statement.problem import (
    Coefficient,
    CoefficientField,
    MeasuredObservations,
    Problem,
    SyntheticObservations,
    label_of,
)

MOST_SHOWN = 8  # kinks on an axis
_WORD = re.compile(r"\w+")


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
        lives = ", ".join(_lives(problem, *each) for each in zip(g.over, g.ranges, strict=True))
        places = " × ".join(map(str, g.knots))
        yield f"{g.call}, {lives}, {places} places, starting at {g.initial:g}{_bounds(g)}"
    yield from _pieces(problem)


def _lives(problem: Problem, over: str, ends: tuple[float, float] | None) -> str:
    """Return on what range a function of fields is searched for along one argument."""
    ends = ends or problem.domain.get(over)
    where = "the range of the data" if ends is None else "{:g} to {:g}".format(*ends)
    return f"a function of {over} on {where}"


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


def _delays(problem: Problem) -> Iterator[str]:
    """Yield what delayed values were before the start."""
    values = delayed_values(problem).values()
    pasts = past_formulas(problem)
    for field in dict.fromkeys(value.field for value in values):
        own = ", ".join(f"{v.delay:g}" for v in values if v.field == field)
        start = problem.domain["t"][0]
        past = to_text(pasts[field]) if field in pasts else f"what it is at t = {start:g}"
        yield f"{field} by {own}; before t = {start:g} it is {past}"


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
    used |= {n for e in problem.equations for n in _WORD.findall(e.text)}  # those of delays
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
    ("delays", _delays),
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
