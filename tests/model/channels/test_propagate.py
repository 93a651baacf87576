"""Values and parameter gradients equal nested autograd, on every equation of the table."""

from __future__ import annotations

import pytest
import torch

from pinngate.expression import differentiate, evaluate
from pinngate.model.channels.layered import activation_derivatives
from pinngate.model.channels.plan import plan_channels
from pinngate.model.channels.propagate import backward, forward
from pinngate.model.networks import Network
from pinngate.statement.options import NetworkOptions
from tests.equations import CASES, coefficients_of, nested_autograd, network_of, points_of

TOLERANCE = 1e-10  # relative, float64; products of up to fourth derivatives lose a few digits


@pytest.mark.parametrize("is_collapsing", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_equals_nested_autograd(name: str, is_collapsing: bool) -> None:
    case = CASES[name]
    network, points = network_of(case), points_of(case, 23)
    originals = [e.residual for e in case.problem().equations]
    plan = plan_channels(
        originals, case.unknowns, tuple(case.axes), case.estimated, is_collapsing=is_collapsing
    )
    coefficients = coefficients_of(case).values()
    known = dict(case.problem().constants) | coefficients
    propagation = forward(network, plan, points, known)
    assert not propagation.outputs.requires_grad
    values = known | {axis: points[:, k] for k, axis in enumerate(case.axes)}
    values |= {s: propagation.outputs[c, :, f] for s, (c, f) in plan.symbols.items()}
    for original, rewritten in zip(originals, plan.residuals, strict=True):
        expected = nested_autograd(network, case, original, points, coefficients)
        found = evaluate(rewritten, values, torch)
        assert torch.linalg.norm(found - expected) <= TOLERANCE * torch.linalg.norm(expected)

        weights = torch.linspace(-1, 2, len(points), dtype=torch.float64)
        parameters = [p for layer in network.linears for p in (layer.weight, layer.bias)]
        gradients = torch.autograd.grad(
            (weights * expected).sum(), parameters, allow_unused=True, materialize_grads=True
        )
        adjoints = torch.zeros_like(propagation.outputs)
        for symbol, (channel, field) in plan.symbols.items():
            adjoints[channel, :, field] += weights * evaluate(
                differentiate(rewritten, symbol), values, torch
            )
        size = torch.linalg.norm(torch.cat([g.flatten() for g in gradients]))
        for k, (d, a) in enumerate(backward(propagation, adjoints)):
            weight, bias = torch.einsum("cno,cni->oi", d, a), d[0].sum(0)
            assert torch.linalg.norm(weight - gradients[2 * k]) <= TOLERANCE * size
            assert torch.linalg.norm(bias - gradients[2 * k + 1]) <= TOLERANCE * size


@pytest.mark.parametrize("name", ["tanh", "sin"])
def test_activation_derivatives_equal_autograd(name: str) -> None:
    z = torch.linspace(-2, 2, 31, dtype=torch.float64, requires_grad=True)
    expected = torch.tanh(z) if name == "tanh" else torch.sin(z)
    for found in activation_derivatives(name, z.detach(), 5):
        # fifth derivatives of tanh reach 16; differences are rounding
        torch.testing.assert_close(found, expected.detach(), rtol=1e-11, atol=1e-12)
        (expected,) = torch.autograd.grad(expected.sum(), z, create_graph=True)


def test_periodic_network_repeats_with_all_its_derivatives() -> None:
    case = CASES["burgers"]
    network = Network(
        [(-1.0, 3.0), (0.0, 1.0)], 1, NetworkOptions(width=16, depth=2), is_periodic=[True, False]
    )
    residuals = [e.residual for e in case.problem().equations]
    plan = plan_channels(residuals, ("u",), ("x", "t"), is_collapsing=False)
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    left, right = (torch.stack([torch.full_like(t, x), t], dim=1) for x in (-1.0, 3.0))
    a, b = (forward(network, plan, p, {"nu": 0.3}).outputs for p in (left, right))
    # sin(kπ) is zero to rounding only, times wave numbers and derivatives
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("name", ["wave", "kuramoto-sivashinsky"])
def test_cuda_equals_cpu(name: str) -> None:
    case = CASES[name]
    network, points = network_of(case), points_of(case, 23)
    residuals = [e.residual for e in case.problem().equations]
    plan = plan_channels(residuals, case.unknowns, tuple(case.axes))
    expected = forward(network, plan, points, {"nu": 0.3}).outputs
    found = forward(network.to("cuda"), plan, points.to("cuda"), {"nu": 0.3}).outputs
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-11, atol=1e-11)
