"""An arm of a study: AdamW or `PopulationRiskAdam` with its options, ready to train a model.

Decay is decoupled and acts on every weight, closed or not. The control of a gated arm is AdamW at
that arm's mean rate with the same decay per step: what is left between the two is *which*
coordinates the gate slows down, and when. The control by tensor has the mean rate of each tensor:
what is left then is what the gate does within a tensor, and in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from pinngate.errors import InputError
from pinngate.optim.gates import GATES
from pinngate.studies.study_settings import Settings
from pinngate.torch import (
    PerExample,
    PopulationRiskAdam,
    averaging_factor,
    finite_sample_threshold,
)

Rate = float | Mapping[str, float]

RHO = 0.99  # decay of the moving variance: the paper's and the optimizer's default


class Arm(Settings):
    """How one arm steps.

    Attributes:
        gate: "none" is AdamW.
        statistics: where the gate's variance comes from: successive gradients, or the examples of
            the batch by groups or exactly (`PerExample`).
        learning_rate: after warm-up.
        weight_decay: decoupled.
        alpha: threshold of the hard and soft gates; "finite" is b/(n−b).
        is_calibrated: whether α is multiplied by (1−β₁)/(1+β₁), the variance of Adam's average.
        strength: λ; None is (1−β₁)/(1+β₁), the paper's is 1.
        granularity: a q for each coordinate or for each tensor.
        control_of: the gated arm at whose mean rate this one runs.
        control_by: whether that is the mean over all weights or over each tensor.
    """

    gate: Literal["none", "hard", "soft", "snr"] = "none"
    statistics: Literal["streaming", "grouped", "pairs"] = "streaming"
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    alpha: float | Literal["finite"] = 1.0
    is_calibrated: bool = False
    strength: float | None = None
    granularity: Literal["parameter", "tensor"] = "parameter"
    control_of: str | None = None
    control_by: Literal["whole", "tensor"] = "whole"

    @property
    def is_gated(self) -> bool:
        """Whether there is a gate."""
        return self.gate != "none"

    def threshold(self, batch_size: int, num_examples: int, beta1: float) -> float:
        """Return α for batches of b from n examples."""
        alpha = self.alpha
        if alpha == "finite":
            alpha = finite_sample_threshold(batch_size, num_examples)
        return alpha * (averaging_factor(beta1) if self.is_calibrated else 1.0)


def check_controls(arms: Mapping[str, Arm]) -> None:
    """Raise InputError where a control belongs to no gated arm."""
    for name, arm in arms.items():
        whose = arm.control_of
        if whose is not None and not (whose in arms and arms[whose].is_gated):
            gated = [other for other, a in arms.items() if a.is_gated]
            raise InputError(
                f"arm {name}: control_of names '{whose}'",
                expected=f"a gated arm: {', '.join(gated) or 'there is none'}",
            )


def arm_optimizer(
    model: nn.Module,
    arm: Arm,
    *,
    betas: tuple[float, float],
    batch_size: int,
    num_examples: int,
    mean_rate: Rate = 1.0,
) -> torch.optim.Optimizer:
    """Return an arm's optimizer; arguments are those of `ArmTraining`."""
    groups: list[dict[str, Any]] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = mean_rate if isinstance(mean_rate, float) else mean_rate[name]
            # decay per step is rate · decay: a control keeps that of its gated arm
            stated = {"lr": arm.learning_rate * factor, "weight_decay": arm.weight_decay / factor}
            groups.append({"params": [parameter], **stated})
    if isinstance(mean_rate, float):
        groups = [{**groups[0], "params": [p for group in groups for p in group["params"]]}]
    if not arm.is_gated:
        return torch.optim.AdamW(groups, betas=betas)
    return PopulationRiskAdam(
        groups,
        betas=betas,
        gate=arm.gate,
        rho=RHO,
        threshold=arm.threshold(batch_size, num_examples, betas[0]),
        strength=arm.strength,
        granularity=arm.granularity,
        variance="streaming" if arm.statistics == "streaming" else "per-point",
    )


