"""The noise of one observation set as a likelihood: Gaussian, Student-t or contaminated.

Pure functions of residuals. A model with heavy tails is chosen by likelihood and met by iteratively
reweighted least squares. Student-t: K. L. Lange, R. J. A. Little and J. M. G. Taylor, J. Amer.
Statist. Assoc. 84, 1989, 881-896; contaminated: J. W. Tukey, A survey of sampling from contaminated
distributions, 1960.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from pinngate.errors import InputError

LOG_2_PI = math.log(2 * math.pi)
LEAST_RESIDUAL = 1e-6  # of the core: where ψ(r)/r stands for its limit at zero
REACH = 5.0  # logarithm of most by which core and residuals differ in size


@dataclass(frozen=True)
class NoiseModel(ABC):
    """A symmetric density p(r) of residuals; `scale` is the size of its core.

    A model of the caller's own is a frozen dataclass that states `log_density`; the rest follows
    from it by automatic differentiation. Its fields are plain numbers.
    """

    scale: float

    @property
    def is_heavy(self) -> bool:
        """Whether large residuals count less than in proportion to their square."""
        return True

    @abstractmethod
    def log_density(self, residuals: Tensor) -> Tensor:
        """Return log p of each residual."""

    def weights(self, residuals: Tensor) -> Tensor:
        """Return ω(r) = −s² (log p)'(r)/r, the weights of iteratively reweighted least squares."""
        away = torch.where(residuals == 0, LEAST_RESIDUAL * self.scale, residuals)
        slope, _ = self._derivatives(away)
        return (-(self.scale**2) * slope / away).clamp_min(0.0)

    def slopes(self, residuals: Tensor) -> Tensor:
        """Return ψ'(r) with ψ(r) = ω(r) r, negative where a residual is being given up."""
        return -(self.scale**2) * self._derivatives(residuals)[1]

    def _derivatives(self, residuals: Tensor) -> tuple[Tensor, Tensor]:
        """Return first and second derivative of log p at each residual."""
        with torch.enable_grad():
            r = residuals.detach().clone().requires_grad_(True)
            density = self.log_density(r).sum()
            (slope,) = torch.autograd.grad(density, r, create_graph=True)
            if not slope.requires_grad:
                return slope.detach(), torch.zeros_like(residuals)
            (curvature,) = torch.autograd.grad(slope.sum(), r, materialize_grads=True)
        return slope.detach(), curvature.detach()

    def fitted(self, residuals: Tensor) -> NoiseModel:
        """Return this model with the scale of greatest likelihood for residuals (n,)."""
        size = float(residuals.square().mean().sqrt())
        if size == 0.0:
            return self

        def loss(logarithm: float) -> float:
            tried = replace(self, scale=math.exp(logarithm))
            return -float(tried.log_density(residuals).mean())

        middle = math.log(size)
        found = minimize_scalar(loss, bounds=(middle - REACH, middle + REACH), method="bounded")
        return replace(self, scale=math.exp(found.x))

    def equivalent_variance(self, residuals: Tensor) -> float:
        """Return the variance of the Gaussian that gives the residuals (n,) the same likelihood.

        exp(2·m − 1 − log 2π) with m their mean negative log-likelihood. A weighted mean square
        would reward a model that gives up on what it misses. Infinite where no number is so large.
        """
        mean = -float(self.log_density(residuals).mean())
        try:
            return math.exp(2 * mean - 1 - LOG_2_PI)
        except OverflowError:
            return math.inf


def tried(model: object) -> NoiseModel:
    """Return a noise model of the caller's own that was found to work.

    Raises:
        InputError: it is no `NoiseModel`, its scale is not positive, or its density is not a finite
            number for each residual.
    """
    if not isinstance(model, NoiseModel):
        raise InputError(
            f"the noise {type(model).__name__} is no pinngate.NoiseModel",
            expected="a frozen dataclass derived from it that states log_density",
        )
    name = type(model).__name__
    if not isinstance(model.scale, float | int) or not model.scale > 0:
        raise InputError(f"the scale of {name} is {model.scale!r}", expected="a positive number")
    residuals = model.scale * torch.linspace(-3.0, 3.0, 7, dtype=torch.float64)
    try:
        density = model.log_density(residuals)
        model.weights(residuals)
    except Exception as error:
        raise InputError(
            f"log_density of {name} fails: {error}", expected="a function of torch tensors"
        ) from error
    is_right = isinstance(density, Tensor) and density.shape == residuals.shape
    if not is_right or not bool(torch.isfinite(density).all()):
        raise InputError(
            f"log_density of {name} is not one finite number for each residual",
            expected="a tensor of the residuals' shape",
        )
    return model


