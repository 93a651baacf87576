"""End conditions as algebra: boundary values of a semidiscrete system expressed by the others.

Conditions at the ends of a grid, linear in the unknowns and their derivatives, form a linear system
B U = g for the grid values U of all components. The values next to the ends are eliminated from it,
U = E w + e with w the kept values, so that only w is integrated in time and the conditions hold
exactly at every instant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, identity, kron, vstack
from scipy.sparse.linalg import splu

from pinngate.errors import InputError, SolveError
from pinngate.expression import Expression, names
from pinngate.reference.differences import derivative_matrix, end_row
from pinngate.reference.evolution import EndCondition, Evolution, evaluated
from pinngate.reference.known import Array
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import Plane

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """A uniform tensor grid over the space axes; a periodic axis lacks its last point."""

    axes: tuple[str, ...]
    nodes: tuple[Array, ...]
    spacings: tuple[float, ...]
    is_periodic: tuple[bool, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each axis."""
        return tuple(len(x) for x in self.nodes)

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape))

    def coordinates(self) -> dict[str, Array]:
        """Return the coordinates (size,) of the points in C order."""
        mesh = np.meshgrid(*self.nodes, indexing="ij")
        return {a: x.ravel() for a, x in zip(self.axes, mesh, strict=True)}

    def derivative(self, orders: tuple[int, ...]) -> csr_matrix:
        """Return the (size, size) matrix of a mixed space derivative."""
        factors = [
            derivative_matrix(len(x), h, k, periodic)
            for x, h, k, periodic in zip(
                self.nodes, self.spacings, orders, self.is_periodic, strict=True
            )
        ]
        return csr_matrix(reduce(kron, factors))

    def end_derivative(self, orders: tuple[int, ...], axis: int, is_right: bool) -> csr_matrix:
        """Return the (points of one face, size) matrix of a space derivative on that face."""
        factors = [
            end_row(len(x), h, k, is_right)
            if i == axis
            else derivative_matrix(len(x), h, k, self.is_periodic[i])
            for i, (x, h, k) in enumerate(zip(self.nodes, self.spacings, orders, strict=True))
        ]
        return csr_matrix(reduce(kron, factors))


def uniform_grid(system: Evolution, num_points: int) -> Grid:
    """Return the grid with `num_points` points along each axis (one fewer if periodic)."""
    problem = system.problem
    nodes, spacings = [], []
    for axis in problem.space_axes:
        line = np.linspace(*problem.domain[axis], num_points)
        spacings.append(float(line[1] - line[0]))
        nodes.append(line[:-1] if axis in problem.periodic else line)
    periodic = tuple(a in problem.periodic for a in problem.space_axes)
    return Grid(problem.space_axes, tuple(nodes), tuple(spacings), periodic)


@dataclass(frozen=True)
class _EndRows:
    """The rows of one condition: where they stand and the operator of each derivative in it."""

    end: EndCondition
    coordinates: dict[str, Array]
    operators: dict[str, csr_matrix]

    def right(self, t: float) -> Array:
        return -self._evaluated(self.end.rest, t)[:, 0] if self._moves else self._still

    @cached_property
    def _moves(self) -> bool:
        return "t" in names(self.end.rest)

    @cached_property
    def _still(self) -> Array:
        return -self._evaluated(self.end.rest, 0.0)[:, 0]

    def matrix(self, t: float) -> csr_matrix:
        parts = [
            operator.multiply(self._evaluated(self.end.coefficients[name], t))
            for name, operator in self.operators.items()
        ]
        return csr_matrix(reduce(add, parts))

    def _evaluated(self, expression: Expression, t: float) -> Array:
        shape = np.shape(next(iter(self.coordinates.values())))
        return evaluated(expression, self.coordinates | {"t": t}, shape)[:, None]


