"""A run repeated and watched: Jacobians, residuals and fields at logged times.

A run's folder keeps its last state alone, so its problem is run again with its own seed. At each
logged time residuals and their Jacobian are taken on *reference rows*: fixed points for equations
and conditions, all observations in the order they were given; training itself goes on with fresh
points as ever and is not touched. Of Gauss–Newton one network is followed, the first of the race.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pinngate.data.observations import ObservationSet, standard_errors
from pinngate.errors import InputError
from pinngate.expression import Name
from pinngate.linear.jacobian import jacobian, row_weights
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import Batch, Term
from pinngate.optim.first_order import FirstOrder
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.second_order import SecondOrder
from pinngate.points.batches import BatchSource
from pinngate.points.grid import evaluation_grid
from pinngate.runs.training import Session, limited_threads
from pinngate.statement.problem import SyntheticObservations
from pinngate.streams import generator
from pinngate.theory.step_metric import StepMetric

NUM_LOGGED = 24  # times; two and a half times as many move no share by 0.0001
CROWDING = 1.8  # power by which times crowd at the start, where everything moves
NUM_COLLOCATION = 128  # reference points; twice as many move no share by more than 0.0004
NUM_CONDITION = 16
TEST_FRACTION = 0.12  # of the evaluation grid along each axis: 12 × 12 test outputs on two axes


@dataclass(frozen=True)
class Snapshot:
    """One logged time of a run.

    Attributes:
        iteration: steps done.
        residual: r (N,) on the reference rows, weighted so that the loss is ‖r‖².
        jacobian: of r, (N, P).
        test_jacobian: of the fields on the test grid, (m, P).
        test_outputs: (m,).
        figures: what the optimizer logs.
        ridge: α of Gauss–Newton, None of first-order runs.
        offset: w − w₀ (P,) of Gauss–Newton.
    """

    iteration: int
    residual: Tensor
    jacobian: Tensor
    test_jacobian: Tensor
    test_outputs: Tensor
    figures: dict[str, float]
    ridge: float | None = None
    offset: Tensor | None = None


class Recorder:
    """Takes snapshots of a session.

    Args:
        session: before its first step.

    Attributes:
        metric: of the steps since the last snapshot; None of Gauss–Newton.
        blocks: rows of equations, conditions and observations.

    Raises:
        InputError: the optimizer is one that cannot be followed, or there are no observations.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        stepper = session.stepper
        if not session.observations:
            raise InputError("the problem has no observations", expected="noisy data to divide")
        self.solver: PopulationRiskGaussNewton | None = None
        self.metric: StepMetric | None = None
        if isinstance(stepper, SecondOrder):
            self.solver = _network_of(stepper)
        elif isinstance(stepper, FirstOrder):
            self.metric = StepMetric(stepper)
        else:
            raise InputError(
                f"runs of {session.problem.solve.optimizer} cannot be followed",
                expected="adam, adamw, population-risk-adam or population-risk-gauss-newton",
            )
        source = session.batches
        self.model = ResidualModel(source.terms, session.problem)
        reference = BatchSource(
            session.problem,
            source.sets,
            num_collocation=NUM_COLLOCATION,
            num_condition=NUM_CONDITION,
            seed=source.seed,
            dtype=torch.float64,
            device=source.device,
        )
        self.batches = reference.draw_in_order()
        self.test_points = evaluation_grid(session.problem, fraction=TEST_FRACTION).points
        self._test_model, self._test_batches = self._test_terms()

    @property
    def network(self) -> Any:
        """The network that is followed."""
        return (self.solver or self.session.stepper).network

    @property
    def coefficients(self) -> Any:
        """Its unknown coefficients."""
        return (self.solver or self.session.stepper).coefficients

    def weights(self) -> RowWeights:
        """Return the weights of the reference rows: the loss is ‖r‖²."""
        if self.solver is not None:
            return self.solver.row_weights(self.batches)
        stepper = self.session.stepper
        if not isinstance(stepper, FirstOrder):
            raise AssertionError("the constructor refuses all others")
        counts = {name: len(self.batches[name]) for name in self.batches}
        by_term = {n: (w / counts[n]) ** 0.5 for n, w in stepper.weights().items()}
        return row_weights(self.model, self.batches, by_term)

    @property
    def blocks(self) -> dict[str, slice]:
        """Rows of the equations, of the conditions and of the observations, those that exist."""
        weights, found = self.weights(), {}
        for kind in ("equation", "condition", "observation"):
            rows = [weights.slices[t.name] for t in self.model.terms if t.kind == kind]
            if rows:
                found[f"{kind}s"] = slice(min(r.start for r in rows), max(r.stop for r in rows))
        return found

    def _test_terms(self) -> tuple[ResidualModel, dict[str, Batch]]:
        """Return the fields themselves as terms on the test grid."""
        problem = self.session.problem
        terms = [Term(f"field_{u}", "observation", Name(u)) for u in problem.unknowns]
        points = torch.as_tensor(self.test_points, device=self.session.batches.device)
        return ResidualModel(terms, problem), {term.name: Batch(points) for term in terms}

    def take(self, figures: dict[str, float] | None = None) -> Snapshot:
        """Return a snapshot of the weights as they are. Cost: N + m backward passes at once."""
        network = copy.deepcopy(self.network).double()
        coefficients = copy.deepcopy(self.coefficients).double()
        rows, residual = jacobian(self.model, network, coefficients, self.batches, self.weights())
        ones = dict.fromkeys(self._test_batches, 1.0)
        plain = row_weights(self._test_model, self._test_batches, ones)
        test, outputs = jacobian(self._test_model, network, coefficients, self._test_batches, plain)
        ridge = offset = None
        if self.solver is not None:
            rows, test = (m[:, : network.num_parameters] for m in (rows, test))
            flat = torch.cat([p.detach().reshape(-1) for p in network.weights])
            ridge, offset = self.solver.ridge, flat - self.solver.anchor
        done = (self.solver or self.session.stepper).iteration
        return Snapshot(done, residual, rows, test, outputs, dict(figures or {}), ridge, offset)

    def rows_of(self, values: Sequence[np.ndarray]) -> Tensor:
        """Return by how much the reference rows (N,) rise when observations fall by `values`.

        Args:
            values: for each observation set (n,), in its own unit: the noise, the clean signal.
        """
        weights = self.weights()
        found = torch.zeros(weights.num_rows, dtype=torch.float64)
        terms = {term.name: term for term in self.model.terms}
        for name, given in zip(weights.observation_terms, values, strict=True):
            factor = self.batches[name].columns["@row"] / terms[name].scale
            found[weights.slices[name]] = (
                weights.by_term[name] * factor * torch.as_tensor(given).to(factor)
            )
        return found

    def follow(self) -> Iterator[Snapshot]:
        """Run to the end and yield a snapshot at the start and at each logged time."""
        if self.solver is not None:
            yield from self._follow_solver(self.solver)
            return
        yield self.take()
        stepper = self.session.stepper
        times = logged_times(stepper.expected_iterations)
        while stepper.reason is None:
            with limited_threads(stepper.num_threads):
                stepper.step()
            if stepper.iteration in times or stepper.reason is not None:
                yield self.take(stepper.log_row())

    def _follow_solver(self, solver: PopulationRiskGaussNewton) -> Iterator[Snapshot]:
        """Yield every iterate with the ridge that was chosen and the risk that was found there."""
        while solver.reason is None:
            before = self.take()
            row = solver.step(self.session.batches.draw())
            yield replace(before, figures=row, ridge=solver.ridge)
        solver.finish()
        yield self.take()


