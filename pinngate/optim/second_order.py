"""Gauss–Newton training: candidate networks race, the one of least leave-one-out risk is finished.

Three divisions. The small networks, one sine layer each, are fast and enough for linear problems,
where the deep ones follow only if the best small network cannot satisfy data and physics together,
which its own misfit of the physics tells. With a nonlinear equation or unknown coefficients the
deep ones always follow, after one round of the small. The spare ones are fresh starts for the case
that the deep are stuck as well. Within a division the race is by successive
halving: every candidate runs one heat, enough for the ramp of the physics and some iterations at
its full weight; then, round by round, the better half goes on, with all that are within a hundredth
of the best, until the best have stopped by themselves. Points and order of the candidates are fixed
by the seed, so the race is deterministic; one step is one iteration of one candidate, so it can be
interrupted and resumed anywhere.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from pinngate.adaptation import arc_length
from pinngate.batches import Monitor
from pinngate.coefficients import Coefficients
from pinngate.errors import SolveError
from pinngate.expression import coefficients_of, names
from pinngate.inference.kernel import KernelSpectrum, kernel_spectrum
from pinngate.inference.linearised_fit import gauss_newton_fit
from pinngate.inference.posterior import Posterior, gauss_newton_posterior
from pinngate.memory import budget
from pinngate.networks import Network
from pinngate.optim.gauss_newton.options import GaussNewtonOptions
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.matrix_free import (
    MatrixFreeGaussNewton,
    MatrixFreeOptions,
    MemoryPlan,
    Size,
    choose_form,
    matrix_free_fit,
    matrix_free_kernel,
    matrix_free_posterior,
)
from pinngate.optim.parts import Parts
from pinngate.problem import NetworkOptions, Problem
from pinngate.residuals import Batch, ResidualModel
from pinngate.smoothness import Smoothness

logger = logging.getLogger(__name__)

HEAT = 20  # iterations of a round: 12 of ramp and 8 at full weight
REDRAW = 2  # iterations on the same collocation points
TIE = 1.01  # risks within a hundredth are not told apart by the data
MANY_WEIGHTS = 500  # from which a second thread is worth its waking
POSTERIOR_POINTS = 2  # times the collocation points of a step: less dependence on their draw

PROMISE = 0.5  # part of the best risk so far; noise alone does not fall by half
STRAINED = 0.03  # share of the physics in the score above which deep networks are tried
STUCK = 0.01  # level of the test whether risk and repeated measurements disagree
HOPELESS = 0.2  # share above which they are tried at once, after the first round of the small ones

SMALL = {
    "sine-24-4": NetworkOptions(width=24, depth=1, activation="sin", features=4.0),
    "sine-48-3": NetworkOptions(width=48, depth=1, activation="sin", features=3.0),
    "sine-48-6": NetworkOptions(width=48, depth=1, activation="sin", features=6.0),
    "sine-16-3": NetworkOptions(width=16, depth=1, activation="sin", features=3.0),
    "sine-24-2": NetworkOptions(width=24, depth=1, activation="sin", features=2.0),
}
DEEP = {
    "deep-16-1": NetworkOptions(width=16, depth=3, activation="tanh", features=1.0),
    "tanh-16x4": NetworkOptions(width=16, depth=4, activation="tanh", features=None),
}
SPARE = {
    "deep-20-1": NetworkOptions(width=20, depth=3, activation="tanh", features=1.0),
    "deep-16-1b": NetworkOptions(width=16, depth=3, activation="tanh", features=1.0),
}
DIVISIONS = (SMALL, DEEP, SPARE)


class SecondOrder:
    """Races population-risk Gauss–Newton solvers on several networks.

    Args:
        parts: the problem.
        divisions: candidates by name; a single one is simply trained.
        options: of every solver.
    """

    def __init__(
        self,
        parts: Parts,
        divisions: Sequence[Mapping[str, NetworkOptions]],
        options: GaussNewtonOptions,
    ) -> None:
        self.parts = parts
        self.smoothness = self._smoothness(parts.problem.solve.seed)
        self.smooth_model = ResidualModel(
            [*parts.batches.terms, *self.smoothness.terms], parts.problem
        )
        self.is_demanding = bool(parts.problem.coefficients) or not is_linear(parts.problem)
        self.networks = {name: n for division in divisions for name, n in division.items()}
        self.divisions = [list(division) for division in divisions]
        self.options = options
        self.plans = {name: self._plan(self._network(name)) for name in self.networks}
        self.work = {name: plan.work for name, plan in self.plans.items()}
        self.solvers = {name: self._solver(name, work) for name, work in self.work.items()}
        self.division = 0
        self.alive = self.divisions[0]
        self.place = 0
        self.iteration = 0
        self.in_heat = 0
        self.at_work = self.alive[0]
        self.champions: list[str] = []
        self.failed: list[str] = []
        self.winner: str | None = None
        self.row: dict[str, float] = {}
        self._batches: dict[str, Batch] = {}
        self._draw()

    def _network(self, name: str) -> Network:
        return self.parts.network(self.networks[name], f"/{name}")

    def _model(self, network: Network) -> ResidualModel:
        return self.smooth_model if network.options.depth > 1 else self.parts.model

    def _plan(self, network: Network) -> MemoryPlan:
        """Choose between the solver that forms the Jacobian and the one that does not."""
        batches = self.parts.batches
        size = Size(
            num_rows=batches.num_rows() + self.smoothness.num_rows,
            num_posterior_rows=batches.num_rows(POSTERIOR_POINTS) + self.smoothness.num_rows,
            num_observations=batches.num_points()["observations"],
            num_parameters=network.num_parameters + len(self.parts.problem.coefficients),
            width=network.options.width,
            depth=network.options.depth,
            num_channels=self._model(network).num_channels,
        )
        return choose_form(size, budget(self.parts.problem.solve.max_memory))

    def _solver(self, name: str, work: MatrixFreeOptions | None) -> PopulationRiskGaussNewton:
        parts = self.parts
        network = self._network(name)
        arguments = (self._model(network), network, parts.coefficients(), self.options)
        solver = (
            PopulationRiskGaussNewton(*arguments)
            if work is None
            else MatrixFreeGaussNewton(*arguments, work)
        )
        stated = parts.batches.stated_stds()
        solver.noise.stated = {name: std / solver.unit for name, std in stated.items()}
        return solver

    @property
    def num_threads(self) -> int | None:
        """One for matrices of a few hundred rows, as for first-order steps; else no limit."""
        name = self.winner or self.alive[self.place]
        return 1 if self.solvers[name].network.num_parameters < MANY_WEIGHTS else None

    @property
    def network(self) -> Network:
        """The network that was worked on last, after `finish` the winner's."""
        return self.solvers[self.at_work].network

    @property
    def coefficients(self) -> Coefficients:
        """The coefficients that were worked on last, after `finish` the winner's."""
        return self.solvers[self.at_work].coefficients

    @property
    def expected_iterations(self) -> int:
        """A round of all in this division, a round of half, and one for the best."""
        if self.winner is not None:
            return self.iteration
        entered = self.divisions[: self.division + 1]
        planned = HEAT * (sum(len(names) for names in entered) + len(entered[-1]) // 2 + 1)
        return max(self.iteration + HEAT, planned)

    @property
    def reason(self) -> str | None:
        """The winner's reason once the race is over."""
        return None if self.winner is None else self.solvers[self.winner].reason

    @property
    def has_converged(self) -> bool:
        """Whether the winner stopped before its limit of iterations."""
        solver = self.solvers[self.at_work]
        return self.winner is not None and solver.iteration < solver.options.max_iterations

    def step(self) -> None:
        """Do one iteration of the candidate at work.

        Raises:
            SolveError: every candidate has failed.
        """
        name = self.at_work = self.alive[self.place]
        solver = self.solvers[name]
        if self.in_heat % REDRAW == 0 and self.iteration > 0:
            self._draw()
        try:
            self.row = solver.step(self._batches)
        except (SolveError, torch.linalg.LinAlgError) as error:
            logger.info("candidate %s is out: %s", name, error)
            solver.reason = str(error)
            self.failed.append(name)
            solver.stopping.forget()
        if solver.has_heavy_tails:
            for other in self.solvers.values():
                other.turn_robust()  # weighted risks and plain ones do not compare
        self.row["candidate"] = float(list(self.solvers).index(name))
        self.iteration += 1
        self.in_heat += 1
        if self.in_heat >= HEAT or solver.reason is not None:
            self._next()

    def _draw(self) -> None:
        self._batches = self.parts.batches.draw(self._monitor()) | self.smoothness.draw()

    def _smoothness(self, seed: int) -> Smoothness:
        batches = self.parts.batches
        return Smoothness(
            self.parts.problem,
            batches.scales,
            seed=seed,
            dtype=batches.dtype,
            device=batches.device,
        )

    def _monitor(self) -> Monitor | None:
        """Return what collocation follows where coefficients are estimated: the present fields."""
        has_coefficients = bool(self.parts.problem.coefficients)
        return partial(arc_length, self.network) if has_coefficients else None

    def _next(self) -> None:
        """Pass on to the next candidate that still runs; at the end of a round, drop the worse."""
        solver = self.solvers[self.at_work]
        if isinstance(solver, MatrixFreeGaussNewton):
            solver.release()
        self.in_heat = 0
        self.place += 1
        while self.winner is None:
            while self.place < len(self.alive):
                if self.solvers[self.alive[self.place]].reason is None:
                    return
                self.place += 1
            self._halve()

    def _halve(self) -> None:
        ranked = sorted(self.alive, key=lambda n: self.solvers[n].score)
        best = self.solvers[ranked[0]].score
        self.alive = [
            name
            for rank, name in enumerate(ranked)
            if rank < max(1, len(ranked) // 2)
            or self.solvers[name].score <= TIE * best
            or self._is_promising(name, best)
        ]
        self.place = 0
        has_more = self.division + 1 < len(self.divisions)
        is_unfit = self.division == 0 and self.is_demanding
        is_left = has_more and (is_unfit or self._strain(ranked[0]) > HOPELESS)
        if not is_left and any(self.solvers[n].reason is None for n in self.alive):
            return
        self.champions.append(ranked[0])
        self.division += 1
        is_strained = self._strain(ranked[0]) > STRAINED
        if is_left or (has_more and (is_strained or self._is_stuck(ranked[0]))):
            self.alive = self.divisions[self.division]
        else:
            winner = min(self.champions, key=lambda n: self.solvers[n].score)
            if winner in self.failed:
                raise SolveError(f"every network failed: {self.solvers[winner].reason}")
            if self.solvers[winner].reason is None:
                self.alive = [winner]  # it was left for the deep networks, which were no better
            else:
                self.winner = winner

    def _is_promising(self, name: str, best: float) -> bool:
        """Whether a solver still on its way foresees a risk far below the best so far."""
        solver = self.solvers[name]
        return solver.reason is None and solver.last_lookahead < PROMISE * best

    def _is_stuck(self, name: str) -> bool:
        """Whether a solver's risk is far above the scatter of repeated measurements.

        Judged as a ratio of variances (F test at 1 %) with the risk's own share of the fit.
        """
        best, pure = self.solvers[name].stopping.best, self.parts.batches.pure_error()
        if best is None or pure is None:
            return False
        from scipy.stats import f

        count = self.parts.batches.num_points()["observations"]
        share = 1 + best["dimension"] / count
        bound = float(f.isf(STUCK, count, pure.degrees_of_freedom))
        return bool(best["risk"] > bound * share * pure.std**2)

    def _strain(self, name: str) -> float:
        """Return the share of the physics' misfit in a solver's score.

        Zero while it runs at less than the physics' full weight; 1 if it ended so.
        """
        solver = self.solvers[name]
        best = solver.stopping.best
        if best is None:
            return 0.0 if solver.reason is None else 1.0
        return 1.0 - float(best["risk"]) / solver.unit**2 / solver.score

    def log_row(self) -> dict[str, float]:
        """Return the last iteration's figures."""
        return dict(self.row)

    def finish(self) -> None:
        """Put the winner's best iterate into its network."""
        self.at_work = self.winner or self.at_work
        self.solvers[self.at_work].finish()

    def posterior(self) -> Posterior | None:
        """Return the posterior at the winner's best iterate."""
        stated = self.parts.batches.stated_std()
        solver, batches = self.solvers[self.at_work], self._posterior_batches()
        if isinstance(solver, MatrixFreeGaussNewton):
            return matrix_free_posterior(solver, batches, stated)
        return gauss_newton_posterior(solver, batches, stated)

    def _posterior_batches(self) -> dict[str, Batch]:
        source = self.parts.batches.twin("posterior", POSTERIOR_POINTS)
        return source.draw_in_order(self._monitor()) | self._smoothness(source.seed).draw()

    def kernel(self) -> KernelSpectrum:
        """Return the kernel spectrum at the winner's best iterate, on the posterior's points."""
        solver = self.solvers[self.at_work]
        batches = self._posterior_batches()
        if isinstance(solver, MatrixFreeGaussNewton):
            return matrix_free_kernel(matrix_free_fit(solver, batches))
        return kernel_spectrum(gauss_newton_fit(solver, batches))

    def memory(self) -> MemoryPlan:
        """Return the form and the bytes of the largest candidate."""
        return max(self.plans.values(), key=lambda plan: plan.num_bytes)

    def describe(self) -> dict[str, Any]:
        """Return the network and the race."""
        entries: dict[str, Any] = {"network": asdict(self.networks[self.at_work])}
        unit = self.solvers[self.at_work].unit ** 2
        if len(self.solvers) > 1:
            entries["race"] = [
                {
                    "network": name,
                    "options": asdict(self.networks[name]),
                    "risk": solver.score * unit if math.isfinite(solver.score) else None,
                    "iterations": solver.iteration,
                    "is_winner": name == self.at_work,
                }
                for name, solver in self.solvers.items()
                if solver.iteration > 0
            ]
        return entries

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        return {
            "alive": list(self.alive),
            "champions": list(self.champions),
            "failed": list(self.failed),
            "division": self.division,
            "at_work": self.at_work,
            "place": self.place,
            "iteration": self.iteration,
            "in_heat": self.in_heat,
            "winner": self.winner,
            "row": dict(self.row),
            "batches": {name: dict(vars(batch)) for name, batch in self._batches.items()},
            "drawn": self.parts.batches.state_dict(),
            "smoothness": self.smoothness.state_dict(),
            "work": {name: work and asdict(work) for name, work in self.work.items()},
            "solvers": {name: solver.state_dict() for name, solver in self.solvers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same.

        Forms are those of the checkpoint unless a memory is stated: what is free may have changed.
        """
        if self.parts.problem.solve.max_memory is None:
            for name, work in state["work"].items():
                self.work[name] = work and MatrixFreeOptions(**work)
                self.solvers[name] = self._solver(name, self.work[name])
        for key in ("division", "place", "iteration", "in_heat", "at_work", "winner"):
            setattr(self, key, state[key])
        self.alive, self.champions = list(state["alive"]), list(state["champions"])
        self.failed, self.row = list(state["failed"]), dict(state["row"])
        for name, solver in self.solvers.items():
            solver.load_state_dict(state["solvers"][name])
        self._batches = {name: Batch(**batch) for name, batch in state["batches"].items()}
        self.parts.batches.load_state_dict(state["drawn"])
        self.smoothness.load_state_dict(state["smoothness"])


def is_linear(problem: Problem) -> bool:
    """Whether every equation is linear in the fields and their derivatives."""
    for equation in problem.equations:
        symbols = set(problem.derivatives(equation.residual))
        _, rest = coefficients_of(equation.residual, symbols)
        if symbols & set(names(rest)):
            return False
    return True
