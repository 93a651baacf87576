"""Normal equations summed over tiles: passes, memory, noise, means and whole iterations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from pinngate.inference.posterior import add_sandwich
from pinngate.linear import dense as dense_module
from pinngate.linear import products
from pinngate.linear.dense import DenseSystem
from pinngate.linear.forms import DenseForm, Form, NormalForm, Trial
from pinngate.linear.freed import freed, freed_by_tiles
from pinngate.linear.gram import add_lower_gram, inverse_root, solve_gram
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.linear.normal import NormalSystem
from pinngate.linear.rows import LinearisedRows, RowsPiece
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, problem_terms
from pinngate.optim.gauss_newton.last_fit import gauss_newton_fit, gauss_newton_posterior
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.linear.test_matrix_free import LargestTensor
from tests.noisy_heat import DOUBLE, NoisyHeat, solve

KAPPA = (Coefficient("kappa", 0.1, lower=0.0),)
SMALL = NetworkOptions(10, 1, "sin", 2.0)
RIDGE = 0.3


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def forms_of(setting: NoisyHeat, noise: Callable | None = None) -> list[Linearisation]:
    """Return one linearisation in the dense and in the normal form."""
    batches = setting.draw(50, 9)
    weights = setting.weights(batches)
    anchor = torch.zeros(setting.network.num_parameters, dtype=DOUBLE)
    return [
        linearise(f, Trial(*setting.parts), batches, weights, anchor, ridge=1.0, noise=noise)
        for f in (DenseForm(), NormalForm())
    ]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the passes over all rows."""
    count = [0]
    original = LinearisedRows._blocks_of

    def counted(self: LinearisedRows, piece: RowsPiece) -> Iterator[object]:
        count[0] += piece is self.pieces[-1]  # of the observations, which every pass meets
        return original(self, piece)

    monkeypatch.setattr(LinearisedRows, "_blocks_of", counted)
    return count


@pytest.mark.parametrize("coefficients", [(), KAPPA])
def test_passes_are_as_few_as_is_said(passes: list[int], coefficients: tuple) -> None:
    _, line = forms_of(NoisyHeat(SMALL, coefficients=coefficients))
    system, b = line.system, line.target

    def needed(ask: Callable[[], object]) -> int:
        before = passes[0]
        ask()
        return passes[0] - before

    assert needed(lambda: system.is_definite(RIDGE)) == 1
    assert needed(lambda: system.apply(line.offset)) == 1
    assert needed(lambda: system.minimiser(RIDGE, b)) == 1
    assert needed(lambda: system.fits([RIDGE], b)) == 1
    assert needed(lambda: system.fits([RIDGE], 2 * b)) == 2
    assert needed(system.decompose) == 0
    assert needed(lambda: system.fits([0.1, RIDGE, 0.9], 3 * b)) == 2
    assert needed(lambda: system.best_fit([0.1, RIDGE, 0.9], 4 * b)) == 3
    group = torch.arange(0, 200, 3)
    assert needed(lambda: system.unshrunk(RIDGE, group, line.observed[group])) == 0


def test_a_step_takes_about_thirteen_passes(passes: list[int]) -> None:
    setting = NoisyHeat(SMALL, coefficients=KAPPA)
    solver = PopulationRiskGaussNewton(*setting.parts, form=NormalForm())
    for _ in range(12):
        solver.step(setting.draw())
    assert passes[0] / 12 < 14


def test_a_vector_that_changed_in_place_is_reduced_anew() -> None:
    dense, normal = forms_of(NoisyHeat(SMALL))
    b = normal.target.clone()
    normal.system.minimiser(RIDGE, b)
    b.mul_(-2)
    exact, found = (s.system.minimiser(RIDGE, b)[0] for s in (dense, normal))
    assert relative(found, exact) < 1e-8


@pytest.mark.parametrize("cache_bytes", [0.0, 1e9])
def test_the_network_may_move_on_meanwhile(cache_bytes: float) -> None:
    setting = NoisyHeat(SMALL, coefficients=KAPPA)
    batches = setting.draw(50, 9)
    rows = LinearisedRows(
        *setting.parts, batches, setting.weights(batches), cache_bytes=cache_bytes
    )
    vectors = torch.ones(setting.network.num_parameters, 1, dtype=DOUBLE)
    before = rows.forward(vectors)
    with torch.no_grad():
        for parameter in (*setting.network.parameters(), setting.coefficients.raw):
            parameter.add_(0.3)
    assert torch.equal(rows.forward(vectors), before)


def test_the_best_fit_is_the_one_of_least_risk() -> None:
    dense, normal = forms_of(NoisyHeat(SMALL))
    ridges = [10.0**k for k in range(-6, 5)]
    risks = [fit.risk for fit in dense.system.fits(ridges, dense.target)]
    for line in (dense, normal):
        best = line.system.best_fit(ridges, line.target)
        assert best.ridge == ridges[risks.index(min(risks))]
        assert best.risk == pytest.approx(min(risks), rel=1e-9)


