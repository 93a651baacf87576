"""A statement as a plain tree, and where each part of it stands, so that messages can point there.

The tree comes from a problem file (`pinngate.config.yaml_source`) or from Python arguments; the
checks of this package know only the tree and its places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from pinngate.errors import Span

Place = tuple[str | int, ...]


class Text(Protocol):
    """A text of the tree as it stands in its source."""

    def span(self, offset: int, length: int) -> Span:
        """Return the place of ``value[offset:offset + length]``."""


@dataclass
class Source:
    """A tree of dict, list, str, int, float, bool and None, and where each part of it stands."""

    tree: Any
    keys: dict[Place, Span] = field(default_factory=dict)
    values: dict[Place, Span] = field(default_factory=dict)
    scalars: dict[Place, Text] = field(default_factory=dict)

    def span(self, place: Place) -> Span:
        """Return where the value at `place` stands, or the nearest thing that encloses it."""
        for length in range(len(place), 0, -1):
            for spans in (self.values, self.keys):
                if place[:length] in spans:
                    return spans[place[:length]]
        return self.values[()]

    def key(self, place: Place) -> Span:
        """Return where the key of `place` stands, or else its value."""
        return self.keys.get(place) or self.span(place)

    def within(self, place: Place, offset: int, length: int) -> Span:
        """Return the place of a part of the text value at `place`."""
        scalar = self.scalars.get(place)
        return scalar.span(offset, length) if scalar else self.span(place)

    def graft(self, place: Place, branch: Source) -> None:
        """Put the places of another source's tree at `place`, and forget what stood there."""
        for spans in (self.keys, self.values, self.scalars):
            for old in [p for p in spans if p[: len(place)] == place]:
                del spans[old]
        self.keys |= {place + p: span for p, span in branch.keys.items()}
        self.values |= {place + p: span for p, span in branch.values.items()}
        self.scalars |= {place + p: scalar for p, scalar in branch.scalars.items()}
