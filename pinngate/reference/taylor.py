"""Affine systems w′ = A w + f in time by their Taylor series, in place of an explicit method.

Below `finite_difference`, for equations and conditions that are linear and do not name the time. A
step h with h·ρ(A) ≤ `REACH` sums the series to rounding,

    w(t + s) = Σ s^k w⁽ᵏ⁾/k!,   w⁽¹⁾ = A w + f,   w⁽ᵏ⁺²⁾ = A² w⁽ᵏ⁾,

and the same terms give the values inside the step. About four products with A for each unit of
h·ρ(A), where a Runge–Kutta method of that accuracy takes forty. Related: A. H. Al-Mohy, N. J.
Higham, SIAM J. Sci. Comput. 33 (2011) 488.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.sparse import csr_matrix, diags

from pinngate.errors import SolveError
from pinngate.reference.known import Array

REACH = 8.0  # h·ρ(A): terms grow to e^8 before they fall, which costs three of sixteen digits
MAX_TERMS = 80  # twice what h·ρ(A) = REACH takes; more means that ρ(A) was underestimated
PARTS = 8  # values within a step, which the table is thinned from
DEGREE = 5  # of the splines through the table


def propagate(
    matrix: csr_matrix,
    forcing: Array,
    state: Array,
    duration: float,
    radius: float,
    *,
    shown: NDArray[np.intp],
    tolerance: float,
) -> tuple[Array, Array]:
    """Return times from 0 to `duration`, `PARTS` to a step, and values of the state at them.

    Args:
        matrix: A, (n, n).
        forcing: f, (n,).
        state: w(0), (n,), in units in which an error of `tolerance` matters alike everywhere.
        duration: time to cover.
        radius: spectral radius of A, at least roughly.
        shown: which m of the n values to return, increasing.
        tolerance: largest term of the series that is left out.

    Returns:
        Times (k,), uniform, and values (k, m).

    Cost: about 4 · duration · radius products with A.

    Raises:
        SolveError: the series does not converge, or the solution is not finite.
    """
    num_steps = max(1, int(np.ceil(duration * radius / REACH)))
    while num_steps * PARTS < DEGREE + 1:
        num_steps += 1
    for _ in range(3):
        times = np.linspace(0.0, duration, num_steps * PARTS + 1)
        values = np.empty((len(times), len(shown)))
        if _advanced(matrix, forcing, state, duration / num_steps, values, shown, tolerance):
            return times, values
        num_steps *= 2
    raise SolveError("finite differences fail: their Taylor series in time does not converge")


def _advanced(
    matrix: csr_matrix,
    forcing: Array,
    state: Array,
    step: float,
    values: Array,
    shown: NDArray[np.intp],
    tolerance: float,
) -> bool:
    """Fill `values` step by step; return whether `MAX_TERMS` sufficed."""
    squared = csr_matrix(step**2 * (matrix @ matrix))
    terms = np.empty((MAX_TERMS + 1, len(state)))
    powers = (np.arange(1, PARTS + 1)[:, None] / PARTS) ** np.arange(MAX_TERMS + 1)
    is_run = shown[-1] - shown[0] + 1 == len(shown)  # a slice is no copy
    columns = slice(shown[0], shown[-1] + 1) if is_run else shown
    values[0] = state[shown]
    for row in range(1, len(values), PARTS):
        terms[0] = state
        terms[1] = step * (matrix @ state + forcing)
        terms[2] = step / 2 * (matrix @ terms[1])
        pair = np.ascontiguousarray(terms[1:3].T)
        count = 3
        while not abs(pair).max() <= tolerance:
            if count + 2 > MAX_TERMS:
                return False
            pair = squared @ pair
            pair /= (count * (count - 1), count * (count + 1))
            terms[count : count + 2] = pair.T
            count += 2
        state = terms[:count].sum(axis=0)
        # threads of a matrix product this small would only wake and wait
        np.einsum(
            "pk,kn->pn", powers[:, :count], terms[:count, columns], out=values[row : row + PARTS]
        )
    return True


def thinned(times: Array, states: Array, tolerance: float) -> tuple[Array, Array]:
    """Return the fewest of uniform times whose spline meets the states in between.

    Args:
        times: (n,), n − 1 a multiple of `PARTS`.
        states: (n, …).
        tolerance: largest deviation of the spline midway, in units of the largest value.
    """
    size = float(abs(states).max()) or 1.0
    stride = PARTS
    while stride > 1:
        kept = slice(None, None, stride)
        if len(times[kept]) > DEGREE:
            spline = make_interp_spline(times[kept], states[kept], k=DEGREE)
            middle = slice(stride // 2, None, stride)
            if float(abs(spline(times[middle]) - states[middle]).max()) <= tolerance * size:
                break
        stride //= 2
    return times[::stride], states[::stride]


def in_units(matrix: csr_matrix, sizes: Array) -> csr_matrix:
    """Return the matrix of w/sizes."""
    return csr_matrix(diags(1 / sizes) @ matrix @ diags(sizes))
