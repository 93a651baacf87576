"""Equations that hold at every instant without a derivative, as equations of evolution.

``E + C = E0`` says of rates that ``E_t + C_t = 0``, and of the beginning what it says at any time
(C. W. Gear, SIAM J. Sci. Stat. Comput. 9, 1988, 39-47). Only what names neither axes nor tables is
written so, and nothing where events or delays change fields at an instant: a jump has no rate.
Beside `condition_windows`. Cost: none to speak of.
"""

from __future__ import annotations

from pinngate.expression import names
from pinngate.expression.printing import to_text
from pinngate.statement.derivatives import total_derivative
from pinngate.statement.equations import Condition, Equation, Plane
from pinngate.statement.problem import Problem, changed


def with_constraints_in_time(problem: Problem) -> Problem:
    """Return the problem with constraints as rates, behind its other equations, and conditions."""
    constraints = [e for e in problem.equations if _is_constraint(problem, e)]
    if not constraints or not problem.has_time or problem.events:
        return problem
    start = Plane("t", problem.domain["t"][0])
    return changed(
        problem,
        equations=(
            *(e for e in problem.equations if e not in constraints),
            *(_rate(problem, e) for e in constraints),
        ),
        conditions=(
            *problem.conditions,
            *(Condition(start, f"{e.text} at {start}", e.residual) for e in constraints),
        ),
    )


def _is_constraint(problem: Problem, equation: Equation) -> bool:
    """Whether an equation names fields and numbers alone."""
    numbers = {*problem.constants, *(c.name for c in problem.coefficients)}
    return set(names(equation.residual)) <= {*problem.unknowns, *numbers}


def _rate(problem: Problem, equation: Equation) -> Equation:
    rate = total_derivative(equation.residual, "t", problem.unknowns, problem.axes, {})
    return Equation(f"{to_text(rate)} = 0", rate)


__all__ = ["with_constraints_in_time"]
