"""Exponential time differencing of fourth order for stiff systems, diagonal in Fourier space.

ẑ′ = L ẑ + N(ẑ, t) with one small matrix L for each wave number: the linear part is exact, the rest
is advanced by the four-stage scheme ETDRK4. Sources: S. M. Cox, P. C. Matthews, J. Comput. Phys.
176 (2002) 430; A.-K. Kassam, L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214, whose contour
integrals evaluate the coefficients without cancellation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

Spectrum = NDArray[np.complex128]  # (components, wave numbers)
CONTOUR_POINTS = 32


@dataclass(frozen=True)
class Coefficients:
    """The matrices (wave numbers, components, components) of one step of size h."""

    step: float
    full: NDArray[np.complex128]  # exp(hL)
    half: NDArray[np.complex128]  # exp(hL/2)
    stage: NDArray[np.complex128]  # h/2 φ₁(hL/2)
    first: NDArray[np.complex128]  # h (φ₁ − 3φ₂ + 4φ₃)
    middle: NDArray[np.complex128]  # h (2φ₂ − 4φ₃)
    last: NDArray[np.complex128]  # h (4φ₃ − φ₂)


def phi_functions(z: NDArray[np.complex128]) -> list[NDArray[np.complex128]]:
    """Return φ₀ = exp, φ₁, φ₂, φ₃ of matrices z (wave numbers, n, n); φ_{k+1} = (φ_k − 1/k!)/z.

    Scalars (n = 1) by the mean over a circle of radius 1 about z; matrices by the exponential of
    the block matrix that holds z and three identities.
    """
    n = z.shape[-1]
    if n == 1:
        angles = 2 * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS
        at = z + np.exp(1j * angles)
        values, factorial = [np.exp(at)], 1.0
        for k in range(1, 4):
            values.append((values[-1] - 1 / factorial) / at)
            factorial *= k
        return [np.exp(z), *(v.mean(axis=-1, keepdims=True) for v in values[1:])]
    block = np.zeros((len(z), 4 * n, 4 * n), dtype=complex)
    block[:, :n, :n] = z
    for k in range(3):
        block[:, k * n : (k + 1) * n, (k + 1) * n : (k + 2) * n] = np.eye(n)
    exponential = expm(block)
    return [exponential[:, :n, k * n : (k + 1) * n] for k in range(4)]


def coefficients(linear: NDArray[np.complex128], step: float) -> Coefficients:
    """Return the coefficients of ETDRK4 for L (wave numbers, n, n) and a step."""
    full, phi1, phi2, phi3 = phi_functions(step * linear)
    half, stage, _, _ = phi_functions(0.5 * step * linear)
    return Coefficients(
        step,
        full,
        half,
        0.5 * step * stage,
        step * (phi1 - 3 * phi2 + 4 * phi3),
        step * (2 * phi2 - 4 * phi3),
        step * (4 * phi3 - phi2),
    )


def advance(
    state: Spectrum, t: float, scheme: Coefficients, rest: Callable[[float, Spectrum], Spectrum]
) -> Spectrum:
    """Return the state one step later; `rest` is N(t, ẑ)."""

    def times(matrix: NDArray[np.complex128], vector: Spectrum) -> Spectrum:
        if len(vector) == 1:
            return matrix[None, :, 0, 0] * vector
        return np.einsum("kij,jk->ik", matrix, vector)

    middle, end = t + 0.5 * scheme.step, t + scheme.step
    rest_0 = rest(t, state)
    carried = times(scheme.half, state)
    stage_a = carried + times(scheme.stage, rest_0)
    rest_a = rest(middle, stage_a)
    stage_b = carried + times(scheme.stage, rest_a)
    rest_b = rest(middle, stage_b)
    stage_c = times(scheme.half, stage_a) + times(scheme.stage, 2 * rest_b - rest_0)
    return (
        times(scheme.full, state)
        + times(scheme.first, rest_0)
        + times(scheme.middle, rest_a + rest_b)
        + times(scheme.last, rest(end, stage_c))
    )
