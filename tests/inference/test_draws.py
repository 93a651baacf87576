"""Joint draws: their covariance is the posterior's, written out densely."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pinngate.inference.averaging import AveragedPosterior
from pinngate.inference.draws import joint_draws
from pinngate.inference.posterior import Member, Posterior, field_gradients
from pinngate.linear.dense import DenseSystem
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.solution.coefficients_found import covariance_of
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import DOUBLE

COUNT = 40_000
NOISE = 5 / math.sqrt(COUNT)  # five standard deviations of a sample correlation
RIDGE, VARIANCE = 0.3, 0.04


def network(seed: int = 1) -> Network:
    return Network(
        [(0.0, 2.0), (0.0, 1.0)],
        2,
        NetworkOptions(4, 2, "tanh", 2.0),
        output_scale=[2.0, 0.5],
        generator=torch.Generator().manual_seed(seed),
    )


def coefficients() -> Coefficients:
    return Coefficients([Coefficient("c", 2.0), Coefficient("k", 0.5, upper=1.0)], DOUBLE)


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def posterior_of(jac: Tensor) -> Posterior:
    spectrum = DenseSystem(jac, 2, slice(0, 0))
    return Posterior.of(spectrum, RIDGE, VARIANCE, 15.0)


def points(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(count, 2, generator=generator, dtype=DOUBLE)


def gradients(of: Network, at: Tensor) -> Tensor:
    """Gradients of both fields at all points, (2 points, P), by autograd, the fields in turn."""
    weights = [p for layer in of.linears for p in (layer.weight, layer.bias)]
    rows = []
    for field in range(2):
        for n in range(len(at)):
            found = torch.autograd.grad(of(at[n : n + 1])[0, field], weights)
            rows.append(torch.cat([part.reshape(-1) for part in found]))
    return torch.stack(rows)


def drawn(posterior, of: Network, seed: int = 0) -> Tensor:
    """Fields at the points, then raw coefficients, (draws, 2 points + 2)."""
    at = points()
    found = joint_draws(
        posterior, of, coefficients(), at, COUNT, torch.Generator().manual_seed(seed)
    )
    return torch.cat([found.outputs.transpose(1, 2).flatten(1), found.raw], 1)


def correlations(covariance: Tensor) -> Tensor:
    size = covariance.diagonal().rsqrt()
    return size[:, None] * covariance * size


@pytest.mark.parametrize("num_rows", [20, 60])  # fewer rows than weights, and more
def test_draws_have_the_dense_covariance_of_fields_and_coefficients(num_rows: int) -> None:
    of = network()
    jac = random(num_rows, of.num_parameters + 2)
    penalty = torch.full((jac.shape[1],), RIDGE, dtype=DOUBLE)
    penalty[-2:] = 0.0
    dense = VARIANCE * torch.linalg.inv(jac.T @ jac + torch.diag(penalty))
    g = torch.zeros(10, jac.shape[1], dtype=DOUBLE)
    g[:8, :-2], g[8, -2], g[9, -1] = gradients(of, points()), 1.0, 1.0
    expected = g @ dense @ g.T
    assert correlations(expected)[:8, 8:].abs().max() > 0.2  # fields and coefficients hang together
    found = drawn(posterior_of(jac), of)
    torch.testing.assert_close(
        correlations(found.T.cov()), correlations(expected), rtol=0, atol=NOISE
    )
    torch.testing.assert_close(found.std(0), expected.diagonal().sqrt(), rtol=NOISE, atol=0)
    centre = torch.cat([of(points()).T.reshape(-1), coefficients().raw]).detach()
    shift = (found.mean(0) - centre) / expected.diagonal().sqrt()
    assert shift.abs().max() < NOISE


def test_gradients_are_those_of_autograd() -> None:
    of, at = network(), points(7)
    found = torch.empty(2, 7, of.num_parameters, dtype=DOUBLE)
    for where, output, rows in field_gradients(of, at):
        found[output, where] = rows
    torch.testing.assert_close(found.flatten(0, 1), gradients(of, at), rtol=1e-9, atol=1e-12)


def test_with_a_sandwich_every_deviation_is_the_stated_one() -> None:
    of = network()
    posterior = posterior_of(random(20, of.num_parameters + 2))
    posterior.sandwich = 0.15 * random(9, of.num_parameters + 2, seed=7)
    plain = posterior_of(random(20, of.num_parameters + 2))
    stated = posterior.std(of, points()).T.reshape(-1)
    assert (stated / plain.std(of, points()).T.reshape(-1)).max() > 1.2
    found = drawn(posterior, of)
    torch.testing.assert_close(found[:, :8].std(0), stated, rtol=NOISE, atol=0)
    own = coefficients()
    intervals = posterior.coefficients(own)
    for k, name in enumerate(own.names):
        slope = own.values_and_slopes()[1][k].abs()
        assert float(found[:, 8 + k].std() * slope) == pytest.approx(intervals[name].std, rel=NOISE)
    joint = covariance_of(posterior, own)
    for k, name in enumerate(own.names):
        assert float(joint[k, k] ** 0.5) == pytest.approx(intervals[name].std)
    values = own.values_at(found[:, 8:])
    assert bool((values[:, 1] < 1.0).all())  # the bound holds for every draw


def test_the_covariance_of_coefficients_is_in_their_own_units() -> None:
    of = network()
    posterior, own = posterior_of(random(60, of.num_parameters + 2)), coefficients()
    slopes = own.values_and_slopes()[1]
    expected = slopes[:, None] * posterior.coefficient_covariance * slopes
    torch.testing.assert_close(torch.as_tensor(covariance_of(posterior, own)), expected)
    assert expected[0, 1] != 0
    assert slopes[1] < 0  # an upper bound turns the sign of the correlation


def test_draws_of_a_mean_are_those_of_the_mixture() -> None:
    members = []
    for seed, share in ((1, 0.7), (4, 0.3)):
        of = network(seed)
        jac = torch.cat([random(20, of.num_parameters, seed=seed), torch.zeros(20, 0)], 1)
        spectrum = DenseSystem(jac, 0, slice(0, 0))
        members.append(Member(of, share, Posterior.of(spectrum, RIDGE, VARIANCE, 15.0)))
    mixture = AveragedPosterior(members)

    class Mean(torch.nn.Module):
        num_outputs = 2

        def forward(self, at: Tensor) -> Tensor:
            return sum(m.share * m.network(at) for m in members)

    at, none = points(), Coefficients([], DOUBLE)
    generator = torch.Generator().manual_seed(0)
    found = joint_draws(mixture, Mean(), none, at, COUNT, generator).outputs
    torch.testing.assert_close(found.std(0), mixture.std(Mean(), at), rtol=NOISE, atol=0)
    assert joint_draws(mixture, Mean(), none, at, 3, generator).raw.shape == (3, 0)
