"""Where delays put kinks into a solution, and how smooth it is there.

Between past and solution the slope jumps, as it does where a formula jumps; a delay later the
equation sees that jump, and its solution is smoother by as many derivatives as the equation has
(A. Bellen and M. Zennaro, Numerical Methods for Delay Differential Equations, 2003, chapter 2).
Beside `kinks`, whose places are the first ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from pinngate.expression import Name, Number, substitute, subtract
from pinngate.statement.delays import TIME, delayed_values, past_formulas
from pinngate.statement.kinks import MOST_KNOTS, SAME, kink_places, kinks_of
from pinngate.statement.problem import Problem


def delay_kinks(problem: Problem, smoothest: int) -> dict[float, int]:
    """Return the kinks inside of the domain that delays make: place → continuous derivatives.

    Args:
        problem: any; without delays there are none.
        smoothest: continuous derivatives from which on there is no kink. Of more than
            `MOST_KNOTS` places the least smooth count.
    """
    delays = sorted({value.delay for value in delayed_values(problem).values()})
    if not delays:
        return {}
    low, high = problem.domain[TIME]
    gain = _least_order(problem)
    known = {low: 0} | dict.fromkeys(kink_places(problem)[TIME], gain - 1)
    waiting = [*known.items(), *((place, gain - 1) for place in _of_pasts(problem))]
    found: dict[float, int] = {}
    while waiting and len(found) < MOST_KNOTS:
        place, smoothness = min(waiting, key=lambda kink: kink[::-1])
        waiting.remove((place, smoothness))
        if not _is_among(found, place, SAME * (high - low)):
            found[place] = smoothness
            later = [(place + delay, smoothness + gain) for delay in delays]
            waiting += [(p, s) for p, s in later if p < high and s < smoothest]
    return {place: smoothness for place, smoothness in found.items() if place not in known}


def _is_among(places: Iterable[float], place: float, gap: float) -> bool:
    return any(abs(place - other) <= gap for other in places)


def _least_order(problem: Problem) -> int:
    """Return the order in time of the field that has the least."""
    orders = dict.fromkeys(problem.solved_fields, 0)
    for equation in problem.solved_equations:
        for value in problem.derivatives(equation.residual).values():
            if value.field in orders:
                orders[value.field] = max(orders[value.field], value.order)
    return min(orders.values())


def _of_pasts(problem: Problem) -> list[float]:
    """Return where equations see kinks of the stated pasts."""
    low = problem.domain[TIME][0]
    pasts = past_formulas(problem)
    found = []
    for value in delayed_values(problem).values():
        if value.field in pasts:
            time = subtract(Name(TIME), Number(value.delay))
            seen = kinks_of(problem, [substitute(pasts[value.field], {TIME: time})])[TIME]
            found += [place for place in seen if place < low + value.delay]
    return found


__all__ = ["delay_kinks"]
