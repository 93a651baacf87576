"""The `estimate` of a problem file: unknown coefficients, numbers or functions.

Part of `building`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pinngate.errors import InputError
from pinngate.statement.checks.function_section import is_of_field, read_function
from pinngate.statement.checks.pieces_section import read_breaks
from pinngate.statement.checks.schema_estimate import EstimateSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.checks.truth_section import RESERVED
from pinngate.statement.unknown_quantities import (
    Coefficient,
    CoefficientField,
    FieldFunction,
    Pieces,
    Prior,
)


@dataclass(frozen=True)
class Estimated:
    """What is estimated; of functions all but their truth."""

    numbers: tuple[Coefficient, ...]
    fields: tuple[CoefficientField, ...]
    functions: tuple[FieldFunction, ...]
    pieces: tuple[Pieces, ...]


def build_estimate(scope: Scope, sections: Mapping[str, EstimateSection]) -> Estimated:
    """Read `estimate`: numbers, fields, functions of fields and functions on pieces.

    Raises:
        InputError: a name is taken, bounds contradict each other or the initial value.
    """
    numbers: list[Coefficient] = []
    varying: list[CoefficientField] = []
    for name, section in sections.items():
        place: Place = ("estimate", name)
        is_number = section.over is None and section.pieces is None
        if not is_number and name in RESERVED:
            raise InputError(
                f"'{name}' cannot name a field: it is a key of 'truth'",
                span=scope.source.key(place),
                expected="another name",
            )
        scope.declare(name, "an estimated coefficient", place)
        values = _values(scope, section, place)
        if is_number:
            numbers.append(_number(scope, section, place, values))
        else:
            varying.append(_varying(scope, section, place, values))
    functions = tuple(f for f in varying if isinstance(f, FieldFunction))
    pieces = tuple(f for f in varying if isinstance(f, Pieces))
    fields = tuple(f for f in varying if not isinstance(f, FieldFunction | Pieces))
    found = Estimated(tuple(numbers), fields, functions, pieces)
    _enter(scope, found)
    return found


def _enter(scope: Scope, found: Estimated) -> None:
    """Note in the scope what is estimated."""
    scope.coefficients = tuple(c.name for c in found.numbers)
    scope.over = {f.name: f.over for f in found.fields}
    scope.field_functions = found.functions
    scope.pieces = found.pieces
    scope.tables |= {own.name: own.expression for own in found.pieces}
    scope.refuse_derivatives()


def _number(
    scope: Scope, section: EstimateSection, place: Place, values: Mapping[str, float]
) -> Coefficient:
    """Return a coefficient that is one number."""
    _refuse_range(scope, section, place, "is a number")
    prior = _prior(scope, section, place, is_positive=values.get("lower") == 0.0)
    found = Coefficient(str(place[-1]), **values, prior=prior)
    _refuse_outside(scope, found, place)
    return found


def _varying(
    scope: Scope, section: EstimateSection, place: Place, values: Mapping[str, float]
) -> CoefficientField:
    """Return a function of axes, of fields, or on pieces."""
    name = str(place[-1])
    own = values["initial"], values.get("lower"), values.get("upper")
    found: CoefficientField
    if section.pieces is not None:
        _refuse_range(scope, section, place, "is constant on pieces")
        breaks = read_breaks(scope, section, place)
        prior = _prior(scope, section, place, is_positive=values.get("lower") == 0.0)
        found = Pieces(name, tuple(breaks), *own, breaks=tuple(breaks.values()), prior=prior)
        _refuse_outside(scope, found, place)
        return found
    _refuse_prior(scope, section, place)
    if is_of_field(scope, section):
        found = read_function(scope, section, place, values)
    else:
        _refuse_range(scope, section, place, "varies with axes alone")
        over = _over(scope, section.over or [], (*place, "over"))
        found = CoefficientField(name, over, *own)
    _refuse_outside(scope, found, place)
    return found


def _refuse_range(scope: Scope, section: EstimateSection, place: Place, what: str) -> None:
    for key, words in (("range", "a range"), ("knots", "knots")):
        if getattr(section, key) is not None:
            raise InputError(
                f"'{place[-1]}' {what} and has {words}",
                span=scope.source.key((*place, key)),
                expected=f"{words} of a function of a field",
            )


def _values(scope: Scope, section: EstimateSection, place: Place) -> dict[str, float]:
    """Evaluate initial value, bounds and, of a number, the truth, as far as they are given."""
    name, is_number = place[-1], section.over is None and section.pieces is None
    keys = ["initial", "lower", "upper", *(["truth"] if is_number else [])]
    values = {
        key: scope.number(value, (*place, key), f"'{key}' of '{name}'")
        for key in keys
        if (value := getattr(section, key)) is not None
    }
    if section.positive:
        if "lower" in values:
            raise InputError(
                f"'{name}' has both 'positive' and 'lower'",
                span=scope.source.key((*place, "lower")),
                expected="one of the two; 'positive: true' is a lower bound of 0",
            )
        values["lower"] = 0.0
    return values


PRIORS = (("mean", "std"), ("median", "factor"))


def _prior(
    scope: Scope, section: EstimateSection, place: Place, *, is_positive: bool
) -> Prior | None:
    """Read the prior of a number."""
    if section.prior is None:
        return None
    inner: Place = (*place, "prior")
    given = tuple(key for pair in PRIORS for key in pair if getattr(section.prior, key) is not None)
    if given not in PRIORS:
        raise InputError(
            f"the prior of '{place[-1]}' has {' and '.join(given) or 'no number'}",
            span=scope.source.key(inner),
            expected="{mean: 2, std: 0.3}, or {median: 2, factor: 1.5} of a positive coefficient",
        )
    middle, size = (
        scope.number(getattr(section.prior, key), (*inner, key), f"'{key}' of the prior")
        for key in given
    )
    is_of_logarithm = given == PRIORS[1]
    if is_of_logarithm and not is_positive:
        raise InputError(
            f"the prior of '{place[-1]}' is log-normal, and it may be negative",
            span=scope.source.key((*inner, "median")),
            expected="'positive: true' beside it, or a prior with mean and std",
        )
    _refuse_below(scope, dict(zip(given, (middle, size), strict=True)), inner)
    if is_of_logarithm:
        return Prior(math.log(middle), math.log(size), is_of_logarithm=True)
    return Prior(middle, size)


def _refuse_below(scope: Scope, numbers: Mapping[str, float], place: Place) -> None:
    """Refuse what is not positive where it has to be, and a factor of one or less."""
    least = {"std": 0.0, "median": 0.0, "factor": 1.0}
    for key, number in numbers.items():
        if key in least and number <= least[key]:
            raise InputError(
                f"'{key}' of the prior is {number:g}",
                span=scope.source.span((*place, key)),
                expected=f"more than {least[key]:g}",
            )


def _refuse_prior(scope: Scope, section: EstimateSection, place: Place) -> None:
    if section.prior is not None:
        raise InputError(
            f"'{place[-1]}' is a function and has a prior",
            span=scope.source.key((*place, "prior")),
            expected="a prior of a number or of pieces; how smooth a function is, the data tell",
        )


def _over(scope: Scope, listed: list[str], place: Place) -> tuple[str, ...]:
    """Read the axes with which a coefficient varies, in the order of the domain."""
    for i, axis in enumerate(listed):
        if axis not in scope.axes or axis in listed[:i]:
            raise InputError(
                f"'{axis}' stands twice"
                if axis in listed[:i]
                else f"the domain has no axis '{axis}'",
                span=scope.source.span((*place, i)),
                expected=f"one or more of the axes {', '.join(scope.axes)}, or one of the unknowns "
                f"{', '.join(scope.unknowns)}",
            )
    return tuple(axis for axis in scope.axes if axis in listed)


def _refuse_outside(scope: Scope, made: Coefficient | CoefficientField, place: Place) -> None:
    """Refuse an initial value that is not between the bounds."""
    lower, upper = made.lower, made.upper
    if (lower is not None and made.initial <= lower) or (
        upper is not None and made.initial >= upper
    ):
        raise InputError(
            f"'{made.name}' starts at {made.initial:g}, outside its bounds",
            span=scope.source.span((*place, "initial")),
            expected=f"a value between {lower if lower is not None else '-inf'} and "
            f"{upper if upper is not None else 'inf'}, bounds excluded",
        )
