"""Tensor bases of a problem at a resolution, and the next finer one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.expression import Expression, evaluate
from pinngate.model.axis_functions import DEGREE, AxisFunctions, Legendre, Splines, Trigonometric
from pinngate.model.bases import TensorBasis
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import JointNetwork, Network
from pinngate.model.scales import Scales
from pinngate.model.terms import Term
from pinngate.optim.collocation.resolved import ResolvedSpace, resolved_on
from pinngate.statement.axis_places import at_share, share_at
from pinngate.statement.delay_kinks import delay_kinks
from pinngate.statement.kinks import kink_places
from pinngate.statement.problem import Plane, Problem

Array = NDArray[np.float64]

Resolution = Mapping[str, "tuple[float, ...] | int"]
"""Breaks of each axis scaled to [−1, 1], or waves: for as many, periodic or not, an axis has
2·waves + 1 smooth functions."""

FIRST = {1: 12, 2: 8, 3: 4, 4: 3}  # by the number of axes
FIRST_COEFFICIENT = 6
GROWTH = 1.6
MOST_WHOLE = 2  # axes with all products
MOST_FIRST = 100  # intervals; noise-like sources are not followed
NUM_SEEN = 512  # places at which a source is looked at
SOURCE = 1e-3  # of its size, that may be missed of a source
MARKED = 0.7  # of what is missed, made up by the intervals that are halved
NEAREST = 0.3  # intervals between a kink and another break


def first_resolution(problem: Problem, coefficients: Coefficients) -> Resolution:
    """Return where the ladder starts: what the known functions of the equations ask for.

    Every residual is taken with the fields at zero; along each axis the functions must hold what is
    left of it.
    """
    found: dict[str, tuple[float, ...] | int] = {}
    stated: list[tuple[Expression, object]] = [(e.residual, None) for e in problem.solved_equations]
    stated += [(c.residual, c.where) for c in problem.conditions]
    for axis in problem.axes:
        count = FIRST[len(problem.axes)]
        for residual, where in stated:
            values = _source(problem, coefficients, residual, where, axis)
            while count < MOST_FIRST and _misses(problem, axis, count, values):
                count = math.ceil(GROWTH * count)
        found[axis] = evenly(problem, axis, count)
    return found


def evenly(problem: Problem, axis: str, count: int) -> tuple[float, ...] | int:
    """Return even breaks of an axis, one at every kink; where it has waves, their number."""
    if axis in problem.periodic or is_sparse(problem):
        return count
    gap = NEAREST * 2 / count
    places = kinks(problem, axis)
    even = np.linspace(-1, 1, count + 1)
    inner = [float(b) for b in even[1:-1] if all(abs(b - p) > gap for p in places)]
    return tuple(sorted([-1.0, *inner, *places, 1.0]))


def is_sparse(problem: Problem) -> bool:
    """Whether a part of all products is made: on more than two axes, where they are too many."""
    return len(problem.axes) > MOST_WHOLE


def kinks(problem: Problem, axis: str) -> dict[float, int]:
    """Return the kinks on the axis scaled to [−1, 1]: place → continuous derivatives there."""
    found = dict.fromkeys(kink_places(problem).get(axis, ()), highest_order(problem, axis) - 1)
    found = delay_kinks(problem, DEGREE - 1) | found
    return {float(2 * share_at(problem.domain[axis], k) - 1): s for k, s in found.items()}


def _source(
    problem: Problem,
    coefficients: Coefficients,
    residual: Expression,
    where: object,
    axis: str,
) -> Array:
    """Return a residual without fields along an axis, at the middle of the others, (NUM_SEEN,)."""
    values: dict[str, Any] = {a: (lo + hi) / 2 for a, (lo, hi) in problem.domain.items()}
    values[axis] = at_share(problem.domain[axis], (np.arange(NUM_SEEN) + 0.5) / NUM_SEEN)
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
    breaks = evenly(problem, axis, count)
    if isinstance(breaks, int):
        functions = axis_functions(problem, axis, breaks)
    else:
        functions = Splines(breaks, dict.fromkeys(kinks(problem, axis), -1))
    x = -1 + 2 * (np.arange(NUM_SEEN) + 0.5) / NUM_SEEN
    rows = functions.values(x, 0)
    missed = values - rows @ np.linalg.lstsq(rows, values, rcond=None)[0]
    return float(np.sqrt(np.mean(missed**2))) > SOURCE * size


def finer(problem: Problem, resolution: Resolution, axes: Collection[str]) -> Resolution:
    """Return more intervals along some axes."""
    grown = {
        axis: evenly(problem, axis, math.ceil(GROWTH * _num_intervals(resolution[axis])))
        for axis in axes
    }
    return {**resolution, **grown}


def refined(resolution: Resolution, missed: Mapping[str, Array]) -> Resolution:
    """Halve the intervals that miss most: the fewest that make up `MARKED` of the total.

    W. Dörfler, SIAM J. Numer. Anal. 33, 1996. A periodic axis gets more wave numbers as a whole.
    """
    energies = [(e, axis, k) for axis, own in missed.items() for k, e in enumerate(own)]
    energies.sort(reverse=True)
    total, marked = sum(e for e, _, _ in energies), set()
    found = 0.0
    for energy, axis, k in energies:
        if found >= MARKED * total:
            break
        found += energy
        marked.add((axis, k))
    made: dict[str, tuple[float, ...] | int] = {}
    for axis, breaks in resolution.items():
        if isinstance(breaks, int):
            made[axis] = math.ceil(GROWTH * breaks) if (axis, 0) in marked else breaks
            continue
        halves = [
            (breaks[k] + breaks[k + 1]) / 2 for k in range(len(breaks) - 1) if (axis, k) in marked
        ]
        made[axis] = tuple(sorted([*breaks, *halves]))
    return made


def coarsening_errors(
    problem: Problem, resolution: Resolution, basis: TensorBasis, is_of_derivatives: bool = False
) -> dict[str, Array]:
    """Return for each interval of each axis the mean square of what a coarser axis would miss.

    The fields, or their highest derivatives as a part of themselves, are projected along one axis
    at a time onto functions with every other break; the finer ones miss less by orders of
    magnitude.
    """
    nodes = [functions.nodes() for functions in basis.functions]
    bounds = problem.domain.values()
    grid = np.meshgrid(
        *[at_share(own, (x + 1) / 2) for (x, _), own in zip(nodes, bounds, strict=True)],
        indexing="ij",
    )
    points = torch.as_tensor(np.stack([g.ravel() for g in grid], 1))
    weights = basis.layer.weight.detach()
    found = {}
    for place, (axis, breaks) in enumerate(resolution.items()):
        order = highest_order(problem, axis) if is_of_derivatives else 0
        orders = tuple(order * (k == place) for k in range(len(nodes)))
        values = basis.combined(points, orders, weights.T).numpy()
        values = values.reshape(*grid[0].shape, -1)
        functions = axis_functions(problem, axis, _coarser(problem, axis, breaks))
        x, w = nodes[place]
        root = np.sqrt(w)[:, None]
        own = np.moveaxis(values, place, 0).reshape(len(x), -1)
        seen = functions.values(x, 0)
        coefficients = np.linalg.lstsq(root * seen, root * own, rcond=None)[0]
        square = np.mean((own - seen @ coefficients) ** 2, axis=1) * w / 2
        if is_of_derivatives:
            square = square / max(float(np.sum(np.mean(own**2, axis=1) * w / 2)), 1e-300)
        if isinstance(breaks, int):
            found[axis] = np.array([square.sum()])
        else:
            place_of = np.clip(np.searchsorted(breaks, x) - 1, 0, len(breaks) - 2)
            found[axis] = np.bincount(place_of, square, len(breaks) - 1)
    return found


def by_interval(
    resolution: Resolution, basis: TensorBasis, energies: Mapping[str, Tensor]
) -> dict[str, Array]:
    """Return sums over the nodes of each interval of each axis; of a periodic axis over all."""
    found = {}
    for (axis, breaks), functions in zip(resolution.items(), basis.functions, strict=True):
        own = energies[axis].numpy() if axis in energies else np.zeros(len(functions.nodes()[0]))
        if isinstance(breaks, int):
            found[axis] = np.array([own.sum()])
        else:
            place = np.searchsorted(breaks, functions.nodes()[0]) - 1
            found[axis] = np.bincount(np.clip(place, 0, len(breaks) - 2), own, len(breaks) - 1)
    return found


def _num_intervals(breaks: tuple[float, ...] | int) -> int:
    return breaks if isinstance(breaks, int) else len(breaks) - 1


def _coarser(
    problem: Problem, axis: str, breaks: tuple[float, ...] | int
) -> tuple[float, ...] | int:
    if isinstance(breaks, int):
        return max(1, round(breaks / GROWTH))
    held = set(kinks(problem, axis))
    inner = [b for k, b in enumerate(breaks[1:-1]) if k % 2 or b in held]
    return (-1.0, *inner, 1.0)


def axis_functions(problem: Problem, axis: str, breaks: tuple[float, ...] | int) -> AxisFunctions:
    """Return the functions of an axis at a resolution, with a knot wherever a kink is."""
    if not isinstance(breaks, int):
        return Splines(breaks, kinks(problem, axis))
    return Trigonometric(2 * breaks + 1) if axis in problem.periodic else Legendre(2 * breaks)


def space(problem: Problem, resolution: Resolution, scales: Scales) -> Network:
    """Return the trial space: the fields' basis, and one for each coefficient field."""
    fields = TensorBasis(
        list(problem.domain.values()),
        [axis_functions(problem, axis, breaks) for axis, breaks in resolution.items()],
        len(problem.solved_fields),
        is_full=not is_sparse(problem),
        output_scale=[scales[u].size for u in problem.solved_fields],
        output_shift=[scales[u].centre for u in problem.solved_fields],
    )
    others = [
        TensorBasis(
            [problem.domain[a] for a in varying.over],
            [
                axis_functions(problem, a, evenly(problem, a, FIRST_COEFFICIENT))
                for a in varying.over
            ],
            1,
            columns=[problem.axes.index(a) for a in varying.over],
        )
        for varying in problem.coefficient_fields
    ]
    return JointNetwork([fields, *others]) if others else fields


