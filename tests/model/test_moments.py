"""Per-point gradient statistics: fast forms against slow ones, and against autograd."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pinngate.model.moments import gradient_moments, stratified
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, problem_terms
from tests.equations import CASES, coefficients_of, nested_autograd, network_of, points_of


def batches_of(name: str, num_points: int) -> tuple[ResidualModel, dict[str, Batch]]:
    case = CASES[name]
    terms = problem_terms(case.problem(), ["u"])
    points = points_of(case, num_points)
    batches = {t.name: Batch(points) for t in terms if t.kind == "equation"}
    data = points_of(case, 17, seed=1)
    generator = torch.Generator().manual_seed(3)
    columns = {
        "@value": torch.randn(17, generator=generator, dtype=torch.float64),
        "@row": torch.ones(17, dtype=torch.float64),
    }
    batches["observation_1"] = Batch(data, columns)
    return ResidualModel(terms, case.problem()), batches


@pytest.mark.parametrize("mode", ["loop", "vmap", "pairs", "grouped"])
def test_moments_in_another_basis_are_those_of_rotated_gradients(mode: str) -> None:
    network, coefficients = network_of(CASES["burgers"]), coefficients_of(CASES["burgers"])
    model, batches = batches_of("burgers", 19)
    generator = torch.Generator().manual_seed(7)

    def orthogonal(size: int) -> torch.Tensor:
        return torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64)).Q

    bases = [(orthogonal(x.out_features), orthogonal(x.in_features)) for x in network.linears]
    bases[0] = None
    plain = gradient_moments(model, network, coefficients, batches, mode)["equation_1"]
    turned = gradient_moments(model, network, coefficients, batches, mode, bases=bases)
    exact = gradient_moments(model, network, coefficients, batches, "loop", bases=bases)
    found = turned["equation_1"]
    torch.testing.assert_close(found.mean[0], plain.mean[0])
    for k, basis in enumerate(bases):
        if basis is None:
            continue
        left, right = basis
        torch.testing.assert_close(found.mean[2 * k], left.T @ plain.mean[2 * k] @ right)
        torch.testing.assert_close(found.mean[2 * k + 1], left.T @ plain.mean[2 * k + 1])
        for j in (2 * k, 2 * k + 1):
            # a rotation keeps the sum of the variances, and moves them from one weight to another
            torch.testing.assert_close(found.variance[j].sum(), plain.variance[j].sum())
            if mode != "grouped":
                torch.testing.assert_close(found.variance[j], exact["equation_1"].variance[j])
        assert not torch.allclose(found.variance[2 * k], plain.variance[2 * k])


@pytest.mark.parametrize("mode", ["loop", "vmap", "pairs"])
@pytest.mark.parametrize("name", ["burgers", "wave", "coupled", "burgers-inverse", "ordinary"])
def test_exact_modes_equal_per_point_autograd(name: str, mode: str) -> None:
    case = CASES[name]
    network, coefficients = network_of(case), coefficients_of(case)
    model, batches = batches_of(name, 19)
    moments = gradient_moments(model, network, coefficients, batches, mode, tile=8)
    parameters = [p for layer in network.linears for p in (layer.weight, layer.bias)]
    values = {
        c.name: torch.tensor(c.initial, dtype=torch.float64) for c in case.problem().coefficients
    }
    for term in (t for t in model.terms if t.kind == "equation"):
        rows = []
        for n in range(19):
            point = batches[term.name].points[n : n + 1]
            residual = nested_autograd(network, case, term.residual, point, values) / term.scale
            gradients = torch.autograd.grad(
                residual.square().sum(), parameters, allow_unused=True, materialize_grads=True
            )
            rows.append(torch.cat([g.flatten() for g in gradients]))
        expected = torch.stack(rows)
        found = moments[term.name]
        num = len(parameters)
        mean = torch.cat([g.flatten() for g in found.mean[:num]])
        variance = torch.cat([v.flatten() for v in found.variance[:num]])
        scale = expected.square().mean()
        # S/N − mean² cancels to rounding of the second moment
        torch.testing.assert_close(mean, expected.mean(0), rtol=1e-9, atol=1e-10 * scale.sqrt())
        exact = expected.var(0, correction=0)
        torch.testing.assert_close(variance, exact, rtol=1e-8, atol=1e-10 * float(scale))


def test_coefficient_gradient_equals_central_difference() -> None:
    case = CASES["burgers-inverse"]
    network, coefficients = network_of(case), coefficients_of(case)
    model, batches = batches_of("burgers-inverse", 19)

    def loss() -> float:
        return float(
            gradient_moments(model, network, coefficients, batches, None)["equation_1"].loss
        )

    found = gradient_moments(model, network, coefficients, batches, "pairs")["equation_1"].mean[-1]
    for k in range(2):
        step = 1e-5
        with torch.no_grad():
            coefficients.raw[k] += step
            above = loss()
            coefficients.raw[k] -= 2 * step
            below = loss()
            coefficients.raw[k] += step
        # central differences: error of order step², rounding of order 1e-16/step
        assert (above - below) / (2 * step) == pytest.approx(float(found[k]), rel=1e-6)


@pytest.mark.parametrize("num_points", [64, 50])
def test_grouped_variance_is_unbiased(num_points: int) -> None:
    network, coefficients = network_of(CASES["heat"]), coefficients_of(CASES["heat"])
    model, batches = batches_of("heat", num_points)
    exact = gradient_moments(model, network, coefficients, batches, "pairs")["equation_1"]
    total = torch.zeros(())
    generator = torch.Generator().manual_seed(0)
    num_draws = 400
    for _ in range(num_draws):
        order = torch.randperm(num_points, generator=generator)
        shuffled = dict(batches) | {"equation_1": Batch(batches["equation_1"].points[order])}
        found = gradient_moments(model, network, coefficients, shuffled, "grouped", num_groups=8)[
            "equation_1"
        ]
        torch.testing.assert_close(found.mean[2], exact.mean[2], rtol=1e-9, atol=1e-12)
        total = total + torch.cat([v.flatten() for v in found.variance])
    expected = torch.cat([v.flatten() for v in exact.variance])
    # summed over coordinates; one draw has a relative standard deviation near sqrt(2/7) = 0.53
    ratio = float(total.sum() / num_draws / expected.sum())
    assert abs(ratio - 1) < 4 * 0.53 / num_draws**0.5


def test_stratified_variance_is_that_of_the_weighted_mean() -> None:
    network, coefficients = network_of(CASES["heat"]), coefficients_of(CASES["heat"])
    model, batches = batches_of("heat", 40)
    moments = gradient_moments(model, network, coefficients, batches, "pairs")
    weights = {"equation_1": 2.0, "observation_1": 0.5}
    joined = stratified(moments, weights)
    for k, found in enumerate(joined.variance_of_mean):
        equation = moments["equation_1"].variance[k] / (40 - 1)
        data = moments["observation_1"].variance[k] / (17 - 1)
        torch.testing.assert_close(found, 4.0 * equation + 0.25 * data)
    data_alone = stratified(moments, {"observation_1": 1.0})
    assert float(data_alone.loss) == float(moments["observation_1"].loss)


def test_pairs_hold_no_gradient_for_each_point() -> None:
    code = """
