"""Values that a command line or a caller sets in a problem file before it is checked.

``solve.optimizer=adam`` is a dotted path of keys (and indices, for lists), ``=`` and a YAML value.
The result is checked as if it had stood in the file; messages then point into the override.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pinngate.config.yaml_source import read
from pinngate.errors import InputError, Span
from pinngate.statement.checks.source import Place, Source

ORIGIN = "--set"


def apply_overrides(source: Source, overrides: Sequence[str]) -> None:
    """Change the tree of a source in place, one override after the other.

    Raises:
        InputError: an override is no ``path=value``, its value is no YAML, or its path leads
            through something that has no parts. Keys that do not exist are left to the schema.
    """
    for override in overrides:
        path, equals, value = override.partition("=")
        if not equals or not path.strip():
            raise InputError(
                f"{ORIGIN} {override!r} is no path=value",
                expected="for example solve.optimizer=adam or observations.0.noise.std=0.1",
            )
        if not isinstance(source.tree, dict):
            return
        blank = " " * (len(path) + 1)
        branch = read(blank + value, ORIGIN, shown=override)
        place = _assign(source.tree, path, branch.tree, override)
        source.graft(place, branch)
        for length in range(1, len(place) + 1):
            source.keys.setdefault(place[:length], Span(ORIGIN, 1, 1, len(path), override))


def _assign(tree: Any, path: str, value: Any, override: str) -> Place:
    """Put a value at a dotted path of a tree; sections that are absent are made."""
    place: Place = ()
    column = 1
    *steps, last = path.strip().split(".")
    for step in steps:
        key = _key(tree, step, place, Span(ORIGIN, 1, column, max(1, len(step)), override))
        if isinstance(tree, dict) and tree.get(key) is None:
            tree[key] = {}
        tree, place, column = tree[key], (*place, key), column + len(step) + 1
    key = _key(tree, last, place, Span(ORIGIN, 1, column, max(1, len(last)), override))
    tree[key] = value
    return (*place, key)


def _key(tree: Any, step: str, place: Place, span: Span) -> str | int:
    """Return the key or the index that one step of a path means.

    Raises:
        InputError: the tree at `place` has no parts, or no item of this number.
    """
    where = f"'{'.'.join(map(str, place))}'" if place else "the file"
    if isinstance(tree, dict):
        return step
    if not isinstance(tree, list):
        raise InputError(f"{where} has no parts", span=span, expected="a shorter path")
    index = int(step) if step.isascii() and step.isdigit() and len(step) < 10 else -1
    if not 0 <= index < len(tree):
        raise InputError(
            f"{where} has no item {step}",
            span=span,
            expected=f"an index from 0 to {len(tree) - 1}" if tree else "it is empty",
        )
    return index
