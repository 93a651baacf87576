"""The fit in its last linearisation: rows, target, ridge and leverages at the answer.

Stands after any optimizer and before what is read off the linear model: its posterior
(`posterior`) and its kernel spectrum (`kernel`). Gauss–Newton brings its ridge and its noise model;
for weights that some other optimizer has found, the ridge is the one of least leave-one-out risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from pinngate.errors import InputError
from pinngate.linear.jacobian import Batches, flatten, jacobian
from pinngate.linear.ridge import RidgeFit
from pinngate.linear.risk import RidgeSpectrum
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton

RIDGES = [10.0 ** (k / 4) for k in range(-40, 9)]  # of the squared size of an observation's row


Spectrum = TypeVar("Spectrum")  # of a Jacobian that is formed, or of one that is not


@dataclass(frozen=True)
class LinearisedFit(Generic[Spectrum]):
    """``min ‖b + A v + C c‖² + α ‖v‖²`` about the answer; v is measured from the ridge's centre.

    Attributes:
        spectrum: of all rows; observations come last.
        target: b (N,), what the linear model is to explain.
        residual: of the observation rows at the answer (n,), in the rows' units.
        observed: the ridge fit seen from the observation rows.
        efficiency: factor on Σ r² that corrects for reweighted rows, 1 for Gaussian noise.
        places: points (n_k, axes) of every set of observations.
        time: the column of time in them, None where there is none.
    """

    spectrum: Spectrum
    target: Tensor
    residual: Tensor
    observed: RidgeFit
    efficiency: float = 1.0
    places: tuple[Tensor, ...] = ()
    time: int | None = None

    @property
    def ridge(self) -> float:
        """The ridge α."""
        return self.observed.ridge

    @property
    def degrees_of_freedom(self) -> float:
        """Return n − d, d the effective dimension, at least 1."""
        return max(1.0, len(self.residual) - self.observed.effective_dimension)

    def variance(self, stated_std: float | None = None) -> float:
        """Return σ̂² from the observations; never below the square of what the data state."""
        found = self.efficiency * float(self.residual.square().sum()) / self.degrees_of_freedom
        return found if stated_std is None else max(found, stated_std**2)


def gauss_newton_fit(
    solver: PopulationRiskGaussNewton, batches: Batches
) -> LinearisedFit[RidgeSpectrum]:
    """Return the last linearisation of a solver (call `finish` first).

    Args:
        solver: supplies ridge, row weights and noise model.
        batches: points; more collocation points than a step's make it less dependent on their draw.

    Cost: one eigendecomposition of size min(N, P).
    """
    weights = solver.row_weights(batches)
    jac, plain, slices = jacobian(
        solver.model, solver.network, solver.coefficients, batches, weights
    )
    roots = solver.noise.row_roots(plain, slices)
    jac *= roots[:, None]
    r = roots * plain
    observed = slice(slices[solver.observation_terms[0].name].start, len(plain))
    num_free = solver.coefficients.raw.numel()
    num_weights = jac.shape[1] - num_free
    offset = flatten(solver.network, solver.coefficients)[:num_weights] - solver.anchor
    target = r - jac[:, :num_weights] @ offset
    spectrum = RidgeSpectrum(jac, num_free, observed)
    fit = spectrum.fits([solver.ridge], target)[0]
    efficiency = robust_factor(solver, plain, slices)
    places = observed_places(solver.model, batches)
    return LinearisedFit(spectrum, target, r[observed], fit, efficiency, *places)


def fit_at_weights(
    model: ResidualModel,
    network: Network,
    coefficients: Coefficients,
    batches: Batches,
    row_weights: Mapping[str, float],
    anchor: Tensor | None = None,
) -> LinearisedFit[RidgeSpectrum]:
    """Return the linearisation at weights that some other optimizer has found.

    Args:
        model: the terms.
        network: fitted network, double precision.
        coefficients: fitted coefficients.
        batches: points of every term.
        row_weights: factor on the rows of each term, 1 for observations.
        anchor: weights the ridge pulls to, (P,); zero by default.

    The ridge is found by scanning the leave-one-out risk over twelve decades.

    Raises:
        InputError: there are no observations.
    """
    jac, r, slices = jacobian(model, network, coefficients, batches, row_weights)
    starts = [slices[t.name].start for t in model.terms if t.kind == "observation"]
    if not starts:
        raise InputError("a posterior needs observations")
    observed = slice(min(starts), len(r))
    num_weights = network.num_parameters
    offset = flatten(network, coefficients)[:num_weights]
    if anchor is not None:
        offset = offset - anchor
    target = r - jac[:, :num_weights] @ offset
    spectrum = RidgeSpectrum(jac, coefficients.raw.numel(), observed)
    size = float(jac[observed, :num_weights].square().sum(1).mean())
    fits = spectrum.fits([size * ridge for ridge in RIDGES], target)
    fit = min(fits, key=lambda f: float(f.leave_one_out.square().mean()))
    places = observed_places(model, batches)
    return LinearisedFit(spectrum, target, r[observed], fit, 1.0, *places)


def observed_places(
    model: ResidualModel, batches: Batches
) -> tuple[tuple[Tensor, ...], int | None]:
    """Return where each set of observations was taken, and which axis is time."""
    points = [batches[t.name].points for t in model.terms if t.kind == "observation"]
    places = tuple(p if p.ndim == 2 else p.mean(1) for p in points)  # a mean, at its middle
    return places, model.axes.index("t") if "t" in model.axes else None


def robust_factor(
    solver: PopulationRiskGaussNewton, plain: Tensor, slices: Mapping[str, slice]
) -> float:
    """Return the sandwich's correction of Σ ω r² for reweighted rows; 1 for Gaussian noise.

    An M-estimator with ψ(r) = ω(r) r has the variance mean(ψ²)/mean(ψ')² per observation, against
    mean(ω r²)/mean(ω) from the reweighted rows alone (P. J. Huber, Robust Statistics, 1981).
    """
    top = bottom = slope = weight = 0.0
    for term in solver.observation_terms:
        noise = solver.noise.models[term.name]
        r = plain[slices[term.name]]
        omega = noise.weights(r)
        scale = solver.noise.precision[term.name] ** 2
        top += float((omega * r).square().sum()) * scale
        bottom += float((omega * r.square()).sum()) * scale
        slope += float(noise.slopes(r).sum())
        weight += float(omega.sum())
    n = sum(slices[t.name].stop - slices[t.name].start for t in solver.observation_terms)
    if bottom == 0.0 or slope <= 0.0:
        return 1.0
    return (top / bottom) * (weight / n) / (slope / n) ** 2
