"""Two sensors of different noise: each is weighted by its own, which the fit finds by itself."""

from __future__ import annotations

import math

import pytest

from tests.noisy_heat import NoisyHeat, solve

SIGMAS = (0.1, 0.5)
NUM_SEEDS = 5


def rms(values: list[float]) -> float:
    return math.sqrt(sum(v**2 for v in values) / len(values))


@pytest.fixture(scope="module")
def fits() -> dict[str, list[tuple[NoisyHeat, dict[str, float], float]]]:
    """For each kind of fit: setting, last row of the log and error for each seed."""
    found: dict[str, list[tuple[NoisyHeat, dict[str, float], float]]] = {}
    for name in ("estimated", "stated", "noisy alone"):
        found[name] = []
        for seed in range(NUM_SEEDS):
            sigma = SIGMAS[1:] if name == "noisy alone" else SIGMAS
            setting = NoisyHeat(
                seed=seed, num_observations=100, sigma=sigma, is_stated=name == "stated"
            )
            rows = solve(setting, setting.solver())
            found[name].append((setting, rows[-1], setting.error()))
    return found


def test_the_noise_of_each_sensor_is_found(fits) -> None:
    for _, row, _ in fits["estimated"]:
        for k, sigma in enumerate(SIGMAS, 1):
            # a standard deviation from 100 values scatters by 7 %
            assert row[f"noise_std_{k}"] == pytest.approx(sigma, rel=0.25)


def test_estimated_weights_are_as_good_as_the_true_ones(fits) -> None:
    errors = {name: rms([error for *_, error in entries]) for name, entries in fits.items()}
    # the weights are known to 10 %, which changes a weighted mean's variance by a hundredth; five
    # fits stop at iterates of their own
    assert errors["estimated"] == pytest.approx(errors["stated"], rel=0.15)
    # 100 values of noise 0.1 beside those of 0.5 are worth 26 times as many of noise 0.5
    assert errors["estimated"] < 0.5 * errors["noisy alone"]


def test_sensors_weigh_in_proportion_to_their_precision() -> None:
    setting = NoisyHeat(num_observations=100, sigma=SIGMAS)
    solver = setting.solver()
    solve(setting, solver)
    ratio = solver.noise.precision["observation_1"] / solver.noise.precision["observation_2"]
    assert ratio == pytest.approx(SIGMAS[1] / SIGMAS[0], rel=0.25)
