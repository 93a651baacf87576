"""Does a numerical solver, run from an answer, come back to its fields?

Whatever the optimizer says: an answer that obeys its equations is the solution that begins with its
own initial state and coefficients. Their distance, in standard deviations of the field, tells how
far physics that is only weighed into a loss was missed. Below `judgement`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.through_solver import solved_from
from pinngate.points.grid import Grid
from pinngate.runs.training import Session

Array = NDArray[np.float64]


def solver_check(session: Session, grid: Grid, values: Mapping[str, Array]) -> float | None:
    """Return the root mean square distance of fields and solver, in standard deviations.

    Args:
        session: after training.
        grid: n points.
        values: each unknown and its ``<unknown>_std``, (n,).

    Returns:
        The largest of all unknowns; of a fit through the solver, what the solver's error moves it.
        None where no solver runs the problem, or nothing tells the standard deviation.

    Cost: two runs of the solver.
    """
    problem, network = session.problem, session.stepper.network
    if isinstance(network, SolvedFields) and network.fit is not None:
        shift = network.fit.solver_error.shift
        return shift if math.isfinite(shift) else None
    if any(f"{name}_std" not in values for name in problem.unknowns) or problem.hidden:
        return None

    def outputs(points: Array) -> Array:
        found = session.outputs(points)
        return np.stack([found[name] for name in problem.outputs], axis=1)

    try:
        solution = solved_from(problem, session.observations, session.stepper.coefficients, outputs)
        solved = solution(grid.points)
    except CannotMarch:
        return None
    pairs = [(values[n], values[f"{n}_std"], solved[:, k]) for k, n in enumerate(problem.unknowns)]
    return max(_size(found - ours) / (_size(std) or 1.0) for ours, std, found in pairs)


def _size(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
