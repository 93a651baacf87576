"""Tangent kernels against autograd, Lanczos against the whole decomposition, angles, drift."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import aslinearoperator
from torch import Tensor, nn

from pinngate.errors import InputError, SolveError
from pinngate.theory import tangent_kernel
from pinngate.theory.tangent_kernel import (
    block_kernels,
    lanczos_pairs,
    leading,
    module_jacobian,
    module_kernel,
    operator_drift,
    principal_angles,
)


def module(num_outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, num_outputs)
    return nn.Sequential(*layers).double()


def by_autograd(net: nn.Module, inputs: Tensor) -> Tensor:
    """One backward pass for each output: slow and obvious."""
    rows = []
    for value in net(inputs).reshape(-1):
        parts = torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
        rows.append(torch.cat([p.reshape(-1) for p in parts]))
    return torch.stack(rows)


def test_jacobian_and_products_are_those_of_autograd() -> None:
    net, inputs = module(), torch.randn(7, 3, dtype=torch.float64)
    expected = by_autograd(net, inputs)
    torch.testing.assert_close(module_jacobian(net, inputs), expected)
    kernel = (expected @ expected.T).numpy()
    vector = np.random.default_rng(0).standard_normal(14)
    np.testing.assert_allclose(module_kernel(net, inputs) @ vector, kernel @ vector, rtol=1e-10)


def test_convolutions_are_as_good_as_any_module() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)).double()
    inputs = torch.randn(4, 1, 6, dtype=torch.float64)
    torch.testing.assert_close(module_jacobian(net, inputs), by_autograd(net, inputs))


def test_frozen_weights_do_not_count_and_none_is_an_error() -> None:
    net, inputs = module(), torch.randn(2, 3, dtype=torch.float64)
    for parameter in list(net.parameters())[:2]:
        parameter.requires_grad_(False)
    assert module_jacobian(net, inputs).shape == (4, 12)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(InputError, match="no trainable weight"):
        module_jacobian(net, inputs)


def test_lanczos_finds_what_eigh_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    factor = torch.randn(60, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    kernel = factor @ torch.diag(2.0 ** -torch.arange(40.0)).double() @ factor.T
    exact = leading(kernel, 6)
    monkeypatch.setattr(tangent_kernel, "EXACT_ROWS", 10)
    found = leading(kernel, 6)
    assert exact.is_exact
    assert not found.is_exact
    assert max(exact.error, found.error) < 1e-9
    torch.testing.assert_close(found.values, exact.values)
    angles = principal_angles(found.vectors, exact.vectors)
    assert float(angles.max()) < 1e-6


def test_a_pair_that_misses_its_equation_is_not_returned() -> None:
    kernel = aslinearoperator(np.diag(np.arange(30.0)))
    with pytest.raises(SolveError, match="misses its equation"):
        lanczos_pairs(kernel, 3, check=-1.0)


def test_blocks_are_parts_of_the_whole() -> None:
    rows = torch.randn(6, 4, dtype=torch.float64)
    found = block_kernels(rows, {"equations": slice(0, 4), "observations": slice(4, 6)})
    torch.testing.assert_close(found["joint"], rows @ rows.T)
    torch.testing.assert_close(found["observations"], rows[4:] @ rows[4:].T)


def test_principal_angles_of_a_turned_plane() -> None:
    eye = torch.eye(4, dtype=torch.float64)
    for angle in (1e-9, 0.3, 1.2, math.pi / 2):
        turned = eye[:, :2].clone()
        turned[:, 1] = math.cos(angle) * eye[:, 1] + math.sin(angle) * eye[:, 3]
        found = principal_angles(eye[:, :2], turned)
        torch.testing.assert_close(found, torch.tensor([0.0, angle], dtype=torch.float64))


def test_drift_is_relative_to_the_last_kernel() -> None:
    kernel = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64))
    assert operator_drift(kernel, kernel) == 0
    assert operator_drift(3 * kernel, kernel) == pytest.approx(2.0)
