"""Several trees that are evaluated again and again, together: each different part once.

    compile once:  parts of all trees, operands before what is made of them → steps
    then:          values of names → values of the trees

An equation and its slopes share most of their parts. `evaluate` is for trees that are met once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pinngate.expression.evaluation import named_value, operation
from pinngate.expression.tree import Expression, Name, Number, operands, parts

Operation = Callable[..., Any]


class Program:
    """Trees as a list of steps.

    Args:
        expressions: the trees.
        namespace: the module that supplies ``sin``, ``exp``, …: `numpy` or `torch`.

    Cost: `values` makes one call of it for each different part that is no name or number.
    """

    def __init__(self, expressions: Sequence[Expression], namespace: Any) -> None:
        self._quiet = getattr(namespace, "errstate", None)
        places: dict[Expression, int] = {}
        self._names: list[tuple[int, Name]] = []
        self._steps: list[tuple[int, Operation, tuple[int, ...]]] = []
        self._start: list[Any] = []
        for part in (part for expression in expressions for part in parts(expression)):
            if part in places:
                continue
            place = places[part] = len(places)
            self._start.append(part.value if isinstance(part, Number) else None)
            if isinstance(part, Name):
                self._names.append((place, part))
            elif not isinstance(part, Number):
                inner = tuple(places[operand] for operand in operands(part))
                self._steps.append((place, operation(part, namespace), inner))
        self._wanted = [places[expression] for expression in expressions]

    def __deepcopy__(self, _: Any) -> Program:
        """Return the program itself, which never changes."""
        return self

    def values(self, known: Mapping[str, Any]) -> list[Any]:
        """Return the values of the trees, in their order: numbers, or arrays of broadcast shape.

        Args:
            known: a number or an array for every name that occurs.

        Raises:
            ExpressionError: a name has no value.
        """
        found = self._start.copy()
        for place, name in self._names:
            found[place] = named_value(name, known)
        with nullcontext() if self._quiet is None else self._quiet(all="ignore"):
            for place, apply, inner in self._steps:
                found[place] = apply(*[found[k] for k in inner])
        return [found[place] for place in self._wanted]
