"""What may be written shorter: a condition as one text, a coefficient as its initial value.

Before the schema looks at a tree, ``u = 0 at x = 0`` becomes a mapping of `where` and `equation`,
and the places of its parts stay those in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pinngate.errors import InputError, Span
from pinngate.statement.checks.source import Place, Source, Text

# the last " at " or " on " divides a condition
_CONDITION = re.compile(r"(?P<equation>.*\S)\s+(?P<word>at|on)\s+(?P<place>\S.*)", re.DOTALL)
_PERIODIC = re.compile(r"\s*periodic\s+in\s+(?P<periodic>\S.*)", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A part of a text of the tree, which is a text of the tree itself."""

    whole: Text
    start: int

    def span(self, offset: int, length: int) -> Span:
        """Return the place of ``part[offset:offset + length]``."""
        return self.whole.span(self.start + offset, length)


def expand(source: Source) -> None:
    """Write short forms out, in the tree and in the places.

    Raises:
        InputError: a condition is text and neither ``equation at plane``, ``equation on part`` nor
            ``periodic in axis``.
    """
    tree = source.tree if isinstance(source.tree, dict) else {}
    for place, part in [((), tree), *_parts(tree, "experiments"), *_parts(tree, "candidates")]:
        _expand_conditions(source, part, place)
        _expand_estimate(source, part.get("estimate"), place)


def _parts(tree: dict[str, Any], key: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the mappings in a list or a mapping, and their places."""
    held = tree.get(key)
    listed = dict(enumerate(held)) if isinstance(held, list) else held
    for name, part in (listed if isinstance(listed, dict) else {}).items():
        if isinstance(part, dict):
            yield (key, name), part


def _expand_estimate(source: Source, estimate: Any, place: Place) -> None:
    for name, value in (estimate if isinstance(estimate, dict) else {}).items():
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            estimate[name] = {"initial": value}
            _enter(source, (*place, "estimate", name), "initial", 0, len(str(value)))


def _expand_conditions(source: Source, tree: dict[str, Any], place: Place) -> None:
    conditions = tree.get("conditions")
    for i, condition in enumerate(conditions if isinstance(conditions, list) else ()):
        if isinstance(condition, str):
            tree["conditions"][i] = _condition(source, condition, (*place, "conditions", i))


def _condition(source: Source, text: str, place: Place) -> dict[str, str]:
    """Divide the text of a condition."""
    found = _PERIODIC.fullmatch(text) or _CONDITION.fullmatch(text)
    if found is None:
        raise InputError(
            f"'{' '.join(text.split())}' does not say where it holds",
            span=source.span(place),
            expected="`u = 0 at x = 0`, `u = 0 on boundary` or `periodic in x`",
        )
    parts = {}
    for group in found.re.groupindex:
        key = group if group != "place" else {"at": "where", "on": "on"}[found["word"]]
        if key != "word":
            parts[key] = found[group].rstrip()
            _enter(source, place, key, found.start(group), len(parts[key]))
    return parts


def _enter(source: Source, place: Place, key: str, start: int, length: int) -> None:
    """Note where a part of the text at `place` stands."""
    whole = source.scalars.get(place)
    if whole is not None:
        source.scalars[(*place, key)] = Piece(whole, start)
        source.values[(*place, key)] = whole.span(start, length)


__all__ = ["expand"]
