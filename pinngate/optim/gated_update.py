"""One gated AdamW update of many parameters: the functional form of `PopulationRiskAdam`.

Moving averages and gates of a list of parameters, without any state of its own, in two versions of
the same arithmetic: tensor by tensor, and by torch's foreach operations. Imports torch and the
gates alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pinngate.optim.gates import GATES, averaging_factor


@dataclass(slots=True)
class NoiseEstimate:
    """What the gate of one parameter compares, besides Adam's own averages.

    Attributes:
        variance: s, moving average of the variance of the mean gradient, not bias-corrected.
        num_variances: how many terms s has averaged, this step's included.
        batch_variance: variance of the mean gradient given for this step, None for streaming.
        mean: moving average of `batch_mean`, not bias-corrected; needed where that is given.
        num_means: how many terms `mean` has averaged, this step's included.
        batch_mean: the mean gradient given for this step, None to gate by the first moment.
    """

    variance: Tensor
    num_variances: int
    batch_variance: Tensor | None = None
    mean: Tensor | None = None
    num_means: int = 0
    batch_mean: Tensor | None = None


def population_risk_adam(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    noise: list[NoiseEstimate],
    *,
    foreach: bool | None = None,
    lr: float | Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    gate: str | None,
    rho: float,
    threshold: float,
    strength: float | None,
    granularity: str,
    maximize: bool,
) -> list[Tensor]:
    """Take one step of `PopulationRiskAdam` on lists of tensors, in place.

    Args:
        params: parameters to update; none of them empty.
        grads: their gradients.
        exp_avgs: first moments m, of the parameters' shapes, updated.
        exp_avg_sqs: second moments v, of the parameters' shapes, updated.
        state_steps: one-element tensors with the number of steps taken, incremented.
        noise: noise estimates, updated, with their counters already advanced; empty if `gate`
            is None.
        foreach: which version; None takes foreach when all parameters are on CUDA devices.
        lr: learning rate.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        eps: term in the denominator.
        weight_decay: decoupled weight decay.
        gate: name of the gate, or None.
        rho: decay of the variance.
        threshold: α of the gate.
        strength: λ of the gate, None for (1−β1)/(1+β1).
        granularity: "parameter" or "tensor".
        maximize: whether to ascend.

    Returns:
        The gate q of each parameter, of its shape or, for granularity "tensor", of shape ().
        Empty if `gate` is None.

    Raises:
        ValueError: `lr` is a tensor and `foreach` is True.
    """
    if foreach is None:
        foreach = not isinstance(lr, Tensor) and all(param.is_cuda for param in params)
    if foreach and isinstance(lr, Tensor):
        raise ValueError("lr: a tensor is not supported with foreach=True")
    take_step = _multi_tensor if foreach else _single_tensor
    return take_step(
        params,
        grads,
        exp_avgs,
        exp_avg_sqs,
        state_steps,
        noise,
        _Hyperparameters(
            lr=lr.squeeze() if isinstance(lr, Tensor) else lr,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            weight_decay=weight_decay,
            gate=gate,
            rho=rho,
            threshold=threshold,
            strength=averaging_factor(beta1) if strength is None else strength,
            granularity=granularity,
            maximize=maximize,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Hyperparameters:
    lr: Any  # a number, or a tensor of shape (): the arithmetic is the same
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    gate: str | None
    rho: float
    threshold: float
    strength: float
    granularity: str
    maximize: bool

    def evaluate_gate(self, mean: Tensor, variance: Tensor, scale: float) -> Tensor:
        return GATES[str(self.gate)](
            mean, variance, threshold=self.threshold * scale, strength=self.strength * scale
        )


def _single_tensor(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    noise: list[NoiseEstimate],
    hyper: _Hyperparameters,
) -> list[Tensor]:
    gates: list[Tensor] = []
    for i, param in enumerate(params):
        grad = -grads[i] if hyper.maximize else grads[i]
        exp_avg, exp_avg_sq = exp_avgs[i], exp_avg_sqs[i]
        state_steps[i] += 1
        step = state_steps[i].item()

        # The order of operations below is torch.optim.AdamW's: without a gate the results agree
        # to the last bit only as long as it stays so.
        if hyper.weight_decay != 0:
            param.mul_(1 - hyper.lr * hyper.weight_decay)
        if hyper.gate is not None:
            _average_statistics(noise[i], grad, exp_avg, hyper)
        exp_avg.lerp_(grad, 1 - hyper.beta1)
        exp_avg_sq.mul_(hyper.beta2).addcmul_(grad, grad, value=1 - hyper.beta2)

        bias_correction1 = 1 - hyper.beta1**step
        bias_correction2_sqrt = (1 - hyper.beta2**step) ** 0.5
        denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(hyper.eps)
        numerator = exp_avg
        if hyper.gate is not None:
            mean, scale = _gated_mean(noise[i], exp_avg, step, hyper)
            variance = noise[i].variance
            if hyper.granularity == "tensor":
                mean, variance = _tensor_moments(mean, variance)
            q = hyper.evaluate_gate(mean, variance, scale)
            gates.append(q)
            numerator = exp_avg * q
            if hyper.eps == 0:
                denom.masked_fill_(denom == 0, math.inf)
        step_size = hyper.lr / bias_correction1
        param.addcdiv_(numerator, denom, value=-step_size)
    return gates


def _multi_tensor(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    state_steps: list[Tensor],
    noise: list[NoiseEstimate],
    hyper: _Hyperparameters,
) -> list[Tensor]:
    gates: dict[int, Tensor] = {}
    for indices in _alike(params, grads, state_steps, noise):
        for i in indices:
            state_steps[i] += 1
        qs = _step_alike(
            [params[i] for i in indices],
            [grads[i] for i in indices],
            [exp_avgs[i] for i in indices],
            [exp_avg_sqs[i] for i in indices],
            state_steps[indices[0]].item(),
            [noise[i] for i in indices] if noise else [],
            hyper,
        )
        gates.update(zip(indices, qs, strict=False))
    return [gates[i] for i in sorted(gates)]


def _step_alike(
    params: list[Tensor],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    exp_avg_sqs: list[Tensor],
    step: float,
    noise: list[NoiseEstimate],
    hyper: _Hyperparameters,
) -> list[Tensor]:
    """Step tensors that are alike together, and return their gates, none without a gate."""
    if hyper.maximize:
        grads = list(torch._foreach_neg(grads))
    if hyper.weight_decay != 0:
        torch._foreach_mul_(params, 1 - hyper.lr * hyper.weight_decay)
    if hyper.gate is not None:
        _average_statistics_foreach(noise, grads, exp_avgs, hyper)
    torch._foreach_lerp_(exp_avgs, grads, 1 - hyper.beta1)
    torch._foreach_mul_(exp_avg_sqs, hyper.beta2)
    torch._foreach_addcmul_(exp_avg_sqs, grads, grads, 1 - hyper.beta2)

    bias_correction1 = 1 - hyper.beta1**step
    bias_correction2_sqrt = (1 - hyper.beta2**step) ** 0.5
    denoms = list(torch._foreach_sqrt(exp_avg_sqs))
    torch._foreach_div_(denoms, bias_correction2_sqrt)
    torch._foreach_add_(denoms, hyper.eps)
    numerators, gates = exp_avgs, []
    if hyper.gate is not None:
        gates = _gates_together(noise, exp_avgs, step, hyper)
        numerators = list(torch._foreach_mul(exp_avgs, gates))
        if hyper.eps == 0:
            for denom in denoms:
                denom.masked_fill_(denom == 0, math.inf)
    step_size = hyper.lr / bias_correction1
    torch._foreach_addcdiv_(params, numerators, denoms, -step_size)
    return gates


def _alike(
    params: list[Tensor],
    grads: list[Tensor],
    state_steps: list[Tensor],
    noise: list[NoiseEstimate],
) -> list[list[int]]:
    """Return the indices in groups of one device, type and set of bias corrections."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, param in enumerate(params):
        key: tuple[object, ...] = (
            param.device,
            param.dtype,
            grads[i].dtype,
            state_steps[i].item(),
        )
        if noise:
            estimate = noise[i]
            has_mean = estimate.batch_mean is not None
            key += (
                estimate.num_variances,
                estimate.batch_variance is not None,
                has_mean,
                estimate.num_means if has_mean else 0,
            )
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _average_statistics(
    noise: NoiseEstimate,
    grad: Tensor,
    exp_avg: Tensor,
    hyper: _Hyperparameters,
) -> None:
    """Update s, and the mean that goes with it if one is given; `exp_avg` is the last step's."""
    if noise.batch_variance is None:
        deviation = grad - exp_avg
        noise.variance.mul_(hyper.rho).addcmul_(deviation, deviation, value=1 - hyper.rho)
    else:
        noise.variance.mul_(hyper.rho).add_(noise.batch_variance.clamp(min=0), alpha=1 - hyper.rho)
    if noise.batch_mean is not None and noise.mean is not None:
        # Its sign is left as it came, whichever way the step goes: gates see the square.
        noise.mean.lerp_(noise.batch_mean, 1 - hyper.beta1)


