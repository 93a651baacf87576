"""Reference solutions: the truth that runs are judged by, and the solvers that compute it.

`truth` builds what a problem states: formulas (`analytic`), a file (`tabulated`) or a solver
(`finite_difference`, `spectral`, `cole_hopf`). Nothing here is seen in training, except that
synthetic observations are made from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pinngate.errors import DataError, InputError, TruthError
from pinngate.reference.evolution import initial_from, known_values
from pinngate.reference.known import Array, Initial, Reference
from pinngate.statement.coefficient_fields import with_true_fields
from pinngate.statement.problem import Problem

__all__ = ["Initial", "Reference", "initial_from", "truth"]


def truth(problem: Problem) -> Reference | None:
    """Return the reference solution that a problem states, None where it states none.

    Solvers run here, once; calling the result only interpolates (or, for Cole–Hopf and formulas,
    evaluates). Cost: typically below a second, a few for sharp fronts.

    Raises:
        TruthError: the stated truth does not apply to this problem, a coefficient's true value is
            missing, or its numbers are beyond what a computer can do.
        DataError: the stated file cannot be used.
        SolveError: the solver does not succeed.
    """
    try:
        return _stated(with_true_fields(problem))
    except InputError as error:
        if isinstance(error, DataError) or error.span is not None:
            raise
        raise TruthError(error.what, expected=error.expected, hint=error.hint) from None
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        raise TruthError(
            f"the stated truth cannot be computed: {error}",
            expected="initial data and coefficients that a solver can march on with",
        ) from None


def _stated(problem: Problem) -> Reference | None:
    """Return the reference that a problem states."""
    stated = problem.truth
    if stated is None:
        return None
    # The solvers are imported where they are needed: problems with formulas do without them.
    if stated.fields:
        from pinngate.reference import analytic

        return analytic.solve(problem, stated.fields)
    if stated.file is not None:
        from pinngate.reference import tabulated

        return tabulated.solve(problem, stated.file)
    if stated.solver is None:
        return None
    constants = known_values(problem, None)
    if problem.has_time:
        constants["t"] = problem.domain["t"][0]
    initial = initial_from(stated.clean, constants)
    return _with_exact_start(problem, _solved(problem, stated.solver, initial), initial)


def _solved(problem: Problem, solver: str, initial: dict[str, Initial]) -> Reference:
    if solver == "cole-hopf":
        from pinngate.reference import cole_hopf

        return cole_hopf.solve(problem, initial)
    if solver == "runge-kutta":
        from pinngate.reference import runge_kutta

        return runge_kutta.solve(problem, initial)
    if not problem.space_axes:
        raise InputError(
            f"problem '{problem.name}' has no space axis",
            expected="solver: runge-kutta for ordinary differential equations",
        )
    if solver == "spectral":
        from pinngate.reference import spectral

        return spectral.solve(problem, initial)
    from pinngate.reference import finite_difference

    return finite_difference.solve(problem, initial)


def _with_exact_start(
    problem: Problem, solution: Reference, initial: dict[str, Initial]
) -> Reference:
    """Return the reference with the stated data, not their interpolation, at the initial time."""
    time = problem.axes.index("t")
    start = problem.domain["t"][0]

    def evaluate_at(points: Array) -> dict[str, Array]:
        fields = solution.evaluate(points)
        at_start = points[:, time] == start
        if at_start.any():
            axes = {a: points[at_start, problem.axes.index(a)] for a in problem.space_axes}
            for f in fields.keys() & initial.keys():
                fields[f] = fields[f].copy()
                fields[f][at_start] = initial[f](axes)
        return fields

    return replace(solution, evaluate=evaluate_at)
