"""Finite differences and the method of lines: a reference for most evolution equations.

Takes any problem of the class in `evolution` on an interval or a rectangle, periodic or with
conditions at the ends linear in the unknowns (Dirichlet, Neumann, Robin, absorbing). Space is
discretised to fourth order (sixth if periodic), boundary values are eliminated exactly, and the
ordinary differential equations are integrated: linear oscillating ones by their Taylor series
(`taylor`), others by scipy's explicit method of eighth order where stability allows it, else by
Radau for oscillating and BDF for damped systems with the exact sparse Jacobian. Grids are doubled
until three of them agree; their differences give the error estimate.
Also the propagator of the classical pipeline, which passes its own initial data.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.sparse import csr_matrix, diags, vstack

from pinngate.errors import InputError, SolveError
from pinngate.expression import names
from pinngate.reference import taylor
from pinngate.reference.boundary import Completion, Grid, uniform_grid
from pinngate.reference.evolution import Evolution, evaluated, evolution, initial_state
from pinngate.reference.known import (
    Array,
    GridField,
    Initial,
    Reference,
    relative_difference,
    tabulated,
)
from pinngate.statement.problem import Problem

TARGET = 1e-6
LEVELS = {1: (51, 101, 201, 401, 801, 1601), 2: (21, 41, 81)}
# Rounding grows with the number of points to the power of the highest derivative.
FINEST = {0: 1601, 1: 1601, 2: 1601, 3: 801, 4: 101}
SMALLEST = 13  # points that the widest stencils need
# Below these an explicit method beats factorising Jacobians.
MAX_EXPLICIT_STEPS = {"damped": 100, "oscillating": 1500}
IMPLICIT = {"damped": "BDF", "oscillating": "Radau"}
PERIODIC_MARGIN = 8  # nodes repeated beyond each end, so that splines do not feel the seam
JUDGED_TIMES = 33
TABLE_TOLERANCE = 1e-8


def solve(
    problem: Problem,
    initial: Mapping[str, Initial],
    *,
    coefficients: Mapping[str, float] | None = None,
    num_points: int | None = None,
    target: float = TARGET,
    rtol: float = 1e-8,
    atol: float | None = None,
) -> Reference:
    """Integrate a problem in time on grids that are refined until the answer settles.

    Args:
        problem: an evolution in one or two space axes.
        initial: for ``u`` (and ``u_t`` where the equation is of second order in time) a function of
            ``{axis: coordinates}``; what is missing is taken from conditions at the initial time.
        coefficients: values of the estimated coefficients, by default the true ones.
        num_points: points along each space axis; by default grids are doubled until the estimated
            relative error is below `target` or the finest grid is reached (1601 points, 81 in two
            axes). The estimate always compares with coarser grids.
        target: estimated relative error at which grids are fine enough.
        rtol: relative tolerance of the integration in time.
        atol: absolute one, in units of each component's size (`_sizes`), by default 1e-2 `rtol`.

    Returns:
        The fields as splines of fifth degree in space and time.

    Raises:
        InputError: the problem is not of this class, in words.
        SolveError: the integration fails, for instance because the solution blows up.
    """
    system = evolution(problem, coefficients)
    levels = _levels(system, num_points)
    tables = _tables(system, initial, levels, _Tolerance(rtol, atol))
    finest, estimate = _settled(tables, target if num_points is None else 0.0)
    along = " along each axis" if len(problem.space_axes) > 1 else ""
    method = f"finite differences, {finest.num_points} points{along}"
    if estimate is not None:
        method += f", estimated error {estimate:.0e}"
    return Reference(problem.axes, dict(problem.domain), finest, method, estimate)


@dataclass(frozen=True)
class _Tolerance:
    """Of the integration in time: relative, and absolute in units of each component's size."""

    relative: float
    stated: float | None

    @property
    def absolute(self) -> float:
        """The stated one, else a hundredth of the relative one."""
        return self.stated or 1e-2 * self.relative

    def tight(self) -> _Tolerance:
        """Return a hundred times less."""
        return _Tolerance(1e-2 * self.relative, self.stated)


def _levels(system: Evolution, num_points: int | None) -> Sequence[int]:
    """Return the grids to try, coarsest first, as points along each axis."""
    problem = system.problem
    dims = len(problem.space_axes)
    if dims not in LEVELS:
        raise InputError(
            f"problem '{problem.name}' has {dims} space axes",
            expected="one or two for finite differences",
        )
    if num_points is None:
        highest = max(k for axis in problem.space_axes for k in system.space_order(axis).values())
        return [n for n in LEVELS[dims] if n <= FINEST[highest]]
    if num_points < SMALLEST:
        raise InputError(f"{num_points} grid points are too few", expected=f"at least {SMALLEST}")
    return _coarser(num_points)