class ArmSettings(Settings):
    """Settings of a study that compares arms, swept beforehand on seeds of their own."""

    arms: dict[str, Arm]
    seeds: list[int]
    sweep_arms: dict[str, Arm]
    sweep_seeds: list[int]

    def task(self) -> dict[str, Any]:
        """Return what every cell depends on."""
        lists = {"arms", "seeds", "sweep_arms", "sweep_seeds"}
        return self.model_dump(exclude=lists, mode="json")


class ArmTraining:
    """Steps a model by an arm; tells how open the gate was.

    Args:
        model: to be trained.
        arm: how.
        betas: of Adam.
        batch_size: b.
        num_examples: n, from which batches are drawn.
        num_warm_up: steps over which the rate rises linearly.
        mean_rate: factor on the rate of a control, the mean gate of its gated arm; of each tensor
            by its name.
    """

    def __init__(
        self,
        model: nn.Module,
        arm: Arm,
        *,
        betas: tuple[float, float],
        batch_size: int,
        num_examples: int,
        num_warm_up: int = 0,
        mean_rate: Rate = 1.0,
    ) -> None:
        self.model = model
        self.arm = arm
        self.num_warm_up = num_warm_up
        self.num_steps = 0
        self.gate_sum = 0.0
        self.optimizer = arm_optimizer(
            model,
            arm,
            betas=betas,
            batch_size=batch_size,
            num_examples=num_examples,
            mean_rate=mean_rate,
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.examples: PerExample | None = None
        if arm.is_gated and arm.statistics != "streaming":
            self.examples = PerExample(model, mode=arm.statistics)

    def step(self, loss: Tensor) -> None:
        """Take one step on the mean loss of a batch."""
        self.num_steps += 1
        warmth = min(1.0, self.num_steps / max(1, self.num_warm_up))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * warmth
        self.optimizer.zero_grad()
        loss.backward()
        optimizer = self.optimizer
        if isinstance(optimizer, PopulationRiskAdam):
            if self.examples is not None:
                optimizer.attach_variance(self.examples.take().variance_of_gradient)
            optimizer.step()
            self.gate_sum += optimizer.gate_statistics()["mean"]
        else:
            optimizer.step()
            self.gate_sum += 1.0

    @property
    def mean_gate(self) -> float:
        """Mean over all steps so far of the mean gate; 1 without a gate."""
        return self.gate_sum / max(1, self.num_steps)

    @torch.no_grad()
    def gates(self) -> dict[str, Tensor]:
        """Return q of the last step by name of the parameter, 1 without a gate."""
        optimizer = self.optimizer
        named = {n: p for n, p in self.model.named_parameters() if p in optimizer.state}
        if not isinstance(optimizer, PopulationRiskAdam):
            return {name: torch.ones_like(p) for name, p in named.items()}
        return {name: _gate_of(optimizer, p) for name, p in named.items()}

    def close(self) -> None:
        """Remove the hooks from the model."""
        if self.examples is not None:
            self.examples.remove()

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "num_steps": self.num_steps,
            "gate_sum": self.gate_sum,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.num_steps = state["num_steps"]
        self.gate_sum = state["gate_sum"]


def _gate_of(optimizer: PopulationRiskAdam, parameter: Tensor) -> Tensor:
    """Evaluate the gate of the last step once more, from the averages that it has left."""
    group, state = optimizer.param_groups[0], optimizer.state[parameter]
    beta1, count = group["betas"][0], float(state["step"])
    mean = state["exp_avg"] / (1 - beta1**count)
    variance = state["variance"] / (1 - group["rho"] ** state["num_variances"])
    strength = averaging_factor(beta1) if group["strength"] is None else group["strength"]
    if group["granularity"] == "tensor":
        mean = mean.square().mean().sqrt().expand_as(mean)
        variance = variance.mean().expand_as(variance)
    return GATES[group["gate"]](mean, variance, threshold=group["threshold"], strength=strength)
