"""Closed-form evolution of one mode under a linear equation with constant coefficients.

Second step of the limit on the error, exact where it applies: e^{ikx} turns the equation
Σ c_pq ∂x^p ∂t^q u = f into an ordinary one, Σ c_pq (ik)^p a^(q)(t) = 0, solved by its roots.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Number, coefficients_of, evaluate, names, substitute
from pinngate.limits.modes import Family, Mode
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]
Symbol = Mapping[tuple[int, int], float]


def symbol_of(problem: Problem, axis: str, family: Family) -> Symbol | None:
    """Return {(p, q): c_pq} of a single linear equation that keeps each unit of `family` apart.

    None where the equation is nonlinear, coupled, has coefficients that vary or are unknown, is of
    order above two in time, or mixes sines with cosines without being periodic.
    """
    is_single = len(problem.equations) == len(problem.unknowns) == 1
    if not is_single or problem.coefficients or not family.is_exact:
        return None
    symbol = _constant_symbol(problem, axis)
    if symbol is None or (family.ends is not None and any(p % 2 for p, _ in symbol)):
        return None
    return symbol if max(q for _, q in symbol) in (1, 2) else None


def _constant_symbol(problem: Problem, axis: str) -> dict[tuple[int, int], float] | None:
    """Return {(p, q): c_pq} of the one equation; None if it is not linear with constant c_pq."""
    known = {name: Number(value) for name, value in problem.constants.items()}
    residual = substitute(problem.equations[0].residual, known)
    derivatives = problem.derivatives(residual)
    linear, rest = coefficients_of(residual, set(derivatives))
    varying = {name for coefficient in linear.values() for name in names(coefficient)} - {"pi"}
    if varying or names(rest).keys() & derivatives.keys():
        return None
    at_x, at_t = problem.axes.index(axis), problem.axes.index("t")
    symbol: dict[tuple[int, int], float] = {}
    for name, coefficient in linear.items():
        orders = derivatives[name].orders
        key = (orders[at_x], orders[at_t])
        symbol[key] = symbol.get(key, 0.0) + float(evaluate(coefficient, {}, np))
    return symbol


def evolve(symbol: Symbol, mode: Mode, time_order: int, x: Array, t: Array) -> Array:
    """Return the field that starts from ∂t^time_order u = mode, all other initial data zero.

    Args:
        symbol: from `symbol_of`.
        mode: the spatial shape at the initial time.
        time_order: 0 for the field itself, 1 for its initial velocity.
        x: positions, shape (n,).
        t: times since the initial time, shape (n,).
    """
    by_time: dict[int, complex] = {}
    for (p, q), c in symbol.items():
        by_time[q] = by_time.get(q, 0.0) + c * (1j * mode.wavenumber) ** p
    top = max(by_time)
    b, c0 = by_time.get(1, 0.0), by_time.get(0, 0.0)
    amplitude: NDArray[np.complex128]
    if top == 1:
        amplitude = np.exp(-c0 / b * t)
    else:
        mean = -0.5 * b / by_time[2]
        split = np.sqrt(complex(mean**2 - c0 / by_time[2]))
        grow, fall = np.exp((mean + split) * t), np.exp((mean - split) * t)
        even = 0.5 * (grow + fall)
        # the quotient is t e^{mean t} where the two roots meet
        odd = 0.5 * (grow - fall) / split if abs(split) > 1e-9 else t * np.exp(mean * t)
        amplitude = odd if time_order else even - mean * odd
    wave = amplitude * np.exp(1j * mode.wavenumber * (x - mode.low))
    return np.ascontiguousarray(wave.imag if mode.is_sine else wave.real)
