"""Does a numerical solver, run from an answer, come back to its fields?

Whatever the optimizer says: an answer that obeys its equations is the solution that begins with its
own initial state and coefficients. Their distance, in standard deviations of the field, tells how
far physics that is only weighed into a loss was missed. Below `judgement`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError, SolveError
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.through_solver import solved_from
from pinngate.points.grid import Grid
from pinngate.reference.runge_kutta import solve
from pinngate.runs.training import Session
from pinngate.statement.delays import delayed_values

Array = NDArray[np.float64]

CHECKED = 1e-8  # relative tolerance, far below what noise leaves


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

    try:
        solved = _by_steps(session, grid) if delayed_values(problem) else _marched(session, grid)
    except (SolveError, InputError):
        return None
    pairs = [(values[n], values[f"{n}_std"], solved[:, k]) for k, n in enumerate(problem.unknowns)]
    return max(_size(found - ours) / (_size(std) or 1.0) for ours, std, found in pairs)


def _marched(session: Session, grid: Grid) -> Array:
    """Return what the solver makes of the answer's initial state on the grid, (n, unknowns)."""
    problem = session.problem

    def outputs(points: Array) -> Array:
        found = session.outputs(points)
        return np.stack([found[name] for name in problem.outputs], axis=1)

    solution = solved_from(problem, session.observations, session.stepper.coefficients, outputs)
    return solution(grid.points)


def _by_steps(session: Session, grid: Grid) -> Array:
    """Return the same of an equation with delays, which the reference solver knows."""
    problem = session.problem
    found = session.outputs(np.array([[problem.domain["t"][0]]]))
    initial = {name: partial(_constant, float(found[name][0])) for name in problem.unknowns}
    solution = solve(problem, initial, coefficients=session.estimates(), rtol=CHECKED)
    solved = solution(grid.points)
    return np.stack([solved[name] for name in problem.unknowns], axis=1)


def _constant(value: float, _: Mapping[str, Array]) -> Array:
    return np.array(value)


def _size(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
