"""A solution in windows of time, joined by conditions, all of them marched side by side.

    s_0 = g(θ),   s_w = Φ_w(s_{w−1}, θ),   w = 1 … W

Where neighbouring solutions part exponentially, the initial state tells nothing of late times, and
neither do its tangents. The states s_w in which windows begin are searched for instead, by Newton's
method inside of each solution. What is free of an initial state, A numbers, is then not that state
but as many coordinates z of all q = (initial numbers, s_0 … s_W) along the solutions of the joined
windows, N = ker ∂C/∂q of the conditions C above:

    C(q, θ) = 0,   Nᵀ(q − q*) = z

about an anchor q*. All tangents are those of joined solutions, so that whatever sees a solution
sees no windows. Windows are places of one march, whose steps are as many as the hardest window
asks for. Source: H. G. Bock, in Numerical Treatment of Inverse Problems in Differential and
Integral Equations (1983), 95-121 (multiple shooting). Above `exact_model`, below `staged_search`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pinngate.optim.direct_fit.exact_model import MOST_STEPS, ExactModel, Resolution, Solution
from pinngate.optim.direct_fit.marched_states import Symbol
from pinngate.optim.direct_fit.marching_form import MarchingForm
from pinngate.optim.direct_fit.radau_march import MOST_NEWTON, NEWTON, MarchFailed
from pinngate.optim.direct_fit.unknowns import Guess, Unknowns, guessed
from pinngate.reference.stencils import Line

Array = NDArray[np.float64]
States = Callable[[Array], Array]
"""times (n,) → states (n, S)."""


@dataclass(frozen=True)
class Windows:
    """A march in windows at some q, before their ends are joined.

    Attributes:
        solution: its tangents are by θ, then by the scaled state that the window begins with.
        defects: C(q, θ), scaled, (W S,).
        by_theta: ∂C/∂θ, (W S, P).
        by_q: ∂C/∂q, (W S, A + W S).
        growth: largest factor by which a change of state grows over a window, beside the largest
            values so far, as the tolerance of the march has it.
    """

    solution: Solution
    defects: Array
    by_theta: Array
    by_q: Array
    growth: float


@dataclass(frozen=True)
class Windowing:
    """Coordinates of the solutions of joined windows.

    Attributes:
        num: W.
        length: of each, in time.
        anchor: q*, (A + W S,).
        null: N, (A + W S, A).
        theta: of the last solution, (P,).
        q: of the same, (A + W S,).
        slopes: ∂q/∂θ there, (A + W S, P).
    """

    num: int
    length: float
    anchor: Array
    null: Array
    theta: Array
    q: Array
    slopes: Array

    def near(self, theta: Array) -> Array:
        """Return q as the last solution foresees it."""
        return np.asarray(self.q + self.slopes @ (theta - self.theta))


class JoinedModel(ExactModel):
    """θ ↦ solution, of ordinary equations in windows where that is asked for.

    Args: as of `ExactModel`.

    Attributes:
        windowing: None for a march from the start.
        growth: by which a change of the initial state grew where windows were last asked for.
    """

    def __init__(self, form: MarchingForm, unknowns: Unknowns, sizes: Array) -> None:
        super().__init__(form, unknowns, sizes)
        self.windowing: Windowing | None = None
        self.growth = 0.0
        self._initial = [block.part.start for block in unknowns.initial.values()]

    def solve(self, theta: Array, resolution: Resolution) -> Solution:
        """Return the solution at θ with its tangents, up to `horizon`.

        Raises:
            MarchFailed: there is none.

        Cost: a march for every step of Newton's method, one or two near the last θ.
        """
        own = self.windowing
        if own is None:
            return super().solve(theta, resolution)
        q, before = own.near(theta), np.inf
        z = theta[self._initial] - own.anchor[: len(self._initial)]
        for _ in range(MOST_NEWTON):
            windows = self._windows(theta, q, own.num, resolution)
            rest = np.concatenate([windows.defects, own.null.T @ (q - own.anchor) - z])
            size = float(np.abs(rest).max())
            if not size < 2 * before:
                break
            if size < NEWTON * resolution.tolerance:
                slopes = self._slopes(windows, own.null)
                self.windowing = replace(own, theta=theta.copy(), q=q, slopes=slopes)
                return self._condensed(windows, slopes)
            q, before = q - np.linalg.solve(np.concatenate([windows.by_q, own.null.T]), rest), size
        raise MarchFailed("the windows cannot be joined")

    def joined(self, theta: Array, states: States, resolution: Resolution) -> Array:
        """Return θ in windows as short as the growth of changes asks for, and as it pays.

        A step in W windows costs about √W times as much as one in a single one, and a solution in
        windows twice as many marches.

        Args:
            theta: (P,).
            states: near the solution.
            resolution: of the solutions.
        """
        length = self.horizon - self.problem.domain["t"][0]
        num = 1 if self.windowing is None else int(np.ceil(length / self.windowing.length - 0.5))
        theta = self.parted(theta)
        best, least, enough = None, np.inf, np.inf
        is_one = bool(self._jumps or self.form.switches)
        while num * len(self.sizes) < MOST_STEPS and not is_one:
            begin = self.problem.domain["t"][0] + self._offsets(num)
            q = np.concatenate([theta[self._initial], (states(begin) / self.sizes).ravel()])
            growth = np.inf
            with suppress(MarchFailed):
                windows = self._windows(theta, q, num, resolution)
                growth = windows.growth
            if num == 1:
                self.growth = growth
            if growth**2 < 1 / resolution.tolerance:  # half of all digits are left
                cost = windows.solution.num_steps * np.sqrt(num)
                if cost >= least:
                    break
                enough = cost if num == 1 else enough
                best, least = (num, q, windows), cost
            num *= 2
        if best is not None and 2 * least < enough:
            self.windowing = self._anchored(theta, *best)
        return theta

    def parted(self, theta: Array) -> Array:
        """March from the start again; return θ for that."""
        if self.windowing is not None:
            numbers = self.windowing.near(theta)[: len(self._initial)]
            theta, self.windowing = theta.copy(), None
            theta[self._initial] = numbers
        return theta

    def states(self, solution: Solution) -> States:
        """Return the states of a solution at times."""
        symbols = [Symbol(k, 0, False) for k in range(len(self.sizes))]
        return lambda t: np.stack([solution.read(s, t[:, None])[0] for s in symbols], 1)

    def extended(
        self, theta: Array, solution: Solution, resolution: Resolution, end: float
    ) -> States:
        """Return the states of a solution and of what follows it up to a time.

        Raises:
            MarchFailed: nothing follows.
        """
        start, horizon = self.problem.domain["t"][0], self.horizon
        states = self.states(solution)
        if end <= horizon:
            return states
        last = states(np.array([horizon]))[0]
        nothing = np.zeros((len(last), 1, self.unknowns.count))
        line = Line(np.array([horizon - start]))
        resolution = replace(resolution, line=line)
        rest = self.marched(theta, resolution, last[:, None], nothing, end - horizon)
        later = self.states(rest)
        return lambda t: np.where(t[:, None] > horizon, later(t), states(t))

    def guessed(self, guess: Guess) -> States:
        """Return the states of given fields at times."""
        states = range(len(self.sizes))
        return lambda t: np.stack([guessed(self.form, k, guess, t) for k in states], 1)

    def _offsets(self, num: int) -> Array:
        """Return where windows begin after the start, (W,)."""
        length = self.horizon - self.problem.domain["t"][0]
        return np.asarray(np.arange(num) * (length / num))

    def _anchored(self, theta: Array, num: int, q: Array, windows: Windows) -> Windowing:
        """Return coordinates about a q: θ has its initial numbers, where z is zero."""
        null = np.linalg.svd(windows.by_q)[2][len(windows.by_q) :].T
        length = (self.horizon - self.problem.domain["t"][0]) / num
        return Windowing(num, length, q, null, theta, q, self._slopes(windows, null))

    def _slopes(self, windows: Windows, null: Array) -> Array:
        """Return ∂q/∂θ, (A + W S, P)."""
        matrix = np.concatenate([windows.by_q, null.T])
        return np.asarray(np.linalg.solve(matrix, self._right(windows)))

    def _right(self, windows: Windows) -> Array:
        """Return what changes of q make up for of changes of θ, (A + W S, P)."""
        by_theta, num = windows.by_theta.copy(), len(self._initial)
        by_theta[:, self._initial] = 0.0
        by_z = np.zeros((num, by_theta.shape[1]))
        by_z[np.arange(num), self._initial] = 1.0
        return np.concatenate([-by_theta, by_z])

    def _condensed(self, windows: Windows, slopes: Array) -> Solution:
        """Return the solution with tangents by θ alone."""
        march, count = windows.solution.march, self.unknowns.count
        size = len(self.sizes)
        own = slopes[len(self._initial) :].reshape(-1, size, slopes.shape[1])
        by_window = march.tangents.reshape(-1, *own.shape[:2], march.tangents.shape[2])
        tangents = by_window[..., :count] + by_window[..., count:] @ own
        found = replace(march, tangents=tangents.reshape(*march.tangents.shape[:2], count))
        return Solution(windows.solution.system, found)

    def _largest(self, solution: Solution) -> Array:
        """Return the largest values of each state before every window, and at the end, (W + 1, S).

        Errors of smaller ones do not count in the march.
        """
        states = np.abs(solution.march.states).reshape(
            len(solution.march.states), -1, len(self.sizes)
        )
        own = np.concatenate([states[:1, 0], states.max(axis=0)])
        return np.maximum.accumulate(np.maximum(own, self.floors))

    def _windows(self, theta: Array, q: Array, w: int, resolution: Resolution) -> Windows:
        """March all windows from their states.

        Raises:
            MarchFailed: one has no solution.
        """
        num, count, size = len(self._initial), self.unknowns.count, len(self.sizes)
        theta = theta.copy()
        theta[self._initial] = q[:num]
        with np.errstate(all="ignore"):
            values, slopes = self.unknowns.initial_state(theta, np.zeros(1))
        own = q[num:].reshape(w, size)
        tangents = np.zeros((size, w, count + size))
        tangents[:, :, count:] = np.diag(self.sizes)[:, None]
        line = Line(self._offsets(w))
        solution = self.marched(
            theta, replace(resolution, line=line), (own * self.sizes).T, tangents
        )
        ends = solution.march.states[-1].reshape(w, size) / self.sizes
        moved = solution.march.tangents[-1].reshape(w, size, -1) / self.sizes[:, None]
        begun = np.concatenate([values.T / self.sizes, ends[:-1]])
        by_theta = np.concatenate([slopes[:, 0][None] / self.sizes[:, None], moved[:-1, :, :count]])
        by_q = np.zeros((w * size, num + w * size))
        by_q[:size, :num] = by_theta[0][:, self._initial]
        by_q[:, num:] = -np.eye(w * size)
        for k in range(1, w):
            place = slice(num + (k - 1) * size, num + k * size)
            by_q[k * size : (k + 1) * size, place] = moved[k - 1][:, count:]
        largest = self._largest(solution) / self.sizes
        relative = moved[:, :, count:] * largest[:-1, None, :] / largest[1:, :, None]
        if not (np.isfinite(relative).all() and np.isfinite(by_theta).all()):
            raise MarchFailed("a window has no finite tangents")
        growth = np.linalg.norm(relative, 2, axis=(1, 2)).max()
        flat = by_theta.reshape(w * size, count)
        return Windows(solution, (begun - own).ravel(), flat, by_q, float(growth))


__all__ = ["JoinedModel"]
