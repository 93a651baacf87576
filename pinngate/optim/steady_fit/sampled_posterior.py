"""What many numbers with priors are, by draws: where the linear model at one place misleads.

The values of pieces that the data hardly tell move over factors, and so does the solution: neither
the most likely place nor the curvature there are mean and spread. Draws of the linear model's own
distribution, weighed, tell whether that is so. Where it is, draws are taken by paths. Both are on
the grid before the last, twice as coarse, and displaced by what the last one moved the most likely
place. Above `steady_search`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.inference.draws import SampledPosterior
from pinngate.inference.hamiltonian import Hamiltonian, effective_number
from pinngate.inference.importance import weighted_draws
from pinngate.optim.direct_fit.levenberg_marquardt import SMALL, Iterate
from pinngate.optim.direct_fit.radau_march import MarchFailed
from pinngate.optim.direct_fit.staged_search import root_of_covariance
from pinngate.optim.steady_fit.steady_model import SteadyModel
from pinngate.optim.steady_fit.steady_search import SteadySearch
from pinngate.statement.problem import Problem

Array = NDArray[np.float64]


class NumberPriors:
    """The priors of numbers, evaluated together.

    Args:
        problem: states them.
        names: of the numbers of θ in their order.
    """

    def __init__(self, problem: Problem, names: Sequence[str]) -> None:
        stated = [(c.name, c.prior) for c in problem.coefficients if c.prior is not None]
        self.columns = np.array([names.index(name) for name, _ in stated], dtype=np.intp)
        priors = [prior for _, prior in stated]
        self.sets = {f"prior_{name}" for name, _ in stated}
        self.is_log = np.array([prior.is_of_logarithm for prior in priors], dtype=bool)
        self.means = np.array([prior.mean for prior in priors])
        self.stds = np.array([prior.std for prior in priors])

    def residuals(self, values: Array, slopes: Array) -> tuple[Array, Array]:
        """Return residuals in units of the priors' spread, and their slopes in the raw numbers."""
        own, slope = values[self.columns], slopes[self.columns]
        seen = np.where(self.is_log, np.log(np.where(self.is_log, own, 1.0)), own)
        slope = np.where(self.is_log, slope / own, slope)
        return (seen - self.means) / self.stds, slope / self.stds


class LogPosterior:
    """E(θ) = ‖(reading − value)/σ‖²/2 + the priors' part, with its gradient by one adjoint.

    Args:
        search: after its run.
        count: elements along each axis.
    """

    def __init__(self, search: SteadySearch, count: int) -> None:
        record = search.record
        self.model: SteadyModel = record.model
        self.count = count
        problem, unknowns = self.model.problem, self.model.unknowns
        self.priors = NumberPriors(problem, unknowns.coefficients.names)
        pairs = zip(record.sets, record.noise.parts, strict=True)
        self.data: list[tuple[ObservationSet, Array]] = [
            (data, record.noise.values[part].copy())
            for data, part in pairs
            if data.name not in self.priors.sets
        ]

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Return E and ∂E/∂θ."""
        try:
            with np.errstate(all="ignore"):
                solution = self.model.solve(theta, self.count)
        except MarchFailed:
            return np.inf, np.zeros(len(theta))
        energy, gradient = 0.0, np.zeros(len(theta))
        by_state = np.zeros(solution.system.size)
        for data, std in self.data:
            found = self.model.reading(solution, data)
            scaled = (found.values - data.values) / std
            energy += float(scaled @ scaled) / 2
            by_state += found.by_state.T @ (scaled / std)
            gradient += found.by_parameter.T @ (scaled / std)
        residual, slope = self.priors.residuals(solution.at.values, solution.at.slopes)
        gradient[self.priors.columns] += residual * slope
        energy += float(residual @ residual) / 2
        return energy, gradient + solution.pulled_back(by_state)


def sampled_posterior(
    search: SteadySearch, found: Iterate, random: np.random.Generator
) -> SampledPosterior:
    """Return what draws tell of θ.

    Args:
        search: after its run.
        found: its most likely place.
        random: of the draws.

    Cost: a few hundred solutions with an adjoint each where the linear model nearly holds, else ten
    thousand, for sixty numbers.
    """
    scaled = found.jacobian / search.record.noise.values[:, None]
    root = root_of_covariance(scaled, search.ridges.diagonal)
    enough = round(1 / SMALL)  # as the squared error of a mean, in deviations
    density = LogPosterior(search, search.record.coarser)
    moved = found.theta - search.start

    def energy(theta: Array) -> float:
        return density(theta)[0]

    weighed = weighted_draws(energy, search.start, root, enough, 2**2 * enough, random)
    if weighed is not None:
        return weighed.displaced(moved)
    chain = Hamiltonian(density, search.start, root, random)
    chain.draws(enough, is_learning=True)
    chain.learn(chain.draws(2**2 * enough, is_learning=True))
    chain.draws(enough // 2, is_learning=True)
    draws = chain.draws(2 * enough)
    while effective_number(draws).min() < enough and len(draws) < (2 * 2) ** 2 * enough:
        draws = np.concatenate([draws, chain.draws(len(draws))])
    return SampledPosterior.of(draws, float(effective_number(draws).min())).displaced(moved)


def is_to_be_sampled(problem: Problem) -> bool:
    """Whether there are pieces, and every number that is searched for has a prior."""
    return bool(problem.pieces) and all(c.prior is not None for c in problem.coefficients)


__all__ = ["is_to_be_sampled", "sampled_posterior"]