@pytest.mark.parametrize("tile", [7, 64, 1000])
def test_tiles_of_any_size_give_the_same_sums(monkeypatch, tile: int) -> None:
    monkeypatch.setattr(products, "MAX_WRITTEN", 31 * tile)
    setting = NoisyHeat(SMALL, coefficients=KAPPA, sigma=(0.3, 0.1), is_initial=False)
    batches = setting.draw(50, 9)
    rows = LinearisedRows(
        *setting.parts, batches, setting.weights(batches), cache_bytes=0.0, tile=tile
    )
    normal = NormalSystem(rows, 1, setting.weights(batches).observed)
    dense, _ = forms_of_batches(setting, batches)
    gram = dense.columns.penalised.T @ dense.columns.penalised
    assert relative(normal.columns.gram().tril(), gram.tril()) < 1e-12
    exact, found = (s.fits([RIDGE], rows.residual)[0] for s in (dense, normal))
    assert relative(found.leave_one_out, exact.leave_one_out) < 1e-9


def forms_of_batches(setting: NoisyHeat, batches: dict[str, Batch]) -> list:
    weights = setting.weights(batches)
    anchor = torch.zeros(setting.network.num_parameters, dtype=DOUBLE)
    trial = Trial(*setting.parts)
    return [
        linearise(f, trial, batches, weights, anchor).system for f in (DenseForm(), NormalForm())
    ]


@pytest.mark.parametrize("is_own", [False, True], ids=["means", "whitened"])
def test_rows_of_several_nodes_and_roots_of_the_noise(is_own: bool) -> None:
    setting = NoisyHeat(SMALL, is_initial=False)
    points = torch.rand(40, 5, 2, generator=setting.generator, dtype=DOUBLE)
    points[:, :, 1] = points[:, :1, 1]
    nodes = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1], dtype=DOUBLE)
    columns = {"@value": torch.zeros(40, dtype=DOUBLE), "@row": torch.ones(40, dtype=DOUBLE)}
    if is_own:  # weights and values of each row's nodes
        nodes = torch.rand(40, 5, generator=setting.generator, dtype=DOUBLE) - 0.3
        columns["@value"] = torch.rand(40, 5, generator=setting.generator, dtype=DOUBLE)
    setting.observations["observation_2"] = Batch(points, columns, nodes)
    setting.model = ResidualModel(problem_terms(setting.problem, ["u", "u"]), setting.problem)
    size = torch.sin(torch.arange(400, dtype=DOUBLE))
    roots = lambda plain, weights: weights.with_roots(1.5 + size[: len(plain)])  # noqa: E731
    dense, normal = forms_of(setting, roots)
    assert relative(normal.residual, dense.residual) < 1e-12
    exact, found = (line.system.fits([RIDGE], line.target)[0] for line in (dense, normal))
    assert relative(found.leverage, exact.leverage) < 1e-9
    assert relative(found.leave_one_out, exact.leave_one_out) < 1e-9
    moves = [torch.cat(line.system.minimiser(RIDGE, line.target)) for line in (dense, normal)]
    assert relative(moves[1], moves[0]) < 1e-8
    group = torch.tensor([3, 150, 201, 7, 239, 220])
    lines = (dense, normal)
    own = [line.system.unshrunk(RIDGE, group, line.observed[group]) for line in lines]
    assert relative(own[1], own[0]) < 1e-8


@pytest.mark.parametrize("num_outliers", [0, 6])
def test_iterations_follow_those_of_the_dense_form(num_outliers: int) -> None:
    options = GaussNewtonOptions(max_iterations=25)
    found = {}
    for form in (DenseForm(), NormalForm()):
        setting = NoisyHeat(
            SMALL, coefficients=KAPPA, num_observations=120, num_outliers=num_outliers
        )
        solver = PopulationRiskGaussNewton(*setting.parts, options, form)
        rows = solve(setting, solver)
        posterior = gauss_newton_posterior(solver, setting.draw(200, 20))
        found[type(form)] = (rows, setting, posterior)
    (exact, a, p), (rows, b, q) = found[DenseForm], found[NormalForm]
    assert len(rows) == len(exact)
    for key in ("loss", "leave_one_out_risk", "effective_dimension", "ridge", "gain_ratio"):
        assert rows[0][key] == pytest.approx(exact[0][key], rel=1e-6)
        assert rows[-1][key] == pytest.approx(exact[-1][key], rel=1e-3, abs=1e-6)
    fields = [s.network(a.points).detach() for s in (a, b)]
    assert relative(fields[1], fields[0]) < 1e-4
    assert q.variance == pytest.approx(p.variance, rel=1e-4)
    points = torch.rand(50, 2, generator=a.generator, dtype=DOUBLE)
    assert relative(q.std(b.network, points), p.std(a.network, points)) < 1e-3


