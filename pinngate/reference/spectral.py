"""Fourier series in space, exponential time differencing in time: a reference to many digits.

For evolution equations in one periodic space axis, and for those whose fields or slopes vanish at
both ends (continued by reflection). The linear part with constant coefficients is exact; the rest
is evaluated at the grid points with the 2/3 rule against aliasing. The number of modes is doubled
until the spectrum has decayed, then the number of steps until two of them agree. The data are
sampled far more finely than they are carried on, so that kinks fold nothing back. Source:
`exponential`; S. A. Orszag, J. Atmos. Sci. 28 (1971) 1074 for the 2/3 rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.expression import ZERO, Expression, coefficients_of, constant_value, names, substitute
from pinngate.reference.evolution import Evolution, evaluated, evolution
from pinngate.reference.exponential import Spectrum, advance
from pinngate.reference.exponential import coefficients as scheme_coefficients
from pinngate.reference.known import Array, GridField, Initial, Reference, relative_difference
from pinngate.reference.symmetry import Continuation, continuation
from pinngate.statement.problem import Problem

TARGET = 1e-8
DECAYED = 0.1  # of the tolerance: largest share of the highest modes
ALGEBRAIC = 0.2  # a tail that falls by less on doubling belongs to data that are not smooth
MODES = (64, 8192)
SAMPLES = 32768  # of the initial data, whose folded modes would fall only as its square
STEPS = (64, 32768)
MAX_TIMES = 1024  # of the table
MARGIN = 8  # nodes repeated beyond the ends
OVERSAMPLING = 4


def solve(
    problem: Problem,
    initial: Mapping[str, Initial],
    *,
    coefficients: Mapping[str, float] | None = None,
    num_points: int | None = None,
    tolerance: float = TARGET,
    max_points: int = MODES[1],
) -> Reference:
    """Integrate a problem by Fourier series and ETDRK4.

    Args:
        problem: an evolution in one space axis, periodic or with all fields (or all slopes) zero at
            both ends; one or several unknowns, of first or second order in time.
        initial: for ``u`` (and ``u_t``) a function of ``{axis: coordinates}``; what is missing is
            taken from conditions at the initial time.
        coefficients: values of the estimated coefficients, by default the true ones.
        num_points: grid points of one period (of the reflected field, where it is); by default as
            many as the spectrum needs, up to `max_points`.
        tolerance: relative change on halving the time step at which refinement stops; modes are
            added until the highest have a tenth of it.
        max_points: most grid points where their number is not given.

    Returns:
        The fields as splines of fifth degree through the refined grid; the estimate is the larger
        of the change on halving the step over 15 and the highest modes' share.

    Raises:
        InputError: the problem is not of this class, in words.
        SolveError: the solution is not resolved with the largest number of modes or steps.
    """
    system = evolution(problem, coefficients)
    limits = (num_points, num_points) if num_points else (MODES[0], max_points)
    run, change = _refined(system, continuation(system), initial, limits, tolerance)
    estimate = max(change, run.tail)
    if not estimate < 1e-3:
        raise SolveError(
            f"the spectral solution of '{problem.name}' does not settle with {run.num_modes} "
            f"points and {run.num_steps} steps (estimated error {estimate:.0e}): it is not smooth "
            "enough"
        )
    method = (
        f"Fourier series with {run.num_modes} points, ETDRK4 with {run.num_steps} steps, "
        f"estimated error {estimate:.0e}"
    )
    return Reference(problem.axes, dict(problem.domain), run, method, estimate)


def _refined(
    system: Evolution,
    line: Continuation,
    initial: Mapping[str, Initial],
    limits: tuple[int, int],
    tolerance: float,
) -> tuple[_Run, float]:
    """Return the last run and what halving the step changed, infinite where that is unknown.

    Args:
        system: the problem in evolution form.
        line: how its fields continue.
        initial: data at the initial time.
        limits: fewest and most grid points.
        tolerance: as in `solve`.
    """
    num_modes, num_steps = limits[0], STEPS[0]
    count = max(SAMPLES, 2 * limits[1])
    start = np.fft.rfft(np.stack(line.state(system, initial, count))) / count
    is_resolved, tail = False, np.inf
    previous: _Run | None = None
    while True:
        run = _Run(system, line, start, num_modes, num_steps)
        if run.is_finite and not is_resolved:
            is_resolved = run.is_resolved(tail, DECAYED * tolerance) or 2 * num_modes > limits[1]
            tail = run.tail
            if not is_resolved:
                num_modes *= 2
                continue
        change = run.change_from(previous)
        if change < tolerance or num_steps >= STEPS[1]:
            return run, change
        previous = run if run.is_finite else None
        num_steps *= 2


class _Run:
    """One integration from a spectrum (components, waves) and, on first use, its table."""

    def __init__(
        self,
        system: Evolution,
        line: Continuation,
        start: Spectrum,
        num_modes: int,
        num_steps: int,
    ) -> None:
        self._system, self._line = system, line
        self.num_modes, self.num_steps = num_modes, num_steps
        self._nodes = line.nodes(num_modes)
        self._waves = 2j * np.pi * np.fft.rfftfreq(num_modes, line.period / num_modes)
        self._kept = np.arange(len(self._waves)) < num_modes / 3
        linear, self._rest, self._used = self._split()
        low, high = system.problem.domain["t"]
        stride = max(1, num_steps // MAX_TIMES)
        scheme = scheme_coefficients(linear, (high - low) / num_steps)
        state = num_modes * start[:, : len(self._waves)] * self._kept
        stored = [state]
        with np.errstate(all="ignore"):
            for i in range(num_steps):
                state = advance(state, low + i * scheme.step, scheme, self._nonlinear)
                if (i + 1) % stride == 0:
                    stored.append(state)
                    if not np.isfinite(state).all():
                        break
        self._spectra = np.stack(stored)
        self.is_finite = bool(np.isfinite(self._spectra).all())
        self._times = np.linspace(low, high, num_steps // stride + 1)
        self._fields: dict[str, GridField] | None = None

    @property
    def tail(self) -> float:
        """Largest modulus in the top tenth of the kept modes, relative to each component's own."""
        moduli = abs(self._spectra).max(axis=0)
        cut = int(self._kept.sum() * 0.9)
        largest = moduli.max(axis=1)
        shares = moduli[:, cut:].max(axis=1) / np.where(largest > 0, largest, 1.0)
        return float(shares.max())

    def is_resolved(self, coarser_tail: float, decayed: float) -> bool:
        """Tell whether more modes would not help: none is missing, or the decay is algebraic."""
        is_algebraic = coarser_tail < 1e-4 and self.tail > ALGEBRAIC * coarser_tail
        return self.tail < decayed or is_algebraic

    def change_from(self, coarser: _Run | None) -> float:
        """Return the estimated error from a run with half the steps; infinite without one."""
        if coarser is None or not self.is_finite:
            return np.inf
        return self.difference(coarser) / 15

    def _split(self) -> tuple[NDArray[np.complex128], dict[str, Expression], tuple[str, ...]]:
        """Return L for each wave number, the rest of each rate, and the symbols in the rests."""
        system = self._system
        place = {c: i for i, c in enumerate(system.components)}
        linear = np.zeros((len(self._waves), len(place), len(place)), dtype=complex)
        rests: dict[str, Expression] = {}
        for (field, order), i in place.items():
            if order + 1 < system.time_orders[field]:
                linear[:, i, place[field, order + 1]] = 1.0
                continue
            constant = self._constant_part(field)
            for name, coefficient in constant.items():
                component, (space_order,) = system.component_of(system.symbols[name])
                symbol = self._waves**space_order
                linear[:, i, place[component]] += constant_value(coefficient, {}) * symbol
            rests[field] = substitute(system.rates[field], dict.fromkeys(constant, ZERO))
        used = {n for r in rests.values() for n in names(r)} & set(system.symbols)
        return linear, rests, tuple(sorted(used))

    def _constant_part(self, field: str) -> dict[str, Expression]:
        """Return the symbols that stand in a rate with a constant coefficient, and that."""
        parts, _ = coefficients_of(self._system.rates[field], set(self._system.symbols))
        return {n: c for n, c in parts.items() if not names(c)}

    def _nonlinear(self, t: float, state: Spectrum) -> Spectrum:
        """Return the transform of the rates without their linear part."""
        system, count = self._system, self.num_modes
        place = {c: i for i, c in enumerate(system.components)}
        values: dict[str, Array | float] = {self._line.axis: self._nodes, "t": float(t)}
        for name in self._used:
            component, (space_order,) = system.component_of(system.symbols[name])
            values[name] = np.fft.irfft(self._waves**space_order * state[place[component]], count)
        result = np.zeros_like(state)
        for field, rest in self._rest.items():
            if rest != ZERO:
                rate = evaluated(rest, values, (count,))
                result[place[field, system.time_orders[field] - 1]] = np.fft.rfft(rate)
        return result * self._kept

    def __call__(self, points: Array) -> dict[str, Array]:
        if self._fields is None:
            self._fields = self._tabulated()
        axes = self._system.problem.axes
        ordered = points[:, [axes.index(self._line.axis), axes.index("t")]]
        return {f: field(ordered) for f, field in self._fields.items()}

    def difference(self, coarser: _Run) -> float:
        """Return the relative L2 difference from a run with fewer steps at this one's times."""
        x = np.linspace(*self._system.problem.domain[self._line.axis], 257)
        mesh = np.stack([m.ravel() for m in np.meshgrid(x, self._times[1::8])], axis=1)
        if self._system.problem.axes[0] == "t":
            mesh = mesh[:, ::-1]
        return relative_difference(coarser(mesh), self(mesh))

    def _tabulated(self) -> dict[str, GridField]:
        problem, line = self._system.problem, self._line
        count = OVERSAMPLING * self.num_modes
        low, high = problem.domain[line.axis]
        spacing = line.period / count
        index = np.arange(-MARGIN, round((high - low) / spacing) + MARGIN + 1)
        nodes = np.asarray(low + spacing * index, dtype=np.float64)
        fields = {}
        for i, (field, order) in enumerate(self._system.components):
            if order == 0:
                values = np.fft.irfft(self._spectra[:, i], count) * OVERSAMPLING
                table = np.ascontiguousarray(values[:, index % count].T)
                fields[field] = GridField([nodes, self._times], table)
        return fields