def _tables(
    system: Evolution, initial: Mapping[str, Initial], levels: Sequence[int], tolerance: _Tolerance
) -> Iterator[tuple[_Table, float]]:
    """Yield the solution on each grid where it succeeds, and what integration in time adds."""
    in_time: float | None = None
    for level in levels:
        try:
            table = _Table(system, initial, level, tolerance)
            if in_time is None:
                # It is seen on the coarsest grid, where it costs little.
                in_time = _Table(system, initial, level, tolerance.tight()).difference(table)
        except SolveError:
            # A coarse grid may be unstable where a finer one is not.
            if level == levels[-1]:
                raise
            continue
        yield table, in_time


def _settled(tables: Iterator[tuple[_Table, float]], target: float) -> tuple[_Table, float | None]:
    """Return the first table of estimated error below a target, or the last, and its error.

    The error is None where there is no coarser table to compare with.
    """
    finest, _ = next(tables)
    differences: list[float] = []
    estimate = None
    for table, in_time in tables:
        differences.append(table.difference(finest))
        estimate = in_time + _richardson(differences, table.is_periodic)
        finest = table
        if len(differences) > 1 and estimate < target:
            break
    return finest, estimate


def _coarser(num_points: int) -> list[int]:
    levels = [(num_points - 1) // 4 + 1, (num_points - 1) // 2 + 1, num_points]
    return [n for n in levels if n >= SMALLEST]


def _richardson(differences: list[float], is_periodic: bool) -> float:
    """Return the estimated error of the finest level from differences between successive ones.

    With the observed order p (between 1 and the nominal one) the error is d/(2^p − 1).
    """
    nominal = 6.0 if is_periodic else 4.0
    if len(differences) < 2 or differences[-1] == 0:
        return differences[-1]
    observed = log2(max(differences[-2], 1e-300) / differences[-1])
    return float(differences[-1] / (2 ** min(max(observed, 1.0), nominal) - 1))


class _Table:
    """The solution on one grid, as a function of points."""

    def __init__(
        self,
        system: Evolution,
        initial: Mapping[str, Initial],
        num_points: int,
        tolerance: _Tolerance,
    ) -> None:
        problem = system.problem
        self.num_points, self.is_periodic = num_points, bool(problem.periodic)
        self._grid = uniform_grid(system, num_points)
        lines = _Lines(system, self._grid)
        state = np.concatenate(initial_state(system, initial, self._grid.coordinates()))
        times, kept = _integrate(lines, state, tolerance)
        self._times = times
        self._columns = [problem.axes.index(a) for a in (*problem.space_axes, "t")]
        self._fields = {
            f: _extended(self._grid, times, values)
            for f, values in lines.fields(times, kept).items()
        }

    def __call__(self, points: Array) -> dict[str, Array]:
        ordered = points[:, self._columns]
        return {f: field(ordered) for f, field in self._fields.items()}

    def difference(self, coarser: _Table) -> float:
        """Return the relative L2 difference from another table on that one's grid."""
        # Data that contradict the conditions make the initial instant grid-dependent.
        times = np.linspace(self._times[0], self._times[-1], JUDGED_TIMES)[1:]
        mesh = np.meshgrid(*coarser._grid.nodes, times, indexing="ij")
        points = np.empty((mesh[0].size, len(mesh)))
        points[:, self._columns] = np.stack([m.ravel() for m in mesh], axis=1)
        return relative_difference(coarser(points), self(points))


def _extended(grid: Grid, times: Array, values: Array) -> GridField:
    """Return the spline through values (times, grid size); periodic axes are wrapped around."""
    array = np.moveaxis(values.reshape(len(times), *grid.shape), 0, -1)
    nodes = []
    for axis, (x, h, is_periodic) in enumerate(
        zip(grid.nodes, grid.spacings, grid.is_periodic, strict=True)
    ):
        margin = PERIODIC_MARGIN if is_periodic else 0
        index = np.arange(-margin, len(x) + (margin + 1 if is_periodic else 0))
        nodes.append(x[0] + h * index)
        array = array.take(index % len(x), axis=axis)
        if not is_periodic:
            nodes[-1] = x
    return GridField([*nodes, times], array)


class _Lines:
    """The method of lines: dw/dt of the kept grid values and its Jacobian.

    Where neither equations nor conditions name the time and both are linear, dw/dt = A w + f with a
    matrix and a vector that are assembled once.
    """

    def __init__(self, system: Evolution, grid: Grid) -> None:
        self.system, self.grid = system, grid
        self.completion = Completion(system, grid)
        self.kept = self.completion.kept
        self._coordinates = grid.coordinates()
        place = {c: i for i, c in enumerate(system.components)}
        self._operators: dict[str, csr_matrix] = {}
        for name, symbol in system.symbols.items():
            component, orders = system.component_of(symbol)
            matrix = grid.derivative(orders)
            self._operators[name] = csr_matrix(
                (matrix.data, matrix.indices + place[component] * grid.size, matrix.indptr),
                (grid.size, len(place) * grid.size),
            )
        self.affine: tuple[csr_matrix, Array] | None = None
        if self._is_affine():
            nothing = np.zeros(len(self.kept))
            matrix = self.jacobian(system.start, nothing)
            self.affine = matrix, self.rate(system.start, nothing)

    def _is_affine(self) -> bool:
        system, moving = self.system, {"t", *self.system.symbols}
        return (
            self.completion.is_static
            and not any("t" in names(rate) for rate in system.rates.values())
            and not any(moving & names(partial).keys() for partial in system.partials.values())
        )

    @property
    def end_time(self) -> float:
        return self.system.problem.domain["t"][1]

    def full(self, t: float, kept: Array) -> Array:
        """Return all grid values of all components from the kept ones."""
        matrix, offset = self.completion.at(t)
        return np.asarray(matrix @ kept + offset)

    def fields(self, times: Array, kept: Array) -> dict[str, Array]:
        """Return the grid values (times, size) of each unknown from the kept ones (times, kept)."""
        rows = {f: self._rows(i) for i, (f, k) in enumerate(self.system.components) if k == 0}
        if self.completion.is_static:
            matrix, offset = self.completion.at(self.system.start)
            return {f: (matrix[own] @ kept.T).T + offset[own] for f, own in rows.items()}
        full = np.stack([self.full(t, w) for t, w in zip(times, kept, strict=True)])
        return {f: full[:, own] for f, own in rows.items()}

    def of_fields(self) -> NDArray[np.intp]:
        """Return which kept values the unknowns, not their time derivatives, are made of."""
        matrix, _ = self.completion.at(self.system.start)
        own = [self._rows(i) for i, (_, k) in enumerate(self.system.components) if k == 0]
        return np.unique(np.concatenate([matrix[rows].indices for rows in own]))

    def _rows(self, component: int) -> slice:
        return slice(component * self.grid.size, (component + 1) * self.grid.size)

    def _values(self, t: float, full: Array) -> dict[str, Array | float]:
        derivatives = {n: o @ full for n, o in self._operators.items()}
        return {**self._coordinates, "t": float(t), **derivatives}

    def rate(self, t: float, kept: Array) -> Array:
        """Return dw/dt."""
        if self.affine is not None:
            matrix, offset = self.affine
            return np.asarray(matrix @ kept + offset)
        size, system = self.grid.size, self.system
        full = self.full(t, kept)
        values = self._values(t, full)
        rates = [
            evaluated(system.rates[f], values, (size,))
            if k + 1 == system.time_orders[f]
            # The next component is the time derivative of this one.
            else full[(i + 1) * size : (i + 2) * size]
            for i, (f, k) in enumerate(system.components)
        ]
        return np.concatenate(rates)[self.kept]

    def jacobian(self, t: float, kept: Array) -> csr_matrix:
        """Return ∂(dw/dt)/∂w from the exact derivatives of the rates."""
        if self.affine is not None:
            return self.affine[0]
        size, system = self.grid.size, self.system
        values = self._values(t, self.full(t, kept))
        completion, _ = self.completion.at(t)
        blocks = []
        for i, (f, k) in enumerate(system.components):
            if k + 1 < system.time_orders[f]:
                blocks.append(completion[(i + 1) * size : (i + 2) * size])
                continue
            block = csr_matrix((size, completion.shape[0]))
            for (owner, name), partial in system.partials.items():
                if owner == f:
                    weights = diags(evaluated(partial, values, (size,)))
                    block = block + weights @ self._operators[name]
            blocks.append(block @ completion)
        return csr_matrix(vstack(blocks).tocsr()[self.kept])


def _sizes(lines: _Lines, state: Array) -> Array:
    """Return the size of each value of the state: its component's largest initial value.

    ∂ᵗ^k u is at least as large as the largest u over durationᵏ, and a field that starts at zero as
    large as the largest of all: tolerances then do not depend on the units of time or of a field.
    """
    components = lines.system.components
    largest = abs(state.reshape(len(components), -1)).max(axis=1)
    of_all = max(x for x, (_, k) in zip(largest, components, strict=True) if k == 0) or 1.0
    duration = lines.end_time - lines.system.start
    sizes = []
    for own, (f, k) in zip(largest, components, strict=True):
        field = largest[components.index((f, 0))] or of_all
        sizes.append(max(own, field / duration**k))
    return np.repeat(np.array(sizes), lines.grid.size)


def _integrate(lines: _Lines, state: Array, tolerance: _Tolerance) -> tuple[Array, Array]:
    """Return table times and the kept values at them (times, kept)."""
    start, end = lines.system.start, lines.end_time
    kept, sizes = state[lines.kept], _sizes(lines, state)[lines.kept]
    radius, kind = _spectrum(lines.jacobian(start, kept))
    # DOP853 is stable to about 5
    is_explicit = radius * (end - start) / 3 < MAX_EXPLICIT_STEPS[kind]
    rtol, atol = tolerance.relative, tolerance.absolute
    if is_explicit and kind == "oscillating" and lines.affine is not None:
        return _by_series(lines, lines.affine, kept, sizes, radius, rtol)
    method = "DOP853" if is_explicit else IMPLICIT[kind]
    options = {} if is_explicit else {"jac": lambda t, w: lines.jacobian(t, w).tocsc()}
    if is_explicit:
        # Near its limit of stability its error far exceeds the tolerance, and a small one is cheap.
        rtol, atol = max(1e-3 * rtol, 1e-12), 1e-3 * atol
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = solve_ivp(
                lines.rate,
                (start, end),
                kept,
                method=method,
                rtol=rtol,
                atol=atol * sizes,
                dense_output=True,
                **options,
            )
        except (ValueError, RuntimeError) as error:  # not finite: scipy's factorisation refuses
            raise SolveError(f"finite differences fail ({error})") from None
    if not result.success or not np.isfinite(result.y).all():
        raise SolveError(
            f"finite differences fail at t = {result.t[-1]:g}: {str(result.message).lower()}"
        )
    times, table = tabulated(
        result.t, lambda t: result.sol(t).T / sizes, max(10 * rtol, TABLE_TOLERANCE)
    )
    return times, table * sizes


def _by_series(
    lines: _Lines,
    affine: tuple[csr_matrix, Array],
    kept: Array,
    sizes: Array,
    radius: float,
    rtol: float,
) -> tuple[Array, Array]:
    """As `_integrate`, by the Taylor series; zeros for what the fields do not need."""
    matrix, forcing = affine
    start, end, shown = lines.system.start, lines.end_time, lines.of_fields()
    times, values = taylor.propagate(
        taylor.in_units(matrix, sizes),
        forcing / sizes,
        kept / sizes,
        end - start,
        radius,
        shown=shown,
        tolerance=1e-5 * rtol,
    )
    times, values = taylor.thinned(times, values, max(rtol, TABLE_TOLERANCE))
    table = np.zeros((len(times), len(kept)))
    table[:, shown] = values * sizes[shown]
    return start + times, table


def _spectrum(jacobian: csr_matrix) -> tuple[float, str]:
    """Return the spectral radius of the linearised system and its kind, damped or oscillating."""
    radius, vector = _dominant(jacobian)
    # J²v = λ²v is along v for a real λ and against it for an imaginary pair.
    quotient = float(vector @ (jacobian @ (jacobian @ vector)))
    return radius, "damped" if quotient > 0.5 * radius**2 else "oscillating"


def _dominant(jacobian: csr_matrix) -> tuple[float, Array]:
    """Return the spectral radius, 0 where iterations break down, and the last vector."""
    rng = np.random.default_rng(0)
    vector = rng.standard_normal(jacobian.shape[0])
    vector /= np.linalg.norm(vector)
    growth = []
    for _ in range(40):
        vector = jacobian @ vector
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0:
            break
        growth.append(norm)
        vector /= norm
    # The geometric mean over the late iterations is the spectral radius, also of complex pairs.
    radius = float(np.exp(np.mean(np.log(growth[20:])))) if len(growth) > 20 else 0.0
    return radius, vector