def _network_of(stepper: SecondOrder) -> PopulationRiskGaussNewton:
    """Return the solver of the first network of the race."""
    for solver in stepper.solvers.values():
        if isinstance(solver, PopulationRiskGaussNewton):
            return solver
    raise InputError("no network races", expected="solve.network, one that can be followed")


def logged_times(iterations: int, count: int = NUM_LOGGED) -> list[int]:
    """Return up to `count` times from 1 to `iterations`, crowded at the start."""
    ends = (np.arange(1, count + 1) / count) ** CROWDING * iterations
    return sorted({max(1, round(float(end))) for end in ends})


def noise_of(observations: Sequence[ObservationSet]) -> list[np.ndarray]:
    """Return the noise of synthetic observations, value less clean value, (n,) each.

    Raises:
        InputError: a set was measured: nobody knows its noise; or its values are bounds or have
            errors that remember, which are not drawn anew.
    """
    found = []
    for made in observations:
        if made.censoring is not None or made.memory is not None:
            raise InputError(
                f"{made.name} has censored or correlated noise, which is not drawn anew here",
                expected="independent noise",
            )
        if made.clean is None:
            raise InputError(
                f"{made.name} was measured: its noise is not known",
                expected="synthetic observations, with a truth",
            )
        found.append(made.values - made.clean)
    return found


def with_noise_of_draw(
    observations: Sequence[ObservationSet],
    stated: Sequence[Any],
    seed: int,
    draw: int,
) -> list[ObservationSet]:
    """Return the same places with noise of the stated kind drawn anew; draw 0 is the run's own.

    Args:
        observations: synthetic.
        stated: of the problem, one for each.
        seed: of the run; the noise of each draw has a stream of its own.
        draw: which one.
    """
    if draw == 0:
        return list(observations)
    noise_of(observations)
    found = []
    for made, asked in zip(observations, stated, strict=True):
        if made.clean is None or not isinstance(asked, SyntheticObservations):
            raise AssertionError("measured observations were refused")
        noise = asked.noise
        std = noise.std
        if std is None:
            std = (noise.relative or 0.0) * float(np.std(made.clean))
        stream = generator(seed, f"{made.name}/noise/draw {draw}")
        errors = standard_errors(noise, len(made.values), stream)
        found.append(replace(made, values=made.clean + std * errors))
    return found
