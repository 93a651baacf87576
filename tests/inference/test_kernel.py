"""Kernel spectra against a plain singular value decomposition, dense, dual and matrix-free."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate.inference.kernel import kernel_spectrum
from pinngate.inference.linearised_fit import LinearisedFit
from pinngate.linear.dense import DenseSystem


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_eigenvalues_and_shares_are_those_of_the_singular_values(shape: tuple[int, int]) -> None:
    g = torch.Generator().manual_seed(0)
    jac = torch.randn(*shape, generator=g, dtype=torch.float64)
    target = torch.randn(shape[0], generator=g, dtype=torch.float64)
    observed = slice(shape[0] - 8, shape[0])
    spectrum = DenseSystem(jac, 0, observed)
    fit = spectrum.fits([2.0], target)[0]
    kernel = kernel_spectrum(LinearisedFit(spectrum, target, target[observed], fit))

    left, singular, _ = np.linalg.svd(jac.numpy(), full_matrices=False)
    np.testing.assert_allclose(kernel.eigenvalues, singular**2, rtol=1e-10)
    energy = (left.T @ target.numpy()) ** 2
    np.testing.assert_allclose(kernel.energy, energy, rtol=1e-8, atol=1e-12)
    hat = jac @ torch.linalg.solve(jac.T @ jac + 2.0 * torch.eye(shape[1]), jac.T)
    assert kernel.kernel_dimension == pytest.approx(float(hat.trace()), rel=1e-10)
    leverage = float(hat.diagonal()[observed].sum())
    assert kernel.effective_dimension == pytest.approx(leverage, rel=1e-10)
    explained = float((hat @ target).square().sum() / target.square().sum())
    assert kernel.explained_share == pytest.approx(explained, rel=1e-10)
    assert kernel.num_signal == int((singular**2 > 2.0).sum())
    assert (kernel.num_rows, kernel.num_weights) == shape
    assert (kernel.cumulated_share[-1] == pytest.approx(1.0)) == (shape[0] <= shape[1])


def test_directions_without_length_are_left_out() -> None:
    jac = torch.zeros(5, 4, dtype=torch.float64)
    jac[0, 0] = 3.0
    target = torch.ones(5, dtype=torch.float64)
    spectrum = DenseSystem(jac, 0, slice(0, 5))
    fit = spectrum.fits([100.0], target)[0]
    kernel = kernel_spectrum(LinearisedFit(spectrum, target, target, fit))
    np.testing.assert_allclose(kernel.eigenvalues, [9.0])
    assert kernel.num_signal == 0
    assert kernel.signal_share == 0.0
    assert kernel.cumulated_share[0] == pytest.approx(0.2)
