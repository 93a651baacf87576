"""Solve a problem: in memory, or into a folder that can be resumed, moved and evaluated anywhere.

The folder is complete in itself: `problem.yaml` with every default written out and copies of
measured data, so that it can be run again, moved or sent to a colleague. Files are written beside
their place and moved there, `metrics.json` last but for the report: a folder without it is an
unfinished run, which `resume` continues.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pinngate import config
from pinngate.errors import InputError, nearest
from pinngate.optim.parts import OwnOptimizer
from pinngate.report import write as write_report
from pinngate.runs import checkpoint, exports, files
from pinngate.runs.folder import default_folder, open_folder, save_checkpoint, write_verdict
from pinngate.runs.judgement import judge
from pinngate.runs.progress import ProgressDisplay
from pinngate.runs.training import Callback, Session, begin, train
from pinngate.solution.record import record_of
from pinngate.solution.solved import Solution
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import Problem


def solve(
    problem: Problem,
    *,
    seed: int | None = None,
    optimizer: str | OwnOptimizer | None = None,
    network: Mapping[str, Any] | NetworkOptions | nn.Module | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Solution:
    """Solve a problem in memory; nothing is written.

    Args:
        problem: the problem; what is given here overrides its `solve` section.
        seed: of all random streams.
        optimizer: a name, or a function that makes the caller's own from the parameters.
        network: keys of `solve.network`, or the caller's own module.
        callback: called after every iteration with a `Progress`; returning True stops the run,
            which is then not converged, and the solution is the best answer so far.
        progress: whether to show how far the run has come; by default in terminals and notebooks.
        options: further keys of `solve`, such as ``iterations=500``.

    Raises:
        InputError: the problem cannot be run as stated, or an option does not exist.
        SolveError: the computation failed.
    """
    started = time.perf_counter()
    stated: dict[str, Any] = dict(options)
    if seed is not None:
        stated["seed"] = seed
    if isinstance(optimizer, str):
        stated["optimizer"] = optimizer
    if isinstance(network, Mapping | NetworkOptions):
        stated["network"] = _network_options(network)
    session = begin(
        _with_options(problem, stated),
        network=network if isinstance(network, nn.Module) else None,
        optimizer=None if isinstance(optimizer, str) else optimizer,
    )
    setup = time.perf_counter() - started
    with ProgressDisplay(progress) as display:
        reason = train(session, callback=callback, on_progress=display.show)
    judged = judge(session, reason, setup)
    return Solution(session, record_of(session, judged), None, judged.posterior)


def run(
    problem: Problem,
    folder: Path | None = None,
    *,
    callback: Callback | None = None,
    progress: bool | None = None,
    use_netcdf: bool = False,
) -> Solution:
    """Solve a problem and leave the files of a run in `folder`.

    Args:
        problem: the problem.
        folder: a new one; ``results/<name>/<stamp>`` by default.
        callback: as `solve`.
        progress: as `solve`.
        use_netcdf: whether to write ``solution.nc`` beside ``solution.npz``.

    Raises:
        InputError: the problem cannot be run as stated, or the folder cannot be used.
        SolveError: the computation failed; the checkpoint is kept.
        Interrupted: the user stopped it; the checkpoint is kept.
    """
    started = time.perf_counter()
    if use_netcdf:
        exports.require_netcdf()
    session = begin(problem)
    folder = folder if folder is not None else default_folder(problem)
    open_folder(folder, session.problem)
    setup = time.perf_counter() - started
    solution = _continue(folder, session, setup, callback, progress)
    if use_netcdf:
        with np.load(folder / "solution.npz") as arrays:
            axes = {axis: arrays[axis] for axis in problem.axes}
            written = {name: arrays[name] for name in arrays.files if name not in axes}
        exports.write_netcdf(folder / "solution.nc", problem, axes, written)
    return solution


def resume(
    folder: Path,
    *,
    max_memory: int | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
) -> Solution:
    """Continue an interrupted run; its numbers are bitwise those of an uninterrupted one.

    Args:
        folder: of the run.
        max_memory: bytes that the solver may use from now on. Where that changes the form of the
            solver, the numbers are those of the other form.
        callback: as `solve`.
        progress: as `solve`.

    Raises:
        InputError: the folder holds no run, or a finished one.
    """
    started = time.perf_counter()
    files.require_run(folder)
    if (folder / "metrics.json").exists():
        raise InputError(
            f"the run in {folder} is finished", hint="pinngate predict evaluates it anywhere"
        )
    problem = config.load(folder / "problem.yaml")
    if max_memory is not None:
        problem = _with_options(problem, {"max_memory": max_memory})
    session = begin(problem)
    if (folder / "checkpoint.pt").exists():
        session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    return _continue(folder, session, time.perf_counter() - started, callback, progress)


def _continue(
    folder: Path,
    session: Session,
    setup: float,
    callback: Callback | None,
    progress: bool | None,
) -> Solution:
    def keep(session: Session) -> None:
        save_checkpoint(folder, session)

    try:
        with ProgressDisplay(progress) as display:
            reason = train(session, callback=callback, on_progress=display.show, on_checkpoint=keep)
    finally:
        files.write_history(folder / "history.csv", session.history)
    judged = judge(session, reason, setup)
    write_verdict(folder, judged.metrics, judged.solution, judged.observations)
    write_report(folder)
    return Solution(session, record_of(session, judged, folder), folder, judged.posterior)


def _with_options(problem: Problem, stated: Mapping[str, Any]) -> Problem:
    """Return the problem with these keys of `solve` in place of its own."""
    known = [key.name for key in fields(SolveOptions)]
    _check_names("option of solve", stated, known)
    return replace(problem, solve=replace(problem.solve, **stated)) if stated else problem


def _network_options(given: Mapping[str, Any] | NetworkOptions) -> NetworkOptions:
    if isinstance(given, NetworkOptions):
        return given
    _check_names("key of network", given, [key.name for key in fields(NetworkOptions)])
    return NetworkOptions(**given)


def _check_names(what: str, given: Mapping[str, Any], known: list[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(
                f"unknown {what}: '{name}'",
                expected="one of " + ", ".join(known),
                hint=nearest(name, known),
            )
