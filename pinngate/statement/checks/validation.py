"""Checks the tree of a problem file against the schema, and says in words what is wrong.

The second stage of reading a problem file, between `yaml_source` and `build`. pydantic finds the
faults; this module turns the first of them into a message with its place in the file.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from pinngate.errors import InputError, nearest
from pinngate.statement.checks.schema import (
    Formula,
    ProblemFile,
    Section,
    alternatives,
    describe,
    section_of,
)
from pinngate.statement.checks.source import Place, Source


def _expected(place: Place) -> tuple[Any, tuple[Any, ...]]:
    """Return annotation and metadata of what should stand at a place."""
    annotation: Any = ProblemFile
    metadata: tuple[Any, ...] = ()
    for step in place:
        while True:
            annotation = next(o for o in alternatives(annotation) if o is not type(None))
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


def shown(value: Any) -> str:
    """Say in words what a value of the tree is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text '{value if len(value) <= 40 else value[:37] + '...'}'"
        case int() | float():
            return f"the number {value:g}" if isinstance(value, float) else f"the number {value}"
        case []:
            return "an empty list"
        case list():
            return f"a list of {len(value)}"
    return "a mapping" if value else "an empty mapping"


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
    try:
        return ProblemFile.model_validate(source.tree)
    except ValidationError as error:
        details = error.errors(include_url=False)
    misspelt = {d["loc"][:-1] for d in details if d["type"] == "extra_forbidden"}
    faults = [
        _fault(source, d)
        for d in details
        if d["type"] != "missing" or d["loc"][:-1] not in misspelt  # its cause, most often
    ]
    raise min(faults, key=_position)


def _position(fault: InputError) -> tuple[str, int, int]:
    return (fault.span.file, fault.span.line, fault.span.column) if fault.span else ("", 0, 0)


def _fault(source: Source, detail: Any) -> InputError:
    place, value = _existing(source.tree, detail["loc"])
    if detail["type"] == "extra_forbidden":
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
    if detail["type"] == "missing":
        missing = (*place, detail["loc"][len(place)])
        annotation, metadata = _expected(missing)
        inside = f" in '{'.'.join(map(str, place))}'" if place else ""
        return InputError(
            f"the key '{missing[-1]}' is missing{inside}",
            span=source.key(place),
            expected=f"{missing[-1]}: {describe(annotation, metadata)}",
        )
    annotation, metadata = _expected(place)
    expected = describe(annotation, metadata)
    names = [str(v) for o in alternatives(annotation) for v in get_args(o)]
    hint = nearest(value, names) if isinstance(value, str) else ""
    if isinstance(value, dict) and ("text" in expected or expected == "a formula"):
        hint = hint or "': ' inside a text makes it a mapping: put such a text in quotes"
    elif isinstance(value, (int, float)) and "text" in expected:
        hint = "put it in quotes"
    elif value is None:
        hint = "leave the key out where there is nothing to say"
    return InputError(
        f"'{'.'.join(map(str, place))}' cannot be {shown(value)}",
        span=source.span(place),
        expected=f"expected {expected}",
        hint=hint,
    )


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