def _average_statistics_foreach(
    noise: list[NoiseEstimate],
    grads: list[Tensor],
    exp_avgs: list[Tensor],
    hyper: _Hyperparameters,
) -> None:
    """Do as `_average_statistics` for tensors that are alike."""
    variances = [estimate.variance for estimate in noise]
    # On CPUs the foreach product rounds a number, but not a tensor, to the tensors' own type first:
    # bfloat16 would make 0.988 of 0.99.
    is_rounded = variances[0].is_cpu and variances[0].element_size() < 4
    torch._foreach_mul_(variances, torch.tensor(hyper.rho) if is_rounded else hyper.rho)
    batch_variances = [n.batch_variance for n in noise if n.batch_variance is not None]
    if batch_variances:
        terms = torch._foreach_clamp_min(batch_variances, 0.0)
        torch._foreach_add_(variances, terms, alpha=1 - hyper.rho)
    else:
        deviations = torch._foreach_sub(grads, exp_avgs)
        torch._foreach_addcmul_(variances, deviations, deviations, 1 - hyper.rho)
    _average_means_foreach(noise, hyper)


def _average_means_foreach(noise: list[NoiseEstimate], hyper: _Hyperparameters) -> None:
    batch_means = [n.batch_mean for n in noise if n.batch_mean is not None]
    if batch_means:
        means = [estimate.mean for estimate in noise if estimate.mean is not None]
        torch._foreach_lerp_(means, batch_means, 1 - hyper.beta1)


