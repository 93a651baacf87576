"""Gates: how far to trust each coordinate of a noisy mean gradient, as a number q in [0, 1].

A step on a coordinate helps the population, to first order, by the leave-one-out product of the
per-example gradients g_1 … g_b (arXiv 2605.01172),

    (1/b) Σ_i g_i · mean_{j≠i} g_j  =  mean² − σ²/(b−1),

with σ² the biased sample variance. ``variance`` below is the variance *of the mean*, σ²/(b−1), so
the rule reads mean² > variance. First stage of the optimizers, pure functions of tensors.

Every gate depends on u = variance / mean² alone, so it is free of scale: (c·mean, c²·variance)
gives the same q for every c > 0. u is formed as (√variance / |mean|)², because mean² underflows in
float32 below |mean| ≈ 1e-23, where a gradient is still perfectly good. By convention q = 0 where
the mean is 0, whatever the variance, and q = 1 where the variance alone is 0. bfloat16 and float16
are evaluated in float32. NaN in an input gives NaN, except in `hard`, which closes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

# At the first step of a moving average mean² and variance are equal in exact arithmetic, and
# rounding alone would open coordinates at random: a tie to within a few roundings counts as closed.
_TIE_ROUNDINGS = 8.0


def averaging_factor(beta: float) -> float:
    """Return the variance of a long moving average of white noise, in units of the noise's own.

    (1−β)/(1+β): 0.0526 for β = 0.9. With it as `strength` (or `threshold`) a gate that compares the
    moving average of the gradient with the variance of one gradient is calibrated; 1 in its place
    is a test at about 4.5 standard deviations. It is the limit, after many steps, of the factor
    of M-SVAG (Balles & Hennig, arXiv 1705.07774).
    """
    return (1.0 - beta) / (1.0 + beta)


def finite_sample_threshold(batch_size: int, num_examples: int) -> float:
    """Return α = b/(n−b), the leave-one-out threshold for batches of b from a finite set of n.

    With ŝ = σ²/b the squared mean has to exceed σ²/(n−b), the noise of a mean over the rest of the
    set: 0.28 for 512 of 2,328, and less the larger the set. For the noise of the batch itself, as
    where every batch is fresh, α is 1. Neither counts that m̂ averages many batches: multiply by
    ``averaging_factor(β1)`` for that.

    Raises:
        ValueError: not 0 < b < n; a batch of all examples has no noise of sampling.

    Source: arXiv 2605.01172, equation 245.
    """
    if not 0 < batch_size < num_examples:
        raise ValueError(
            f"batch_size: got {batch_size}, expected at least 1 and less than the number of "
            f"examples, {num_examples}"
        )
    return batch_size / (num_examples - batch_size)


def _noise_to_signal(mean: Tensor, variance: Tensor) -> Tensor:
    """Return u = variance/mean², at most the largest finite number and NaN where both are 0."""
    wide = torch.promote_types(mean.dtype, torch.float32)
    ratio = variance.to(wide).sqrt().div_(mean.to(wide).abs())
    return ratio.square_().clamp_(max=torch.finfo(wide).max)


def _excess(noise_to_signal: Tensor, alpha: float, dtype: torch.dtype) -> Tensor:
    """Return max(mean² − α·variance, 0)/mean² = max(1 − αu, 0), with ties rounded to 0."""
    excess = 1.0 - alpha * noise_to_signal
    tie = _TIE_ROUNDINGS * torch.finfo(dtype).eps
    return torch.where(excess <= tie, torch.zeros_like(excess), excess)


def hard(mean: Tensor, variance: Tensor, alpha: float) -> Tensor:
    """Return q = 1 where mean² > α·variance, 0 elsewhere.

    Args:
        mean: mean gradient, any shape.
        variance: variance of that mean, at least 0, of the same shape; same units squared.
        alpha: threshold α ≥ 0. 1 is the leave-one-out test for fresh batches of b examples,
            b/(n−b) for batches from a finite set of n.

    Returns:
        q of the shape and type of `mean`. Closed on a tie (to eight units of rounding) and on NaN.

    Source: arXiv 2605.01172, hard gate. Cost: a handful of passes over the tensor.
    """
    excess = _excess(_noise_to_signal(mean, variance), alpha, mean.dtype)
    return ((excess > 0) & (mean != 0)).to(mean.dtype)


def soft(mean: Tensor, variance: Tensor, alpha: float, strength: float) -> Tensor:
    """Return q = d/(d + λ·variance) with d = max(mean² − α·variance, 0).

    Args:
        mean: mean gradient, any shape.
        variance: variance of that mean, at least 0, of the same shape.
        alpha: threshold α ≥ 0, as in `hard`; closed below it.
        strength: λ ≥ 0, how slowly the gate opens above the threshold; 0 is `hard`.

    Returns:
        q of the shape and type of `mean`.

    Source: arXiv 2605.01172, soft gate. Cost: a handful of passes over the tensor.
    """
    noise_to_signal = _noise_to_signal(mean, variance)
    excess = _excess(noise_to_signal, alpha, mean.dtype)
    # Where the gate is closed the denominator may be 0 too (λ = 0) and the quotient 0/0.
    is_closed = (excess == 0) | (mean == 0)
    q = excess / (excess + strength * noise_to_signal)
    return q.masked_fill_(is_closed, 0.0).to(mean.dtype)


def snr(mean: Tensor, variance: Tensor, strength: float) -> Tensor:
    """Return q = mean²/(mean² + λ·variance), the Wiener shrinkage of the mean.

    Args:
        mean: mean gradient, any shape.
        variance: variance of that mean, at least 0, of the same shape.
        strength: λ ≥ 0; 0 opens every coordinate with a non-zero mean.

    Returns:
        q of the shape and type of `mean`.

    Source: arXiv 2605.01172, snr gate; the same shrinkage as arXiv 1705.07774 (M-SVAG).
    Cost: a handful of passes over the tensor.
    """
    q = _noise_to_signal(mean, variance).mul_(strength).add_(1.0).reciprocal_()
    return q.masked_fill_(mean == 0, 0.0).to(mean.dtype)


class Gate(Protocol):
    """A gate by its uniform signature; a gate ignores the constant it has no use for."""

    def __call__(
        self, mean: Tensor, variance: Tensor, *, threshold: float, strength: float
    ) -> Tensor:
        """Return q in [0, 1], of the shape and type of `mean`."""


def _hard_gate(mean: Tensor, variance: Tensor, *, threshold: float, strength: float) -> Tensor:
    return hard(mean, variance, threshold)


def _soft_gate(mean: Tensor, variance: Tensor, *, threshold: float, strength: float) -> Tensor:
    return soft(mean, variance, threshold, strength)


def _snr_gate(mean: Tensor, variance: Tensor, *, threshold: float, strength: float) -> Tensor:
    return snr(mean, variance, strength)


GATES: Mapping[str, Gate] = MappingProxyType(
    {"hard": _hard_gate, "soft": _soft_gate, "snr": _snr_gate}
)
"""The gates by name: ``GATES[name](mean, variance, threshold=alpha, strength=lam)``."""
