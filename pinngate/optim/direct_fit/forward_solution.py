"""An evolution of which everything is stated: solved through the solver, nothing is fitted.

Between `through_solver`, whose `DirectFit` with an empty θ is the answer, and `optim.forward`.
Nodes and steps are refined until two solutions agree within `TOLERANCE` of the size of every state,
and the finer one counts; sizes are those that the solution before has had.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from pinngate.model.coefficients import Coefficients
from pinngate.optim.direct_fit.exact_model import ExactModel, Solution
from pinngate.optim.direct_fit.fitted_record import NUM_NODES, TOLERANCE
from pinngate.optim.direct_fit.marched_states import CannotMarch, Symbol
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.optim.direct_fit.staged_search import MOST_NODES, SolverError
from pinngate.optim.direct_fit.through_solver import DirectFit, LastRows
from pinngate.optim.direct_fit.unknowns import Unknowns
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


def forward_model(problem: Problem, coefficients: Coefficients, sizes: Array) -> ExactModel:
    """Return the model of a problem in which nothing is unknown.

    Args:
        problem: time and at most one space axis.
        coefficients: none.
        sizes: of the unknowns, (U,).

    Raises:
        CannotMarch: the problem is of another class, or leaves something open.
    """
    form = MarchingForm(problem)
    start, end = problem.domain["t"]
    by_field = dict(zip(problem.unknowns, sizes.tolist(), strict=True))
    scaled = np.array([by_field[f] / (end - start) ** j for f, j in form.states.all])
    unknowns = Unknowns(form, coefficients, scaled)
    if any(form.open_ends):
        raise CannotMarch(f"an end of the {form.axis} axis has no condition")
    if unknowns.count:
        raise CannotMarch("not everything is stated: initial values or coefficients are unknown")
    return ExactModel(form, unknowns, scaled)


def forward_solution(model: ExactModel) -> DirectFit:
    """Solve, refine until nothing moves, and return the solution as a fit of nothing.

    Raises:
        CannotMarch: there is no solution.

    Cost: a few marches, the last on at most `MOST_NODES` nodes.
    """
    began = time.perf_counter()
    try:
        solution, shift = _refined(model)
    except (MarchFailed, ArithmeticError, ValueError) as error:
        raise CannotMarch(
            f"the equations have no solution from their initial state: {error}"
        ) from None
    nothing = np.zeros(0)
    return DirectFit(
        raw=nothing,
        raw_covariance=np.zeros((0, 0)),
        coefficients={},
        residuals={},
        leave_one_out={},
        noise_std={},
        risk=0.0,
        unexplained=0.0,
        is_poor=False,
        is_converged=shift < TOLERANCE,
        iterations=1,
        seconds=time.perf_counter() - began,
        num_nodes=len(solution.system.line.nodes),
        num_steps=solution.march.num_steps,
        solver_error=SolverError(shift, shift),
        doubt=np.zeros((0, 0)),
        rows=LastRows(np.zeros((0, 0)), nothing, nothing, nothing),
        theta=nothing,
        _model=model,
        _record=None,
        _solution=solution,
        _root=np.zeros((0, 0)),
    )


def _refined(model: ExactModel) -> tuple[Solution, float]:
    """Return the finest solution, and how far the one before is from it, in sizes of the states."""
    theta, count, tolerance = np.zeros(0), NUM_NODES[model.accuracy], TOLERANCE**2
    solution = model.solve(theta, model.first_resolution(count, TOLERANCE))
    _learn_sizes(model, solution)
    coarse = model.solve(theta, model.adapted_resolution(solution, count, tolerance))
    while True:
        _learn_sizes(model, coarse)
        tolerance *= 0.5
        count = min(MOST_NODES, 2 * count)
        fine = model.solve(theta, model.adapted_resolution(coarse, count, tolerance))
        shift = _distance(model, coarse, fine)
        if shift < TOLERANCE or count == MOST_NODES:
            return fine, shift
        if model.form.axis is None and fine.march.num_steps > MOST_NODES:
            return fine, shift
        coarse = fine


def _learn_sizes(model: ExactModel, solution: Solution) -> None:
    """Let the sizes of the states be the largest that they have had."""
    largest = np.abs(solution.march.states[:, solution.system.numbers]).max(axis=(0, 2))
    model.sizes = np.where(largest > 0, largest, model.sizes)


def _distance(model: ExactModel, coarse: Solution, fine: Solution) -> float:
    """Return the largest difference of two solutions on the coarse one's steps and nodes."""
    axes, form = model.problem.axes, model.form
    times, nodes = coarse.march.ends, coarse.system.line.nodes
    columns = {"t": np.repeat(times, len(nodes))}
    if form.axis is not None:
        columns[form.axis] = np.tile(nodes, len(times))
    points = np.column_stack([columns[axis] for axis in axes])
    apart = [
        np.abs(coarse.read(symbol, points)[0] - fine.read(symbol, points)[0]).max() / model.sizes[k]
        for k in range(len(form.states.all))
        if (symbol := Symbol(k, 0, False))
    ]
    return float(max(apart))
