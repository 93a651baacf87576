"""Every product, solve, leverage and step against the dense form on problems where both run."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pinngate.linear import products
from pinngate.linear.conjugate_gradients import NystromPreconditioner, conjugate_gradients
from pinngate.linear.dense import DenseSystem
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.forms import DenseForm, MatrixFreeForm
from pinngate.linear.jacobian import flatten, jacobian
from pinngate.linear.matrix_free import MatrixFreeSystem
from pinngate.linear.rows import LinearisedRows
from pinngate.optim.gauss_newton.last_fit import gauss_newton_posterior
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.mechanisms import Mechanisms
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import DOUBLE, SINES, NoisyHeat, solve

TANH = NetworkOptions(10, 2, "tanh", None)
KAPPA = (Coefficient("kappa", 0.1, lower=0.0),)


def heat(options: NetworkOptions, num_observations: int = 60, **more: Any) -> NoisyHeat:
    more = {"is_initial": False, "sigma": 0.2} | more
    return NoisyHeat(options, num_observations=num_observations, **more)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("options", [SINES, TANH])
@pytest.mark.parametrize("periodic", [(), ("x",)])
@pytest.mark.parametrize("cache_bytes", [0.0, 60e3, 1e9])
def test_products_are_those_of_the_dense_jacobian(options, periodic, cache_bytes, monkeypatch):
    # blocks of 7 written rows do not divide the tiles of 32 points
    setting = heat(options, coefficients=KAPPA, periodic=periodic)
    batches = setting.draw(70, 9)
    weights = setting.weights(batches)
    num_weights = setting.network.num_parameters
    monkeypatch.setattr(products, "MAX_WRITTEN", 7 * num_weights)
    dense, r = jacobian(*setting.parts, batches, weights)
    found = LinearisedRows(*setting.parts, batches, weights, cache_bytes=cache_bytes, tile=32)
    everything = found.cached_bytes if cache_bytes == 1e9 else math.inf
    assert found.cached_bytes <= min(cache_bytes, everything)
    assert (found.cached_bytes > 0) == (cache_bytes > 0)
    torch.testing.assert_close(found.residual, r, rtol=1e-13, atol=1e-13)

    g = torch.Generator().manual_seed(2)
    roots = torch.rand(len(r), generator=g, dtype=DOUBLE)
    dense *= roots[:, None]
    found.scale_rows(roots)
    a = dense[:, :num_weights]
    assert found.shape == dense.shape
    assert torch.equal(found.unpenalised, dense[:, num_weights:])
    # sums of some hundred products in another order
    for num_vectors in (1, 3, products.MAX_FACTORED + 1):
        v = torch.randn(num_weights, num_vectors, generator=g, dtype=DOUBLE)
        y = torch.randn(len(r), num_vectors, generator=g, dtype=DOUBLE)
        assert relative(found.forward(v), a @ v) < 1e-13
        assert relative(found.adjoint(y), a.T @ y) < 1e-13
        image, product = found.gram(v)
        assert relative(image, a @ v) < 1e-13
        assert relative(product, a.T @ (a @ v)) < 1e-13
    observed = weights.slices["observation_1"]
    assert relative(found.row_squares(observed), a[observed].square().sum(1)) < 1e-13


def test_sampled_rows_estimate_the_gram_matrix():
    setting = heat(TANH)
    batches = setting.draw(70, 9)
    weights = setting.weights(batches)
    dense, r = jacobian(*setting.parts, batches, weights)
    found = LinearisedRows(*setting.parts, batches, weights)
    found.scale_rows(torch.linspace(0.5, 1.5, len(r), dtype=DOUBLE))
    dense *= torch.linspace(0.5, 1.5, len(r), dtype=DOUBLE)[:, None]
    generator = torch.Generator().manual_seed(3)
    assert relative(found.sample(10_000, generator), dense) < 1e-14
    direction = torch.randn(dense.shape[1], generator=generator, dtype=DOUBLE)
    expected = float((dense @ direction).square().sum())
    draws = []
    for _ in range(200):
        sampled = found.sample(48, generator)
        assert len(sampled) <= 48
        draws.append(float((sampled @ direction).square().sum()))
    estimates = torch.tensor(draws)
    error = float(estimates.std()) / math.sqrt(len(estimates))
    assert error < 0.1 * expected
    assert abs(float(estimates.mean()) - expected) < 4 * error  # one failure in 16,000 seeds


@pytest.mark.parametrize("rank", [1, 20, 60])
def test_conjugate_gradients_solve_every_column_at_its_own_ridge(rank):
    g = torch.Generator().manual_seed(0)
    left = torch.linalg.qr(torch.randn(80, 60, generator=g, dtype=DOUBLE)).Q
    right = torch.linalg.qr(torch.randn(60, 60, generator=g, dtype=DOUBLE)).Q
    a = left * torch.logspace(2, -3, 60, dtype=DOUBLE) @ right.T
    gram = a.T @ a
    rhs = torch.randn(60, 5, generator=g, dtype=DOUBLE)
    rhs[:, 3] = 0.0
    ridges = torch.tensor([1e-3, 1e-1, 10.0, 1.0, 1e-2], dtype=DOUBLE)
    basis = torch.linalg.qr(a[:rank].T).Q
    found = conjugate_gradients(
        lambda v: (a @ v, gram @ v),
        rhs,
        ridges,
        NystromPreconditioner(basis, gram @ basis),
        80,
        tolerance=1e-10,
        max_passes=2000,
    )
    assert found.error <= 1e-10
    for j, ridge in enumerate(ridges):
        exact = torch.linalg.solve(gram + ridge * torch.eye(60, dtype=DOUBLE), rhs[:, j])
        # the tolerance is in the energy norm of the preconditioned system, whose condition number
        # is at most 1e4/1e-3
        assert float((found.x[:, j] - exact).norm()) <= 1e-5 * float(exact.norm())
    # several hundred updates, images of columns that lie far below their vectors in size
    assert relative(found.images, a @ found.x) < 1e-10
    if rank == 60:
        # an exact preconditioner up to rounding of 1e-16 times the condition number
        assert found.num_passes <= 3


def trained(setting: NoisyHeat, num_iterations: int) -> PopulationRiskGaussNewton:
    solver = PopulationRiskGaussNewton(*setting.parts)
    for _ in range(num_iterations):
        solver.step(setting.draw())
    return solver


def spectra(
    setting: NoisyHeat, solver: PopulationRiskGaussNewton, work: MatrixFreeOptions
) -> tuple[DenseSystem, MatrixFreeSystem, Tensor, Tensor]:
    """Return both forms of one linearisation, b and r."""
    batches = setting.draw(200, 20)
    weights = solver.row_weights(batches)
    jac, r = jacobian(*setting.parts, batches, weights)
    num_weights, observed = setting.network.num_parameters, weights.observed
    num_free = jac.shape[1] - num_weights
    found = LinearisedRows(*setting.parts, batches, weights)
    offset = flatten(*setting.parts[1:])[:num_weights] - solver.anchor
    return (
        DenseSystem(jac, num_free, observed),
        MatrixFreeSystem(found, num_free, observed, solver.ridge, work),
        r - jac[:, :num_weights] @ offset,
        r,
    )


@pytest.mark.parametrize("options", [SINES, TANH])
@pytest.mark.parametrize("coefficients", [(), KAPPA])
@pytest.mark.parametrize("num_iterations", [1, 14])
def test_risk_and_step_agree_with_the_dense_form(options, coefficients, num_iterations):
    setting = heat(options, coefficients=coefficients)
    solver = trained(setting, num_iterations)
    dense, free, b, r = spectra(setting, solver, MatrixFreeOptions())
    ridges = [solver.ridge * 3 ** (k / 8) for k in range(-8, 9)]
    for k, (exact, found) in enumerate(
        zip(dense.fits(ridges, b), free.fits(ridges, b), strict=True)
    ):
        # at the middle ridge the solves' own tolerance, at the others the Galerkin space's
        assert relative(found.residual, exact.residual) < (1e-5 if k == 8 else 1e-3)
        assert float((found.leverage - exact.leverage).abs().max()) < 0.01
        risks = [float(f.leave_one_out.square().mean()) for f in (exact, found)]
        assert risks[1] == pytest.approx(risks[0], rel=2e-3)
    assert free.leverage_error < 2e-3
    for damping in (1e-3, solver.damping):
        ridge = solver.ridge + damping
        exact_v, exact_c = dense.minimiser(ridge, r, damping)
        v, c = free.minimiser(ridge, r, damping)
        # conjugate gradients stop at 1e-7 in the energy norm; directions below the ridge weigh less
        assert relative(v, exact_v) < 1e-5
        torch.testing.assert_close(c, exact_c, rtol=1e-6, atol=1e-8)
    assert free.signal_fraction(solver.ridge) == pytest.approx(
        dense.signal_fraction(solver.ridge), rel=0.05
    )
    torch.testing.assert_close(
        free.unpenalised_gram(solver.ridge),
        dense.unpenalised_gram(solver.ridge),
        rtol=1e-4,
        atol=0.0,
    )


def test_leverages_of_a_small_basis_scatter_by_the_stated_error():
    setting = heat(SINES, coefficients=KAPPA, num_observations=150)
    solver = trained(setting, 3)
    errors, stated, sums = [], [], []
    for seed in range(10):
        work = MatrixFreeOptions(max_rank=12, num_probes=8, seed=seed, max_passes=2000)
        dense, free, b, _ = spectra(setting, solver, work)
        exact, found = (
            dense.fits([solver.ridge], b)[0],
            free.fits([solver.ridge], b)[0],
        )
        difference = found.leverage - exact.leverage
        errors.append(float(difference.square().mean()))
        stated.append(free.leverage_error**2)
        sums.append(found.effective_dimension / exact.effective_dimension)
    assert sum(stated) > 0.0
    # ten times 150 dependent errors, with eight signs each
    assert math.sqrt(sum(errors) / sum(stated)) == pytest.approx(1.0, abs=0.25)
    # eight signs know a trace of d directions to √(2/(8 d)), a quarter here; ten of them to 8 %
    assert sum(sums) / len(sums) == pytest.approx(1.0, abs=0.25)


def test_few_observations_are_probed_exactly():
    setting = heat(TANH, coefficients=KAPPA, num_observations=12)
    solver = trained(setting, 6)
    work = MatrixFreeOptions(max_rank=5, num_probes=16, risk_tolerance=1e-9, max_passes=2000)
    dense, free, b, _ = spectra(setting, solver, work)
    exact, found = dense.fits([solver.ridge], b)[0], free.fits([solver.ridge], b)[0]
    assert free.rank == 5
    assert free.leverage_error == 0.0
    assert float((found.leverage - exact.leverage).abs().max()) < 1e-6


# as many probes as observations are exact leverages
EXACT = MatrixFreeOptions(num_probes=60, risk_tolerance=1e-9, step_tolerance=1e-10)


@pytest.mark.parametrize(("work", "num_outliers"), [(EXACT, 6), (MatrixFreeOptions(), 0)])
def test_iterations_follow_those_of_the_dense_class(work, num_outliers):
    options = GaussNewtonOptions(max_iterations=60, mechanisms=Mechanisms(acceleration=False))
    settings = [
        heat(SINES, coefficients=KAPPA, num_outliers=num_outliers),
        heat(SINES, coefficients=KAPPA, num_outliers=num_outliers),
    ]
    dense = PopulationRiskGaussNewton(*settings[0].parts, options)
    solver = PopulationRiskGaussNewton(*settings[1].parts, options, MatrixFreeForm(work))
    exact, found = solve(settings[0], dense), solve(settings[1], solver)
    assert found[0].keys() == exact[0].keys()
    for key in ("loss", "leave_one_out_risk", "effective_dimension", "ridge", "gain_ratio"):
        assert found[0][key] == pytest.approx(exact[0][key], rel=1e-6 if work is EXACT else 5e-3)
    # Two ridges of the seventeen can have risks that agree to a thousandth, then either is chosen
    # and thirty nonlinear iterations spread the difference, the more as the ridge is chosen anew in
    # each of them; with eight probes that is usual.
    close = 0.05 if work is EXACT else 0.15
    assert solver.score == pytest.approx(dense.score, rel=close)
    points = settings[0].points
    fields = [s.network(points).detach() for s in settings]
    # the answers' own error is about 0.2 √(6/60) = 0.06
    assert float((fields[1] - fields[0]).square().mean().sqrt()) < 0.2 * close
    models = [s.noise.models["observation_1"] for s in (dense, solver)]
    assert type(models[0]) is type(models[1])
    assert models[0].is_heavy == (num_outliers > 0)


def test_posterior_agrees_with_the_dense_one():
    # outliers, so that rows carry weights of their own
    setting = heat(SINES, coefficients=KAPPA, num_outliers=6)
    options = GaussNewtonOptions(max_iterations=30)
    solver = PopulationRiskGaussNewton(*setting.parts, options, MatrixFreeForm())
    solve(setting, solver)
    batches = setting.draw(200, 20)
    found = gauss_newton_posterior(solver, batches)
    solver.form = DenseForm()
    dense = gauss_newton_posterior(solver, batches)
    assert vars(found).keys() == vars(dense).keys()
    assert found.variance == pytest.approx(dense.variance, rel=2e-3)
    points = torch.rand(50, 2, generator=setting.generator, dtype=DOUBLE)
    ratio = found.std(setting.network, points) / dense.std(setting.network, points)
    # missing directions, of a filter below a twentieth, can only widen
    assert float(ratio.min()) > 1 - 2e-3
    assert float(ratio.max()) < 1.05
    stds = [p.coefficients(setting.coefficients)["kappa"].std for p in (dense, found)]
    assert stds[1] == pytest.approx(stds[0], rel=5e-3)


def test_resuming_is_bitwise_the_same():
    def run(stop: int | None) -> tuple[Tensor, list[str]]:
        setting = heat(TANH, coefficients=KAPPA)
        solver = PopulationRiskGaussNewton(*setting.parts, form=MatrixFreeForm())
        rows = []
        for k, batches in enumerate([setting.draw() for _ in range(8)]):
            if k == stop:
                state = solver.state_dict()
                setting = heat(TANH, coefficients=KAPPA)
                solver = PopulationRiskGaussNewton(*setting.parts, form=MatrixFreeForm())
                solver.load_state_dict(state)
            # as text, since not a number, a deviation of a held coefficient, equals nothing
            rows.append(str(solver.step(batches)))
        return flatten(*setting.parts[1:]), rows

    straight, interrupted = run(None), run(5)
    assert torch.equal(straight[0], interrupted[0])
    assert straight[1] == interrupted[1]


class LargestTensor(TorchDispatchMode):
    """Records the most numbers that any operation inside returns."""

    def __init__(self) -> None:
        super().__init__()
        self.num_numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                # views and expansions take no memory: what counts is the storage
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                self.num_numbers = max(self.num_numbers, size)
        return result


def test_nothing_of_the_size_of_the_jacobian_is_ever_allocated(monkeypatch):
    monkeypatch.setattr(products, "MAX_WRITTEN", 1 << 12)
    setting = heat(NetworkOptions(28, 2, "tanh", None), coefficients=KAPPA)
    batches = setting.draw(1200, 20)
    num_weights = setting.network.num_parameters
    work = MatrixFreeOptions(num_sampled=64, max_rank=32)
    solver = PopulationRiskGaussNewton(*setting.parts, form=MatrixFreeForm(work))
    with LargestTensor() as largest:
        solver.step(batches)
    num_rows = 1200 + 40 + 60
    assert largest.num_numbers < min(num_rows, num_weights) ** 2 / 4
    assert largest.num_numbers < num_rows * num_weights / 5
    dense = PopulationRiskGaussNewton(*setting.parts)
    with LargestTensor() as largest:
        dense.step(batches)
    assert largest.num_numbers >= num_rows * num_weights
