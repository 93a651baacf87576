"""A module of the caller's own against its fast twin, the built-in network of the same weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from pinngate.errors import InputError
from pinngate.linear.jacobian import assign, flatten, jacobian, row_weights
from pinngate.linear.rows import LinearisedRows
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.moments import gradient_moments
from pinngate.model.networks import JointNetwork, Network
from pinngate.model.own_network import OwnNetwork
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, problem_terms
from pinngate.statement.options import NetworkOptions
from tests.equations import CASES, Case, coefficients_of, network_of, points_of

DOUBLE = torch.float64
BOX = [(-0.5, 1.5), (-0.5, 1.5)]


class Layers(nn.Module):
    """The layers of a built-in network, without the scaling around them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.layers = nn.ModuleList(network.linears)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sin(self.layers[0](x))
        for layer in list(self.layers)[1:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def twin_of(network: Network, axes: str) -> OwnNetwork:
    return OwnNetwork(
        Layers(network),
        list(zip(network.low.tolist(), network.high.tolist(), strict=True)),
        tuple(axes),
        is_periodic=[False] * len(axes),
        output_scale=network.output_scale.tolist(),
        output_shift=network.output_shift.tolist(),
        dtype=DOUBLE,
    )


def own(module: nn.Module, outputs: int = 1, is_periodic: tuple[bool, ...] = (False, False)):
    return OwnNetwork(
        module,
        BOX,
        ("x", "t"),
        is_periodic=is_periodic,
        output_scale=[2.0] * outputs,
        output_shift=[0.3] * outputs,
        dtype=DOUBLE,
    )


def perceptron(inputs: int = 2, outputs: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 7), nn.SiLU(), nn.Linear(7, outputs))


def batches_of(case: Case) -> tuple[ResidualModel, dict[str, Batch]]:
    """Equations, one set of values and one of means over nodes."""
    terms = problem_terms(case.problem(), ["u", "u"])
    batches = {t.name: Batch(points_of(case, 19)) for t in terms if t.kind == "equation"}
    random = torch.Generator().manual_seed(3)
    for name in ("observation_1", "observation_2"):
        values = torch.randn(17, generator=random, dtype=DOUBLE)
        columns = {"@value": values, "@weight": torch.ones(17, dtype=DOUBLE)}
        batches[name] = Batch(points_of(case, 17, seed=1), columns)
    nodes = torch.stack([points_of(case, 17, seed=s) for s in (5, 6, 7)], 1)
    shares = torch.tensor([0.2, 0.5, 0.3], dtype=DOUBLE)
    batches["observation_2"] = Batch(nodes, batches["observation_2"].columns, shares)
    return ResidualModel(terms, case.problem()), batches


Parts = tuple[ResidualModel, Network, OwnNetwork, Coefficients, dict[str, Batch]]


@pytest.fixture(params=[name for name in CASES if name != "biharmonic"])
def twins(request: pytest.FixtureRequest) -> Parts:
    case = CASES[request.param]
    network = network_of(case, width=6)
    model, batches = batches_of(case)
    return model, network, twin_of(network, case.axes), coefficients_of(case), batches


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_residuals_and_jacobian_are_those_of_the_twin(twins: Parts) -> None:
    model, network, module, coefficients, batches = twins
    by_term = {term.name: 0.5 + k for k, term in enumerate(model.terms)}
    weights = row_weights(model, batches, by_term)
    expected, r = jacobian(model, network, coefficients, batches, weights)
    found, own_r = jacobian(model, module, coefficients, batches, weights)
    assert_close(own_r, r)
    assert_close(found, expected)


def test_products_are_those_of_the_jacobian(twins: Parts) -> None:
    model, _, module, coefficients, batches = twins
    by_term = {term.name: 0.5 + k for k, term in enumerate(model.terms)}
    weights = row_weights(model, batches, by_term)
    jac = jacobian(model, module, coefficients, batches, weights)[0][:, : module.num_parameters]
    rows = LinearisedRows(model, module, coefficients, batches, weights, tile=8)
    random = torch.Generator().manual_seed(1)
    for count in (2, 20):
        v = torch.randn(jac.shape[1], count, generator=random, dtype=DOUBLE)
        y = torch.randn(jac.shape[0], count, generator=random, dtype=DOUBLE)
        assert_close(rows.forward(v), jac @ v)
        assert_close(rows.adjoint(y), jac.T @ y)
    assert_close(rows.row_squares(slice(0, len(jac))), jac.square().sum(1))


@pytest.mark.parametrize("mode", ["loop", "vmap", "pairs", "grouped", None])
def test_moments_are_those_of_the_twin(twins: Parts, mode: str) -> None:
    model, network, module, coefficients, batches = twins
    arguments = (coefficients, batches, mode)
    expected = gradient_moments(model, network, *arguments)
    found = gradient_moments(model, module, *arguments)
    for name, moments in expected.items():
        pairs = [(found[name].mean, moments.mean)]
        if mode is not None:
            pairs.append((found[name].variance, moments.variance))
        for own_tensors, tensors in pairs:
            for a, b in zip(own_tensors, tensors, strict=True):
                assert_close(a, b)
        shapes = [tuple(p.shape) for p in module.weights]
        assert [tuple(g.shape) for g in found[name].mean[:-1]] == shapes


