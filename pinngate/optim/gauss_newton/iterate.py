"""The figures of one iterate: risk, misfit, effective dimension, and its row of the log."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from pinngate.linear.gram import inverse_gram
from pinngate.linear.linearisation import Linearisation
from pinngate.linear.system import RidgeFit
from pinngate.model.coefficients import Coefficients
from pinngate.model.terms import Term
from pinngate.optim.gauss_newton.data_noise import DataNoise


def variance_of(observed: Tensor, fit: RidgeFit) -> float:
    """Return σ̂² = Σr²/(n − d) of the weighted residuals of the observations (n,)."""
    return float(observed.square().sum()) / max(1.0, len(observed) - fit.effective_dimension)


@dataclass(frozen=True)
class Figures:
    """What the iterate *before* a step is judged by, in units of the fields' squared size.

    Attributes:
        risk: leave-one-out risk from its actual residuals over 1 − h_ii.
        lookahead: that of the linearised minimiser, which is blind to an iteration that is stuck.
        misfit: of equations and conditions at the weights that every solver starts from, as a mean
            over the observations.
        errors: the actual residuals over 1 − h_ii, (n,).
    """

    risk: float
    lookahead: float
    misfit: float
    errors: Tensor

    @property
    def score(self) -> float:
        """Risk plus misfit, by which iterates and networks are ranked."""
        return self.risk + self.misfit


def figures_of(line: Linearisation, fit: RidgeFit, noise: DataNoise, misfit: float) -> Figures:
    """Return the figures of an iterate from its linearisation and the fit at its ridge.

    Args:
        line: at the iterate.
        fit: of `line`.
        noise: of the observations; it says what risk is.
        misfit: of the physics.
    """
    errors = line.observed / (1 - fit.leverage)
    lookahead = noise.risk(fit.leave_one_out, line.weights)
    return Figures(noise.risk(errors, line.weights), lookahead, misfit, errors)


def misfit_of(line: Linearisation, terms: tuple[Term, ...], physics_weight: float) -> float:
    """Return Σr² of equations and conditions at the weights that every solver starts from."""
    total = 0.0
    for term in terms:
        if term.kind in ("equation", "condition"):
            weight = physics_weight
            if term.kind == "condition":
                weight = max(1.0, weight)
            rows = line.weights.slices[term.name]
            total += float(line.residual[rows].square().sum()) / weight**2
    return total


def loss_row(line: Linearisation, figures: Figures, unit: float) -> dict[str, float]:
    """Return losses and risks, in squared data units."""
    weights, num_observations = line.weights, len(line.observed)
    return {
        "loss": float(line.residual.square().sum()) * unit**2 / num_observations,
        **{
            f"loss_{name}": float(weights.unweighted(name, line.plain).square().mean())
            for name in weights.slices
        },
        "leave_one_out_risk": figures.risk * unit**2,
        "training_risk": float(line.observed.square().mean()) * unit**2,
        "lookahead_risk": figures.lookahead * unit**2,
        "selection_risk": figures.score * unit**2,
    }


def log_row(
    line: Linearisation,
    fit: RidgeFit,
    figures: Figures,
    *,
    noise: DataNoise,
    coefficients: Coefficients,
    unit: float,
    damping: float,
    physics_weight: float,
) -> dict[str, float]:
    """Return the row of the log.

    Args:
        line: at the iterate.
        fit: of `line`.
        figures: of both.
        noise: of the observations.
        coefficients: at the iterate.
        unit: size of the fields.
        damping: of the trust region, before the step.
        physics_weight: of the equations.
    """
    row = loss_row(line, figures, unit) | {
        "effective_dimension": fit.effective_dimension,
        "signal_fraction": line.system.signal_fraction(fit.ridge),
        "ridge": fit.ridge,
        "damping": damping,
        "physics_weight": physics_weight,
    }
    row |= {f"noise_std_{k}": std * unit for k, std in enumerate(noise.stds(line, fit), 1)}
    return row | coefficient_row(line, fit, coefficients)


def coefficient_row(
    line: Linearisation, fit: RidgeFit, coefficients: Coefficients
) -> dict[str, float]:
    """Return present values of the coefficients and their standard deviations, NaN while held."""
    names = coefficients.names
    if not names:
        return {}
    variance = variance_of(line.observed, fit)
    raw = (inverse_gram(line.system.unpenalised_gram(fit.ridge)).diagonal() * variance).sqrt()
    raw = raw.new_tensor([*raw.tolist(), *[math.nan] * (len(names) - len(raw))])
    values, slopes = coefficients.values_and_slopes()
    row = {}
    for name, value, slope, std in zip(names, values, slopes, raw, strict=True):
        row[f"coefficient_{name}"] = float(value)
        row[f"coefficient_{name}_std"] = float(slope.abs() * std)
    return row
