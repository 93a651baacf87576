"""Fixed collocation points for a tensor basis: quadrature nodes that see every function.

Where a network gets fresh random points, a basis gets the nodes of its own functions, so that what
it does between them is known: a product of each axis's nodes, weighted so that rows add up to a
mean over the domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.model.axis_functions import AxisFunctions
from pinngate.model.row_weights import ROW
from pinngate.model.terms import Batch
from pinngate.points.batches import BatchSource
from pinngate.statement.axis_places import at_share
from pinngate.statement.problem import Plane, Problem, Window

Array = NDArray[np.float64]


def node_batches(source: BatchSource, functions: Mapping[str, AxisFunctions]) -> dict[str, Batch]:
    """Return equations and conditions at the nodes, and the data in the order they were given.

    Args:
        source: of the problem, its data and of the points of boundaries that are no planes.
        functions: of each axis.
    """
    problem = source.problem
    found = dict(source.twin("nodes", 1).draw_in_order())
    inside = _nodes(source, functions, None)
    for name in source.equation_names:
        found[name] = inside
    for k, condition in enumerate(problem.conditions, 1):
        where = condition.where
        if isinstance(where, Plane):
            found[f"condition_{k}"] = _nodes(source, functions, where)
        elif isinstance(where, Window):
            whole = _nodes(source, functions, where.plane)
            found[f"condition_{k}"] = _inside(whole, where, problem)
    return found


def _inside(whole: Batch, window: Window, problem: Problem) -> Batch:
    """Return the nodes of a plane that are in a window, weighted to a mean over it."""
    keep = torch.ones(len(whole), dtype=torch.bool, device=whole.points.device)
    for axis, low, high in window.bounds:
        own = whole.points[:, problem.axes.index(axis)]
        keep &= (own > low) & (own < high)
    kept = whole.take(torch.nonzero(keep)[:, 0])
    row = kept.columns.get(ROW)
    if row is not None:
        kept.columns[ROW] = row / row.square().mean().sqrt()
    return kept


def _nodes(
    source: BatchSource,
    functions: Mapping[str, AxisFunctions],
    plane: Plane | None,
) -> Batch:
    problem = source.problem
    free = [a for a in problem.axes if plane is None or a != plane.axis]
    columns, weights = [], []
    for axis, bounds in problem.domain.items():
        if axis not in free:
            columns.append(np.array([plane.value if plane is not None else bounds[0]]))
            weights.append(np.ones(1))
            continue
        x, w = functions[axis].nodes()
        columns.append(at_share(bounds, (x + 1) / 2))
        weights.append(w / 2)
    points = _product(columns)
    weight = np.prod(_product(weights), axis=1)
    keep = source.region.inside(points)
    points, weight = points[keep], weight[keep]
    row = np.sqrt(weight / weight.mean())
    return Batch(
        torch.as_tensor(points).to(source.device, source.dtype),
        {ROW: torch.as_tensor(row).to(source.device, source.dtype)},
    )


def _product(columns: Sequence[Array]) -> Array:
    return np.stack([g.ravel() for g in np.meshgrid(*columns, indexing="ij")], axis=1)
