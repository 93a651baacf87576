from __future__ import annotations

import numpy as np
import pytest

from pinngate.reference.differences import derivative_matrix, end_row
from pinngate.reference.stencils import stencil_weights


@pytest.mark.parametrize("order", range(5))
def test_a_stencil_is_exact_for_polynomials_of_its_degree(order: int) -> None:
    nodes = np.array([-1.3, -0.2, 0.4, 1.1, 1.9, 2.6, 3.1])
    for degree in range(len(nodes)):
        coefficients = np.eye(degree + 1)[degree]
        exact = np.polynomial.polynomial.polyval(
            0.7, np.polynomial.polynomial.polyder(coefficients, order) if order else coefficients
        )
        (weights,) = stencil_weights((nodes - 0.7)[None], order)
        assert weights @ nodes**degree == pytest.approx(exact, abs=1e-9)


def test_stencils_of_many_rows_are_those_of_each() -> None:
    offsets = np.random.default_rng(0).uniform(-1, 1, (9, 5))
    for order in range(5):
        one_by_one = np.concatenate([stencil_weights(row[None], order) for row in offsets])
        np.testing.assert_array_equal(stencil_weights(offsets, order), one_by_one)


@pytest.mark.parametrize("is_periodic", [False, True])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_matrices_converge_with_their_order(order: int, is_periodic: bool) -> None:
    errors = []
    for count in (24, 48):
        x = np.arange(count) / (count if is_periodic else count - 1)
        u, exact = (np.sin(2 * np.pi * x + 1 + k * np.pi / 2) for k in (0, order))
        found = derivative_matrix(count, x[1], order, is_periodic) @ u
        errors.append(np.linalg.norm(found - (2 * np.pi) ** order * exact) / np.sqrt(count))
    # closures are one order lower than the interior for odd and fourth derivatives, at few points,
    # which costs half an order in the mean square at most
    nominal = 6.0 if is_periodic else 3.5 - 0.2
    assert np.log2(errors[0] / errors[1]) > nominal - 0.3


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("is_right", [False, True])
def test_end_rows_converge_with_fourth_order(order: int, is_right: bool) -> None:
    errors = []
    for count in (48, 96):
        x = np.linspace(0, 1, count)
        found = (end_row(count, x[1], order, is_right) @ np.sin(3 * x + 1)).item()
        errors.append(abs(found - 3**order * np.sin(3 * float(is_right) + 1 + order * np.pi / 2)))
    assert np.log2(errors[0] / errors[1]) > 3.5


def spectrum(order: int, sign: float, left: list, right: list, count: int = 61) -> np.ndarray:
    """Return eigenvalues of sign·∂ˣ^order with conditions Σ a_k ∂ˣ^k u = 0 eliminated."""
    h = 1 / (count - 1)
    removed = [*range(len(left)), *(count - 1 - i for i in range(len(right)))]
    rows = np.vstack(
        [
            sum(a * end_row(count, h, k, is_right).toarray() for k, a in condition.items())
            for is_right, side in ((False, left), (True, right))
            for condition in side
        ]
    )
    kept = np.setdiff1d(np.arange(count), removed)
    extension = np.zeros((count, len(kept)))
    extension[kept] = np.eye(len(kept))
    extension[removed] = -np.linalg.solve(rows[:, removed], rows[:, kept])
    matrix = derivative_matrix(count, h, order, False).toarray()[kept] @ extension
    return np.asarray(np.linalg.eigvals(sign * matrix))


STABLE = {
    "Dirichlet": (2, 1, [{0: 1}], [{0: 1}]),
    "Neumann": (2, 1, [{1: 1}], [{1: 1}]),
    "mixed": (2, 1, [{0: 1}], [{1: 1}]),
    "Robin": (2, 1, [{0: 1, 1: -0.5}], [{0: 1, 1: 0.5}]),
    "stiff Robin": (2, 1, [{0: 1, 1: -0.05}], [{0: 1, 1: 0.05}]),
    "inflow": (1, -1, [{0: 1}], []),
    "supported beam": (4, -1, [{0: 1}, {2: 1}], [{0: 1}, {2: 1}]),
    "clamped beam": (4, -1, [{0: 1}, {1: 1}], [{0: 1}, {1: 1}]),
    "cantilever": (4, -1, [{0: 1}, {1: 1}], [{2: 1}, {3: 1}]),
    "dispersion": (3, -1, [{0: 1}], [{0: 1}, {1: 1}]),
}


@pytest.mark.parametrize("name", STABLE)
def test_semidiscrete_problems_do_not_grow(name: str) -> None:
    eigenvalues = spectrum(*STABLE[name])
    radius = abs(eigenvalues).max()
    rounding = 1e-12 * radius
    assert eigenvalues.real.max() < rounding
    if STABLE[name][0] in (2, 4):
        # undamped waves u_tt = A u stay bounded only if A has real eigenvalues
        assert abs(eigenvalues.imag).max() < rounding
