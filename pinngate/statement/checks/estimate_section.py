"""The `estimate` of a problem file: unknown coefficients, numbers or functions of some axes.

Part of `building`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinngate.errors import InputError
from pinngate.statement.checks.schema import EstimateSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.checks.truth_section import RESERVED
from pinngate.statement.components import Coefficient, CoefficientField


def build_estimate(
    scope: Scope, sections: Mapping[str, EstimateSection]
) -> tuple[tuple[Coefficient, ...], tuple[CoefficientField, ...]]:
    """Read `estimate`: numbers, and fields but for their truth.

    Raises:
        InputError: a name is taken, bounds contradict each other or the initial value.
    """
    numbers: list[Coefficient] = []
    fields: list[CoefficientField] = []
    for name, section in sections.items():
        place: Place = ("estimate", name)
        if section.over is not None and name in RESERVED:
            raise InputError(
                f"'{name}' cannot name a field: it is a key of 'truth'",
                span=scope.source.key(place),
                expected="another name",
            )
        scope.declare(name, "an estimated coefficient", place)
        values = _values(scope, section, place)
        if section.over is None:
            numbers.append(Coefficient(name, **values))
            _refuse_outside(scope, numbers[-1], place)
        else:
            over = _over(scope, section.over, (*place, "over"))
            bounds = values.get("lower"), values.get("upper")
            fields.append(CoefficientField(name, over, values["initial"], *bounds))
            _refuse_outside(scope, fields[-1], place)
    scope.coefficients = tuple(c.name for c in numbers)
    scope.over = {f.name: f.over for f in fields}
    scope.refuse_derivatives()
    return tuple(numbers), tuple(fields)


def _values(scope: Scope, section: EstimateSection, place: Place) -> dict[str, float]:
    """Evaluate initial value, bounds and, of a number, the truth, as far as they are given."""
    name = place[-1]
    keys = ["initial", "lower", "upper", *(["truth"] if section.over is None else [])]
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


def _over(scope: Scope, listed: list[str], place: Place) -> tuple[str, ...]:
    """Read the axes with which a coefficient varies, in the order of the domain."""
    for i, axis in enumerate(listed):
        if axis not in scope.axes or axis in listed[:i]:
            raise InputError(
                f"'{axis}' stands twice"
                if axis in listed[:i]
                else f"the domain has no axis '{axis}'",
                span=scope.source.span((*place, i)),
                expected=f"one or more of the axes {', '.join(scope.axes)}",
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
