"""How rough a function is: the restricted likelihood against brute force, and its largest value."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from pinngate.optim.direct_fit.roughness import chosen, restricted

RANDOM = np.random.default_rng(3)
PLACES = np.linspace(0, 1, 60)
BENDS = np.diff(np.eye(10), 2, axis=0)
ROWS = np.array([np.interp(PLACES, np.linspace(0, 1, 10), row) for row in np.eye(10)]).T


def problem(bent: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Jacobian and residual at zero of values of bent·sin 2πx, and ten weights."""
    values = bent * np.sin(2 * np.pi * PLACES) + noise * RANDOM.standard_normal(60)
    return np.concatenate([ROWS, BENDS]), np.concatenate([-values, np.zeros(8)])


def stds(noise: float, rough: float) -> np.ndarray:
    return np.repeat([noise, rough], [60, 8])


def test_it_is_the_likelihood_of_what_no_straight_line_explains() -> None:
    """The values, freed of straight lines, are normal with the covariance of bends and noise."""
    jacobian, residual = problem(0.5, 0.1)
    likelihood = restricted(jacobian, residual, np.zeros(10), np.zeros(10), np.arange(60, 68))
    lines = np.linalg.svd(np.vander(PLACES, 2))[0][:, 2:]
    inverse = np.linalg.pinv(BENDS)

    def brute(noise: float, rough: float) -> float:
        own = ROWS @ inverse
        covariance = noise**2 * np.eye(60) + rough**2 * own @ own.T
        freed = lines.T @ residual[:60]
        law = multivariate_normal(np.zeros(58), lines.T @ covariance @ lines)
        return -2 * float(law.logpdf(freed))

    pairs = [(0.1, 0.1), (0.1, 1.0), (0.3, 0.05)]
    ours = np.array([likelihood(stds(*pair)) for pair in pairs])
    theirs = np.array([brute(*pair) for pair in pairs])
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-6)


def test_a_bent_function_is_rougher_than_a_straight_one() -> None:
    group = [np.arange(60, 68)]
    found = []
    for bent in (0.0, 1.0):
        likelihood = restricted(*problem(bent, 0.1), np.zeros(10), np.zeros(10), group[0])
        std = stds(0.1, 1.0)
        for _ in range(6):
            std = chosen(std, group, likelihood)
        assert (std[:60] == 0.1).all()
        found.append(std[-1])
    assert found[1] > 5 * found[0]
    assert found[0] < 0.1


def test_rows_along_two_arguments_are_one_density() -> None:
    """Brute force: what no bilinear function explains is normal, rows are more than weights."""
    own = np.diff(np.eye(5), 2, axis=0)
    bends = np.concatenate([np.kron(own, np.eye(5)), np.kron(np.eye(5), own)])  # 30 rows, 25
    rows = RANDOM.standard_normal((40, 25))
    residual = np.concatenate([RANDOM.standard_normal(40), np.zeros(30)])
    rough = np.arange(40, 70)
    likelihood = restricted(
        np.concatenate([rows, bends]), residual, np.zeros(25), np.zeros(25), rough
    )
    plane = np.kron(np.vander(np.arange(5.0), 2), np.vander(np.arange(5.0), 2))
    rest = np.linalg.svd(plane)[0][:, 4:]
    freed = np.linalg.svd(rows @ plane)[0][:, 4:]

    def brute(noise: float, one: float, other: float) -> float:
        precision = bends.T @ (bends / np.repeat([one, other], 15)[:, None] ** 2)
        inside = rows @ rest
        covariance = inside @ np.linalg.inv(rest.T @ precision @ rest) @ inside.T
        covariance = freed.T @ (noise**2 * np.eye(40) + covariance) @ freed
        law = multivariate_normal(np.zeros(36), covariance)
        return -2 * float(law.logpdf(freed.T @ residual[:40]))

    def ours(noise: float, one: float, other: float) -> float:
        return likelihood(np.repeat([noise, one, other], [40, 15, 15]))

    tried = [(0.5, 0.3, 0.3), (0.5, 0.03, 0.3), (1.0, 0.3, 0.1)]
    found = np.diff([ours(*own) for own in tried])
    np.testing.assert_allclose(found, np.diff([brute(*own) for own in tried]), rtol=1e-6)
