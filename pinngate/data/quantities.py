"""What a sensor sees of the fields: an expression, or its mean over an axis, from the truth.

Between the stated problem and its observations. A mean is Gauss–Legendre quadrature with the same
nodes that the fit uses, of an order at which its error is far below any noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import DataError
from pinngate.expression import Expression, evaluate, names, substitute
from pinngate.statement.axis_bounds import Bounds, is_logarithmic, like
from pinngate.statement.axis_places import at_share, measure
from pinngate.statement.derivatives import differentiated
from pinngate.statement.measurement import Mean
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
Truth = Callable[[Array], Mapping[str, Array]]
NUM_NODES = {1: 16, 2: 10, 3: 6, 4: 5}  # along each axis, by number of axes of a mean


def mean_nodes(
    points: Array,
    mean: Mean,
    domain: Mapping[str, tuple[float, float]],
    kinds: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Array, Array]:
    """Return the nodes of the mean about each point and their weights.

    Args:
        points: (n, axes).
        mean: over which axes.
        domain: bounds of every axis.
        kinds: of the axes that are no straight lines, whose measure counts (`coordinates`).

    Returns:
        Nodes (n, q, axes), and weights that sum to one: (q,) for every point, or (n, q).
    """
    x, w = np.polynomial.legendre.leggauss(NUM_NODES[len(mean.axes)])
    unit = np.stack([m.ravel() for m in np.meshgrid(*[x] * len(mean.axes), indexing="ij")], axis=1)
    weights = np.ones(1)
    for _ in mean.axes:
        weights = np.outer(weights, w / 2).ravel()
    nodes = np.repeat(points[:, None, :], len(weights), axis=1)
    for k, axis in enumerate(mean.axes):
        column = list(domain).index(axis)
        ends = _ends(points[:, column], domain[axis], mean.width)
        shares = (unit[:, k] + 1) / 2
        nodes[:, :, column] = [at_share(like(domain[axis], *pair), shares) for pair in ends]
    return nodes, _measured(nodes, weights, mean, domain, kinds)


def _ends(places: Array, bounds: Bounds, width: float | None) -> Array:
    """Return between which ends of an axis the means about places (n,) are, (n, 2)."""
    low, high = (np.full(len(places), bound) for bound in bounds)
    if width is not None:
        low = np.maximum(low, places - width / 2)
        high = np.minimum(high, places + width / 2)
    return np.stack([low, high], axis=1)


def _measured(
    nodes: Array,
    weights: Array,
    mean: Mean,
    domain: Mapping[str, Bounds],
    kinds: Mapping[str, str],
) -> Array:
    """Return the weights (q,) times the measure of the axes, (n, q), where it is not one."""
    places = {axis: nodes[:, :, list(domain).index(axis)] for axis in mean.axes}
    density = measure(kinds, places)
    for axis in filter(lambda a: is_logarithmic(domain[a]), mean.axes):
        density = density * places[axis]
    if np.ndim(density) == 0:
        return weights
    weights = weights * density
    return np.asarray(weights / weights.sum(1, keepdims=True))


def true_values(
    problem: Problem,
    of: str,
    quantity: Expression | None,
    mean: Mean | None,
    points: Array,
    truth: Truth,
) -> Array:
    """Return what a perfect sensor would read at points (n, axes): (n,).

    Args:
        problem: supplies constants and true coefficients.
        of: the field, or the text of the quantity.
        quantity: what the sensor sees; None is the field itself.
        mean: over which axes, or None.
        points: (n, axes).
        truth: the true fields.

    Raises:
        DataError: the quantity needs a derivative or a coefficient that the truth does not give.
    """
    if mean is None:
        return _point_values(problem, of, quantity, points, truth)
    nodes, weights = mean_nodes(points, mean, problem.domain, problem.coordinates)
    flat = nodes.reshape(-1, nodes.shape[2])
    values = _point_values(problem, of, quantity, flat, truth)
    return np.asarray((values.reshape(nodes.shape[:2]) * weights).sum(1))


def _point_values(
    problem: Problem, of: str, quantity: Expression | None, points: Array, truth: Truth
) -> Array:
    if quantity is None:
        return np.asarray(truth(points)[of], dtype=np.float64)
    known: dict[str, float | Array] = {**problem.constants, **problem.true_coefficients()}
    known |= {axis: points[:, k] for k, axis in enumerate(problem.axes)}
    wanted = substitute(quantity, _true_derivatives(problem, of, quantity))
    known |= truth(points)
    for coefficient in problem.coefficients:
        if coefficient.name in names(wanted) and coefficient.name not in known:
            raise DataError(
                f"synthetic values of {of} need the true value of '{coefficient.name}'",
                expected=f"truth: {{constants: {{{coefficient.name}: value}}}}",
            )
    values = evaluate(wanted, known, np)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),)).copy()


def _true_derivatives(problem: Problem, of: str, quantity: Expression) -> dict[str, Expression]:
    """Return the formula of each derivative of a field in a quantity."""
    formulas = problem.truth.fields if problem.truth is not None else {}
    found = {n: d for n, d in problem.derivatives(quantity).items() if d.order > 0}
    for name, derivative in found.items():
        if derivative.field not in formulas:
            raise DataError(
                f"synthetic values of {of} need the derivative {name} of the truth",
                expected="a truth stated by formulas",
            )
    return {n: differentiated(formulas[d.field], problem.axes, d.orders) for n, d in found.items()}


__all__ = ["mean_nodes", "true_values"]
