"""What data say of a problem before it is fitted: sizes of its states, and where they may begin.

Above `marching_form`, below `through_solver`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.errors import InputError
from pinngate.expression import ZERO, coefficients_of, constant_value
from pinngate.model.scales import field_scales
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.other_starts import UNSEEN
from pinngate.optim.direct_fit.unknowns import Guess

Array = NDArray[np.float64]


def first_values(form: MarchingForm, sets: Sequence[ObservationSet]) -> Guess | None:
    """Return fields that agree with the first value of each set, as a constant guess.

    The least ones, of ordinary differential equations, from what is linear in the fields. What
    nothing tells begins at a small share of what is seen: at zero, rates may have no effect.
    """
    problem = form.problem
    if form.axis is not None:
        return None
    begun = {c.name: c.initial for c in problem.coefficients}
    begun |= {f.name: f.initial for f in problem.coefficient_fields}
    rows, right = [np.zeros(len(problem.unknowns))], [0.0]
    for data in (one.as_measured for one in sets):
        linear, rest = coefficients_of(data.expression, set(problem.unknowns))
        parts = [linear.get(f, ZERO) for f in problem.unknowns]
        first = int(np.argmin(data.points[:, 0]))
        known = {**problem.constants, **begun, "t": float(data.points[first, 0])}
        try:
            row = np.array([constant_value(part, known) for part in parts])
            value = float(data.values[first]) - constant_value(rest, known)
        except InputError:
            continue
        size = max(float(np.abs(row).max()), 1e-300)
        rows.append(row / size)
        right.append(value / size)
    guess = np.linalg.lstsq(np.array(rows), np.array(right), rcond=1e-10)[0]
    is_told = np.any(np.array(rows) != 0, axis=0)
    largest = max((float(np.abs(data.values).max()) for data in sets), default=0.0) or 1.0
    guess = np.where(is_told, guess, np.sqrt(UNSEEN) * largest)
    return lambda points: np.repeat(guess[None], len(points), axis=0)


def state_sizes(form: MarchingForm, sets: Sequence[ObservationSet]) -> Array:
    """Return a size of each state: of the observed field, that over the duration for rates.

    Where no field is observed itself, the sizes at which they explain what is seen of them.
    """
    start, end = form.problem.domain["t"]
    seen: dict[str, float] = {}
    for data in (one.as_measured for one in sets):
        if data.is_of_field:
            size = float(np.abs(data.values).max())
            seen[data.of] = max(seen.get(data.of, 0.0), size)
    if not seen:
        seen = {field: scale.size for field, scale in field_scales(form.problem, sets).items()}
    typical = max(seen.values(), default=1.0) or 1.0
    sizes = [(seen.get(f, 0.0) or typical) / (end - start) ** j for f, j in form.states.all]
    return np.array(sizes)


__all__ = ["first_values", "state_sizes"]
