"""Python arguments to a plain tree, with the place of every one.

What `pinngate.config.yaml_source` is to a problem file, this module is to a call of `Problem`: the
same stages check both. Messages point at the argument, ``Problem(equations[0])``, quote it as one
line and put the caret under its wrong part.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from reprlib import Repr
from typing import Any

from pinngate.errors import InputError, Span
from pinngate.statement.arguments import Input, Observations, Unknown
from pinngate.statement.arrays import GivenValues
from pinngate.statement.checks.source import Place, Source

MAX_DEPTH = 50  # of arguments in arguments; a problem needs six

_SHORT = Repr()
_SHORT.maxother = _SHORT.maxstring = 80


@dataclass(frozen=True)
class Typed:
    """A text that was given as an argument."""

    label: str
    text: str

    def span(self, offset: int, length: int) -> Span:
        """Return the place of ``text[offset:offset + length]``, without the space around it."""
        part = self.text[offset : offset + length]
        offset += len(part) - len(part.lstrip())
        start = self.text.rfind("\n", 0, offset) + 1
        line = self.text[start:].partition("\n")[0]
        shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)
        length = max(1, min(len(part.strip()), len(line) - (offset - start)))
        number = self.text.count("\n", 0, offset) + 1
        return Span(self.label, number, offset - start + 1, length, shown)


def read_arguments(
    arguments: Mapping[str, object], *, call: str = "Problem", prefix: str = ""
) -> Source:
    """Return the tree that a problem file with these keys has; None is a key that is not there.

    Args:
        arguments: by the keys of a problem file.
        call: what is called, for messages.
        prefix: the key whose entries are the arguments of the call, where they are not its own.

    Raises:
        InputError: a key is no text, or the arguments are nested too deeply.
    """
    source = Source({"pinngate": 1}, values={(): Span(call, 1, 1)})
    reader = _Tree(source, call, prefix)
    for key, value in arguments.items():
        if value is not None:
            source.tree[key] = reader.build(value, (key,), key)
    return source


class _Tree:
    """Turns arguments into plain values and notes their places in a source."""

    def __init__(self, source: Source, call: str, prefix: str) -> None:
        self.source, self.call, self.prefix = source, call, prefix

    def label(self, path: str) -> str:
        """Return how messages name an argument, ``Problem(equations[0])``."""
        inner = path.removeprefix(self.prefix)
        if self.prefix and inner.startswith("['"):
            inner = inner[2:].replace("']", "", 1)  # an entry is an argument of its own
        return f"{self.call}({inner})"

    def build(self, value: Any, place: Place, path: str) -> Any:
        """Return the plain form of a value; `path` is how Python reaches it."""
        label = self.label(path)
        if len(place) > MAX_DEPTH:
            raise InputError(f"{label[:80]}... is nested too deeply")
        self._note(place, label, str(place[-1]), _shown(value))
        if isinstance(value, (Unknown, Observations, Input)):
            return self._object(value, place, path)
        value = plain(value)
        if isinstance(value, str):
            self.source.scalars[place] = Typed(label, value)
            self.source.values[place] = Typed(label, value).span(0, len(value))
        elif isinstance(value, Mapping):
            return self._mapping(value, place, path)
        elif isinstance(value, list):
            items = enumerate(value)
            return [self.build(item, (*place, i), f"{path}[{i}]") for i, item in items]
        return value

    def _note(self, place: Place, label: str, key: str, text: str) -> None:
        self.source.keys[place] = Typed(label, key).span(0, len(key))
        self.source.values[place] = Typed(label, text).span(0, len(text))

    def _object(
        self, value: Unknown | Observations | Input, place: Place, path: str
    ) -> dict[str, Any]:
        """Return the mapping that an object stands for."""
        for part in ("points", "values", "std"):
            if not isinstance(value, Unknown) and value.given is not None:
                shown = _shown(getattr(value.given, part))
                self._note((*place, part), self.label(f"{path}.{part}"), part, shown)
        keys = value.keys_given()
        return {key: self.build(v, (*place, key), f"{path}.{key}") for key, v in keys.items()}

    def _mapping(self, value: Mapping[Any, Any], place: Place, path: str) -> dict[str, Any]:
        tree = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(
                    "a key is not text",
                    span=Typed(self.label(path), repr(key)).span(0, len(repr(key))),
                    expected="a name, then ': ' and its value",
                )
            tree[key] = self.build(item, (*place, key), f"{path}[{key!r}]")
        return tree


def plain(value: Any) -> Any:
    """Return text, a number, a list or a mapping for what behaves like one, else the value itself.

    Scalars and arrays of NumPy, PyTorch and others give numbers and lists; a path is its text.
    """
    if value is None or isinstance(value, (str, bool, int, float, Mapping, GivenValues)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    for number in (index, float):
        try:
            return number(value)
        except (TypeError, ValueError):
            continue
    return value


def _shown(value: Any) -> str:
    """Return a value as one short line."""
    if isinstance(value, GivenValues):
        return _shown(value.points)
    if isinstance(getattr(value, "shape", None), tuple):
        return f"{type(value).__name__} of the shape {tuple(value.shape)}"
    return " ".join(_SHORT.repr(value).split())


__all__ = ["Typed", "plain", "read_arguments"]
