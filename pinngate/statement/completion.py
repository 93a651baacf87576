"""Every option of a problem's optimizer, what is not stated by its default.

Between the declarations (`options`) and the registry of optimizers, which chooses the device; alone
where a problem is only looked at, since no optimizer has to be loaded for it.
"""

from __future__ import annotations

from dataclasses import replace

from pinngate.statement.linearity import has_linear_equations
from pinngate.statement.options import OptimizerOptions, declared
from pinngate.statement.problem import Problem

# Default numbers of collocation points hold for two axes; on a line fewer are as dense, in a volume
# more are needed.
SHARE_BY_AXES = {1: 0.25, 2: 1.0, 3: 2.0, 4: 4.0}


def complete_options(problem: Problem) -> OptimizerOptions:
    """Return every option that the problem's optimizer reads; the device may still be ``auto``.

    Raises:
        InputError: unknown optimizer, or an option that is stated and not read.
    """
    reads = declared(problem.solve.optimizer)
    options = reads.of(problem.solve)
    if problem.solve.collocation is None:
        options = replace(options, collocation=_collocation(problem, reads))
    return options


def _collocation(problem: Problem, reads: type[OptimizerOptions]) -> int:
    count = reads.collocation
    if problem.coefficients or problem.coefficient_fields:
        count = reads.inverse_collocation
    elif not has_linear_equations(problem):
        count = reads.nonlinear_collocation
    return int(SHARE_BY_AXES[len(problem.axes)] * count)
