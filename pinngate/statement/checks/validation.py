"""Checks a tree against the schema, and says in words what is wrong.

The first stage of the checks, before `building`. pydantic finds the
faults; this module turns the first of them into a message with its place in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from pinngate.errors import InputError, nearest
from pinngate.statement.checks.schema import (
    LISTED,
    MAPPED,
    Formula,
    ProblemFile,
    Section,
    alternatives,
    describe,
    section_of,
)
from pinngate.statement.checks.short_forms import expand
from pinngate.statement.checks.source import Place, Source


def _expected(place: Place) -> tuple[Any, tuple[Any, ...]]:
    """Return annotation and metadata of what should stand at a place."""
    annotation: Any = ProblemFile
    metadata: tuple[Any, ...] = ()
    for step in place:
        while True:
            annotation = _fitting(annotation, step)
            if get_origin(annotation) is not Annotated:
                break
            annotation = get_args(annotation)[0]
        metadata = ()
        if isinstance(annotation, type) and issubclass(annotation, Section):
            field = annotation.model_fields.get(str(step))
            if field is None:
                return Formula, ()
            annotation, metadata = field.annotation, tuple(field.metadata)
        else:
            annotation = get_args(annotation)[-1]
    return annotation, metadata


def _fitting(annotation: Any, step: str | int) -> Any:
    """Return the alternative that a step goes into: a list by number, a mapping by name."""
    options = [o for o in alternatives(annotation) if o is not type(None)]
    wanted = list if isinstance(step, int) else dict

    def bare(option: Any) -> Any:
        return get_args(option)[0] if get_origin(option) is Annotated else option

    return next((o for o in options if get_origin(bare(o)) is wanted), options[0])


def shown(value: Any) -> str:
    """Say in words what a value of the tree is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text '{value if len(value) <= 40 else value[:37] + '...'}'"
        case int():
            return f"the number {value}"
        case float():
            return f"the number {value:g}"
        case list() | dict():
            return _size(value)
    return f"an object of the type {type(value).__name__}"


def _size(value: list[Any] | dict[str, Any]) -> str:
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    return f"a list of {len(value)}" if value else "an empty list"


def validate(source: Source) -> ProblemFile:
    """Check keys, types and ranges.

    Raises:
        InputError: the first fault in the order of the file.
    """
    if not isinstance(source.tree, dict):
        raise InputError(
            f"a problem file is a mapping, found {shown(source.tree)}",
            span=source.span(()),
            expected="'pinngate: 1' in the first line, then the other keys",
        )
    expand(source)
    try:
        file = ProblemFile.model_validate(source.tree)
        _require_equations(source, file)
        return file
    except ValidationError as error:
        details = error.errors(include_url=False)
    for detail in details:
        detail["loc"] = tuple(step for step in detail["loc"] if step not in (LISTED, MAPPED))
    misspelt = {d["loc"][:-1] for d in details if d["type"] == "extra_forbidden"}
    faults = [
        d
        for d in details
        if d["type"] != "missing" or d["loc"][:-1] not in misspelt  # its cause, most often
    ]
    order = {place: i for i, place in enumerate(dict.fromkeys([*source.values, *source.keys]))}
    raise _fault(
        source, min(faults, key=lambda d: _rank(order, _existing(source.tree, d["loc"])[0]))
    )


def _require_equations(source: Source, file: ProblemFile) -> None:
    """Raise where neither the problem nor one of its candidates has equations."""
    if file.equations:
        return
    if not file.candidates:
        raise _missing_key(source, (), "equations")
    for name, candidate in file.candidates.items():
        if not candidate.equations and not candidate.terms:
            raise InputError(
                f"the candidate '{name}' has no equations",
                span=source.key(("candidates", name)),
                expected="a key 'equations', or 'left' and 'terms'",
            )


def _rank(order: Mapping[Place, int], place: Place) -> int:
    """Return the rank of a place, or of the nearest thing around it that was written."""
    while place and place not in order:
        place = place[:-1]
    return order.get(place, 0)


def _fault(source: Source, detail: Any) -> InputError:
    """Return the fault that pydantic found, in words."""
    place, value = _existing(source.tree, detail["loc"])
    if detail["type"] == "extra_forbidden":
        return _unknown_key(source, place)
    if detail["type"] == "missing":
        return _missing_key(source, place, detail["loc"][len(place)])
    annotation, metadata = _expected(place)
    expected = describe(annotation, metadata)
    return InputError(
        f"'{'.'.join(map(str, place))}' cannot be {shown(value)}",
        span=source.span(place),
        expected=f"expected {expected}",
        hint=_hint(value, annotation, expected),
    )


def _unknown_key(source: Source, place: Place) -> InputError:
    section = section_of(_expected(place[:-1])[0])
    known = list(section.model_fields) if section else []
    key = str(place[-1])
    missing_space = "write a space after ':'" if ":" in key else ""
    return InputError(
        f"unknown key '{key}'",
        span=source.key(place),
        expected="the keys here are " + ", ".join(known),
        hint=missing_space or nearest(key, known),
    )


def _missing_key(source: Source, place: Place, key: str) -> InputError:
    inside = f" in '{'.'.join(map(str, place))}'" if place else ""
    return InputError(
        f"the key '{key}' is missing{inside}",
        span=source.key(place),
        expected=f"{key}: {describe(*_expected((*place, key)))}",
    )


def _hint(value: Any, annotation: Any, expected: str) -> str:
    """Say what a value of the wrong type may have been meant to be."""
    names = [str(v) for o in alternatives(annotation) for v in get_args(o)]
    if isinstance(value, str):
        return nearest(value, names)
    if isinstance(value, dict) and ("text" in expected or expected == "a formula"):
        return "': ' inside a text makes it a mapping: put such a text in quotes"
    if isinstance(value, (int, float)) and "text" in expected:
        return "put it in quotes"
    return "leave the key out where there is nothing to say" if value is None else ""


def _existing(tree: Any, location: tuple[str | int, ...]) -> tuple[Place, Any]:
    """Return the longest part of a location that the tree holds, and the value there."""
    place: Place = ()
    for step in location:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            break
        place = (*place, step)
    return place, tree
