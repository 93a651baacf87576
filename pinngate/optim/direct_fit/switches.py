"""Switches: steps of states, time and coefficients, and what becomes of tangents where they change.

sign(g) and heaviside(g) in a row jump where g(t, U, θ) changes its sign, at a time t* that moves
with θ. Between two such times every switch stays at its side, so that rows are smooth; at t* the
tangents jump,

    ∂U⁺/∂θ = ∂U⁻/∂θ + (f⁻ − f⁺) ∂t*/∂θ,   ∂t*/∂θ = −(g_θ + g_U ∂U⁻/∂θ)/(g_t + g_U f⁻),

with the rates f on both sides. Source: M. di Bernardo, C. J. Budd, A. R. Champneys & P. Kowalczyk,
Piecewise-smooth Dynamical Systems (2008), §2.5. Between `semidiscrete` and `radau_march`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from pinngate.expression import differentiate, names
from pinngate.expression.program import Program
from pinngate.optim.direct_fit.marched_states import MarchFailed
from pinngate.optim.direct_fit.placed_formulas import Parameters
from pinngate.optim.direct_fit.semidiscrete import SemiDiscrete
from pinngate.optim.direct_fit.switching import SWITCH

Array = NDArray[np.float64]

NEAR = float(np.sqrt(np.finfo(float).eps))  # of the largest g so far: as good as zero


class Switches:
    """The switches of ordinary equations at one θ.

    Args:
        system: the rows; its `sides` are those of the switches.
        parameters: what is unknown.
    """

    def __init__(self, system: SemiDiscrete, parameters: Parameters) -> None:
        form = system.form
        states, arguments = form.states, form.switches
        self.system, self._parameters = system, parameters
        self._numbers = {states.name(*s): system.numbers[k][0] for k, s in enumerate(states.all)}
        nowhere = np.zeros(1)
        symbols = sorted({n for g in arguments for n in names(g)} - form.problem.constants.keys())
        self._scalars = [n for n in symbols if n not in self._numbers and n != "t"]
        self._known: dict[str, Any] = dict(form.problem.constants) | {
            name: parameters.values(name, nowhere, nowhere) for name in self._scalars
        }
        self._symbols = symbols
        self._program = Program(arguments, np)
        slopes = [differentiate(g, n) for g in arguments for n in symbols]
        self._slopes = Program(slopes, np)
        self._largest = np.zeros(len(arguments))

    @property
    def sides(self) -> Array:
        """The side of every switch, ±1, (K,)."""
        return np.array(list(self.system.sides.values()))

    def values(self, t: float, u: Array) -> Array:
        """Return g of every switch, (K,)."""
        found = np.array(self._program.values(self._at(t, u)), dtype=float)
        self._largest = np.maximum(self._largest, np.abs(found))
        return found

    def first_change(
        self, times: Sequence[float], state: Callable[[float], Array]
    ) -> tuple[float, int] | None:
        """Return when a switch first leaves its side, and which; None where none does.

        Args:
            times: at which that is asked, the first one before any change.
            state: U (N,) at a time between them.
        """
        for low, high in pairwise(times):
            g = self.values(high, state(high))
            changed = (np.sign(g) != self.sides) & (np.abs(g) > NEAR * self._largest)
            found = [(self._zero(k, low, high, state), k) for k in np.flatnonzero(changed).tolist()]
            if found:
                return min(found)
        return None

    def _zero(self, k: int, low: float, high: float, state: Callable[[float], Array]) -> float:
        """Return a zero of g_k between two times, the earlier one where it has left zero."""

        def g(t: float) -> float:
            return float(self.values(t, state(t))[k])

        return float(brentq(g, low, high)) if g(low) * g(high) < 0 else low

    def begin(self, t: float, u: Array) -> None:
        """Set every switch to its side; where g is zero, to the one that the solution goes to.

        Raises:
            MarchFailed: both lead back.
        """
        g = self.values(t, u)
        is_near = np.abs(g) <= NEAR * self._largest
        for name, value in zip(self.system.sides, np.sign(g), strict=True):
            self.system.sides[name] = float(value) or 1.0
        for k in np.flatnonzero(is_near):
            self._set(int(k), t, u)

    def _set(self, k: int, t: float, u: Array) -> None:
        name, before = f"{SWITCH}{k}", self.system.sides[f"{SWITCH}{k}"]
        for side in (-before, before):
            self.system.sides[name] = side
            if self._speeds(t, u, self.rates(t, u))[k] * side > 0:
                return
        raise MarchFailed("a step is met from both sides, and the solution slides along it")

    def corrected(self, t: float, u: Array, k: int) -> float:
        """Return a time nearer to the zero of g_k, by Newton's rule."""
        speed = self._speeds(t, u, self.rates(t, u))[k]
        return t - float(self.values(t, u)[k] / speed) if speed else t

    def after(self, k: int, t: float, u: Array, tangents: Array) -> Array:
        """Let switch k change its side at a zero of its g; return the tangents (N, P) after it.

        Raises:
            MarchFailed: it leads back.
        """
        before = self.rates(t, u)
        speed = self._speeds(t, u, before)[k]
        slopes = self._by_symbol(t, u)[k]
        moved = np.zeros(tangents.shape[1])
        nowhere = np.zeros(1)
        for name, slope in zip(self._symbols, slopes, strict=True):
            if name in self._numbers:
                moved += slope * tangents[self._numbers[name]]
            elif name != "t":
                part, own = self._parameters.slopes(name, nowhere, nowhere)
                moved[part] += slope * own.ravel()
        self._set(k, t, u)
        return np.asarray(tangents - np.outer(before - self.rates(t, u), moved / speed))

    def rates(self, t: float, u: Array) -> Array:
        """Return U' (N,) by the rows, by Newton's rule."""
        at, found = np.array([t]), np.zeros(len(u))
        change: Array = np.ones(len(u))
        while np.abs(change).max() > NEAR * np.abs(found).max():
            linear = self.system.linearised(at, u[:, None], found[:, None])
            matrix = np.zeros((len(u), len(u)))
            np.add.at(matrix, self.system.rate_entries, linear.by_rate[:, 0])
            change = np.asarray(np.linalg.solve(matrix, linear.residual[:, 0]))
            found = found - change
            if not np.isfinite(found).all():
                raise MarchFailed("the equations give no rates at a switch")
        return found

    def _at(self, t: float, u: Array) -> dict[str, Any]:
        return {**self._known, "t": t, **{n: u[k] for n, k in self._numbers.items()}}

    def _by_symbol(self, t: float, u: Array) -> Array:
        """Return ∂g/∂ of every name, (K, names)."""
        found = np.array(self._slopes.values(self._at(t, u)), dtype=float)
        return found.reshape(-1, len(self._symbols))

    def _speeds(self, t: float, u: Array, rates: Array) -> Array:
        """Return dg/dt along the solution, (K,)."""
        along = [
            rates[self._numbers[n]] if n in self._numbers else float(n == "t")
            for n in self._symbols
        ]
        return np.asarray(self._by_symbol(t, u) @ np.array(along))


__all__ = ["Switches"]
