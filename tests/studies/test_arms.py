"""Arms step as the optimizers they name; a control keeps the decay per step of its gated arm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pinngate.errors import InputError
from pinngate.studies.arms import Arm, ArmTraining, check_controls
from pinngate.studies.step_effects import free_steps, second_moments, step_metric
from pinngate.torch import PopulationRiskAdam, averaging_factor, finite_sample_threshold

BETAS = (0.9, 0.99)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten(0))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(1)
    return torch.randn(8, 3, generator=source), torch.randn(8, generator=source)


def trained(arm: Arm, count: int = 5, **options: float) -> ArmTraining:
    training = ArmTraining(model(), arm, betas=BETAS, batch_size=8, num_examples=40, **options)
    x, y = batch()
    for _ in range(count):
        training.step((training.model(x) - y).square().mean())
    return training


def test_without_a_gate_an_arm_is_adamw() -> None:
    found = trained(Arm(learning_rate=0.01, weight_decay=0.1))
    own, (x, y) = model(), batch()
    optimizer = torch.optim.AdamW(own.parameters(), lr=0.01, betas=BETAS, weight_decay=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (own(x) - y).square().mean().backward()
        optimizer.step()
    for a, b in zip(found.model.parameters(), own.parameters(), strict=True):
        assert torch.equal(a, b)
    assert found.mean_gate == 1.0


@pytest.mark.parametrize("statistics", ["streaming", "grouped", "pairs"])
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
def test_the_gate_is_that_of_the_last_step(statistics: str, granularity: str) -> None:
    arm = Arm(
        gate="snr", statistics=statistics, granularity=granularity, learning_rate=0.01, strength=1.0
    )
    found = trained(arm)
    assert isinstance(found.optimizer, PopulationRiskAdam)
    q = torch.cat([g.reshape(-1) for g in found.gates().values()])
    stated = found.optimizer.gate_statistics()
    assert float(q.mean()) == pytest.approx(stated["mean"], rel=1e-4)
    assert 0 < found.mean_gate < 1


def test_the_metric_times_the_gradient_is_the_step() -> None:
    arm = Arm(gate="snr", learning_rate=0.01, strength=1.0)
    training = trained(arm, 4)
    before = {n: p.detach().clone() for n, p in training.model.named_parameters()}
    x, y = batch()
    training.step((training.model(x) - y).square().mean())
    metric, free, opened = step_metric(training), free_steps(training), training.gates()
    for name, parameter in training.model.named_parameters():
        state = training.optimizer.state[parameter]
        mean = state["exp_avg"] / (1 - BETAS[0] ** 5)
        moved = before[name] - parameter.detach()
        torch.testing.assert_close(moved, metric[name] * mean, rtol=1e-3, atol=1e-7)
        torch.testing.assert_close(moved, 0.01 * opened[name] * free[name], rtol=1e-3, atol=1e-7)


def test_second_moments_are_those_of_the_examples() -> None:
    training = trained(Arm(gate="snr", statistics="pairs", learning_rate=0.01), 2)
    x, y = batch()
    found = second_moments(training, x, y)
    expected = {n: torch.zeros_like(p) for n, p in training.model.named_parameters()}
    for k in range(len(y)):
        training.model.zero_grad()
        (training.model(x[k : k + 1]) - y[k : k + 1]).square().mean().backward()
        for name, parameter in training.model.named_parameters():
            expected[name] += parameter.grad.square() / len(y)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


def test_a_control_keeps_the_decay_of_a_step() -> None:
    training = trained(Arm(learning_rate=0.01, weight_decay=0.5), 1, mean_rate=0.1)
    group = training.optimizer.param_groups[0]
    assert group["lr"] * group["weight_decay"] == pytest.approx(0.01 * 0.5)
    assert group["lr"] == pytest.approx(0.001)


def test_the_rate_rises_over_warm_up() -> None:
    training = trained(Arm(learning_rate=0.01), 2, num_warm_up=4)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(0.005)


def test_thresholds() -> None:
    finite = finite_sample_threshold(8, 40)
    assert Arm(learning_rate=1, alpha="finite").threshold(8, 40, 0.9) == finite
    calibrated = Arm(learning_rate=1, alpha="finite", is_calibrated=True)
    assert calibrated.threshold(8, 40, 0.9) == pytest.approx(finite * averaging_factor(0.9))


def test_training_goes_on_from_its_state() -> None:
    arm = Arm(gate="snr", learning_rate=0.01, strength=1.0)
    whole, half = trained(arm, 6), trained(arm, 3)
    resumed = ArmTraining(model(), arm, betas=BETAS, batch_size=8, num_examples=40)
    resumed.load_state_dict(half.state_dict())
    x, y = batch()
    for _ in range(3):
        resumed.step((resumed.model(x) - y).square().mean())
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert resumed.mean_gate == whole.mean_gate


def test_a_control_of_nothing_is_told() -> None:
    plain = Arm(learning_rate=1)
    with pytest.raises(InputError, match="control_of"):
        check_controls({"a": plain, "b": Arm(learning_rate=1, control_of="a")})
