"""Long sums and products: taken apart before Python's parser sees them, and put together level.

Python's parser, and whoever walks down a tree, stop at a few hundred operators in a row. A chain of
more than `CHAIN` becomes pieces that are parsed one by one and a tree as deep as the logarithm of
their number; a long formula in brackets is parsed by itself and stands in its surroundings as one
name of the same length, so that places in the text stay what they are. Used by `parser` alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pinngate.errors import ExpressionError
from pinngate.expression.tree import Binary, Expression, shifted

CHAIN = 50  # operators that are left to Python's parser
MAX_OPERATORS = 20_000  # of one formula: tens of thousands of terms take seconds to plan
MAX_NESTING = 100  # brackets inside brackets
STAND_IN = "\u0192"  # starts the names of what was parsed before; no formula of a file has it

_TOKEN = re.compile(
    r"\s*(?:(?P<operand>[0-9.]+(?:[eE][-+]?[0-9]+)?|[^\W\d]\w*)|(?P<sign>\*\*|[-+*/])"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<other>\S))"
)
Parse = Callable[[str, dict[str, Expression]], Expression]


@dataclass(frozen=True)
class Mark:
    """An operator between two operands, or a bracket or comma: what, where, and how deep inside."""

    text: str
    start: int
    depth: int


def parse_long(text: str, parse: Parse, nesting: int = 0) -> Expression:
    """Parse a formula of any length up to `MAX_OPERATORS`.

    Args:
        text: of the formula.
        parse: parses a short one, given what the names that stand in for parts of it mean.
        nesting: brackets around it.

    Raises:
        ExpressionError: from `parse`, at its place in `text`; or it is too long or too deep.
    """
    marks = list(_marks(text))
    operators = [mark for mark in marks if mark.text in ("+", "-", "*", "/", "**")]
    if len(operators) > MAX_OPERATORS:
        raise ExpressionError(
            f"the formula has {len(operators):,} operators",
            expected=f"at most {MAX_OPERATORS:,}",
            length=len(text),
        )
    if len(operators) <= CHAIN or STAND_IN in text:
        return parse(text, {})
    if nesting > MAX_NESTING:
        raise ExpressionError("the expression is nested too deeply", length=len(text))
    outer = [mark for mark in operators if mark.depth == 0]
    sums = [mark for mark in outer if mark.text in "+-"]
    chain = sums or [mark for mark in outer if mark.text in "*/"]
    if len(outer) > CHAIN and chain:
        return _chained(text, chain, parse, nesting)
    return _with_stand_ins(text, marks, parse, nesting)


def _marks(text: str) -> Iterator[Mark]:
    """Yield operators between operands, brackets and commas."""
    depth, follows_operand, at = 0, False, 0
    while match := _TOKEN.match(text, at):
        at, kind, start = match.end(), match.lastgroup, match.start(match.lastgroup or 0)
        if kind == "open":
            yield Mark("(", start, depth)
            depth += 1
        elif kind == "close":
            depth -= 1
            yield Mark(")", start, depth)
        elif (kind == "sign" and follows_operand) or match[0].strip() == ",":
            yield Mark(match[0].strip(), start, depth)
        follows_operand = kind in ("operand", "close")


def _chained(text: str, chain: list[Mark], parse: Parse, nesting: int) -> Expression:
    starts = [0, *(mark.start + len(mark.text) for mark in chain)]
    ends = [*(mark.start for mark in chain), len(text)]
    pieces = [
        _moved(text[start:end], start, parse, nesting)
        for start, end in zip(starts, ends, strict=True)
    ]
    return _levelled(pieces, ["", *(mark.text for mark in chain)])


def _levelled(pieces: list[Expression], signs: list[str]) -> Expression:
    """Return p₀ ± p₁ ± … (or with * and /), halves of halves; signs are those before the pieces."""
    if len(pieces) == 1:
        return pieces[0]
    half = len(pieces) // 2
    sign = signs[half]
    right = ["", *(_relative(s, sign) for s in signs[half + 1 :])]
    return Binary(sign, _levelled(pieces[:half], signs[:half]), _levelled(pieces[half:], right))


def _relative(sign: str, before: str) -> str:
    """Return the sign inside a bracket that stands behind `before`."""
    if before in "+*":
        return sign
    return {"+": "-", "-": "+", "*": "/", "/": "*"}[sign]


def _with_stand_ins(text: str, marks: list[Mark], parse: Parse, nesting: int) -> Expression:
    """Parse what stands in the outermost brackets first."""
    found: dict[str, Expression] = {}
    shown = text
    edges = [mark for mark in marks if mark.depth == 0 and mark.text in "()"]
    inner = [mark.start for mark in marks if mark.depth == 1 and mark.text == ","]
    for opening, closing in zip(edges[::2], edges[1::2], strict=False):
        commas = [at for at in inner if opening.start < at < closing.start]
        for start, end in zip(
            [opening.start + 1, *(at + 1 for at in commas)], [*commas, closing.start], strict=True
        ):
            if end - start > 2 * CHAIN:
                name = f"{STAND_IN}{len(found)}"
                found[name] = _moved(text[start:end], start, parse, nesting)
                shown = shown[:start] + name.ljust(end - start) + shown[end:]
    return parse(shown, found)


def _moved(text: str, start: int, parse: Parse, nesting: int) -> Expression:
    """Parse a piece that starts at `start` of its formula; places are those in the formula."""
    try:
        parsed = parse_long(text, parse, nesting + 1)
    except ExpressionError as error:
        error.offset += start
        raise
    return shifted(parsed, start)
