"""From a problem to a solution: the parts of a run, the loop, and what comes out.

`Session` holds everything a run is made of, built from the problem and its seed alone, so that the
same problem gives the same session on the same machine. `train` is the loop: step, log, checkpoint,
until the optimizer gives a reason to stop.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from pinngate.data.field_ranges import with_ranges
from pinngate.data.observations import ObservationSet, collect
from pinngate.data.priors import conserved_sets, prior_sets
from pinngate.data.quantities import mean_nodes
from pinngate.errors import InputError, SolveError
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import with_natural_sizes
from pinngate.model.terms import Batch, Term
from pinngate.optim.parts import OwnOptimizer, Parts, Stepper
from pinngate.optim.registry import complete, method, resolve
from pinngate.parallel.ranks import ranks
from pinngate.points.batches import BatchSource
from pinngate.points.grid import evaluation_grid
from pinngate.points.sampling import NUM_CONDITION
from pinngate.reference import Reference, truth
from pinngate.runs.breakdown import setting_up, solving
from pinngate.runs.brought_along import (
    refuse_own_noise,
    try_functions,
    with_own_network,
)
from pinngate.runs.metrics import relative_l2
from pinngate.runs.signals import STATUS, Pending, interruption, noted
from pinngate.statement.coefficient_fields import searched, true_values, values_and_slopes
from pinngate.statement.options import OWN_OPTIMIZER
from pinngate.statement.piece_values import on_pieces
from pinngate.statement.problem import Problem, changed

logger = logging.getLogger(__name__)

NUM_LOGGED = 100  # rows of the history
RECENT = 20  # iterations, by whose pace those to come are foretold
CHECKPOINT_SECONDS = 10.0  # at most this much work is lost when a process is killed
LOG_GRID_FRACTION = 0.4  # of the evaluation grid along each axis, for errors in the history


@dataclass(frozen=True)
class Progress:
    """What a progress display is told at each logged iteration, and a callback at every one.

    Attributes:
        iteration: how many are done.
        iterations: how many are expected.
        row: figures of the last one: losses, leave-one-out risk; with the error against the truth
            where it is logged.
        seconds_left: until the expected end.
        seconds: spent training so far.
    """

    iteration: int
    iterations: int
    row: dict[str, float]
    seconds_left: float
    seconds: float = 0.0


OnProgress = Callable[[Progress], None]
Callback = Callable[[Progress], object]
"""Told of every iteration; returning True, and nothing else, stops the run."""

STOPPED = "stopped by the callback"


@dataclass(repr=False)
class Session:
    """A run in memory.

    Attributes:
        problem: with every default written out.
        reference: the truth, where known; judging only.
        observations: the noisy data.
        batches: what each iteration is evaluated on.
        stepper: the optimizer at work, with the network and the unknown coefficients.
        history: logged rows so far.
        seconds: time spent training so far.
    """

    problem: Problem
    reference: Reference | None
    observations: list[ObservationSet]
    batches: BatchSource
    stepper: Stepper
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    def __repr__(self) -> str:
        return f"<Session of {self.problem.name}, iteration {self.stepper.iteration}>"

    def evaluate(self, points: np.ndarray, *, block: int = 65536) -> dict[str, np.ndarray]:
        """Return every unknown and coefficient field at the points: (n, axes) → name → (n,)."""
        found = self.outputs(points, block=block)
        values = {name: found[name] for name in self.problem.shown_outputs}
        for varying in self.problem.coefficient_fields:
            values[varying.name] = values_and_slopes(varying, values[varying.name])[0]
        return values | on_pieces(self.problem, self.estimates(), points)

    def outputs(self, points: np.ndarray, *, block: int = 65536) -> dict[str, np.ndarray]:
        """Return what the network gives: fields, fluxes, free variables of coefficient fields."""
        network = self.stepper.network
        parts = []
        with torch.no_grad():
            for start in range(0, len(points), block):
                chunk = torch.as_tensor(points[start : start + block])
                parts.append(network(chunk.to(network.low)).double().cpu().numpy())
        names = self.problem.outputs
        values = np.concatenate(parts) if parts else np.empty((0, len(names)))
        return {name: values[:, k] for k, name in enumerate(names)}

    def observe(self, observed: ObservationSet) -> np.ndarray:
        """Return what the sensor of a set would read of the fitted fields at its points, (n,)."""
        if observed.is_of_field:
            return self.evaluate(observed.points)[observed.of]
        stepper = self.stepper
        term = Term("seen", "observation", searched(self.problem, observed.expression))
        like = stepper.network.low
        batch = Batch(torch.as_tensor(observed.points).to(like))
        if observed.mean is not None:
            nodes, weights = mean_nodes(
                observed.points, observed.mean, self.problem.domain, self.problem.coordinates
            )
            batch = Batch(torch.as_tensor(nodes).to(like), {}, torch.as_tensor(weights).to(like))
        seen = np.empty(len(observed.points))
        model = ResidualModel([term], self.problem)
        for tile in model.sweep(stepper.network, stepper.coefficients, {"seen": batch}):
            for part in tile.evaluations:
                values = part.residual.double().cpu().numpy()
                seen[part.start : part.start + len(values)] = values
        return seen

    def estimates(self) -> dict[str, float]:
        """Return the present values of the unknown coefficients."""
        return {name: float(value) for name, value in self.stepper.coefficients.values().items()}

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: optimizer, random streams, history."""
        state = {
            "stepper": self.stepper.state_dict(),
            "history": self.history,
            "seconds": self.seconds,
        }
        if self.problem.solve.own_network is not None:
            state["own_network"] = self.stepper.network.describe()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`.

        Raises:
            InputError: it is the state of another network of the caller's own.
        """
        given, before = self.stepper.network.describe(), state.get("own_network")
        if before is not None and given != before:
            raise InputError(
                f"the network {given['own']} of {given['parameters']} weights is given",
                expected=f"{before['own']} of {before['parameters']} weights, as in that run",
            )
        self.stepper.load_state_dict(state["stepper"])
        self.history = list(state["history"])
        self.seconds = state["seconds"]


def begin(
    problem: Problem,
    reference: Reference | None = None,
    observations: list[ObservationSet] | None = None,
    *,
    network: nn.Module | None = None,
    optimizer: OwnOptimizer | None = None,
) -> Session:
    """Build a session: resolve defaults, make or read the data, initialise the network.

    Args:
        problem: the problem.
        reference: its truth, where it has been computed already.
        observations: its data, where they have been collected already.
        network: the caller's own module, in place of the networks of `solve.network`.
        optimizer: makes the caller's own, in place of that of `solve.optimizer`.

    Raises:
        InputError: the problem names data, a device or an optimizer that does not exist, states
            options that its optimizer does not read, or was solved with a network of the caller's
            own that is not given.
    """
    with setting_up():
        return _begun(
            with_own_network(problem, network), reference, observations, network, optimizer
        )


def _begun(
    problem: Problem,
    reference: Reference | None,
    observations: list[ObservationSet] | None,
    network: nn.Module | None,
    optimizer: OwnOptimizer | None,
) -> Session:
    if optimizer is not None:
        problem = changed(problem, solve=replace(problem.solve, optimizer=OWN_OPTIMIZER))
    problem, chosen = resolve(problem), method(problem.solve.optimizer)
    refuse_own_noise(problem, chosen.name)
    solve = complete(problem)
    dtype = torch.float64 if solve.precision == "float64" else torch.float32
    device = torch.device(solve.device)
    reference = reference or truth(problem)
    if observations is None:
        observations = collect(problem, reference, solve.seed)
    problem = with_natural_sizes(with_ranges(problem, observations), observations)
    batches = BatchSource(
        problem,
        [*observations, *conserved_sets(problem, observations), *prior_sets(problem)],
        num_collocation=solve.collocation,
        num_condition=NUM_CONDITION,
        seed=solve.seed,
        dtype=dtype,
        device=device,
    )
    model = ResidualModel(batches.terms, problem)
    stepper = chosen.build(Parts(problem, model, batches, network, optimizer))
    if problem.functions:
        try_functions(model, stepper, batches.twin("functions", 1, batches.dtype).draw_in_order())
    return Session(problem, reference, observations, batches, stepper)


def train(
    session: Session,
    *,
    on_progress: OnProgress | None = None,
    on_checkpoint: Callable[[Session], None] | None = None,
    callback: Callback | None = None,
) -> str:
    """Train until the optimizer gives a reason to stop, and return that reason.

    Args:
        session: from `begin`, or continued from a checkpoint.
        on_progress: called at every logged iteration.
        on_checkpoint: called every ten seconds, at the end, and after the iteration in which
            Ctrl-C, SIGTERM or SIGHUP came: never in the middle of one. Of processes that share a
            run, the first one calls it.
        callback: called after every iteration; where it returns True, the run stops and the session
            holds the best answer so far.

    Raises:
        Interrupted: a signal came; the checkpoint is that of the last whole iteration.
        SolveError: the computation failed.
    """
    stepper, clock, log = session.stepper, _Clock(session), _Log(session)
    keep = on_checkpoint if on_checkpoint and ranks().is_first else _ignore
    show = on_progress or _ignore
    is_stopped = False
    with noted(is_waiting=True) as signals:
        while stepper.reason is None and not is_stopped and not signals.name:
            with limited_threads(stepper.num_threads):
                with solving(f"in iteration {stepper.iteration + 1}"):
                    stepper.step()
                session.seconds = clock.now()
                row = log.write() if log.is_due else None
            try:
                if row is not None:
                    show(log.progress(row))
                is_stopped = _asks_to_stop(callback, log, row)
            except KeyboardInterrupt:  # from a callback, which is called between iterations
                signals.name = "SIGINT"
            is_stopped = _agreed(signals, is_stopped, session, is_comparing=row is not None)
            if signals.name or clock.is_checkpoint_due():
                session.seconds = clock.now()
                keep(session)
    if signals.name:
        raise interruption(signals.name, f" at iteration {stepper.iteration}")
    reason = stepper.reason or STOPPED
    log.complete()
    with solving("when the answer was made up"):
        stepper.finish()
    session.seconds = clock.now()
    keep(session)
    logger.info("stopped after %d iterations: %s", stepper.iteration, reason)
    return reason


def _ignore(_: object) -> None:
    pass


def _agreed(signals: Pending, is_stopped: bool, session: Session, *, is_comparing: bool) -> bool:
    """Let a signal or a callback of one process stop all; return whether a callback did.

    Args:
        signals: of this process, afterwards of all.
        is_stopped: whether the callback of this process did.
        session: whose weights are the same on all.
        is_comparing: whether to check that.

    Raises:
        SolveError: they are not.
        Interrupted: another process has ended.
    """
    if ranks().size == 1:
        return is_stopped
    names, mark = ["", *STATUS], 0.0
    if is_comparing:
        weights = [*session.stepper.network.weights, session.stepper.coefficients.raw]
        mark = sum(float(weight.detach().double().sum()) for weight in weights)
    mark = mark if math.isfinite(mark) else 0.0
    code, stopped, top, bottom = ranks().most(
        [names.index(signals.name), float(is_stopped), mark, -mark]
    )
    if top != -bottom:
        raise SolveError(
            "the processes of this run no longer have the same weights: machines or versions of "
            "libraries differ"
        )
    signals.name = names[int(code)]
    return bool(stopped)


def _asks_to_stop(callback: Callback | None, log: _Log, row: dict[str, float] | None) -> bool:
    """Tell the callback of an iteration; True alone stops, not whatever else it may return."""
    if callback is None:
        return False
    answer = callback(log.progress(row or log.figures()))
    return isinstance(answer, bool | np.bool_) and bool(answer)


class _Clock:
    """Seconds of training, those before a checkpoint included, and when the next one is due."""

    def __init__(self, session: Session) -> None:
        self.began = time.perf_counter() - session.seconds
        self.saved = time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self.began

    def is_checkpoint_due(self) -> bool:
        if time.perf_counter() - self.saved <= CHECKPOINT_SECONDS:
            return False
        self.saved = time.perf_counter()
        return True


class _Log:
    """Which iterations are logged, and their rows."""

    def __init__(self, session: Session) -> None:
        self.session, self.stepper = session, session.stepper
        self.every = max(1, session.stepper.expected_iterations // NUM_LOGGED)
        self.grid = evaluation_grid(session.problem, fraction=LOG_GRID_FRACTION)
        self.expected = true_values(session.problem, self.grid.points)
        if session.reference is not None:
            self.expected |= session.reference(self.grid.points)

    @property
    def is_due(self) -> bool:
        """Whether the iteration that was just done is logged."""
        stepper = self.stepper
        return stepper.iteration % self.every == 0 or stepper.reason is not None

    def figures(self) -> dict[str, float]:
        """Return the last iteration's figures, without the error against the truth."""
        row = {"iteration": float(self.stepper.iteration), "seconds": self.session.seconds}
        return row | self.stepper.log_row()

    def write(self) -> dict[str, float]:
        """Add a row to the history, errors against the truth included, and return it."""
        row = self.figures()
        if self.expected:
            values = self.session.evaluate(self.grid.points)
            for name, known in self.expected.items():
                row[f"relative_l2_{name}"] = relative_l2(values[name], known, self.grid.weights)
        self.session.history.append(row)
        return row

    def complete(self) -> None:
        """Log the last iteration, which is not due where the callback stopped there."""
        history = self.session.history
        if not history or history[-1]["iteration"] != self.stepper.iteration:
            self.write()

    def progress(self, row: dict[str, float]) -> Progress:
        """Return what a display or a callback is told."""
        done, expected = self.stepper.iteration, self.stepper.expected_iterations
        seconds = self.session.seconds
        left = max(0, expected - done) * self._pace(done, seconds)
        return Progress(done, expected, row, left, seconds)

    def _pace(self, done: int, seconds: float) -> float:
        """Return the seconds of an iteration, of the last `RECENT` or those since half were done.

        The first ones load what the others find loaded, and candidates differ.
        """
        for earlier in reversed(self.session.history):
            if done - earlier["iteration"] >= min(RECENT, done / 2):
                return (seconds - earlier["seconds"]) / (done - earlier["iteration"])
        return seconds / done


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let torch use at most `count` threads inside the block; None leaves it as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, count or before))
    try:
        yield
    finally:
        torch.set_num_threads(before)
