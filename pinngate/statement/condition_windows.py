"""Conditions in windows of time, joined to one that holds on the whole side.

``u = 0 at x = 0 and t < 1`` and ``u_x = 0 at x = 0 and t > 1`` say together what holds at x = 0 at
all times: Σ_k box_k(t) r_k = 0, with box_k one in the k-th window and zero in the others, whose
steps have known places. A march in time needs a condition at every instant; windows that leave one
out are kept as they are. Beside `kinks`. Cost: none to speak of.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from pinngate.expression import Call, Expression, Name, Number, add, multiply, subtract
from pinngate.statement.equations import Condition, Window
from pinngate.statement.problem import Problem, changed


def with_joined_windows(problem: Problem) -> Problem:
    """Return the problem with windows of one side that fill the time axis joined to conditions."""
    windows = [c for c in problem.conditions if isinstance(c.where, Window)]
    joined, gone = [], []
    for _, group in itertools.groupby(sorted(windows, key=_side), key=_side):
        own = list(group)
        found = _joined(problem, own)
        if found is not None:
            joined.append(found)
            gone += own
    kept = (c for c in problem.conditions if c not in gone)
    return changed(problem, conditions=(*kept, *joined)) if joined else problem


def _side(condition: Condition) -> tuple[str, float]:
    assert isinstance(condition.where, Window)
    return condition.where.plane.axis, condition.where.plane.value


def _joined(problem: Problem, conditions: list[Condition]) -> Condition | None:
    """Return what conditions in consecutive windows say together, None where one is missing."""
    spans = {}
    for condition in conditions:
        assert isinstance(condition.where, Window)
        if [axis for axis, _, _ in condition.where.bounds] != ["t"]:
            return None
        spans[condition.where.bounds[0][1:]] = condition
    ordered = sorted(spans)
    edges = [problem.domain["t"][0], *(end for _, end in ordered)]
    fills = [start for start, _ in ordered] == edges[:-1] and edges[-1] == problem.domain["t"][1]
    if not fills or len(ordered) < len(conditions):
        return None
    total: Expression = Number(0.0)
    for start, end in ordered:
        total = add(total, multiply(_box(problem, start, end), spans[start, end].residual))
    first = spans[ordered[0]]
    assert isinstance(first.where, Window)
    text = "; ".join(c.text for c in conditions)
    return replace(first, where=first.where.plane, text=text, residual=total)


def _box(problem: Problem, start: float, end: float) -> Expression:
    """Return 1 between two times and 0 elsewhere, with steps inside the domain only."""
    low, high = problem.domain["t"]
    box: Expression = Number(1.0)
    if start > low:
        box = multiply(box, Call("heaviside", subtract(Name("t"), Number(start))))
    if end < high:
        box = multiply(box, Call("heaviside", subtract(Number(end), Name("t"))))
    return box


__all__ = ["with_joined_windows"]
