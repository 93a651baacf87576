"""One damped Gauss–Newton step with geodesic acceleration.

The stiff physics of a small network makes a narrow curved valley of the loss. A second-order
correction along the step keeps to its floor (M. K. Transtrum and J. P. Sethna, arXiv 1201.5885).
With δ₁ the damped step and f_vv the residuals' second derivative along it, by finite differences,

    δ = δ₁ + a,   a = argmin ‖½ f_vv + J a‖² + (α + μ)‖a‖²,

which costs one evaluation of the residuals and one solve with what has been factorised already. A
step whose correction is not small beside it is refused, whatever it promises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.linear.system import LinearisedSystem

PROBE = 0.1  # part of the step at which its curvature is measured
MAX_CORRECTION = 0.75  # most of 2‖a‖/‖δ₁‖, as Transtrum and Sethna advise
NUM_TRIES = 8
LEAST_DAMPING = 1e-10


@dataclass(frozen=True)
class Restraint:
    """What holds a step back.

    Attributes:
        ridge: α on the weights, from their centre.
        damping: μ on all columns, from where they are.
        least_damping: below which μ does not fall.
        proximity: μ of the unpenalised columns beside that.
    """

    ridge: float
    damping: float
    least_damping: float = LEAST_DAMPING
    proximity: float = 0.0


@dataclass(frozen=True)
class Step:
    """An accepted step δ, actual over predicted reduction, and the damping to go on with.

    `delta` is None where every try was refused.
    """

    delta: Tensor | None
    gain: float
    damping: float


def descend(
    residuals: Callable[[Tensor], Tensor],
    system: LinearisedSystem,
    r: Tensor,
    offset: Tensor,
    restraint: Restraint,
    *,
    is_accelerated: bool = True,
) -> Step:
    """Take a step that lowers ‖r‖² + α‖w − w₀‖², α and μ held.

    Args:
        residuals: r at the present parameters moved by δ (columns of J): (C,) → (N,).
        system: of J (N, C).
        r: residuals now, (N,).
        offset: w − w₀, (P,); the first P columns of J are weights.
        restraint: α, μ and their bounds.
        is_accelerated: whether to correct for curvature.
    """
    ridge, damping, proximity = restraint.ridge, restraint.damping, restraint.proximity
    before = float(r.square().sum() + ridge * offset.square().sum())
    for _ in range(NUM_TRIES):
        total = ridge + damping
        # α‖w + δ − w₀‖² + μ‖δ‖² is (α + μ)‖δ − s‖² and a constant
        s = -ridge / total * offset
        v, c = system.minimiser(total, r + system.apply(s), damping + proximity)
        delta = torch.cat([s + v, c])
        change = system.apply(delta)
        predicted = float((r + change).square().sum()) + _distance(ridge, offset, delta)
        after = math.nan
        if is_accelerated:
            curved = (residuals(PROBE * delta) - r) / PROBE - change
            v, c = system.minimiser(total, curved / PROBE, damping + proximity)
            correction = torch.cat([v, c])
            is_small = bool(2 * correction.norm() < MAX_CORRECTION * delta.norm())
            delta = delta + correction
        if not is_accelerated or is_small:
            after = float(residuals(delta).square().sum()) + _distance(ridge, offset, delta)
        if after < before:
            gain = (before - after) / max(before - predicted, 1e-300)
            if gain > 0.7:
                damping = max(0.2 * damping, restraint.least_damping)
            elif gain < 0.25:
                damping *= 2
            return Step(delta, gain, damping)
        damping *= 4
    return Step(None, 0.0, damping)


def _distance(ridge: float, offset: Tensor, delta: Tensor) -> float:
    return ridge * float((offset + delta[: len(offset)]).square().sum())
