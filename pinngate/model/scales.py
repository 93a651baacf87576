"""Characteristic sizes: what makes the answer independent of the units of a problem.

Between observations and residuals. Axes are scaled to [−1, 1] by the network; here every field gets
a size and a centre, from its data or, where it has none, from the conditions and equations that
hold it, and every residual a size from those. Divided by it, an equation in micrometres and years
weighs as much as the same one in metres and seconds. Source: nondimensionalisation by dominant
balance, as in C. C. Lin, L. A. Segel, Mathematics Applied to Deterministic Problems (1974).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.expression import (
    Binary,
    Call,
    Expression,
    Name,
    Number,
    add,
    coefficients_of,
    differentiate,
    divide,
    evaluate,
    multiply,
    names,
    substitute,
    subtract,
)
from pinngate.statement.axis_bounds import half_length, logarithmic_columns
from pinngate.statement.axis_places import at_share
from pinngate.statement.derivatives import Derivative, parse_derivative
from pinngate.statement.logarithmic_axes import along_search
from pinngate.statement.problem import (
    BoundaryPart,
    Plane,
    Problem,
    Window,
    changed,
)
from pinngate.statement.unknown_quantities import CoefficientField, FieldFunction

Array = NDArray[np.float64]

NUM_PLACES = 16  # of the domain, over which coefficients that vary are averaged


@dataclass(frozen=True)
class FieldScale:
    """Size and centre of one field, in its own units."""

    size: float = 1.0
    centre: float = 0.0


Scales = Mapping[str, FieldScale]
Place = Plane | BoundaryPart | Window


def field_scales(problem: Problem, observations: Sequence[ObservationSet]) -> dict[str, FieldScale]:
    """Return size and centre of every unknown and every flux.

    A stated size goes first. From data: median and spread between the quartiles, so that outliers
    do not set the scale. Without data: the size at which the field balances the largest other term
    of a condition or an equation, such as p ~ u² in p_x + u u_x = 0; size 1 where nothing tells. Of
    a flux the equation that defines it goes first.
    """
    observations = [o.as_measured for o in observations if not o.is_prior]
    found: dict[str, FieldScale] = {}
    for unknown in problem.unknowns:
        scale = _scale_of_data(problem, observations, unknown)
        if unknown in problem.sizes:
            centre = scale.centre if scale is not None else 0.0
            scale = FieldScale(problem.sizes[unknown], centre)
        if scale is not None:
            found[unknown] = scale
    fields = problem.solved_fields
    for _ in fields:
        for field in fields:
            if field not in found and (size := _balanced_size(problem, field, found)):
                found[field] = FieldScale(size)
    return {field: found.get(field, FieldScale()) for field in fields}


def _scale_of_data(
    problem: Problem, observations: Sequence[ObservationSet], unknown: str
) -> FieldScale | None:
    """Return size and centre of a field from its own data, else from what is seen of it."""
    sets = [o.values for o in observations if o.of == unknown]
    sets = sets or [v for o in observations if len(v := _as_field(problem, o, unknown))]
    if not sets:
        return _scale_in_formula(problem, observations, unknown)
    values = np.concatenate(sets)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    size = float(high - low) / 1.349 or float(np.std(values)) or abs(float(middle))
    return FieldScale(size or 1.0, float(middle))


def _scale_in_formula(
    problem: Problem, observations: Sequence[ObservationSet], unknown: str
) -> FieldScale | None:
    """Return the size at which a field alone would explain a formula that it was seen in."""
    zeros = dict.fromkeys(problem.unknowns, 0.0)
    for observed in observations:
        seen = observed.expression
        if unknown not in names(seen) or isinstance(seen, Name):
            continue
        slope = _size_over(problem, differentiate(seen, unknown), zeros, None)
        places = dict(zip(problem.axes, observed.points.T, strict=True))
        rest = _values(seen, _at_start(problem, seen) | places | zeros)
        size = _root_mean_square(observed.values - rest) / (slope or math.inf)
        if 0 < size < math.inf:
            return FieldScale(size)
    return None


def _as_field(problem: Problem, observed: ObservationSet, unknown: str) -> Array:
    """Return values of the size of a field of which a derivative or a mean was observed, or none.

    A derivative counts over half the domain of each axis; it does not tell the centre.
    """
    seen = observed.expression
    derivative = (
        parse_derivative(seen.id, problem.unknowns, problem.axes)
        if isinstance(seen, Name)
        else None
    )
    if derivative is None or derivative.field != unknown:
        return np.empty(0)
    if derivative.order == 0:
        return observed.values
    half = [(high - low) / 2 for low, high in problem.domain.values()]
    size = math.prod(h**order for h, order in zip(half, derivative.orders, strict=True))
    return size * np.concatenate([observed.values, -observed.values])


def _balanced_size(problem: Problem, unknown: str, known: Scales) -> float:
    """Return the size of a field at which it balances what is known; 0 where nothing tells."""
    definition = [
        _balance(problem, f.equation.residual, unknown, known)
        for f in problem.fluxes
        if f.name == unknown
    ]
    conditions = [
        _balance(problem, c.residual, unknown, known, c.where) for c in problem.conditions
    ]
    equations = [_balance(problem, e.residual, unknown, known) for e in problem.solved_equations]
    for sizes in (definition, conditions, equations):
        told = [size for size in sizes if 0 < size < math.inf]
        if told:
            return max(told)
    return 0.0


def _balance(
    problem: Problem, residual: Expression, unknown: str, known: Scales, where: Place | None = None
) -> float:
    residual = along_search(problem, residual)
    derivatives = _unknown_derivatives(problem, residual)
    fields = {d.field for d in derivatives.values()}
    if unknown not in fields or fields - {unknown} - set(known):
        return 0.0
    sizes = _term_sizes(problem, residual, known, where)
    own = max(size for name, size in sizes.items() if derivatives[name].field == unknown)
    others = [size for name, size in sizes.items() if derivatives[name].field != unknown]
    _, rest = coefficients_of(residual, set(derivatives))
    if not set(derivatives) & set(names(rest)):
        others.append(_size_over(problem, rest, {}, where))
    return max(others, default=0.0) / own if own > 0 else 0.0


def characteristic_size(
    problem: Problem, residual: Expression, scales: Scales | None = None
) -> float:
    """Return a characteristic size of a residual, in its own units.

    The size is the largest |∂r/∂s|·S_s over the derivatives s that it names, with
    S = size Π (2/L_axis)^order and coefficients at their initial values; coefficients that vary
    enter by their root mean square over the domain. Fields are of size one where no `scales` are
    given. Dividing by it makes the weight of the physics independent of the units of a problem.
    """
    sizes = _term_sizes(problem, along_search(problem, residual), scales or {}, None)
    return max(sizes.values(), default=0.0) or 1.0


def _term_sizes(
    problem: Problem, residual: Expression, scales: Scales, where: Place | None
) -> dict[str, float]:
    """Return |∂r/∂s|·S_s of every derivative s that a residual names, 0 where it is not finite."""
    derivatives = _unknown_derivatives(problem, residual)
    sizes = {name: _derivative_size(problem, d, scales) for name, d in derivatives.items()}
    centres = {
        name: 0.0 if d.order else scales.get(d.field, FieldScale()).centre
        for name, d in derivatives.items()
    }
    found = {}
    for name, size in sizes.items():
        slope = differentiate(residual, name)
        # a nonlinear slope is judged on both sides of the centre
        found[name] = size * max(
            _size_over(problem, slope, {n: centres[n] + sign * sizes[n] for n in sizes}, where)
            for sign in (1.0, -1.0)
        )
    return found


def _unknown_derivatives(problem: Problem, residual: Expression) -> dict[str, Derivative]:
    found = problem.derivatives(residual)
    return {name: d for name, d in found.items() if d.field in problem.solved_fields}


def _derivative_size(problem: Problem, derivative: Derivative, scales: Scales) -> float:
    lengths = [half_length(bounds) for bounds in problem.domain.values()]
    shares = (x**-k for x, k in zip(lengths, derivative.orders, strict=True))
    return scales.get(derivative.field, FieldScale()).size * math.prod(shares)


def _size_over(
    problem: Problem, expression: Expression, values: Mapping[str, float], where: Place | None
) -> float:
    """Return the root mean square of an expression over the domain, 0 where it has no value."""
    environment = {**_at_start(problem, expression), **_places(problem, where), **values}
    return _root_mean_square(_values(expression, environment))


def _values(expression: Expression, known: Mapping[str, Any]) -> Array:
    """Return the values of an expression, not a number where it has none."""
    with np.errstate(all="ignore"):
        try:
            return np.asarray(evaluate(expression, known, np), dtype=np.float64)
        except (ArithmeticError, KeyError, TypeError, ValueError):
            return np.asarray(math.nan)


def _root_mean_square(values: Array) -> float:
    """Return the root mean square of the finite ones, 0 where there are none."""
    values = values[np.isfinite(values)]
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def _at_start(problem: Problem, expression: Expression) -> dict[str, Any]:
    """Return what an expression names beside axes: fields at zero, coefficients as they begin."""
    known: dict[str, Any] = dict(problem.constants)
    known |= {c.name: c.initial for c in problem.coefficients}
    # a coefficient field starts as a constant
    known |= dict.fromkeys(problem.derivatives(expression), 0.0)
    known |= {f.name: f.initial for f in problem.coefficient_fields}
    return known | dict.fromkeys(problem.normal, 1.0)


def _places(problem: Problem, where: Place | None) -> dict[str, Array]:
    """Return points that fill the domain evenly: multiples of square roots of primes, modulo 1."""
    index = np.arange(1, NUM_PLACES + 1)
    places = {
        axis: at_share(bounds, np.mod(index * math.sqrt(prime), 1.0))
        for prime, (axis, bounds) in zip((2, 3, 5, 7), problem.domain.items(), strict=False)
    }
    if isinstance(where, Window):
        where = where.plane
    if isinstance(where, Plane):
        places[where.axis] = np.full(NUM_PLACES, where.value)
    return places


def levelled(problem: Problem, residual: Expression, scales: Scales) -> Expression:
    """Return a residual over its size at each place, where an axis is searched on its logarithm.

    Along such an axis the terms of an equation grow as powers of r, and no single size is right.
    The size is that of `characteristic_size` without the mean over the domain,
    √(Σ_s (∂r/∂s S_s)²) with fields at their centres and coefficients at their initial values.
    """
    if not logarithmic_columns(problem.domain.values()):
        return residual
    seen = along_search(problem, residual)
    found = _unknown_derivatives(problem, seen)
    still: dict[str, Expression] = {c.name: Number(c.initial) for c in problem.coefficients}
    still |= {name: Number(0.0) for name in problem.derivatives(seen)}
    still |= {f.name: Number(f.initial) for f in problem.coefficient_fields}
    centres = {f: Number(scales.get(f, FieldScale()).centre) for f in problem.solved_fields}
    total: Expression = Number(0.0)
    for name, derivative in found.items():
        slope = substitute(differentiate(seen, name), still | centres)
        size = multiply(slope, Number(_derivative_size(problem, derivative, scales)))
        total = add(total, multiply(size, size))
    return residual if total == Number(0.0) else _over(residual, Call("sqrt", total))


def _over(residual: Expression, size: Expression) -> Expression:
    """Return a residual with every summand divided, so that its terms can be told apart."""
    match residual:
        case Binary("+", left, right):
            return add(_over(left, size), _over(right, size))
        case Binary("-", left, right):
            return subtract(_over(left, size), _over(right, size))
    return divide(residual, size)


def common_size(scales: Scales) -> float:
    """Return the root mean square of the fields' sizes, the unit in which residuals are given."""
    return math.sqrt(sum(s.size**2 for s in scales.values()) / max(1, len(scales)))


