"""Coefficients that vary with the axes: what a network gives for them, and what they are.

A coefficient field a is one more output of the network, in the variable in which it is free: with
b the output, a = initial·exp(b) where it is positive, a logistic map of b between two bounds,
a = initial + size·b where it has none, so that b = 0 is the initial value. Equations are rewritten
in b and its derivatives by the chain rule, exactly and symbolically, so that channels, residuals,
Jacobian and posterior need to know nothing of it; values and standard deviations are mapped back
here. Stands between the problem and the residuals. The logarithm of a conductivity is the usual
unknown of such problems (A. M. Stuart, Acta Numerica 19, 2010, section 3.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import (
    Expression,
    differentiate,
    evaluate,
    substitute,
)
from pinngate.statement.derivatives import total_derivative
from pinngate.statement.free_variables import value_of
from pinngate.statement.placed_functions import with_true_functions
from pinngate.statement.problem import CoefficientField, Problem, changed

Array = NDArray[np.float64]


def searched(problem: Problem, residual: Expression) -> Expression:
    """Return a residual in the outputs of the network: every a, a_x, … written in b, b_x, …"""
    return rewritten(problem, residual, {f.name: value_of(f) for f in problem.coefficient_fields})


def rewritten(
    problem: Problem, residual: Expression, values: Mapping[str, Expression]
) -> Expression:
    """Return a residual with coefficient fields, and their derivatives, written as `values`."""
    over = {f.name: f.over for f in problem.coefficient_fields}
    written: dict[str, Expression] = {}
    for name, derivative in problem.derivatives(residual).items():
        if derivative.field not in values:
            continue
        expression = values[derivative.field]
        for axis, order in zip(problem.axes, derivative.orders, strict=True):
            for _ in range(order):
                expression = total_derivative(expression, axis, problem.outputs, problem.axes, over)
        written[name] = expression
    return substitute(residual, written)


def with_true_fields(problem: Problem) -> Problem:
    """Return the problem whose fields and functions of fields are known, where their truth is."""
    problem = with_true_functions(problem)
    truths = {f.name: f.truth for f in problem.coefficient_fields if f.truth is not None}

    def known(stated: Any) -> Any:
        return replace(stated, residual=rewritten(problem, stated.residual, truths))

    return changed(
        problem,
        equations=tuple(map(known, problem.equations)),
        conditions=tuple(map(known, problem.conditions)),
        fluxes=tuple(
            replace(flux, inside=rewritten(problem, flux.inside, truths)) for flux in problem.fluxes
        ),
        coefficient_fields=tuple(f for f in problem.coefficient_fields if f.truth is None),
    )


def values_and_slopes(field: CoefficientField, output: Array) -> tuple[Array, Array]:
    """Return a and |da/db| at outputs b (n,): a standard deviation of b times |da/db| is one of a.

    Cost: two evaluations of an elementary function.
    """
    value = value_of(field)
    known = {field.name: output}
    with np.errstate(over="ignore"):  # the end of an interval that data do not bound is infinite
        slope: Any = evaluate(differentiate(value, field.name), known, np)
        return evaluate(value, known, np), np.broadcast_to(np.abs(slope), output.shape)


def ends_of(field: CoefficientField, output: Array, half_width: Array) -> tuple[Array, Array]:
    """Return the ends of the intervals b ± half_width in values of a, the lower one first.

    The interval is symmetric in b, not in a, and so keeps the bounds.
    """
    one, other = (values_and_slopes(field, output + sign * half_width)[0] for sign in (-1.0, 1.0))
    return np.minimum(one, other), np.maximum(one, other)


def true_values(problem: Problem, points: Array) -> dict[str, Array]:
    """Return the true values at points (n, axes) of the coefficient fields that have a truth."""
    known: dict[str, Any] = {**problem.constants, **problem.true_coefficients()}
    known |= {axis: points[:, k] for k, axis in enumerate(problem.axes)}
    return {
        f.name: np.broadcast_to(evaluate(f.truth, known, np), (len(points),)).astype(np.float64)
        for f in problem.coefficient_fields
        if f.truth is not None
    }
