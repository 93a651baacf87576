"""The spectral reference on equations that are common checks: closed forms and slow twins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import solve_ivp

from pinngate.reference import Reference, spectral
from tests.reference.stated import initial, scattered, state

DIGITS = 1e-8


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def at(reference: Reference, x: np.ndarray, t: float) -> np.ndarray:
    return reference(np.column_stack([x, np.full_like(x, t)]))["u"]


def collocated(
    spectrum: np.ndarray,
    count: int,
    times: tuple[float, ...],
    rate: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Integrate û′ = rate(û) by an explicit method of eighth order: values (times, count)."""
    found = solve_ivp(
        lambda t, z: rate(z), (0.0, times[-1]), spectrum, "DOP853", times, rtol=1e-11, atol=1e-10
    )
    return np.fft.irfft(found.y.T, count)


def test_kuramoto_sivashinsky_agrees_with_explicit_collocation() -> None:
    length, count = 12.0, 48
    problem = state(
        "u_t = -u*u_x - u_xx - u_xxxx", domain={"x": (0, length), "t": (0, 1)}, periodic=("x",)
    )
    x, k = length / count * np.arange(count), 2 * np.pi / length * np.arange(count // 2 + 1)
    start = np.cos(np.pi * x / 6) + 0.6 * np.sin(np.pi * x / 3)

    def rate(z: np.ndarray) -> np.ndarray:
        square = np.fft.rfft(np.fft.irfft(z, count) ** 2)
        return (k**2 - k**4) * z - 0.5j * k * square

    reference = spectral.solve(problem, initial(u="cos(pi*x/6) + 0.6*sin(pi*x/3)"))
    times = (0.1, 0.5, 1.0)
    for t, twin in zip(times, collocated(np.fft.rfft(start), count, times, rate), strict=True):
        found = at(reference, x, t)
        assert relative(found, twin) < DIGITS
        assert abs(found.mean()) < 1e-10  # the flux has no mean


def test_allen_cahn_from_data_with_a_kink_agrees_with_exact_coefficients() -> None:
    """x² cos πx has a kink at the seam, whose folded modes would leave 1e-6 at t = 0.1.

    ∫ x² cos(πx) cos(kπx) dx over the period is (I(k − 1) + I(k + 1))/2 with I(m) = 4(−1)ᵐ/(mπ)² and
    I(0) = 2/3. Modes that the twin or the reference lacks have decayed by then.
    """
    count, times = 1536, (0.15, 0.2)
    problem = state(
        "u_t = 1e-4*u_xx + 5*(u - u**3)", domain={"x": (-1, 1), "t": (0, 0.2)}, periodic=("x",)
    )
    x, k = 2 / count * np.arange(count) - 1, np.arange(count // 2 + 1)

    def integral(m: np.ndarray) -> np.ndarray:
        return np.where(m == 0, 2 / 3, 4 * (-1.0) ** m / (np.maximum(abs(m), 1) * np.pi) ** 2)

    exact = 0.5 * (integral(k - 1) + integral(k + 1))
    spectrum = (-1.0) ** k * count / 2 * exact + 0j  # of nodes that begin at x = −1

    def rate(z: np.ndarray) -> np.ndarray:
        cube = np.fft.rfft(np.fft.irfft(z, count) ** 3)
        return (5 - 1e-4 * (np.pi * k) ** 2) * z - 5 * cube

    reference = spectral.solve(problem, initial(u="x**2*cos(pi*x)"))
    for t, twin in zip(times, collocated(spectrum, count, times, rate), strict=True):
        assert relative(at(reference, x, t), twin) < DIGITS


def two_solitons(x: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """u = 2 (log F)_xx, F = 1 + e^a + e^b + A e^(a+b), a = p(x − p²t), A = ((p − q)/(p + q))²."""
    p, q = 1.0, 1.5
    shift = 2 * np.log((q + p) / (q - p)) / (p + q)  # brings the collision to x = t = 0
    a, b = (r * (x + shift) - r**3 * t for r in (p, q))
    terms = [(0.0, np.ones_like(a)), (p, np.exp(a)), (q, np.exp(b))]
    terms.append((p + q, ((p - q) / (p + q)) ** 2 * np.exp(a + b)))
    f, f_x, f_xx = (sum(r**n * term for r, term in terms) for n in range(3))
    return 2 * (f * f_xx - f_x**2) / f**2


def test_two_solitons_of_korteweg_and_de_vries_pass_through_each_other() -> None:
    problem = state(
        "u_t + 6*u*u_x + u_xxx = 0", domain={"x": (-30, 30), "t": (-0.5, 0.5)}, periodic=("x",)
    )
    reference = spectral.solve(problem, {"u": lambda axes: two_solitons(axes["x"], -0.5)})
    points = scattered(problem)
    assert relative(reference(points)["u"], two_solitons(*points.T)) < DIGITS
    x = np.linspace(-30, 30, 600, endpoint=False)
    for t in (-0.2, 0.5):  # a soliton of p has the mass 2p
        assert abs(at(reference, x, t).sum() * 0.1 - 5) < DIGITS


def test_the_bound_state_of_schroedinger_agrees_with_its_closed_form() -> None:
    """i h_t + h_xx/2 + |h|² h = 0 from 2 sech x (J. Satsuma, N. Yajima 1974)."""
    problem = state(
        "u_t = -0.5*v_xx - (u**2 + v**2)*v",
        "v_t = 0.5*u_xx + (u**2 + v**2)*u",
        unknowns=("u", "v"),
        domain={"x": (-24, 24), "t": (0, 0.4)},
        periodic=("x",),
    )
    reference = spectral.solve(problem, initial(u="2/cosh(x)", v="0"))
    points = scattered(problem)
    x, t = points.T
    above = 4 * np.exp(0.5j * t) * (np.cosh(3 * x) + 3 * np.exp(4j * t) * np.cosh(x))
    exact = above / (np.cosh(4 * x) + 4 * np.cosh(2 * x) + 3 * np.cos(4 * t))
    found = reference(points)
    assert relative(found["u"] + 1j * found["v"], exact) < DIGITS
