"""The line-up of a race: every candidate built, and what each is told before the start.

From the divisions of networks (`divisions`) and what enters beside them (`entrants`) to solvers by
name, the networks' in the form that their memory allows. Below `second_order`, which lets them
race.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pinngate.errors import InputError
from pinngate.linear.forms import Form, form_of, planned
from pinngate.linear.memory_plan import MemoryPlan, Size, choose_form
from pinngate.memory import budget
from pinngate.model.networks import Network
from pinngate.optim.collocation.basis_solver import Collocation
from pinngate.optim.direct_fit.candidate import ThroughSolver
from pinngate.optim.divisions import Division
from pinngate.optim.entrants import (
    BASIS,
    SOLVER,
    is_for_basis,
    is_for_solver,
    with_basis,
    with_solver,
)
from pinngate.optim.gauss_newton.row_bounds import RowBounds
from pinngate.optim.gauss_newton.row_laws import RowLaws
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.parts import Parts
from pinngate.optim.race import Candidate
from pinngate.parallel.ranks import ranks
from pinngate.points.sampling import POSTERIOR_POINTS


class LineUp:
    """The candidates of one problem.

    Args:
        parts: the problem.
        divisions: of the networks, in the order in which they enter.
        options: of every solver.

    Attributes:
        divisions: with those of basis and solver where these race.
        plans: of memory, by the names of the networks.
        solvers: all candidates by name; more may enter later.
    """

    def __init__(
        self, parts: Parts, divisions: Sequence[Division], options: GaussNewtonOptions
    ) -> None:
        if parts.problem.beyond_networks:
            divisions = _of_solver_alone(parts)
        self.parts, self.options, self.divisions = parts, options, divisions
        self._networks = {name: n for d in divisions for name, n in d.networks.items()}
        self.plans = {name: memory_plan(parts, self._network(name)) for name in self._networks}
        self.solvers: dict[str, Candidate] = {}
        has_basis = options.mechanisms.basis and is_for_basis(parts)
        if has_basis:
            self.divisions = with_basis(parts, self.divisions)
        if options.mechanisms.solver and is_for_solver(parts):
            self.divisions = with_solver(parts, self.divisions)
            self.solvers[SOLVER] = ThroughSolver(parts, options)
        if has_basis:
            self.solvers[BASIS] = Collocation(parts, options)
            _tell_of_noise(self.solvers[BASIS], parts)
        for name, plan in self.plans.items():
            self.solvers[name] = self._gauss_newton(name, planned(plan))

    def _network(self, name: str) -> Network:
        return self.parts.network(self._networks[name], f"/{name}")

    def _gauss_newton(self, name: str, form: Form) -> Candidate:
        parts, network = self.parts, self._network(name)
        solver = PopulationRiskGaussNewton(
            parts.model, network, parts.coefficients(), self.options, form
        )
        _tell_of_noise(solver, parts)
        return solver

    def enter(self, name: str, start: Candidate) -> None:
        """Add a fit through the solver that starts from the answer of another candidate."""
        self.solvers[name] = ThroughSolver(self.parts, self.options, start)

    def state_dict(self) -> dict[str, Any]:
        """Return the forms of all candidates and how far they have come."""
        return {
            "work": {name: solver.form.to_state() for name, solver in self.solvers.items()},
            "solvers": {name: solver.state_dict() for name, solver in self.solvers.items()},
        }

    def take_forms(self, work: Mapping[str, Any]) -> None:
        """Build the networks' solvers anew in the forms of a checkpoint.

        Unless a memory is stated: what is free may have changed.
        """
        if self.parts.problem.solve.max_memory is None:
            for name in self._networks:
                self.solvers[name] = self._gauss_newton(name, form_of(work[name]))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`, once all candidates that it knows have entered."""
        for name, solver in self.solvers.items():
            solver.load_state_dict(state["solvers"][name])


def _of_solver_alone(parts: Parts) -> Sequence[Division]:
    """Return the divisions without networks.

    Raises:
        InputError: the solver does not take the problem.
    """
    if not is_for_solver(parts):
        raise InputError(
            f"{parts.problem.beyond_networks}, which only a fit through a solver follows, and it "
            "cannot take this problem",
            expected="observations, and equations in time and at most one space axis that give the "
            "rate of each field",
        )
    return ()


def memory_plan(parts: Parts, network: Network) -> MemoryPlan:
    """Choose between the solver that forms the Jacobian and the ones that do not."""
    batches = parts.batches
    width, depth = network.width_and_depth
    size = Size(
        num_rows=batches.num_rows(),
        num_posterior_rows=batches.num_rows(POSTERIOR_POINTS),
        num_observations=batches.num_points()["observations"],
        num_parameters=network.num_parameters + len(parts.problem.coefficients),
        width=width,
        depth=depth,
        num_channels=parts.model.num_channels,
    )
    # one form for all processes that share the run, the one that fits where least is free
    allowed = -ranks().most([-budget(parts.problem.solve.max_memory)])[0]
    return choose_form(size, int(allowed))


def _tell_of_noise(solver: Candidate, parts: Parts) -> None:
    """Let a candidate know what is stated of the noise."""
    stated = parts.batches.stated_stds()
    solver.noise.stated = {name: std / solver.unit for name, std in stated.items()}
    scales = {t.name: t.scale for t in parts.batches.terms}
    pairs = list(zip(parts.batches.observations, parts.batches.sets, strict=True))
    solver.noise.laws = RowLaws(
        {name: (data.law, scales[name]) for name, data in pairs if data.law is not None}
    )
    solver.noise.bounds = RowBounds(
        {n: (data.censoring, scales[n]) for n, data in pairs if data.censoring is not None}
    )
    solver.noise.own = parts.own_noise()
