"""Parts of a formula in numbers alone that have no finite real value: ``sqrt(-1)``, ``1/0``.

Found where the formula is read, so that the message has its place; met later, numpy, torch and
Python's own mathematics would each say something else, of no place. Called by `scope` and the
sections.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinngate.errors import InputError
from pinngate.expression import Call, Expression, names, undefined_part
from pinngate.expression.printing import to_text
from pinngate.statement.checks.source import Place, Source


def refuse_undefined(
    expression: Expression, constants: Mapping[str, float], source: Source, place: Place
) -> None:
    """Refuse a formula with a part in numbers and constants that has no finite real value.

    Raises:
        InputError: there is one.
    """
    part = undefined_part(expression, constants)
    if part is None:
        return
    offsets = [part.offset] if isinstance(part, Call) else [*names(part).values()]
    at = min((offset for offset in offsets if offset >= 0), default=None)
    raise InputError(
        f"{to_text(part)} has no finite real value",
        span=source.span(place) if at is None else source.within(place, at, 1),
        expected="a formula that is a finite number wherever it is asked for",
    )
