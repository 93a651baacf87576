"""The noise of one observation set as a likelihood: Gaussian, or Student-t with heavy tails.

Pure functions of residuals. A Student-t model is chosen by likelihood and met by iteratively
reweighted least squares (K. L. Lange, R. J. A. Little and J. M. G. Taylor, J. Amer. Statist. Assoc.
84, 1989, 881-896).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseModel:
    """Gaussian noise (`dof` None) or Student-t noise of `dof` degrees and size `scale`."""

    dof: float | None = None
    scale: float | None = None

    def weights(self, residuals: Tensor) -> Tensor:
        """Return (ν + 1)/(ν + (r/s)²), the weights of iteratively reweighted least squares."""
        if self.dof is None or self.scale is None:
            return torch.ones_like(residuals)
        return (self.dof + 1) / (self.dof + (residuals / self.scale).square())

    def equivalent_variance(self, residuals: Tensor) -> float:
        """Return the variance of the Gaussian that gives the residuals (n,) the same likelihood.

        exp(2·m − 1 − log 2π) with m their mean negative log-likelihood; for Gaussian noise their
        mean square. A weighted mean square would reward a model that gives up on what it misses.
        """
        if self.dof is None or self.scale is None:
            return float(residuals.square().mean())
        mean = float(torch.log1p((residuals / self.scale).square() / self.dof).mean())
        mean = 0.5 * (self.dof + 1) * mean + math.log(self.scale) + log_constant(self.dof)
        return math.exp(2 * mean - 1 - math.log(2 * math.pi))


def log_constant(dof: float) -> float:
    """Return log of √(νπ) Γ(ν/2)/Γ((ν + 1)/2), what normalises a Student-t density of size one."""
    return 0.5 * math.log(dof * math.pi) + math.lgamma(dof / 2) - math.lgamma((dof + 1) / 2)


DEGREES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)


def fit_student_t(residuals: Tensor, evidence: float = 4.0) -> NoiseModel:
    """Choose between Gaussian and Student-t noise by likelihood.

    Args:
        residuals: (n,), of mean about zero.
        evidence: by how much the Student-t log-likelihood must exceed the Gaussian one. Four is a
            one-in-two-hundred event for Gaussian data, which therefore keep their full efficiency.

    Returns:
        The model; scales are maximum-likelihood (fixed-point iteration of the EM algorithm).
    """
    n = len(residuals)
    square = residuals.square()
    size = float(square.mean().sqrt())
    if size == 0.0 or n < 10:
        return NoiseModel(None, size or None)
    best, best_likelihood = NoiseModel(None, size), -n * (math.log(size) + 0.5) + evidence
    constant = 0.5 * math.log(2 * math.pi)
    for dof in DEGREES:
        variance = float(residuals.abs().median()) ** 2 * 2.0 or size**2
        for _ in range(50):
            weights = (dof + 1) / (dof + square / variance)
            updated = float((weights * square).mean())
            if abs(updated - variance) < 1e-6 * variance:
                break
            variance = updated
        likelihood = n * (constant - log_constant(dof) - 0.5 * math.log(variance)) - 0.5 * (
            dof + 1
        ) * float(torch.log1p(square / (dof * variance)).sum())
        if likelihood > best_likelihood:
            best, best_likelihood = NoiseModel(dof, math.sqrt(variance)), likelihood
    return best
