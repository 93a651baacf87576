"""Every option of a problem's optimizer, what is not stated by its default.

Between the declarations (`options`) and the registry of optimizers, which chooses the device; alone
where a problem is only looked at, since no optimizer has to be loaded for it.
"""

from __future__ import annotations

from dataclasses import replace

from pinngate.errors import InputError
from pinngate.statement.linearity import has_linear_equations
from pinngate.statement.options import (
    DEFAULT_OPTIMIZER,
    RACE,
    OptimizerOptions,
    declared,
    optimizer_name,
)
from pinngate.statement.problem import Problem

# Default numbers of collocation points hold for two axes; on a line fewer are as dense, in a volume
# more are needed.
SHARE_BY_AXES = {1: 0.25, 2: 1.0, 3: 2.0, 4: 4.0}


def complete_options(problem: Problem) -> OptimizerOptions:
    """Return every option that the problem's optimizer reads; the device may still be ``auto``.

    Raises:
        InputError: unknown optimizer, an option that is stated and not read, or a problem that only
            a fit through a solver follows, and there is to be none.
    """
    _refuse_beyond_networks(problem)
    reads = declared(problem.solve.optimizer)
    options = reads.of(problem.solve)
    if problem.solve.collocation is None:
        options = replace(options, collocation=_collocation(problem, reads))
    return options


def _refuse_beyond_networks(problem: Problem) -> None:
    """Refuse events and spreads where another optimizer or a network is asked for."""
    reason, solve = problem.beyond_networks, problem.solve
    is_default = optimizer_name(solve.optimizer) == DEFAULT_OPTIMIZER
    is_free = is_default and solve.polish != "none" and solve.network in (None, RACE)
    if reason and not is_free:
        raise InputError(
            f"{reason}, which only a fit through a solver follows",
            expected=f"the optimizer {DEFAULT_OPTIMIZER}, no 'polish: none' and no network",
        )


def _collocation(problem: Problem, reads: type[OptimizerOptions]) -> int:
    count = reads.collocation
    if problem.coefficients or problem.coefficient_fields:
        count = reads.inverse_collocation
    elif not has_linear_equations(problem):
        count = reads.nonlinear_collocation
    return int(SHARE_BY_AXES[len(problem.axes)] * count)
