"""Conditions that are means over axes: ``mean: {of: u, over: x, equals: 1}``.

Part of `building`, beside `condition_sections`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinngate.errors import InputError
from pinngate.expression import subtract
from pinngate.expression.printing import number_text
from pinngate.statement.checks.schema import ConditionSection, ConservedSection
from pinngate.statement.checks.scope import Scope
from pinngate.statement.checks.source import Place
from pinngate.statement.equations import Conserved


def build_conserved(scope: Scope, sections: Sequence[ConditionSection]) -> tuple[Conserved, ...]:
    """Read the means among the conditions.

    Raises:
        InputError: an axis is none, a formula is wrong, or other keys stand beside `mean`.
    """
    found = []
    for i, section in enumerate(sections):
        if section.mean is not None:
            place: Place = ("conditions", i)
            _refuse_others(scope, section, place)
            found.append(_conserved(scope, section.mean, (*place, "mean")))
    return tuple(found)


def _refuse_others(scope: Scope, section: ConditionSection, place: Place) -> None:
    others = (section.where, section.on, section.equation, section.periodic)
    if any(other is not None for other in others):
        raise InputError(
            "a mean has no 'where', no 'on', no 'equation' and is not periodic",
            span=scope.source.span(place),
            expected="{mean: {of: u, over: x, equals: 1}} alone",
        )


def _conserved(scope: Scope, section: ConservedSection, place: Place) -> Conserved:
    for i, axis in enumerate(section.over):
        if axis not in scope.axes or axis in section.over[:i]:
            raise InputError(
                f"the domain has no axis '{axis}'" if axis not in scope.axes else f"{axis} twice",
                span=scope.source.span((*place, "over", i)),
                expected=f"the domain has the axes {', '.join(scope.axes)}, each once",
            )
    of = scope.residual(section.of, (*place, "of"), "a condition")
    inner = (*place, "equals")
    equal = scope.formula(section.equals, inner)
    others = [axis for axis in scope.axes if axis not in section.over]
    known = [*others, *scope.constants, *scope.coefficients]
    scope.check_names(equal, inner, "'equals'", known, "other axes, constants and coefficients")
    text = section.equals if isinstance(section.equals, str) else number_text(section.equals)
    return Conserved(section.of, text, tuple(section.over), subtract(of, equal), equal)


__all__ = ["build_conserved"]
