"""All forms of a linearised system against plain algebra with the whole Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pinngate.linear.dense import DenseSystem
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.forms import DenseForm, Form, MatrixFreeForm, NormalForm, Trial, form_of
from pinngate.linear.gram import inverse_gram
from pinngate.linear.jacobian import jacobian
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import DOUBLE, NoisyHeat

NUM_OBSERVED = 40
# every observation is probed, every direction is in the basis, solves stop at rounding
WORK = MatrixFreeOptions(
    num_probes=NUM_OBSERVED, smallest=1e-6, risk_tolerance=1e-11, step_tolerance=1e-11
)
FORMS = {
    "dense": DenseForm(),
    "factored": DenseForm(is_factored=True),
    "normal": NormalForm(),
    "normal-factored": NormalForm(is_factored=True),
    "matrix-free": MatrixFreeForm(WORK),
}
RIDGE = 0.2
ROOTS = {"plain": None, "weighted": lambda plain, _: 1.5 + torch.sin(torch.arange(len(plain)))}


class Linearised:
    """One linearisation in one form, and its whole Jacobian, both with the same roots."""

    def __init__(self, form: Form, num_free: int, roots: Callable | None) -> None:
        free = (Coefficient("kappa", 0.1, lower=0.0),) if num_free else ()
        setting = NoisyHeat(
            NetworkOptions(12, 1, "sin", 2.0),
            coefficients=free,
            num_observations=NUM_OBSERVED,
            is_initial=False,
        )
        batches = setting.draw(50, 9)
        weights = setting.weights(batches)
        dense, self.r = jacobian(*setting.parts, batches, weights)
        if roots is not None:
            factor = roots(self.r, weights)
            dense, self.r = factor[:, None] * dense, factor * self.r
        self.num_weights = setting.network.num_parameters
        self.a, self.c = dense[:, : self.num_weights], dense[:, self.num_weights :]
        self.observed = weights.observed
        anchor = torch.zeros(self.num_weights, dtype=DOUBLE)
        trial = Trial(*setting.parts)
        noise = roots and (lambda r, w: w.with_roots(roots(r, w)))
        self.line: Linearisation = linearise(
            form, trial, batches, weights, anchor, ridge=RIDGE, noise=noise
        )
        self.system = self.line.system

    def normal(self, ridge: float, damping: float = 0.0) -> Tensor:
        """Return JᵀJ with the penalties on its diagonal."""
        joint = torch.cat([self.a, self.c], 1)
        penalty = torch.full((joint.shape[1],), ridge, dtype=DOUBLE)
        penalty[self.num_weights :] = damping
        return joint.T @ joint + torch.diag(penalty)

    def hat(self, ridge: float) -> Tensor:
        joint = torch.cat([self.a, self.c], 1)
        return joint @ torch.linalg.solve(self.normal(ridge), joint.T)


@pytest.fixture(params=[(f, k, r) for f in FORMS for k in (0, 1) for r in ROOTS], ids=str)
def made(request: pytest.FixtureRequest) -> Linearised:
    form, num_free, roots = request.param
    return Linearised(FORMS[form], num_free, ROOTS[roots])


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-7) -> bool:
    return float((found - expected).norm()) <= tolerance * float(expected.norm())


def test_shape_rows_and_target(made: Linearised) -> None:
    assert made.system.shape == (len(made.r), made.num_weights, made.c.shape[1])
    assert made.system.observed == made.observed
    assert close(made.line.residual, made.r, 1e-12)
    assert close(made.line.target, made.r - made.a @ made.line.offset, 1e-12)
    squares = made.a[made.observed].square().sum(1)
    assert close(made.system.row_squares(made.observed), squares, 1e-10)


def test_products(made: Linearised) -> None:
    change = torch.linspace(-1, 2, made.num_weights + made.c.shape[1], dtype=DOUBLE)
    expected = torch.cat([made.a, made.c], 1) @ change
    assert close(made.system.apply(change), expected, 1e-11)
    weights = change[: made.num_weights]
    assert close(made.system.apply(weights), made.a @ weights, 1e-11)


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_minimiser(made: Linearised, damping: float) -> None:
    joint = torch.cat([made.a, made.c], 1)
    expected = -torch.linalg.solve(made.normal(RIDGE, damping), joint.T @ made.r)
    found = torch.cat(made.system.minimiser(RIDGE, made.r, damping))
    assert close(found, expected)


@pytest.mark.parametrize("ridges", [[RIDGE], [0.1, RIDGE, 0.4]])
def test_fits(made: Linearised, ridges: list[float]) -> None:
    for ridge, fit in zip(ridges, made.system.fits(ridges, made.r), strict=True):
        hat = made.hat(ridge)[made.observed]
        residual = made.r[made.observed] - hat @ made.r
        leverage = hat[:, made.observed].diagonal()
        # off the middle ridge the matrix-free form solves in the space of the middle one
        assert close(fit.residual, residual, 1e-6)
        assert close(fit.leverage, leverage, 1e-6)
        assert close(fit.leave_one_out, residual / (1 - leverage), 1e-6)
        assert fit.effective_dimension == pytest.approx(float(leverage.sum()), rel=1e-6)
        assert fit.risk == pytest.approx(float(fit.leave_one_out.square().mean()))


def test_spectrum(made: Linearised) -> None:
    left, singular, right = torch.linalg.svd(made.a, full_matrices=False)
    made.system.decompose()
    eigenvalues, squares = made.system.spectrum(made.r)
    kept = singular.square() > 1e-3
    count = int(kept.sum())
    assert close(eigenvalues[:count], singular[kept].square())
    energy = (left.T @ made.r).square()
    assert float(squares[:count].sum()) == pytest.approx(float(energy[kept].sum()), rel=1e-6)
    filters = singular.square() / (singular.square() + RIDGE)
    expected = float(filters.sum()) / min(made.a.shape)
    assert made.system.signal_fraction(RIDGE) == pytest.approx(expected, rel=1e-5)
    directions, remainders = made.system.directions(RIDGE)
    projector = right.T * filters @ right
    assert close(directions @ directions.T, projector, 1e-5)
    assert close(directions.square().sum(0), 1 - remainders, 1e-5)


def test_posterior_products(made: Linearised) -> None:
    made.system.fits([RIDGE], made.r)
    penalised = made.a.T @ made.a + RIDGE * torch.eye(made.num_weights, dtype=DOUBLE)
    assert close(made.system.transfer(RIDGE), torch.linalg.solve(penalised, made.a.T @ made.c))
    inverse = torch.linalg.inv(made.normal(RIDGE))
    block = inverse[made.num_weights :, made.num_weights :]
    assert close(inverse_gram(made.system.unpenalised_gram(RIDGE)), block, 1e-6)


def test_residuals_of_a_group_get_their_noise_back(made: Linearised) -> None:
    made.system.decompose()
    made.system.fits([RIDGE], made.r)
    group = torch.arange(0, NUM_OBSERVED, 5)
    rows = made.observed.start + group
    block = (torch.eye(len(made.r), dtype=DOUBLE) - made.hat(RIDGE))[rows][:, rows]
    values, vectors = torch.linalg.eigh(block)
    residuals = made.r[rows]
    expected = vectors @ ((vectors.T @ residuals) / values.clamp_min(1e-3).sqrt())
    assert close(made.system.unshrunk(RIDGE, group, residuals), expected, 1e-5)


def test_definite(made: Linearised) -> None:
    assert made.system.is_definite(RIDGE)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_comes_back_from_its_state(form: Form) -> None:
    assert form_of(form.to_state()) == form


def test_held_coefficients_are_no_columns() -> None:
    setting = NoisyHeat(coefficients=(Coefficient("kappa", 0.1, lower=0.0),))
    batches = setting.draw()
    weights = setting.weights(batches)
    anchor = torch.zeros(setting.network.num_parameters, dtype=DOUBLE)
    for form in FORMS.values():
        trial = Trial(*setting.parts)
        line = linearise(form, trial, batches, weights, anchor, has_coefficients=False)
        assert line.system.shape[2] == 0
        assert len(line.system.minimiser(RIDGE, line.target)[1]) == 0


def test_factor_and_eigenbasis_of_the_dense_form_agree() -> None:
    dense = Linearised(DenseForm(), 1, None)
    factor = dense.system.fits([RIDGE], dense.r)[0]
    assert isinstance(dense.system, DenseSystem)
    dense.system.decompose()
    spectral = dense.system.fits([RIDGE], dense.r)[0]
    assert close(factor.leave_one_out, spectral.leave_one_out, 1e-10)
