"""The last linearisation of a solver and its posterior, with the ridge and noise it ended with."""

from __future__ import annotations

from pinngate.inference.linearised_fit import LinearisedFit, observed_places
from pinngate.inference.posterior import Posterior, posterior_of
from pinngate.linear.jacobian import Batches
from pinngate.linear.linearisation import Linearisation
from pinngate.optim.race import Candidate


def gauss_newton_fit(solver: Candidate, batches: Batches) -> LinearisedFit:
    """Return the last linearisation of a solver (call `finish` first).

    Args:
        solver: supplies ridge, row weights and noise model.
        batches: points; more collocation points than a step's make it less dependent on their draw.

    Cost: one factorisation of the rows, N P², or what stands for it in the solver's form.
    """
    line = solver.linearise(batches, is_answer=True)
    line.system.decompose()
    fit = line.system.fits([solver.ridge], line.target)[0]
    places = observed_places(solver.model, batches)
    efficiency = robust_factor(solver, line)
    weights = line.weights
    told = [
        None if own is None else own[weights.observed] for own in (weights.tallies, weights.free)
    ]
    return LinearisedFit(line.system, line.target, line.observed, fit, efficiency, *places, *told)


def gauss_newton_posterior(
    solver: Candidate, batches: Batches, stated_std: float | None = None
) -> Posterior:
    """Return the posterior at a solver's present iterate (call `finish` first).

    Args:
        solver: supplies ridge, row weights and noise model.
        batches: points; more collocation points than a step's make it less dependent on their draw.
        stated_std: noise that the data state, in data units, see `posterior_of`.
    """
    stated = None if stated_std is None else stated_std / solver.unit
    posterior = posterior_of(gauss_newton_fit(solver, batches), stated)
    solver.complete(posterior)
    return posterior


def robust_factor(solver: Candidate, line: Linearisation) -> float:
    """Return the sandwich's correction of Σ ω r² for reweighted rows; 1 for Gaussian noise.

    An M-estimator with ψ(r) = ω(r) r has the variance mean(ψ²)/mean(ψ')² per observation, against
    mean(ω r²)/mean(ω) from the reweighted rows alone (P. J. Huber, Robust Statistics, 1981).
    """
    top = bottom = slope = weight = 0.0
    for name, noise in solver.noise.models.items():
        r = line.plain[line.weights.slices[name]]
        omega = noise.weights(r)
        scale = solver.noise.precision[name] ** 2
        top += float((omega * r).square().sum()) * scale
        bottom += float((omega * r.square()).sum()) * scale
        slope += float(noise.slopes(r).sum())
        weight += float(omega.sum())
    n = len(line.observed)
    if bottom == 0.0 or slope <= 0.0:
        return 1.0
    return (top / bottom) * (weight / n) / (slope / n) ** 2