def test_beside_coefficient_fields_it_is_one_network_with_them() -> None:
    case = CASES["coupled"]
    options = NetworkOptions(width=5, depth=2, features=1.5)

    def fields(k: int) -> Network:
        random = torch.Generator().manual_seed(k)
        return Network(BOX, 1, options, is_periodic=[k > 0, False], generator=random)

    first = fields(0)
    layered, mixed = (
        JointNetwork([part, fields(1)]) for part in (first, twin_of(first, case.axes))
    )
    model, batches = batches_of(case)
    none = coefficients_of(case)
    ones = row_weights(model, batches, {term.name: 1.0 for term in model.terms})
    expected, r = jacobian(model, layered, none, batches, ones)
    found, own_r = jacobian(model, mixed, none, batches, ones)
    assert_close(own_r, r)
    assert_close(found, expected)
    means = [gradient_moments(model, n, none, batches, "pairs") for n in (layered, mixed)]
    for a, b in zip(means[1]["equation_1"].mean, means[0]["equation_1"].mean, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize(
    "layer",
    [nn.SiLU(), nn.GELU(), nn.Softplus(), nn.Mish(), nn.GroupNorm(1, 7), nn.Softmax(-1)],
    ids=lambda layer: type(layer).__name__,
)
def test_derivatives_are_those_of_finite_differences(layer: nn.Module) -> None:
    torch.manual_seed(1)
    network = own(nn.Sequential(nn.Linear(2, 7), nn.Tanh(), layer, nn.Linear(7, 1)))
    plan = Plan(("x", "t"), ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1)), (), (), {})
    points, h = points_of(CASES["heat"], 5), 1e-4
    with torch.no_grad():
        found = forward(network, plan, points, {}).outputs[..., 0]

        def at(dx: float, dt: float) -> Tensor:
            return network(points + h * torch.tensor([dx, dt], dtype=DOUBLE))[:, 0]

        cross = at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)
        expected = [
            at(0, 0),
            (at(1, 0) - at(-1, 0)) / (2 * h),
            (at(0, 1) - at(0, -1)) / (2 * h),
            (at(1, 0) - 2 * at(0, 0) + at(-1, 0)) / h**2,
            cross / (4 * h**2),
        ]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-5, atol=1e-5)


def test_rows_are_gradients_of_the_derivatives() -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(2, 7), nn.GroupNorm(1, 7), nn.SiLU(), nn.Linear(7, 1))
    network = own(module)
    plan = Plan(("x", "t"), ((0, 0), (1, 0), (2, 0)), (), (), {})
    points = points_of(CASES["heat"], 3)
    propagation = forward(network, plan, points, {})
    adjoints = torch.zeros_like(propagation.outputs)
    adjoints[2] = 1.0
    ((d, _),) = propagation.tapes[0].backward(adjoints)
    none = Coefficients((), DOUBLE)
    theta = flatten(network, none)
    h, moved = 1e-6, []
    for k in range(0, len(theta), 9):
        ends = []
        for sign in (1.0, -1.0):
            step = torch.zeros_like(theta)
            step[k] = sign * h
            assign(network, none, theta + step)
            ends.append(forward(network, plan, points, {}).outputs[2, :, 0])
        moved.append((ends[0] - ends[1]) / (2 * h))
    torch.testing.assert_close(d[0][:, ::9], torch.stack(moved, 1), rtol=1e-5, atol=1e-5)


def test_a_periodic_axis_repeats_with_all_its_derivatives() -> None:
    network = own(perceptron(3), is_periodic=(True, False))
    plan = Plan(("x", "t"), ((0, 0), (1, 0), (2, 0)), (), (), {})
    left = torch.tensor([[-0.5, 0.2], [0.1, 0.7]], dtype=DOUBLE)
    right = left + torch.tensor([2.0, 0.0], dtype=DOUBLE)
    ends = [forward(network, plan, points, {}).outputs for points in (left, right)]
    assert_close(*ends)


def test_the_module_is_copied_and_frozen_parameters_stay() -> None:
    module = perceptron()
    module[0].weight.requires_grad_(False)
    network = own(module)
    assert module[0].weight.dtype == torch.float32
    assert network.num_parameters == 7 + 7 + 1
    none = Coefficients((), DOUBLE)
    before = network.module[0].weight.clone()
    assign(network, none, flatten(network, none) + 1.0)
    assert torch.equal(network.module[0].weight, before)
    assert not torch.equal(network.module[2].weight.float(), module[2].weight)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(2, 1))
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x, self.w)


def branching(x: Tensor, w: Tensor) -> Tensor:
    return x @ w if x[0, 0] > 9 else 2 * x @ w


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (perceptron(3), "takes 3 input(s), and the problem has 2: x, t"),
        (perceptron(2, 2), "returns (5, 2) at 5 points, and the problem has 1 unknown(s)"),
        (Function(lambda x, w: (x @ w)[:, 0]), "returns (5,) at 5 points"),
        (Function(lambda x, w: [x]), "returns list"),
        (Function(lambda x, w: x @ w - (x @ w).mean()), "another value among others than alone"),
        (Function(lambda x, w: x[:, :5] @ w.T.reshape(3, 1)), "cannot be evaluated at points of 2"),
        (Function(branching), "cannot be differentiated"),
        (Function(lambda x, w: x @ w.detach() * w.sum()), "are not those of its values"),
        (nn.Sequential(nn.Linear(2, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 1)), "LayerNorm"),
        (nn.Flatten(), "has nothing to train"),
        (torch.sin, "the network is a"),
    ],
)
def test_what_cannot_be_solved_with_is_refused(module: nn.Module, told: str) -> None:
    with pytest.raises(InputError) as caught:
        own(module)
    assert told in str(caught.value)


def test_a_periodic_axis_counts_as_two_inputs() -> None:
    with pytest.raises(InputError) as caught:
        own(perceptron(2), is_periodic=(True, False))
    assert "takes 2 input(s), and the problem has 3: cos(x), sin(x), t" in str(caught.value)