def with_natural_sizes(problem: Problem, observations: Sequence[ObservationSet]) -> Problem:
    """Return the problem whose functions, of axes or fields, know the size at which they matter."""
    if not (problem.coefficient_fields or problem.field_functions):
        return problem
    scales = field_scales(problem, observations)

    def sized(function: CoefficientField) -> CoefficientField:
        return replace(function, natural=natural_size(problem, [function.name], scales, 0.0))

    def weighted(function: FieldFunction) -> FieldFunction:
        least = 1.0 if function.initial else 0.0
        size = natural_size(problem, function.weights, scales)
        is_free = function.lower is None or function.upper is None
        return replace(function, weight=max(size, least) if is_free else 1.0)

    return changed(
        problem,
        coefficient_fields=tuple(map(sized, problem.coefficient_fields)),
        field_functions=tuple(map(weighted, problem.field_functions)),
    )


def natural_size(
    problem: Problem, coefficients: Sequence[str], scales: Scales, untold: float = 1.0
) -> float:
    """Return the size at which coefficients matter: where their term is as large as the others.

    All of one size, such as the weights of a function. The least over the equations and conditions
    that hold them; `untold` where none tells.
    """
    told = []
    for residual in (along_search(problem, r) for r in problem.solved_residuals):
        held = names(residual)
        slopes = [differentiate(residual, c) for c in coefficients if c in held]
        if not slopes:
            continue
        derivatives = _unknown_derivatives(problem, residual)
        values = {n: _derivative_size(problem, d, scales) for n, d in derivatives.items()}
        effect = _size_over(problem, reduce(add, slopes), values, None)
        terms = _term_sizes(problem, residual, scales, None).values()
        size = max(*terms, _size_over(problem, residual, {}, None), 0.0)
        if effect > 0 and size > 0:
            told.append(size / effect)
    return min(told, default=untold)
