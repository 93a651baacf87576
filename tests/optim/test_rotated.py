"""First-order steps in the eigenbasis of each layer's gradient."""

from __future__ import annotations

import copy

import pytest
import torch

from pinngate import config
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.registry import resolve
from pinngate.optim.rotated import PERIOD, RotatedFirstOrder
from pinngate.runs.training import begin

SMALL = ("solve.network={width: 8, depth: 2}", "solve.collocation=32", "solve.iterations=40")


def stepper_of(*overrides: str) -> FirstOrder:
    path = config.resolve("burgers-inverse")
    problem = config.load(path, overrides=[*SMALL, "observations.0.count=60", *overrides])
    stepper = begin(resolve(problem)).stepper
    assert isinstance(stepper, FirstOrder)
    return stepper


def rotated(*overrides: str) -> RotatedFirstOrder:
    stepper = stepper_of("solve.basis=layers", *overrides)
    assert isinstance(stepper, RotatedFirstOrder)
    return stepper


GATED = "solve.optimizer=population-risk-adam"


def test_until_the_basis_first_turns_steps_are_those_of_the_weights_own() -> None:
    pair = stepper_of("solve.optimizer=adam"), rotated("solve.optimizer=adam")
    for stepper in pair:
        stepper.step()
    for own, other in zip(*(s.network.parameters() for s in pair), strict=True):
        assert torch.equal(own, other)


def test_turning_the_basis_moves_nothing() -> None:
    """Weights and first moments are the same before and after, in the network's coordinates."""
    stepper = rotated(GATED, "solve.precision=float64")
    points = torch.rand(20, 2, dtype=torch.float64)
    for _ in range(PERIOD + 2):
        stepper.step()
    assert stepper.bases[0] is None
    weight = stepper.parameters[2]
    fields = stepper.network(points).detach()
    left, right = stepper.bases[1]
    moment = left @ stepper.optimizer.state[weight]["exp_avg"] @ right.T
    stepper._turn()
    stepper._write_back()
    new_left, new_right = stepper.bases[1]
    assert not torch.allclose(left, new_left)
    for basis in (new_left, new_right):
        torch.testing.assert_close(basis.T @ basis, torch.eye(len(basis), dtype=torch.float64))
    torch.testing.assert_close(stepper.network(points).detach(), fields)
    turned = new_left @ stepper.optimizer.state[weight]["exp_avg"] @ new_right.T
    torch.testing.assert_close(turned, moment)


def test_the_basis_diagonalises_the_average_of_the_gradients() -> None:
    stepper = rotated(GATED, "solve.precision=float64")
    for _ in range(1):
        stepper.step()
    left, right = stepper.bases[1]
    for average, basis in zip(stepper.averages[1], (left, right), strict=True):
        found = basis.T @ average @ basis
        off = found - found.diag().diag()
        assert float(off.abs().max()) < 1e-10 * float(found.diag().max())


def test_coefficients_and_weights_are_written_back() -> None:
    stepper = rotated(GATED)
    before = [p.detach().clone() for p in stepper.network.parameters()]
    raw = stepper.coefficients.raw.detach().clone()
    for _ in range(PERIOD + 1):
        stepper.step()
    assert not torch.equal(stepper.coefficients.raw, raw)
    assert all(
        not torch.equal(a, b) for a, b in zip(before, stepper.network.parameters(), strict=True)
    )


@pytest.mark.parametrize("statistics", ["grouped", "pairs", "streaming"])
def test_going_on_from_a_checkpoint_is_bitwise_the_same(statistics: str) -> None:
    overrides = (GATED, f"solve.statistics={statistics}")
    first, second = rotated(*overrides), rotated(*overrides)
    for _ in range(PERIOD + 3):
        first.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(PERIOD):
        first.step()
        second.step()
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


RING = """\
pinngate: 1
name: ring
domain: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: ["u_t = (k*u_x)_x"]
conditions: [{periodic: x}]
estimate: {k: {over: x, initial: 0.1, positive: true, truth: 0.1}}
observations: [{of: u, where: t = 0, count: 30, noise: {std: 0.1}}]
truth: {u: "exp(-4*pi**2*0.1*t)*sin(2*pi*x)"}
"""


def test_wave_numbers_of_periodic_axes_stay_where_there_are_several_networks() -> None:
    overrides = [*SMALL, GATED, "solve.basis=layers"]
    stepper = begin(resolve(config.loads(RING, overrides=overrides))).stepper
    assert isinstance(stepper, RotatedFirstOrder)
    network = stepper.network
    assert len(network.first_layers) == 2
    held = [network.linears[k].weight[:, 0].detach().clone() for k in network.first_layers]
    for _ in range(2 * PERIOD):
        stepper.step()
    for before, k in zip(held, network.first_layers, strict=True):
        assert torch.equal(network.linears[k].weight[:, 0], before)
    assert sum(basis is not None for basis in stepper.bases) == len(network.linears) - 2
