"""Tensor bases of a problem at a resolution, and the next finer one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.expression import Expression, evaluate
from pinngate.model.coefficients import Coefficients

from pinngate.model.axis_functions import AxisFunctions, Splines, Trigonometric
from pinngate.model.bases import TensorBasis
from pinngate.model.networks import JointNetwork, Network
from pinngate.model.scales import Scales
from pinngate.statement.kinks import kink_places
from pinngate.statement.problem import Plane, Problem

Array = NDArray[np.float64]

Resolution = Mapping[str, int]
"""Intervals of each axis, or wave numbers where it is periodic."""

FIRST = {1: 12, 2: 8, 3: 4, 4: 3}  # by the number of axes
FIRST_COEFFICIENT = 6
GROWTH = 1.6
MOST_FIRST = 100  # intervals; noise-like sources are not followed
NUM_SEEN = 512  # places at which a source is looked at
SOURCE = 1e-3  # of its size, that may be missed of a source
SHARE = 0.1  # of the largest tail: an axis with less is resolved
NEAREST = 0.3  # intervals between a kink and another break


def first_resolution(problem: Problem, coefficients: Coefficients) -> Resolution:
    """Return where the ladder starts: what the known functions of the equations ask for.

    Every residual is taken with the fields at zero; along each axis the functions must hold what is
    left of it.
    """
    found = {}
    stated = [(e.residual, None) for e in problem.equations]
    stated += [(c.residual, c.where) for c in problem.conditions]
    for axis in problem.axes:
        count = FIRST[len(problem.axes)]
        sources = [s for s in (_source(problem, coefficients, r, w, axis) for r, w in stated)]
        for values in sources:
            while count < MOST_FIRST and _misses(problem, axis, count, values):
                count = math.ceil(GROWTH * count)
        found[axis] = count
    return found


def _source(
    problem: Problem,
    coefficients: Coefficients,
    residual: Expression,
    where: object,
    axis: str,
) -> Array:
    """Return a residual without fields along an axis, at the middle of the others, (NUM_SEEN,)."""
    values: dict[str, Any] = {a: (lo + hi) / 2 for a, (lo, hi) in problem.domain.items()}
    low, high = problem.domain[axis]
    values[axis] = low + (high - low) * (np.arange(NUM_SEEN) + 0.5) / NUM_SEEN
    if isinstance(where, Plane):
        values[where.axis] = np.full(NUM_SEEN, where.value)
    values |= dict(problem.constants)
    values |= {name: float(value) for name, value in coefficients.values().items()}
    values |= {f.name: f.initial for f in problem.coefficient_fields}
    values |= dict.fromkeys(problem.normal, 1.0)
    zeros = dict.fromkeys(set(problem.derivatives(residual)) - set(values), 0.0)
    with np.errstate(all="ignore"):
        try:
            found = np.asarray(evaluate(residual, values | zeros, np), dtype=float)
        except (ZeroDivisionError, OverflowError, ValueError):
            found = np.zeros(NUM_SEEN)
    found = np.broadcast_to(found, (NUM_SEEN,))
    return found if np.isfinite(found).all() else np.zeros(NUM_SEEN)


def _misses(problem: Problem, axis: str, count: int, values: Array) -> bool:
    """Whether the functions of an axis miss a part of values on it."""
    size = float(np.ptp(values))
    if size == 0.0:
        return False
    functions = axis_functions(problem, axis, count)
    x = -1 + 2 * (np.arange(NUM_SEEN) + 0.5) / NUM_SEEN
    rows = functions.values(x, 0)
    missed = values - rows @ np.linalg.lstsq(rows, values, rcond=None)[0]
    return float(np.sqrt(np.mean(missed**2))) > SOURCE * size


def refined(resolution: Resolution, errors: Mapping[str, float]) -> Resolution:
    """Return more intervals along the axes that are resolved least."""
    least = SHARE * max(errors.values())
    return {
        axis: math.ceil(GROWTH * count) if errors[axis] >= least else count
        for axis, count in resolution.items()
    }


def coarsening_errors(
    problem: Problem, resolution: Resolution, basis: TensorBasis, is_of_derivatives: bool = False
) -> dict[str, float]:
    """Return for each axis the root mean square of what a coarser one would miss.

    The fields, or their highest derivatives as a part of themselves, are projected along one axis
    at a time onto the functions of the resolution before; the finer ones miss less by orders of
    magnitude.
    """
    nodes = [functions.nodes() for functions in basis.axes]
    lows, highs = basis.low.numpy(), basis.high.numpy()
    grid = np.meshgrid(
        *[lo + (hi - lo) * (x + 1) / 2 for (x, _), lo, hi in zip(nodes, lows, highs, strict=True)],
        indexing="ij",
    )
    points = torch.as_tensor(np.stack([g.ravel() for g in grid], 1))
    found = {}
    for place, (axis, count) in enumerate(resolution.items()):
        order = highest_order(problem, axis) if is_of_derivatives else 0
        orders = tuple(order * (k == place) for k in range(len(nodes)))
        weights = basis.layers[0].weight.detach()
        values = (basis.products(points, orders) @ weights.T).numpy()
        values = values.reshape(*grid[0].shape, -1)
        functions = axis_functions(problem, axis, max(1, round(count / GROWTH)))
        x, w = nodes[place]
        root = np.sqrt(w)[:, None]
        own = np.moveaxis(values, place, 0).reshape(len(x), -1)
        rows = root * functions.values(x, 0)
        coefficients = np.linalg.lstsq(rows, root * own, rcond=None)[0]
        missed = own - functions.values(x, 0) @ coefficients
        size = float(np.sqrt(np.mean(own**2))) if is_of_derivatives else 1.0
        found[axis] = float(np.sqrt(np.mean(missed**2))) / max(size, 1e-300)
    return found


def axis_functions(problem: Problem, axis: str, count: int) -> AxisFunctions:
    """Return the functions of an axis at a resolution, with a knot wherever a kink is."""
    if axis in problem.periodic:
        return Trigonometric(2 * count + 1)
    low, high = problem.domain[axis]
    places = [(2 * k - low - high) / (high - low) for k in kink_places(problem).get(axis, ())]
    order = highest_order(problem, axis)
    return Splines(_breaks(count, places), {place: order - 1 for place in places})


def space(problem: Problem, resolution: Resolution, scales: Scales) -> Network:
    """Return the trial space: the fields' basis, and one for each coefficient field."""
    fields = TensorBasis(
        list(problem.domain.values()),
        [axis_functions(problem, axis, count) for axis, count in resolution.items()],
        len(problem.unknowns),
        is_full=len(problem.axes) <= 2,
        output_scale=[scales[u].size for u in problem.unknowns],
        output_shift=[scales[u].centre for u in problem.unknowns],
    )
    others = [
        TensorBasis(
            [problem.domain[a] for a in varying.over],
            [axis_functions(problem, a, FIRST_COEFFICIENT) for a in varying.over],
            1,
            columns=[problem.axes.index(a) for a in varying.over],
        )
        for varying in problem.coefficient_fields
    ]
    return JointNetwork([fields, *others]) if others else fields


def highest_order(problem: Problem, axis: str) -> int:
    """Return the highest derivative along an axis in the equations."""
    place = problem.axes.index(axis)
    orders = [
        derivative.orders[place]
        for equation in problem.equations
        for derivative in problem.derivatives(equation.residual).values()
    ]
    return max(orders, default=0)


def _breaks(count: int, places: list[float]) -> list[float]:
    even = np.linspace(-1, 1, count + 1)
    gap = NEAREST * 2 / count
    inner = [b for b in even[1:-1] if all(abs(b - p) > gap for p in places)]
    return sorted([-1.0, *inner, *places, 1.0])
