"""What a race of networks comes to: the winner, or the mean of those that it does not stand out of.

Below `second_order`, which lets the networks race and supplies the points. Everything here is made
anew from the solvers' best iterates, so a run that is loaded gives the answer that it gave; so is
what metrics.json is told of the race.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from pinngate.errors import SolveError
from pinngate.inference.averaging import AveragedPosterior, Member, shares
from pinngate.inference.kernel import KernelSpectrum, kernel_spectrum
from pinngate.inference.uncertainty import Uncertainty
from pinngate.model.networks import Network, averaged
from pinngate.model.terms import Batch
from pinngate.optim.gauss_newton.last_fit import gauss_newton_fit, gauss_newton_posterior
from pinngate.optim.race import Candidate, Race

SINGULAR = "its linearised problem is singular to rounding"


class Answer:
    """The winner of a race, or the mean over the small networks beside it.

    Means are taken of networks of one hidden layer whose Jacobian is formed: they are one network
    again, and their posteriors are cheap.

    Args:
        race: of the solvers.
        is_averaging: whether the problem is linear, so that means of solutions are solutions.

    Attributes:
        chosen: the winner; the network at work where there is none yet.
        network: the mean once `finish` has made one, else None.
    """

    def __init__(self, race: Race, *, is_averaging: bool) -> None:
        self.race, self.solvers = race, race.solvers
        self.is_averaging = is_averaging
        self.chosen = race.at_work
        self.network: Network | None = None

    def members(self) -> dict[str, float]:
        """Return the share of each network: all of it is that of the chosen one, or a mean."""
        chosen = self.chosen
        if self.race.winner is None or not self.is_averaging:
            return {chosen: 1.0}
        scores = {
            name: self.solvers[name].score
            for name in self.race.sound
            if _can_be_averaged(self.solvers[name])
        }
        if chosen not in scores:
            return {chosen: 1.0}
        return shares(scores, self.race.num_observations)

    def finish(self, at_work: str) -> None:
        """Put the best iterates into the networks, and average those.

        Of a race that is not over, the answer is the network of least score so far.

        Args:
            at_work: the network that was worked on last, where none has come to an iterate yet.
        """
        leading = [name for name in self.race.sound if self.solvers[name].stopping.best is not None]
        best = min(leading, key=lambda name: self.solvers[name].score, default=at_work)
        self.chosen = self.race.winner or best
        members = self.members()
        for name in members:
            self.solvers[name].finish()
        if len(members) > 1:
            networks = [self.solvers[name].network for name in members]
            self.network = averaged(networks, list(members.values()))

    def posterior(self, batches: Mapping[str, Batch], stated_std: float | None) -> Uncertainty:
        """Return the posterior at the best iterates (call `finish` first).

        Args:
            batches: points of every term.
            stated_std: noise that the data state, in data units.

        Raises:
            SolveError: the linearised problem at the answer is singular to rounding.
        """
        try:
            found = [
                Member(
                    self.solvers[name].network,
                    share,
                    gauss_newton_posterior(self.solvers[name], batches, stated_std),
                )
                for name, share in self.members().items()
            ]
        except torch.linalg.LinAlgError as error:
            raise SolveError(f"the answer has no uncertainty, {SINGULAR} ({error})") from None
        return AveragedPosterior(found) if len(found) > 1 else found[0].posterior

    def kernel(self, batches: Mapping[str, Batch]) -> KernelSpectrum:
        """Return the kernel spectrum at the best iterate of the network of largest share."""
        return kernel_spectrum(gauss_newton_fit(self.solvers[self.chosen], batches))


def race_record(answer: Answer, chosen: str) -> list[dict[str, Any]] | None:
    """Return an entry for each candidate that has iterated, None where that is one alone.

    Args:
        answer: of the race.
        chosen: the name of the answer's candidate.
    """
    unit, members = answer.solvers[chosen].unit ** 2, answer.members()
    entries = [
        {
            "network": name,
            "options": solver.network.describe(),
            "risk": solver.score * unit if math.isfinite(solver.score) else None,
            "iterations": solver.iteration,
            "is_winner": name == chosen,
            "share": members.get(name, 0.0),
        }
        for name, solver in answer.solvers.items()
        if solver.iteration > 0
    ]
    return entries if len(entries) > 1 else None


def _can_be_averaged(solver: Candidate) -> bool:
    return solver.network.is_shallow and solver.stopping.best is not None and solver.form.is_formed
