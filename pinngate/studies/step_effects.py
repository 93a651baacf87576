"""What steps do: Adam's free step, the metric of a step, and second moments of gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pinngate.studies.arms import ArmTraining
from pinngate.torch import PerExample


@torch.no_grad()
def free_steps(training: ArmTraining) -> dict[str, Tensor]:
    """Return Adam's last step without gate and rate, m̂/(√v̂ + ε), by name of the parameter."""
    beta1 = training.optimizer.param_groups[0]["betas"][0]
    steps = {}
    for name, state, size in _sizes(training):
        steps[name] = state["exp_avg"] / (1 - beta1 ** float(state["step"])) / size
    return steps


@torch.no_grad()
def step_metric(training: ArmTraining) -> dict[str, Tensor]:
    """Return D = η q/(√v̂ + ε) of the last step by name: what multiplies a gradient."""
    rate, opened = training.optimizer.param_groups[0]["lr"], training.gates()
    return {name: rate * opened[name] / size for name, _, size in _sizes(training)}


def _sizes(training: ArmTraining) -> list[tuple[str, dict[str, Any], Tensor]]:
    group = training.optimizer.param_groups[0]
    beta2 = group["betas"][1]
    found = []
    for name, parameter in training.model.named_parameters():
        state = training.optimizer.state[parameter]
        second = state["exp_avg_sq"] / (1 - beta2 ** float(state["step"]))
        found.append((name, state, second.sqrt() + group["eps"]))
    return found


def second_moments(training: ArmTraining, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Return E g² over the examples of a batch, of the squared error; nothing is stepped.

    Cost: a forward and a backward pass, and the exact moments of `PerExample`.
    """
    model = training.model
    model.zero_grad()
    with PerExample(model, mode="pairs") as examples:
        (model(inputs) - targets).square().mean().backward()
        moments = examples.take()
    if training.examples is not None:
        training.examples.take()  # which has seen this batch as well
    model.zero_grad()
    return {n: moments.variance[p] + moments.mean[p].square() for n, p in model.named_parameters()}