import resource, torch
from pinngate.model.moments import gradient_moments
from tests.equations import CASES, coefficients_of, network_of, points_of
from pinngate.model.terms import Batch, problem_terms
from pinngate.model.residuals import ResidualModel
case = CASES["heat"]
network = network_of(case, width=128, depth=4).float()
model = ResidualModel(problem_terms(case.problem(), []), case.problem())
batch = {"equation_1": Batch(points_of(case, 20_000).float())}
coefficients = coefficients_of(case).float()
gradient_moments(model, network, coefficients, batch, "pairs")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    # every gradient of 20,000 points would take 4 GB; the whole process stays under 1.5 GB
    assert int(done.stdout) * unit < 1.5e9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("mode", ["pairs", "grouped"])
def test_cuda_equals_cpu(mode: str) -> None:
    network, coefficients = network_of(CASES["wave"]), coefficients_of(CASES["wave"])
    model, batches = batches_of("wave", 64)
    expected = gradient_moments(model, network, coefficients, batches, mode)
    moved = {
        name: Batch(b.points.cuda(), {k: c.cuda() for k, c in b.columns.items()})
        for name, b in batches.items()
    }
    found = gradient_moments(model, network.cuda(), coefficients.cuda(), moved, mode)
    for name, moments in expected.items():
        for a, b in zip(moments.variance, found[name].variance, strict=True):
            torch.testing.assert_close(a, b.cpu(), rtol=1e-9, atol=1e-12)