def _gated_mean(
    noise: NoiseEstimate, exp_avg: Tensor, step: float, hyper: _Hyperparameters
) -> tuple[Tensor, float]:
    """Return the uncorrected mean to gate by, and the factor that corrects α and λ instead.

    A gate sees ŝ/m̂² only through α ŝ/m̂² and λ ŝ/m̂², so both bias corrections can go into the two
    constants, ŝ/m̂² = (s/m²)(1−β1^t)²/(1−ρ^t'), and no corrected tensor is ever formed.
    """
    is_given = noise.batch_mean is not None and noise.mean is not None
    mean = noise.mean if is_given and noise.mean is not None else exp_avg
    num_means = noise.num_means if is_given else step
    return mean, (1 - hyper.beta1**num_means) ** 2 / (1 - hyper.rho**noise.num_variances)


def _tensor_moments(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the root mean square of `mean` and the mean of `variance`, of shape ()."""
    wide = torch.promote_types(mean.dtype, torch.float32)
    magnitude = mean.to(wide).abs()
    # Relative to the largest, so that squares of small gradients do not underflow.
    peak = magnitude.amax().clamp_min(torch.finfo(wide).tiny)
    return peak * (magnitude / peak).square_().mean().sqrt(), variance.mean(dtype=wide)


def _gates_together(
    estimates: list[NoiseEstimate], exp_avgs: list[Tensor], step: float, hyper: _Hyperparameters
) -> list[Tensor]:
    """Evaluate the gates of tensors that are alike as one vector: few launches however many."""
    means, variances, scale = _compared(estimates, exp_avgs, step, hyper)
    q = hyper.evaluate_gate(
        torch.cat([mean.reshape(-1) for mean in means]),
        torch.cat([variance.reshape(-1) for variance in variances]),
        scale,
    )
    pieces = q.split([mean.numel() for mean in means])
    return [piece.view(mean.shape) for piece, mean in zip(pieces, means, strict=True)]


def _compared(
    estimates: list[NoiseEstimate], exp_avgs: list[Tensor], step: float, hyper: _Hyperparameters
) -> tuple[list[Tensor], list[Tensor], float]:
    """Return the means and variances that the gates of tensors that are alike compare.

    The last of the three is the factor on α and λ, the same for all, see `_gated_mean`.
    """
    pairs = [
        _gated_mean(estimate, exp_avg, step, hyper)
        for estimate, exp_avg in zip(estimates, exp_avgs, strict=True)
    ]
    means, scale = [mean for mean, _ in pairs], pairs[0][1]
    variances = [estimate.variance for estimate in estimates]
    if hyper.granularity == "tensor":
        moments = [_tensor_moments(m, s) for m, s in zip(means, variances, strict=True)]
        means, variances = [m for m, _ in moments], [s for _, s in moments]
    return means, variances, scale
