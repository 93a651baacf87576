"""Burgers' equation u_t + c u u_x = ν u_xx in closed form, by the Cole–Hopf transformation.

A reference without any grid in time. v = c u obeys the equation with c = 1 and is

    v(x, t) = ∫ v₀(y) w(y) dy / ∫ w(y) dy,   w = exp(−[∫₀^y v₀ + (x − y)²/(2t)] / (2ν)),

a mean of the initial data that stays smooth down to t = 0. The integrals over the real line are
taken by the trapezoidal rule in η = (x − y)/√(4νt), which converges geometrically, with the largest
exponent taken out, so that small viscosities do not underflow. Sources: J. D. Cole, Quart. Appl.
Math. 9 (1951) 225; E. Hopf, Comm. Pure Appl. Math. 3 (1950) 201.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.reference.evolution import evaluated, evolution
from pinngate.reference.known import Array, Initial, Reference, relative_difference
from pinngate.reference.symmetry import continuation
from pinngate.statement.problem import Problem

TABLE_POINTS = 2**14  # of one period of the initial data
TAYLOR_TERMS = 4
BLOCK = 2**18  # integrand values held at a time
MAX_NODES = 5_000_000  # on each side of a point; four arrays of them are 0.3 GB
DROPPED = 40.0  # exponents this far below the largest one are left out: e^−40 = 4e-18
NODES_PER_WIDTH = 2.0  # trapezoidal error of a Gaussian peak: exp(−2π²·2²) = 5e-35


def solve(
    problem: Problem,
    initial: Mapping[str, Initial],
    *,
    coefficients: Mapping[str, float] | None = None,
) -> Reference:
    """Return the solution of Burgers' equation from its initial data.

    The axis must be periodic, or the field zero at both ends (the data are then continued oddly),
    or without end conditions; `initial` must then itself be periodic on the whole line, with the
    length of the domain or twice that.

    Args:
        problem: Burgers' equation in one space axis, with any constant factors.
        initial: the initial data under the name of the unknown.
        coefficients: values of the estimated coefficients, by default the true ones.

    Returns:
        Exact to about 1e-11 for smooth data; the estimate compares with more nodes. Cost:
        about a hundred evaluations of the integrand a point.

    Raises:
        InputError: the equation is another one, or the data do not continue periodically.
    """
    speed, viscosity = _recognise(problem, coefficients)
    system = evolution(problem, coefficients)
    axis = problem.space_axes[0]
    line = continuation(system, initial)
    (data,) = line.state(system, initial, TABLE_POINTS)
    table = _Mean(line.low, line.period, speed * data, viscosity)
    columns = [problem.axes.index(axis), problem.axes.index("t")]

    def evaluate_at(points: Array, nodes_per_width: float = NODES_PER_WIDTH) -> dict[str, Array]:
        x, t = points[:, columns].T
        return {problem.unknowns[0]: table(x, t - system.start, nodes_per_width) / speed}

    probe = np.empty((512, 2))
    rng = np.random.default_rng(0)
    for name, column in zip((axis, "t"), columns, strict=True):
        probe[:, column] = rng.uniform(*problem.domain[name], len(probe))
    finer = evaluate_at(probe, 1.5 * NODES_PER_WIDTH)
    estimate = max(relative_difference(evaluate_at(probe), finer), table.inexactness)
    method = f"Cole–Hopf transformation, trapezoidal rule, estimated error {estimate:.0e}"
    return Reference(problem.axes, dict(problem.domain), evaluate_at, method, estimate)


def _recognise(problem: Problem, coefficients: Mapping[str, float] | None) -> tuple[float, float]:
    """Return c and ν of u_t + c u u_x = ν u_xx.

    The rate is compared with c, ν read off from it at random values of x, t, u and its derivatives.
    """
    found = _factors(problem, coefficients) if _has_its_shape(problem) else None
    if found is None:
        raise InputError(
            f"problem '{problem.name}' is not Burgers' equation, so Cole–Hopf does not apply",
            expected="u_t + c*u*u_x = nu*u_xx with constants c ≠ 0 and nu > 0, one space axis",
            hint="use solver: finite-difference or spectral",
        )
    return found


def _has_its_shape(problem: Problem) -> bool:
    return problem.has_time and len(problem.unknowns) == len(problem.space_axes) == 1


def _factors(
    problem: Problem, coefficients: Mapping[str, float] | None
) -> tuple[float, float] | None:
    """Return c ≠ 0 and ν > 0 of the one equation, None where it is another."""
    system = evolution(problem, coefficients)
    (u,), (axis,) = problem.unknowns, problem.space_axes
    names = [u, f"{u}_{axis}", f"{u}_{axis * 2}"]
    if system.time_orders[u] != 1 or set(system.symbols) != set(names):
        return None
    rng = np.random.default_rng(0)
    at = {a: rng.uniform(*problem.domain[a], 64) for a in problem.axes}
    length = problem.domain[axis][1] - problem.domain[axis][0]
    sizes = np.array([[1.0], [1 / length], [1 / length**2]])  # terms are compared as they occur
    values = dict(zip(names, sizes * rng.uniform(-1, 1, (3, 64)), strict=True))
    rate = system.rates[u]

    def probe(*derivatives: float) -> float:
        here = {a: float(x[0]) for a, x in at.items()} | dict(zip(names, derivatives, strict=True))
        return float(evaluated(rate, here, ()))

    viscosity, speed = probe(0.0, 0.0, 1.0), -probe(1.0, 1.0, 0.0)
    field, slope, curvature = (values[n] for n in names)
    burgers = -speed * field * slope + viscosity * curvature
    found = evaluated(rate, at | values, (64,))
    gap = float(abs(found - burgers).max())
    is_burgers = viscosity > 0 and speed and gap <= 1e-10 * float(abs(burgers).max())
    return (speed, viscosity) if is_burgers else None


class _Mean:
    """The weighted mean of v₀ of the module's formula, for v₀ tabulated over one period."""

    def __init__(self, low: float, period: float, data: Array, viscosity: float) -> None:
        self._low, self._period, self._viscosity = low, period, viscosity
        count = len(data)
        self._spacing = period / count
        # A mean flow is removed by moving with it.
        self._drift = float(data.mean())
        spectrum = np.fft.rfft(data - self._drift)
        waves = 2j * np.pi * np.fft.rfftfreq(count, self._spacing)
        largest = float(abs(spectrum).max()) or 1.0
        truncation = float(abs(spectrum[count // 3 :]).max()) / largest
        potential = np.zeros(len(spectrum), dtype=np.complex128)
        potential[1:] = spectrum[1:] / waves[1:]
        # V, V′ = v₀, … at the table's points: a Taylor step to the nearest one is then exact to
        # rounding for smooth data.
        series: list[NDArray[Any]] = [potential]
        factorial = 1.0
        for k in range(1, TAYLOR_TERMS + 2):
            factorial *= k
            series.append(potential * (waves * self._spacing) ** k / factorial)
        self._series = np.stack([np.fft.irfft(s, count) for s in series], axis=1)
        slope = np.gradient(data, self._spacing)
        self._steepest = float(abs(slope).max())
        self._swing = float(np.ptp(self._series[:, 0])) / (2 * viscosity)
        # The exponent, up to the swing, carries its own rounding into the weights.
        self.inexactness = max(truncation, float(np.finfo(float).eps) * (1 + self._swing))

    def __call__(self, x: Array, t: Array, nodes_per_width: float) -> Array:
        """Return v(x, t), (n,), t counted from the initial time."""
        order = np.argsort(t, kind="stable")
        values = np.empty(len(x))
        # Beyond this the exponent is DROPPED below that at η = 0, whatever the data do.
        reach = sqrt(self._swing + DROPPED)
        start = 0
        while start < len(order):
            # Peaks in η narrow with time, so that points of similar time share their nodes.
            stop = min(start + 2048, len(order))
            block = order[start:stop]
            width = 1 / sqrt(2 + 2 * float(t[block].max()) * self._steepest)
            half = np.ceil(reach * nodes_per_width / width)
            if not half <= MAX_NODES:
                raise InputError(
                    f"Cole-Hopf needs {2 * half + 1:.3g} nodes for a front this steep",
                    expected=f"at most {2 * MAX_NODES + 1:,}",
                    hint="a larger viscosity, a smaller speed, or solver: finite-difference",
                )
            half = int(half)
            size = max(1, BLOCK // (2 * half + 1))
            eta = np.arange(-half, half + 1) * (width / nodes_per_width)
            for i in range(start, stop, size):
                part = order[i : min(i + size, stop)]
                values[part] = self._mean(x[part], t[part], eta)
            start = stop
        return values

    def _mean(self, x: Array, t: Array, eta: NDArray[np.floating]) -> Array:
        moved = x - self._drift * t
        y = moved[:, None] - np.sqrt(4 * self._viscosity * t)[:, None] * eta
        position = (y - self._low) / self._spacing
        nearest = np.rint(position)
        step = position - nearest
        series = self._series[nearest.astype(np.int64) % len(self._series)]
        potential, speed = series[..., -1], (TAYLOR_TERMS + 1) * series[..., -1]
        for k in range(TAYLOR_TERMS, -1, -1):
            potential = potential * step + series[..., k]
            if k:
                speed = speed * step + k * series[..., k]
        exponent = -potential / (2 * self._viscosity) - eta**2
        weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        mean = (weights * speed).sum(axis=1) / (weights.sum(axis=1) * self._spacing)
        return np.asarray(mean + self._drift)