def highest_order(problem: Problem, axis: str, residual: Expression | None = None) -> int:
    """Return the highest derivative along an axis in a residual, or in all equations."""
    place = problem.axes.index(axis)
    equations = [e.residual for e in problem.solved_equations]
    orders = [
        derivative.orders[place]
        for stated in (equations if residual is None else [residual])
        for derivative in problem.derivatives(stated).values()
    ]
    return max(orders, default=0)


def has_means(problem: Problem, axis: str, residual: Expression) -> bool:
    """Whether an axis is periodic, and the mean of an equation over such axes holds its fields.

    It does where a field is not differentiated along any of them.
    """
    along = [problem.axes.index(own) for own in problem.periodic]
    found = problem.derivatives(residual).values()
    return axis in problem.periodic and any(not any(d.orders[k] for k in along) for d in found)


def resolved_parts(
    problem: Problem, fields: TensorBasis, terms: Sequence[Term], num_rows: Mapping[str, int]
) -> dict[str, ResolvedSpace]:
    """Return what every equation and condition whose nodes are a whole product is tested by.

    Args:
        problem: the problem.
        fields: the basis of the fields.
        terms: of the residuals, in the order of their rows.
        num_rows: of each term.
    """
    planes = {f"condition_{k}": c.where for k, c in enumerate(problem.conditions, 1)}
    found = {}
    for term in terms:
        plane = planes.get(term.name)
        if term.kind == "observation" or (plane is not None and not isinstance(plane, Plane)):
            continue
        made = _on_plane(problem, fields, plane) if plane else _inside(problem, fields, term)
        if math.prod(len(psi) for psi in made.axes.values()) == num_rows[term.name]:
            found[term.name] = made
    return found


def _on_plane(problem: Problem, fields: TensorBasis, plane: Plane) -> ResolvedSpace:
    """Return the products that fields are made of on a plane."""
    axes = {
        axis: torch.ones(1, 1, dtype=torch.float64) if axis == plane.axis else resolved_on(own, 0)
        for axis, own in zip(problem.axes, fields.functions, strict=True)
    }
    start = [slice(0, psi.shape[1]) for psi in axes.values()]
    return ResolvedSpace.of(axes, fields.has_member[tuple(start)])


def _inside(problem: Problem, fields: TensorBasis, term: Term) -> ResolvedSpace:
    """Return the products ψ_j of which an equation makes members of a basis, j + m ∈ Λ."""
    axes = {
        axis: resolved_on(own, _lost_order(problem, axis, term.residual))
        for axis, own in zip(problem.axes, fields.functions, strict=True)
    }
    own = [slice(-psi.shape[1], None) for psi in axes.values()]
    return ResolvedSpace.of(axes, fields.has_member[tuple(own)])


def _lost_order(problem: Problem, axis: str, residual: Expression) -> int:
    """Return m; 0 where an equation knows the means along a periodic axis, too."""
    return 0 if has_means(problem, axis, residual) else highest_order(problem, axis, residual)
