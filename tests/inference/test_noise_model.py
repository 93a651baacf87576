"""Densities of residuals: normalised, their weights and slopes derivatives of them, well chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from pinngate.inference.noise_model import (
    ContaminatedNoise,
    GaussianNoise,
    NoiseModel,
    StudentNoise,
    fit_noise,
    from_state,
    to_state,
)


@dataclass(frozen=True)
class HyperbolicSecant(NoiseModel):
    """A density of the caller's own: sech(πr/2s)/2s, which states nothing but itself."""

    def log_density(self, residuals: torch.Tensor) -> torch.Tensor:
        x = (math.pi / 2) * residuals / self.scale
        return -torch.logaddexp(x, -x) - math.log(self.scale)


MODELS = [
    HyperbolicSecant(0.7),
    GaussianNoise(0.7),
    StudentNoise(0.7, 1.5),
    StudentNoise(0.7, 6.0),
    ContaminatedNoise(0.7, 5.0, 0.1),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_density_is_normalised(model: NoiseModel) -> None:
    # r = tan(θ) brings the whole line to an interval
    theta = torch.linspace(-1.57079, 1.57079, 400_001, dtype=torch.float64)
    density = model.log_density(theta.tan()).exp() / theta.cos().square()
    assert float(torch.trapezoid(density, theta)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_weights_and_slopes_are_derivatives_of_the_density(model: NoiseModel) -> None:
    r = torch.linspace(-6, 6, 101, dtype=torch.float64).add(1e-3).requires_grad_()
    (score,) = torch.autograd.grad(model.log_density(r).sum(), r, create_graph=True)
    psi = -(model.scale**2) * score
    (slope,) = torch.autograd.grad(psi.sum(), r)
    # ω(0) of Student-t is (ν + 1)/ν
    torch.testing.assert_close(model.weights(r) * r, psi, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(model.slopes(r), slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_a_model_survives_as_plain_values(model: NoiseModel) -> None:
    assert from_state(to_state(model), own=model) == model


def test_the_family_that_made_the_residuals_is_chosen() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = 0.3 * torch.randn(2000, generator=generator, dtype=torch.float64)
    assert isinstance(fit_noise(normal), GaussianNoise)
    contaminated = normal.clone()
    contaminated[:200] *= 10
    found = fit_noise(contaminated)
    assert isinstance(found, ContaminatedNoise)
    assert found.scale == pytest.approx(0.3, rel=0.05)
    assert found.spread == pytest.approx(3.0, rel=0.2)
    assert found.share == pytest.approx(0.1, abs=0.03)
    uniform = torch.rand(2000, generator=generator, dtype=torch.float64)
    # χ² of two degrees of freedom is −2 log U
    assert isinstance(fit_noise(normal / uniform.log().neg().sqrt()), StudentNoise)


def test_good_values_keep_their_weight() -> None:
    """Where a tenth are gross outliers, Student-t weights spread over the good values."""
    model = ContaminatedNoise(1.0, 10.0, 0.1)
    good = torch.linspace(-2, 2, 41, dtype=torch.float64)
    assert float(model.weights(good).min()) > 0.85
    assert float(model.weights(torch.tensor([8.0], dtype=torch.float64))) < 0.02


def test_weights_of_a_density_of_ones_own_follow_from_it() -> None:
    model = HyperbolicSecant(0.4)
    r = torch.tensor([-2.0, -0.3, 0.0, 1e-9, 0.5, 3.0], dtype=torch.float64)
    c = math.pi / (2 * model.scale)
    exact = torch.tanh(c * r) / torch.where(r == 0, 1.0, r)
    exact[2] = c  # the limit
    weights = model.scale**2 * c * exact
    # 1e-9 is a difference of nearly equal numbers' quotient; autograd keeps nine digits there
    torch.testing.assert_close(model.weights(r), weights, rtol=1e-6, atol=0.0)
    slopes = model.scale**2 * c**2 / torch.cosh(c * r) ** 2
    torch.testing.assert_close(model.slopes(r), slopes, rtol=1e-9, atol=1e-12)


def test_the_scale_of_a_family_is_found_by_likelihood() -> None:
    generator = torch.Generator().manual_seed(4)
    uniform = torch.rand(20_000, generator=generator, dtype=torch.float64)
    r = 0.25 * (2 / math.pi) * torch.log(torch.tan(math.pi * uniform / 2))
    fitted = HyperbolicSecant(1.0).fitted(r)
    assert fitted.scale == pytest.approx(0.25, rel=0.03)  # 20,000 values: one percent
    assert from_state(to_state(fitted), HyperbolicSecant(1.0)) == fitted
