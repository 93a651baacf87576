"""Our optimizers as methods of a benchmark: the run that `pinngate run` makes, watched.

Options are the keys of `solve`. Beside the registered optimizers there are variants of Gauss–Newton
on the same networks and points, which show what a part of it is worth: one with a fixed small
ridge, without the leave-one-out choice, and one without a mechanism.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pinngate.bench.methods.contract import Array, Method, Outcome, Task
from pinngate.optim.registry import OPTIMIZERS, resolve
from pinngate.optim.second_order import SecondOrder
from pinngate.runs.judgement import judge
from pinngate.runs.training import Progress, Session, begin, train
from pinngate.statement.options import DEFAULT_OPTIMIZER, NetworkOptions, declared
from pinngate.statement.problem import Problem, changed

OF_ONE_RUN = ("race", "memory")  # entries of metrics.json that no table compares


def solve_keys(optimizer: str) -> dict[str, None]:
    """Return the keys of `solve` that an optimizer reads, without the seed, which the suite sets.

    None stands for the optimizer's default.
    """
    return {key: None for key in declared(optimizer).names() if key != "seed"}


def prepare(problem: Problem, options: Mapping[str, Any], *, optimizer: str) -> Problem:
    """Return the problem with the options as its `solve` keys, every default written out."""
    keys = solve_keys(optimizer)
    known = {k: v for k, v in options.items() if k in keys and v is not None}
    if isinstance(known.get("network"), Mapping):
        known["network"] = NetworkOptions(**known["network"])
    if "weights" in known:
        known["weights"] = {**problem.solve.weights, **known["weights"]}
    return resolve(changed(problem, solve=replace(problem.solve, optimizer=optimizer, **known)))


def watched(
    task: Task,
    change: Callable[[Session], None] | None = None,
    on_progress: Callable[[Session], str | None] | None = None,
) -> Outcome:
    """Solve and judge as `pinngate.solve` does, and hand every logged state to the course.

    Args:
        task: the task.
        change: exchanges parts of the session before training.
        on_progress: may stop the run by giving a reason; the iterate is then the answer.
    """
    started = time.perf_counter()
    session = begin(task.problem)
    if change is not None:
        change(session)
    setup = time.perf_counter() - started
    gates: list[float] = []
    answer: dict[str, Array] = {}

    def show(progress: Progress) -> None:
        nonlocal answer
        seconds, fraction = progress.row["seconds"], progress.row.get("open_fraction")
        if not answer or _is_leading(session):
            answer = session.evaluate(task.course.points)
        task.course.add(setup + seconds, progress.iteration, answer)
        if fraction is not None:
            gates.append(fraction)
        reason = on_progress(session) if on_progress is not None else None
        if reason is not None:
            raise _Stopped(reason)

    status = {}
    try:
        reason = train(session, on_progress=show)
    except _Stopped as stopped:
        reason, status = str(stopped), {"status": "converged"}
    judged = judge(session, reason, setup)
    details = {"gate_mean": sum(gates) / len(gates)} if gates else {}
    values = session.evaluate(task.points)
    metrics = {k: v for k, v in judged.metrics.items() if k not in OF_ONE_RUN} | status
    return Outcome(values, setup + session.seconds, reason, metrics=metrics, details=details)


def _is_leading(session: Session) -> bool:
    """Whether the network at work is the one that would be the answer now.

    Where several networks race, that is the one of least risk so far, which needs no truth.
    """
    stepper = session.stepper
    if not isinstance(stepper, SecondOrder):
        return True
    judged = {n: s.score for n, s in stepper.solvers.items() if s.stopping.best is not None}
    return not judged or stepper.at_work == min(judged, key=lambda name: judged[name])


class _Stopped(Exception):  # noqa: N818 - leaves the training loop, never this module
    pass


def _variant(task: Task) -> Outcome:
    """Solve with a fixed `ridge`, or `without` some mechanisms, named with spaces between."""

    def change(session: Session) -> None:
        stepper = session.stepper
        if not isinstance(stepper, SecondOrder):
            raise TypeError("a variant of Gauss–Newton")
        options = stepper.options
        if "ridge" in task.options:
            options = replace(options, ridge=task.options["ridge"], ridge_factor=1.0)
        if (without := task.options.get("without")) is not None:
            options = replace(options, mechanisms=options.mechanisms.without(without.split()))
        session.stepper = SecondOrder(stepper.parts, stepper.divisions, options)

    return watched(task, change)


SECOND_ORDER = DEFAULT_OPTIMIZER
OWN = [
    Method(
        name,
        "ours" if name.startswith("population-risk") else "optimizer",
        f"{name} with its defaults, on our network and loss",
        watched,
        solve_keys(name),
        partial(prepare, optimizer=name),
    )
    for name in OPTIMIZERS
] + [
    Method(
        "gauss-newton-fixed-ridge",
        "optimizer",
        "our Gauss–Newton with a fixed small ridge in place of the one of least leave-one-out "
        "risk; the choice of the network and the stopping rule are unchanged",
        _variant,
        {**solve_keys(SECOND_ORDER), "ridge": 1e-4},
        partial(prepare, optimizer=SECOND_ORDER),
    ),
    Method(
        "gauss-newton-without",
        "optimizer",
        "our Gauss–Newton without one of its mechanisms, as `pinngate.optim.mechanisms` names them",
        _variant,
        {**solve_keys(SECOND_ORDER), "without": None},
        partial(prepare, optimizer=SECOND_ORDER),
    ),
]
