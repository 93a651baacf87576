from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.sparse import csr_matrix

from pinngate import config
from pinngate.errors import SolveError
from pinngate.reference import finite_difference
from pinngate.reference.taylor import PARTS, in_units, propagate, thinned


def oscillators(num: int, seed: int) -> csr_matrix:
    """Coupled oscillators with some damping: a matrix that is not normal."""
    random = np.random.default_rng(seed)
    root = random.standard_normal((num, num))
    stiffness = root @ root.T + np.eye(num)
    damping = 0.1 * np.diag(random.uniform(size=num))
    return csr_matrix(np.block([[np.zeros((num, num)), np.eye(num)], [-stiffness, -damping]]))


@pytest.mark.parametrize("duration", [0.01, 3.0])
def test_values_are_those_of_the_matrix_exponential(duration: float) -> None:
    matrix, random = oscillators(6, 0), np.random.default_rng(1)
    forcing, state = random.standard_normal((2, 12))
    shown = np.array([0, 3, 4, 11])
    radius = float(abs(np.linalg.eigvals(matrix.toarray())).max())
    times, values = propagate(
        matrix, forcing, state, duration, radius, shown=shown, tolerance=1e-14
    )
    block = np.zeros((13, 13))
    block[:12, :12], block[:12, 12] = matrix.toarray(), forcing
    expected = np.array([(expm(t * block) @ np.append(state, 1.0))[shown] for t in times])
    assert times[0] == 0
    assert times[-1] == duration
    assert abs(values - expected).max() < 1e-11 * abs(expected).max()


def test_a_radius_that_was_underestimated_costs_steps_but_no_digits() -> None:
    matrix, state = oscillators(4, 2), np.ones(8)
    shown, nothing = np.arange(8), np.zeros(8)
    radius = float(abs(np.linalg.eigvals(matrix.toarray())).max())
    _, rough = propagate(matrix, nothing, state, 2.0, radius / 5, shown=shown, tolerance=1e-14)
    _, exact = propagate(matrix, nothing, state, 2.0, radius, shown=shown, tolerance=1e-14)
    assert rough[-1] == pytest.approx(exact[-1], abs=1e-10)


@pytest.mark.parametrize("entry", [1e9, np.inf, np.nan])
def test_what_does_not_converge_is_said(entry: float) -> None:
    matrix = csr_matrix(np.array([[entry]]))
    with np.errstate(all="ignore"), pytest.raises(SolveError, match="Taylor series"):
        propagate(matrix, np.zeros(1), np.ones(1), 1.0, 1.0, shown=np.array([0]), tolerance=1e-14)


def test_a_table_is_as_coarse_as_its_spline_allows() -> None:
    times = np.linspace(0.0, 1.0, 40 * PARTS + 1)
    smooth, rough = (np.sin(k * times)[:, None] for k in (3.0, 300.0))
    assert len(thinned(times, smooth, 1e-8)[0]) == 41
    assert len(thinned(times, rough, 1e-8)[0]) == len(times)
    few, values = thinned(times, np.hstack([smooth, np.sin(10 * times)[:, None]]), 1e-8)
    assert 41 < len(few) < len(times)
    assert np.array_equal(values[:, 1], np.sin(10 * few))


def test_units_leave_the_solution_as_it_is() -> None:
    matrix, sizes = oscillators(3, 4), np.array([1.0, 10.0, 1e-3, 5.0, 1.0, 1e4])
    scaled = in_units(matrix, sizes).toarray()
    assert np.allclose(np.diag(sizes) @ scaled @ np.diag(1 / sizes), matrix.toarray())


def test_finite_differences_agree_with_the_explicit_method(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wave problem of the package: the slow twin is the Runge–Kutta method of eighth order."""
    problem = config.load(config.resolve("wave-noisy-ic"))
    initial = {"u": lambda axes: np.sin(np.pi * axes["x"]), "u_t": lambda axes: 0 * axes["x"]}
    points = np.random.default_rng(0).uniform(size=(500, 2))
    low, high = np.array(list(problem.domain.values())).T
    points = low + points * (high - low)
    fast = finite_difference.solve(problem, initial, num_points=101)(points)["u"]
    monkeypatch.setattr(finite_difference._Lines, "_is_affine", lambda _: False)
    slow = finite_difference.solve(problem, initial, num_points=101)(points)["u"]
    assert abs(fast - slow).max() < 1e-8
    assert not np.array_equal(fast, slow)
