"""Tensor bases: orthonormal functions, kinks, derivatives, and what they hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pinngate.model.axis_functions import AxisFunctions, Legendre, Splines, Trigonometric
from pinngate.model.bases import TensorBasis
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import backward, forward

FUNCTIONS = {
    "splines": Splines(np.linspace(-1, 1, 6)),
    "kinked": Splines([-1, -0.4, 0.25, 1], {0.25: 0}),
    "trigonometric": Trigonometric(9),
}


def quadrature(count: int = 4000) -> np.ndarray:
    return -1 + 2 * (np.arange(count) + 0.5) / count


@pytest.mark.parametrize("functions", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_are_orthonormal_and_bend_by_their_frequency(functions: AxisFunctions) -> None:
    x = quadrature()
    values, bent = functions.values(x, 0), functions.values(x, 2)
    mass, bending = (2 / len(x) * v.T @ v for v in (values, bent))
    assert np.allclose(mass, np.eye(len(mass)), atol=1e-4)
    scale = functions.frequencies[-1] ** 4
    assert np.allclose(bending / scale, np.diag(functions.frequencies**4) / scale, atol=1e-3)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("functions", FUNCTIONS.values(), ids=FUNCTIONS)
def test_derivatives_are_those_of_the_values(functions: AxisFunctions, order: int) -> None:
    x, step = np.array([-0.9, -0.35, 0.1, 0.6]), 1e-5
    before = functions.values(x - step, order - 1)
    difference = (functions.values(x + step, order - 1) - before) / (2 * step)
    found = functions.values(x, order)
    assert np.allclose(found, difference, atol=1e-5 * np.abs(found).max())


def test_a_kink_is_held_where_a_break_allows_it_and_nowhere_else() -> None:
    x = quadrature()
    missed = {}
    for name in ("kinked", "splines"):
        rows = FUNCTIONS[name].values(x, 0)
        kinked = np.abs(x - 0.25)
        missed[name] = np.abs(kinked - rows @ np.linalg.lstsq(rows, kinked, rcond=None)[0]).max()
    assert missed["kinked"] < 1e-10
    assert missed["splines"] > 1e-3


def test_polynomials_are_orthonormal_and_derivatives_lose_their_order() -> None:
    functions = Legendre(8)
    x, w = functions.nodes()
    values = functions.values(x, 0)
    assert np.allclose(values.T @ (w[:, None] * values), np.eye(9), atol=1e-12)
    assert not functions.values(x, 9).any()
    for order in (1, 3):
        span, rows = functions.derivatives(x, order), functions.values(x, order)
        assert span.shape[1] == 9 - order
        missed = rows - span @ np.linalg.lstsq(span, rows, rcond=None)[0]
        assert np.abs(missed).max() < 1e-10 * np.abs(rows).max()
        step = 1e-5
        before, after = (functions.values(0.3 * x + s, order - 1) for s in (-step, step))
        rows = functions.values(0.3 * x, order)
        assert np.allclose((after - before) / (2 * step), rows, atol=1e-6 * np.abs(rows).max())


def test_nodes_integrate() -> None:
    for functions in (*FUNCTIONS.values(), Legendre(8)):
        x, w = functions.nodes()
        assert np.isclose(w.sum(), 2)
        assert np.isclose(np.sum(w * np.cos(np.pi * x) ** 2), 1)


def basis() -> TensorBasis:
    made = TensorBasis(
        [(0.0, 2.0), (1.0, 4.0)],
        [Splines(np.linspace(-1, 1, 4)), Trigonometric(5)],
        2,
        output_scale=[2.0, 0.5],
        output_shift=[1.0, 0.0],
    )
    torch.manual_seed(0)
    with torch.no_grad():
        made.layer.weight.normal_()
    return made


def test_channels_are_derivatives_in_the_units_of_the_axes() -> None:
    made, points, step = basis(), torch.tensor([[0.3, 1.7], [1.2, 3.1]], dtype=torch.float64), 1e-5
    plan = Plan(("x", "t"), ((0, 0), (1, 0), (0, 1)), (), (), {})
    outputs = forward(made, plan, points, {}).outputs
    assert torch.allclose(outputs[0], made(points))
    for channel, axis in ((1, 0), (2, 1)):
        shift = torch.zeros(2, dtype=torch.float64)
        shift[axis] = step
        difference = (made(points + shift) - made(points - shift)) / (2 * step)
        assert torch.allclose(outputs[channel], difference, rtol=1e-5, atol=1e-5)


def test_factors_are_the_gradient_over_the_weights() -> None:
    made, points = basis(), torch.tensor([[0.3, 1.7]], dtype=torch.float64)
    plan = Plan(("x", "t"), ((0, 0),), (), (), {})
    propagation = forward(made, plan, points, {})
    adjoints = torch.zeros_like(propagation.outputs)
    adjoints[0, :, 1] = 1.0
    ((d, a),) = backward(propagation, adjoints)
    gradient = torch.einsum("cno,cni->oi", d, a)
    made(points)[0, 1].backward()
    assert torch.allclose(gradient, made.layer.weight.grad)


def test_an_ellipsoid_holds_fewer_products() -> None:
    axes = [Splines(np.linspace(-1, 1, 4))] * 3
    domain = [(0.0, 1.0)] * 3
    full = TensorBasis(domain, axes, 1)
    sparse = TensorBasis(domain, axes, 1, is_full=False)
    assert 0.3 * len(full.members) < len(sparse.members) < 0.8 * len(full.members)


def test_it_takes_over_another_network() -> None:
    made = basis()
    other = TensorBasis(
        [(0.0, 2.0), (1.0, 4.0)],
        [Splines(np.linspace(-1, 1, 7)), Trigonometric(9)],
        2,
        output_scale=[2.0, 0.5],
        output_shift=[1.0, 0.0],
    )
    torch.manual_seed(1)
    points = torch.rand(2000, 2, dtype=torch.float64) * torch.tensor([2.0, 3.0])
    points[:, 1] += 1.0
    other.fit_to(made, points)
    assert torch.allclose(other(points), made(points), atol=1e-6)


@pytest.mark.parametrize("layout", ["scattered", "lines", "parts of lines"])
@pytest.mark.parametrize("orders", [(0, 0), (2, 1)])
def test_combinations_are_those_of_the_products(layout: str, orders: tuple[int, int]) -> None:
    basis = TensorBasis([(0, 2), (1, 3)], [Splines(np.linspace(-1, 1, 5)), Trigonometric(7)], 1)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(len(basis.members), 3, generator=generator, dtype=torch.float64)
    points = 1 + torch.rand(700, 2, generator=generator, dtype=torch.float64)
    if layout != "scattered":
        ends = [
            torch.linspace(low, high, 17, dtype=torch.float64) for low, high in ((0, 2), (1, 3))
        ]
        points = torch.cartesian_prod(*ends)
    if layout == "parts of lines":
        points = points[5:190]
    expected = basis.products(points, orders) @ weights
    found = basis.combined(points, orders, weights)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))


@pytest.mark.parametrize("num_axes", [1, 3, 4])
def test_products_are_those_of_their_members_on_any_axes(num_axes: int) -> None:
    axes = [Legendre(6), Trigonometric(5), Legendre(4), Legendre(2)][:num_axes]
    made = TensorBasis([(-1.0, 1.0)] * num_axes, axes, 1, is_full=False)
    lines = torch.linspace(-0.9, 0.8, 5, dtype=torch.float64)
    grid = torch.cartesian_prod(*[lines] * num_axes).view(-1, num_axes)
    scattered = grid + 0.1 * torch.rand(grid.shape, generator=torch.Generator().manual_seed(0))
    orders = (1, *(0 for _ in axes[1:]))
    weights = torch.randn(len(made.members), 2, dtype=torch.float64)
    for points in (grid, scattered):
        values = [
            own.values(points[:, k].numpy(), orders[k])[:, made.members[:, k]]
            for k, own in enumerate(axes)
        ]
        expected = torch.as_tensor(np.prod(values, axis=0) * made.smoothing)
        assert torch.allclose(made.products(points, orders), expected, atol=1e-12)
        found = made.combined(points, orders, weights)
        assert torch.allclose(found, expected @ weights, atol=1e-10)