@dataclass(frozen=True)
class GaussianNoise(NoiseModel):
    """Normal errors."""

    scale: float = 1.0

    @property
    def is_heavy(self) -> bool:
        """No."""
        return False

    def log_density(self, residuals: Tensor) -> Tensor:
        """Return −r²/2s² − log s − log(2π)/2."""
        return _log_normal(residuals, self.scale)

    def weights(self, residuals: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(residuals)

    def slopes(self, residuals: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(residuals)

    def equivalent_variance(self, residuals: Tensor) -> float:
        """Return the mean square, whatever the scale."""
        return float(residuals.square().mean())


@dataclass(frozen=True)
class StudentNoise(NoiseModel):
    """Student-t errors of ν = `dof` degrees of freedom: any number of them may be large."""

    dof: float

    def log_density(self, residuals: Tensor) -> Tensor:
        """Return −(ν + 1)/2 log(1 + r²/νs²) less the logarithm of what normalises it."""
        constant = math.log(self.scale) + 0.5 * math.log(self.dof * math.pi)
        constant += math.lgamma(self.dof / 2) - math.lgamma((self.dof + 1) / 2)
        square = (residuals / self.scale).square()
        return -0.5 * (self.dof + 1) * torch.log1p(square / self.dof) - constant

    def weights(self, residuals: Tensor) -> Tensor:
        """Return (ν + 1)/(ν + (r/s)²)."""
        return (self.dof + 1) / (self.dof + (residuals / self.scale).square())

    def slopes(self, residuals: Tensor) -> Tensor:
        """Return (ν + 1)(ν − (r/s)²)/(ν + (r/s)²)²."""
        square = (residuals / self.scale).square()
        return (self.dof + 1) * (self.dof - square) / (self.dof + square).square()


@dataclass(frozen=True)
class ContaminatedNoise(NoiseModel):
    """Normal errors of size `scale`, a share of them replaced by normal ones of size `spread`.

    Good values keep nearly their full weight, where a Student-t model mistrusts all.
    """

    spread: float
    share: float

    def log_density(self, residuals: Tensor) -> Tensor:
        """Return log[(1 − ε) N(r; s²) + ε N(r; S²)]."""
        return torch.logaddexp(*self._parts(residuals))

    def weights(self, residuals: Tensor) -> Tensor:
        """Return P + (1 − P) s²/S² with P(r) the probability that a value is good."""
        good = self.good(residuals)
        return good + (1 - good) * (self.scale / self.spread) ** 2

    def slopes(self, residuals: Tensor) -> Tensor:
        """Return ω − (r/s)² (1 − s²/S²)² P (1 − P)."""
        good = self.good(residuals)
        ratio = (self.scale / self.spread) ** 2
        fall = (residuals / self.scale).square() * (1 - ratio) ** 2 * good * (1 - good)
        return self.weights(residuals) - fall

    def good(self, residuals: Tensor) -> Tensor:
        """Return P(r), the probability that a value of this residual is no outlier."""
        core, tail = self._parts(residuals)
        return torch.sigmoid(core - tail)

    def _parts(self, residuals: Tensor) -> tuple[Tensor, Tensor]:
        core = math.log1p(-self.share) + _log_normal(residuals, self.scale)
        return core, math.log(self.share) + _log_normal(residuals, self.spread)


def _log_normal(residuals: Tensor, scale: float) -> Tensor:
    return -0.5 * (residuals / scale).square() - math.log(scale) - 0.5 * LOG_2_PI


KINDS = {kind.__name__: kind for kind in (GaussianNoise, StudentNoise, ContaminatedNoise)}


def to_state(model: NoiseModel) -> dict[str, Any]:
    """Return the model as plain values."""
    return {"kind": type(model).__name__, **asdict(model)}


def from_state(state: Mapping[str, Any], own: NoiseModel | None = None) -> NoiseModel:
    """Return the model that `to_state` was given; `own` stands for a family of the caller's."""
    values = {name: value for name, value in state.items() if name != "kind"}
    if own is not None and state["kind"] == type(own).__name__:
        return replace(own, **values)
    return KINDS[state["kind"]](**values)


DEGREES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
SPREADS = (4.0, 8.0, 16.0)  # starting values, in units of the core
MIN_SPREAD = 3.0  # below, two normal sizes are told apart by chance
MAX_SHARE = 0.4
NUM_ITERATIONS = 50
TOLERANCE = 1e-6


def fit_noise(residuals: Tensor, evidence: float = 4.0) -> NoiseModel:
    """Choose between Gaussian, Student-t and contaminated noise by likelihood.

    Args:
        residuals: (n,), of mean about zero.
        evidence: by how much the log-likelihood of heavy tails must exceed the Gaussian one. Four
            is a one-in-two-hundred event for Gaussian data, which therefore keep their full
            efficiency. The contaminated model has one parameter more and needs one more.

    Returns:
        The model; scales are maximum-likelihood (fixed-point iterations of the EM algorithm).
    """
    size = float(residuals.square().mean().sqrt())
    if size == 0.0 or len(residuals) < 10:
        return GaussianNoise(size or 1.0)
    core = float(residuals.abs().median()) * 1.4826 or size
    candidates: list[tuple[float, NoiseModel]] = [(evidence, GaussianNoise(size))]
    candidates += [(0.0, _student(residuals, dof, core)) for dof in DEGREES]
    for spread in SPREADS:
        found = _contaminated(residuals, core, spread * core)
        if found is not None:
            candidates.append((-1.0, found))
    return max(candidates, key=lambda c: c[0] + float(c[1].log_density(residuals).sum()))[1]


def _student(residuals: Tensor, dof: float, scale: float) -> StudentNoise:
    variance, square = scale**2, residuals.square()
    for _ in range(NUM_ITERATIONS):
        last = variance
        variance = float(((dof + 1) / (dof + square / variance) * square).mean())
        if abs(variance - last) < TOLERANCE * last:
            break
    return StudentNoise(math.sqrt(variance), dof)


def _contaminated(residuals: Tensor, scale: float, spread: float) -> ContaminatedNoise | None:
    model, square = ContaminatedNoise(scale, spread, 0.1), residuals.square()
    for _ in range(NUM_ITERATIONS):
        last = model.scale
        good = model.good(residuals)
        share = float((1 - good).mean())
        if not 0.5 / len(residuals) < share < MAX_SHARE:
            return None
        core = float((good * square).sum() / good.sum())
        tail = float(((1 - good) * square).sum() / (1 - good).sum())
        if core <= 0.0 or tail < MIN_SPREAD**2 * core:
            return None
        model = ContaminatedNoise(math.sqrt(core), math.sqrt(tail), share)
        if abs(model.scale - last) < TOLERANCE * last:
            break
    return model
