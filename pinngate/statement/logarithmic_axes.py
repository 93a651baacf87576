"""Derivatives along an axis that is searched on its logarithm, s = log r.

Trial spaces know ∂/∂s. What a formula means by ∂/∂r is, with d = ∂/∂s,

    u_r = d u / r,   u_rr = d (d − 1) u / r²,   ∂_r^k u = r^(−k) d (d − 1) … (d − k + 1) u,

the falling factorial, whose coefficients are the Stirling numbers of the first kind
(NIST Digital Library of Mathematical Functions, 26.8). In the rewritten formula the *names* of
derivatives mean those along s, everything else stays. Above `derivatives`, below residuals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from pinngate.expression import (
    Expression,
    Name,
    Number,
    add,
    divide,
    multiply,
    power,
    substitute,
)
from pinngate.statement.axis_bounds import is_logarithmic
from pinngate.statement.derivatives import Derivative, derivative_name
from pinngate.statement.problem import Problem


def falling(order: int) -> list[float]:
    """Return the coefficients of d (d − 1) … (d − order + 1), that of d^j at place j."""
    found = np.ones(1)
    for root in range(order):
        found = np.convolve(found, [-float(root), 1.0])
    return [float(c) for c in found]


def rising(order: int) -> list[float]:
    """Return S(order, j) with d^order = Σ_j S(order, j) r^j ∂_r^j, that of j at place j."""
    found = np.ones(1)
    for _ in range(order):
        moved = np.append(0.0, found)
        moved[:-1] += np.arange(len(found)) * found
        found = moved
    return [float(c) for c in found]


def along_search(problem: Problem, expression: Expression) -> Expression:
    """Return a formula in which the names of derivatives mean those along search coordinates.

    Args:
        problem: says which axes are searched on their logarithm.
        expression: in fields, their derivatives along the axes, and anything else.

    Cost: a walk over the formula, where there is such an axis.
    """
    columns = [k for k, b in enumerate(problem.domain.values()) if is_logarithmic(b)]
    if not columns:
        return expression
    written = {
        name: _written(problem, derivative, columns)
        for name, derivative in problem.derivatives(expression).items()
        if any(derivative.orders[k] for k in columns)
    }
    return substitute(expression, written)


def _written(problem: Problem, derivative: Derivative, columns: Sequence[int]) -> Expression:
    """Return a derivative along the axes in those along s."""
    rows = [falling(n) if k in columns else None for k, n in enumerate(derivative.orders)]
    total: Expression = Number(0.0)
    for orders, factor in _terms(derivative.orders, rows):
        name = derivative_name(Derivative(derivative.field, orders), problem.axes)
        total = add(total, multiply(Number(factor), Name(name)))
    for k in columns:
        scale = power(Name(problem.axes[k]), Number(float(derivative.orders[k])))
        total = divide(total, scale)
    return total


def _terms(
    orders: Sequence[int], rows: Sequence[list[float] | None]
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield orders along all axes with the product of their coefficients, where it is not zero."""
    options = [[n] if row is None else range(n + 1) for n, row in zip(orders, rows, strict=True)]
    for own in itertools.product(*options):
        factor = float(np.prod([row[n] for n, row in zip(own, rows, strict=True) if row]))
        if factor:
            yield own, factor


def in_axes(
    orders: Sequence[int], columns: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield what a derivative along search coordinates is along the axes.

    Args:
        orders: along each axis.
        columns: the axes that are searched on their logarithm.

    Yields:
        Orders β along the axes and the factor of Π r^β_k ∂^β, k in `columns`.
    """
    rows = [rising(n) if k in columns else None for k, n in enumerate(orders)]
    yield from _terms(orders, rows)


__all__ = ["along_search", "falling", "in_axes", "rising"]
