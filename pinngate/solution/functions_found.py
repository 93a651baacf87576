"""Unknown functions of fields in an answer, at places of their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pinngate.errors import InputError, nearest
from pinngate.runs.found_functions import FunctionValues, function_values, is_near
from pinngate.statement.unknown_quantities import FieldFunction

if TYPE_CHECKING:
    from pinngate.solution.solved import Solution

Array = NDArray[np.float64]


def function_at(
    solution: Solution, name: str, places: Mapping[str, ArrayLike], *, extrapolate: bool
) -> FunctionValues:
    """Return a function of fields at places of its arguments, which broadcast.

    Args:
        solution: the answer.
        name: of the function.
        places: one number or array for each argument.
        extrapolate: whether it is told where the fit never was, too; else that is NaN.

    Raises:
        InputError: there is no such function, or the places are not those of its arguments.
    """
    function = _named(solution, name)
    spread = _arguments(function, places)
    at = spread.reshape(len(spread), -1)
    found = function_values(solution.session, solution.judged.posterior, function, at)
    is_told = extrapolate or _is_told(solution, function, at)

    arrays = {f.name: getattr(found, f.name) for f in fields(found)}
    known = {kind: values for kind, values in arrays.items() if values is not None}
    shown = {kind: np.where(is_told, values, np.nan) for kind, values in known.items()}
    return FunctionValues(**{kind: v.reshape(spread.shape[1:]) for kind, v in shown.items()})


def _arguments(function: FieldFunction, places: Mapping[str, ArrayLike]) -> Array:
    """Return the places of all arguments, in their order, (arguments, …)."""
    if set(places) != set(function.over):
        raise InputError(
            f"'{function.name}' is asked for at {', '.join(places) or 'nothing'}",
            expected=f"a place for each of {', '.join(function.over)}, as in {function.call}",
        )
    given = [np.asarray(places[over], dtype=float) for over in function.over]
    try:
        spread = np.stack(np.broadcast_arrays(*given))
    except ValueError:
        shapes = " and ".join(str(one.shape) for one in given)
        raise InputError(f"places of shapes {shapes} do not broadcast") from None
    if not np.isfinite(spread).all():
        raise InputError(f"'{function.name}' is asked for at a place that is not finite")
    return spread


def _named(solution: Solution, name: str) -> FieldFunction:
    functions = {f.name: f for f in solution.session.problem.field_functions}
    if name not in functions:
        raise InputError(
            f"there is no function '{name}' of fields",
            expected=f"one of {', '.join(functions) or 'none: the problem has no such function'}",
            hint=nearest(name, functions),
        )
    return functions[name]


def _is_told(solution: Solution, function: FieldFunction, at: Array) -> NDArray[np.bool_]:
    """Return which places (arguments, n) are where the fit was, as in files and figures."""
    known = solution.judged.solution
    ends = [known[name][[0, -1]] for name in function.places]
    low, high = np.array(ends).T[..., None]
    is_inside = ((low <= at) & (at <= high)).all(axis=0)
    if function.seen:
        seen = np.stack([known[name] for name in function.seen], axis=1)
        is_inside &= is_near(function, seen, at.T)
    return np.asarray(is_inside)


__all__ = ["function_at"]