class Completion:
    """U(t) = E(t) w(t) + e(t): all grid values of all components from the kept ones.

    Components are stacked in the order of `system.components`, each in C order of the grid.

    Raises:
        InputError: the number of conditions is not the one that the equations take.
    """

    def __init__(self, system: Evolution, grid: Grid) -> None:
        _check_count(system)
        self._system, self._grid = system, grid
        self._num_all = len(system.components) * grid.size
        coordinates = grid.coordinates()
        eliminated: list[int] = []
        self._rows: list[_EndRows] = []
        layers: Counter[tuple[Plane, str, int]] = Counter()
        for end in system.ends:
            place = (end.where, end.field, end.level)
            face, removed = self._face(end, layers[place])
            layers[place] += 1
            # At a corner that two faces share, the condition of the first axis is used.
            free = np.flatnonzero(~np.isin(removed, eliminated))
            eliminated += removed[free].tolist()
            here = {a: x[face[free]] for a, x in coordinates.items()}
            self._rows.append(_EndRows(end, here, self._operators(end, free)))
        self.eliminated = np.array(eliminated, dtype=np.int64)
        self.kept = np.setdiff1d(np.arange(self._num_all), self.eliminated)
        coefficients = [c for end in system.ends for c in end.coefficients.values()]
        self._is_matrix_static = not any("t" in names(c) for c in coefficients)
        self.is_static = self._is_matrix_static and not any(
            "t" in names(end.rest) for end in system.ends
        )
        self._matrices = self._factorise(system.start)
        self._offset = self._offset_at(system.start)

    def at(self, t: float) -> tuple[csr_matrix, Array]:
        """Return E (all, kept) and e (all,) at time t."""
        if not self._is_matrix_static:
            self._matrices = self._factorise(t)
        if not self.is_static:
            self._offset = self._offset_at(t)
        return self._matrices[0], self._offset

    def _face(self, end: EndCondition, layer: int) -> tuple[Index, Index]:
        """Return the grid points of the condition's face and the values that its rows remove."""
        axis = self._grid.axes.index(end.where.axis)
        numbers = np.arange(self._grid.size).reshape(self._grid.shape)
        is_right = self._is_right(end)
        face = numbers.take(-1 if is_right else 0, axis).ravel()
        removed = numbers.take(-1 - layer if is_right else layer, axis).ravel()
        component = self._system.components.index((end.field, end.level))
        return face, component * self._grid.size + removed

    def _is_right(self, end: EndCondition) -> bool:
        return end.where.value == self._system.problem.domain[end.where.axis][1]

    def _operators(self, end: EndCondition, free: Index) -> dict[str, csr_matrix]:
        problem, grid = self._system.problem, self._grid
        axis = grid.axes.index(end.where.axis)
        found = {}
        for name in end.coefficients:
            symbol = parse_derivative(name, problem.unknowns, problem.axes)
            if symbol is None:
                raise AssertionError(name)
            component, orders = self._system.component_of(symbol)
            block = grid.end_derivative(orders, axis, self._is_right(end))[free]
            shift = self._system.components.index(component) * grid.size
            found[name] = csr_matrix(
                (block.data, block.indices + shift, block.indptr), (len(free), self._num_all)
            )
        return found

    def _factorise(self, t: float) -> tuple[csr_matrix, csc_matrix]:
        """Return E and the inverse of the eliminated columns of B."""
        if not self._rows:
            return csr_matrix(identity(self._num_all)), csc_matrix((0, 0))
        rows = csr_matrix(vstack([r.matrix(t) for r in self._rows]))
        try:
            dense = splu(csc_matrix(rows[:, self.eliminated])).solve(np.eye(len(self.eliminated)))
        except RuntimeError:
            dense = np.array(np.nan)
        if not np.isfinite(dense).all():
            raise SolveError("the conditions at the ends do not determine the boundary values")
        inverse = csc_matrix(dense)
        block = vstack([identity(len(self.kept)), -inverse @ rows[:, self.kept]]).tocsr()
        return block[np.argsort(np.concatenate([self.kept, self.eliminated]))], inverse

    def _offset_at(self, t: float) -> Array:
        offset = np.zeros(self._num_all)
        if self._rows:
            right = np.concatenate([r.right(t) for r in self._rows])
            offset[self.eliminated] = self._matrices[1] @ right
        return offset


def _check_count(system: Evolution) -> None:
    problem = system.problem
    for axis in problem.space_axes:
        if axis in problem.periodic:
            continue
        needed = sum(system.space_order(axis).values())
        stated = sum(condition.where.axis == axis for condition in problem.conditions)
        if stated != needed:
            raise InputError(
                f"problem '{problem.name}' cannot be integrated in time: the number of its "
                f"conditions along {axis} is {stated}, and its equations take {needed}",
                expected=f"{needed} conditions at the ends of {axis}, or {{periodic: {axis}}}",
            )