def test_correlated_residuals_widen_the_intervals_alike() -> None:
    setting = NoisyHeat(SMALL, coefficients=KAPPA, is_initial=False)
    shift = 0.5 * torch.sin(7 * setting.points[:, 0])
    setting.observations["observation_1"].columns["@value"] += shift
    setting.model = ResidualModel(problem_terms(setting.problem, ["u"]), setting.problem)
    solver = PopulationRiskGaussNewton(*setting.parts)
    for _ in range(3):
        solver.step(setting.draw())
    batches, sandwiches = setting.draw(), []
    for form in (DenseForm(), NormalForm()):
        solver.form = form
        posterior = gauss_newton_posterior(solver, batches)
        if posterior.sandwich is None:
            add_sandwich(posterior, gauss_newton_fit(solver, batches))
        assert posterior.sandwich is not None
        sandwiches.append(posterior.sandwich)
    assert relative(sandwiches[1], sandwiches[0]) < 1e-6


def test_a_large_group_is_freed_without_its_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    g = torch.Generator().manual_seed(3)
    jac = torch.randn(90, 14, generator=g, dtype=DOUBLE)
    residuals = torch.randn(60, generator=g, dtype=DOUBLE)
    group = torch.arange(60)
    for num_free in (0, 2):
        exact = DenseSystem(jac, num_free, slice(10, 90)).unshrunk(RIDGE, group, residuals)
        with monkeypatch.context() as patched:
            patched.setattr(dense_module, "LARGE_GROUP", 20)
            system = DenseSystem(jac, num_free, slice(10, 90))
            assert relative(system.unshrunk(RIDGE, group, residuals), exact) < 1e-10


def test_what_a_group_determines_alone_is_bounded_in_both_ways() -> None:
    g = torch.Generator().manual_seed(5)
    b = torch.linalg.qr(torch.randn(12, 4, generator=g, dtype=DOUBLE)).Q
    b = b * torch.tensor([1.0, math.sqrt(0.9995), 0.5, 0.0], dtype=DOUBLE)
    residuals = torch.randn(12, generator=g, dtype=DOUBLE)
    exact = freed(torch.eye(12, dtype=DOUBLE) - b @ b.T, residuals)
    halves = [torch.arange(0, 12, 2), torch.arange(1, 12, 2)]
    found = freed_by_tiles(lambda: [(rows, b[rows]) for rows in halves], residuals, 4)
    assert relative(found, exact) < 1e-10


def test_gram_helpers() -> None:
    g = torch.Generator().manual_seed(1)
    a = torch.randn(700, 300, generator=g, dtype=DOUBLE)
    gram = torch.zeros(300, 300, dtype=DOUBLE)
    for part in a.split(123):
        add_lower_gram(gram, part)
    assert relative(gram.tril(), (a.T @ a).tril()) < 1e-13
    units = torch.tensor([1.0, 1e6, 1e-5], dtype=DOUBLE)
    c = torch.randn(9, 3, generator=g, dtype=DOUBLE) * units
    root = inverse_root(c.T @ c)
    eye = torch.eye(3, dtype=DOUBLE)
    assert (
        relative(
            units[:, None] * (root @ root.T) * units,
            units[:, None] * solve_gram(c.T @ c, eye) * units,
        )
        < 1e-9
    )
    assert inverse_root(torch.zeros(0, 0, dtype=DOUBLE)).shape == (0, 0)
    assert inverse_root(torch.zeros(2, 2, dtype=DOUBLE)).shape == (2, 0)


def test_nothing_of_the_size_of_the_jacobian_is_ever_allocated(monkeypatch) -> None:
    monkeypatch.setattr(products, "MAX_WRITTEN", 1 << 14)
    monkeypatch.setattr("pinngate.linear.forms.TILE", 128)
    setting = NoisyHeat(SMALL, coefficients=KAPPA, num_observations=3000, is_initial=False)
    num_weights = setting.network.num_parameters
    sizes: dict[Form, int] = {}
    for form in (NormalForm(), DenseForm()):
        solver = PopulationRiskGaussNewton(*setting.parts, form=form)
        with LargestTensor() as largest:
            solver.step(setting.draw())
            gauss_newton_posterior(solver, setting.draw())
        sizes[form] = largest.num_numbers
    num_rows = 3000 + 128 + 32
    assert sizes[DenseForm()] >= num_rows * num_weights
    # an evaluation of the residuals alone propagates 4096 points at once, in tiles as always
    assert sizes[NormalForm()] < 3 * 3160 * 10 < sizes[DenseForm()]


def test_more_rows_take_more_tiles_and_no_larger_ones() -> None:
    largest = []
    for count in (1000, 8000):
        setting = NoisyHeat(SMALL, num_observations=count, is_initial=False)
        _, line = forms_of(setting)
        with LargestTensor() as seen:
            line.system.best_fit([0.1, 1.0, 10.0], line.target)
        largest.append(seen.num_numbers)
    assert largest[1] <= max(4096 * setting.network.num_parameters, products.MAX_WRITTEN)
