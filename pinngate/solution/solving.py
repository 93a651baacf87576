"""From a problem to its solution: in memory, or into a folder that can be resumed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from pinngate import config
from pinngate.errors import InputError, PinngateError
from pinngate.expression.parser import NONE, Functions
from pinngate.optim.parts import OwnOptimizer
from pinngate.parallel.ranks import ranks
from pinngate.report import write
from pinngate.runs import checkpoint, exports, files
from pinngate.runs.folder import require_own_network
from pinngate.runs.judgement import judge
from pinngate.runs.keeping import kept
from pinngate.runs.lock import locked
from pinngate.runs.progress import ProgressDisplay
from pinngate.runs.signals import noted
from pinngate.runs.training import Callback, OnProgress, Session, begin, train
from pinngate.solution.folders import load_solution, write_results
from pinngate.solution.solved import Solution
from pinngate.statement.checks.solve_arguments import solve_arguments
from pinngate.statement.options import OWN_OPTIMIZER, NetworkOptions
from pinngate.statement.problem import Problem, changed


def default_folder(problem: Problem, root: Path = Path("results")) -> Path:
    """Return ``results/<name>/<stamp>``, a folder that does not exist yet."""
    (now,) = ranks().most([time.time()])  # the same on all processes that share a run
    stamp = datetime.fromtimestamp(now).strftime("%Y%m%d-%H%M%S")
    folder = root / problem.name / stamp
    for k in range(2, 1000):
        if not folder.exists():
            break
        folder = root / problem.name / f"{stamp}-{k}"
    return folder


def solve(
    problem: Problem,
    *,
    seed: int | None = None,
    optimizer: str | OwnOptimizer | None = None,
    network: NetworkOptions | Mapping[str, Any] | nn.Module | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Solution:
    """Solve a problem in memory; nothing is written.

    Args:
        problem: from `pinngate.Problem` or `pinngate.load`.
        seed: of all random streams, in place of the problem's.
        optimizer: a name, or what makes one of the caller's own from parameters.
        network: options of a network in place of the race of several, or a module of the caller's
            own.
        callback: called after every iteration with a `Progress`; where it returns True, the run
            stops and the best answer so far is judged; it has not converged.
        progress: whether to show a bar; by default in a terminal and in a notebook.
        options: further keys of `solve` in place of the problem's, such as ``iterations=500``.

    Raises:
        InputError: the problem cannot be run as stated, or an option does not exist.
        SolveError: the computation failed.
    """
    _require_problem(problem)
    own_network = network if isinstance(network, nn.Module) else None
    own_optimizer = None if isinstance(optimizer, str) else optimizer
    stated = options | {
        "seed": seed,
        "optimizer": optimizer if own_optimizer is None else OWN_OPTIMIZER,
        "network": _network_argument(network) if own_network is None else None,
    }
    problem = _with_options(problem, {k: v for k, v in stated.items() if v is not None})
    with ProgressDisplay(is_quiet=progress is False, is_live_only=progress is None) as display:
        return _solved(
            problem,
            network=own_network,
            optimizer=own_optimizer,
            on_progress=display.show,
            callback=callback,
        )


def _solved(problem: Problem, **how: Any) -> Solution:
    """Return the solution, of the candidate that the data prefer where there are several."""
    if not problem.candidates:
        return in_memory(problem, **how)
    from pinngate.solution.choice import choose_with

    return choose_with(problem, partial(in_memory, **how)).solution


def in_memory(
    problem: Problem,
    *,
    network: nn.Module | None = None,
    optimizer: OwnOptimizer | None = None,
    on_progress: OnProgress | None = None,
    callback: Callback | None = None,
) -> Solution:
    """Solve a problem of one candidate; nothing is written and no option changed.

    Args and errors: as `run`.
    """
    started = time.perf_counter()
    session = begin(problem, network=network, optimizer=optimizer)
    setup = time.perf_counter() - started
    reason = train(session, on_progress=on_progress, callback=callback)
    return Solution(session.problem, session, judge(session, reason, setup))


def _require_problem(problem: object) -> None:
    if not isinstance(problem, Problem):
        raise InputError(
            f"a {type(problem).__name__} is no problem",
            expected="what pinngate.Problem or pinngate.load gives",
            hint=f"pinngate.load({problem!r})" if isinstance(problem, str) else "",
        )


def _network_argument(network: object) -> object:
    """Return options of a network as the keys of a file; what is none is left to the checks."""
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise InputError(
            f"network is the class {network.__name__}",
            expected=f"a module, network={network.__name__}(...)",
        )
    return asdict(network) if isinstance(network, NetworkOptions) else network


def _with_options(problem: Problem, given: Mapping[str, Any]) -> Problem:
    """Return the problem with options in place of its own, checked as those of a file are."""
    before = problem.solve
    checked = solve_arguments({"optimizer": before.optimizer, **given})
    chosen = {key: getattr(checked, key) for key in given}
    if "weights" in chosen:
        chosen["weights"] = before.weights | chosen["weights"]
    return changed(problem, solve=replace(before, **chosen))


def run(
    problem: Problem,
    folder: Path | str | None = None,
    *,
    network: nn.Module | None = None,
    optimizer: OwnOptimizer | None = None,
    on_progress: OnProgress | None = None,
    callback: Callback | None = None,
    use_netcdf: bool = False,
    has_report: bool = True,
) -> Solution:
    """Solve a problem and leave the files of a run in `folder`.

    Args:
        problem: the problem.
        folder: a new one; ``results/<name>/<stamp>`` by default.
        network: a module of the caller's own, as in `solve`.
        optimizer: of the caller's own, as in `solve`.
        on_progress: called at every logged iteration.
        callback: as in `solve`.
        use_netcdf: whether to write ``solution.nc`` beside ``solution.npz``.
        has_report: whether to draw figures and report; `pinngate report` does so at any time.

    Raises:
        InputError: the problem cannot be run as stated, or the folder cannot be used.
        SolveError: the computation failed; the checkpoint is kept.
        StorageError: the disk is full or the folder went; the message says what is kept.
        Interrupted: a signal came; the checkpoint of the last whole iteration is kept.
    """
    _require_problem(problem)
    if use_netcdf:
        exports.require_netcdf()
    folder = default_folder(problem) if folder is None else Path(folder)
    if problem.candidates:
        _require_one_process()
        from pinngate.solution.candidate_runs import run_candidates

        how: dict[str, Any] = {"network": network, "optimizer": optimizer}
        how |= {"on_progress": on_progress, "callback": callback}
        solution = run_candidates(problem, folder, has_report=has_report, **how)
    else:
        session = partial(begin, problem, network=network, optimizer=optimizer)
        solution = _run(session, folder, on_progress, callback, has_report)
    if use_netcdf:
        _write_netcdf(solution)
    return solution


def _run(
    begun: Callable[[], Session],
    folder: Path,
    on_progress: OnProgress | None,
    callback: Callback | None,
    has_report: bool,
) -> Solution:
    """Solve a problem of one candidate in a folder."""
    started = time.perf_counter()
    session = begun()
    is_new, is_writing = not folder.exists(), ranks().is_first
    if is_writing:
        files.make(folder)
    with noted(is_waiting=False), kept(folder), _held(folder):
        try:
            if is_writing:
                files.prepare(folder, session.problem)
        except InputError:
            if is_new and not (folder / "problem.yaml").exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        if is_writing:
            files.write_environment(folder, session.problem)
        setup = time.perf_counter() - started
        return _continue(folder, session, setup, on_progress, callback, has_report)


def _held(folder: Path) -> AbstractContextManager[None]:
    """Hold the folder of a run, in the one process that writes into it."""
    return locked(folder) if ranks().is_first else nullcontext()


def _require_one_process() -> None:
    if ranks().size > 1:
        raise InputError(
            "candidates are compared by one process",
            expected="a problem without candidates, or pinngate run without torchrun",
        )


def _write_netcdf(solution: Solution) -> None:
    """Write the fields on the grid of the report as NetCDF beside the other files."""
    if solution.folder is not None and ranks().is_first:
        problem = solution.problem
        arrays = solution.judged.solution
        axes = {axis: arrays[axis] for axis in problem.axes}
        fields = {name: values for name, values in arrays.items() if name not in axes}
        exports.write_netcdf(solution.folder / "solution.nc", problem, axes, fields)


def resume(
    folder: Path | str,
    *,
    network: nn.Module | None = None,
    optimizer: OwnOptimizer | None = None,
    functions: Functions = NONE,
    max_memory: int | None = None,
    on_progress: OnProgress | None = None,
    callback: Callback | None = None,
    has_report: bool = True,
) -> Solution:
    """Continue an interrupted run; its numbers are bitwise those of an uninterrupted one.

    Args:
        folder: of the run.
        network: the caller's own module, where the run was begun with one.
        optimizer: the caller's own, where the run was begun with one.
        functions: of the caller's own that the problem calls.
        max_memory: bytes that the solver may use from now on. Where that changes the form of the
            solver, the numbers are those of the other form.
        on_progress: called at every logged iteration.
        callback: as in `solve`.
        has_report: whether to draw figures and report of what is left to do.

    Raises:
        InputError: the folder holds no run or a finished one, or what the caller brought along
            when it was begun is missing, or the other way round.
    """
    started, folder = time.perf_counter(), Path(folder)
    files.require_run(folder)
    with noted(is_waiting=False), kept(folder), _held(folder):
        if (folder / "metrics.json").exists():
            if not has_report or (folder / "report.html").exists():
                raise InputError(
                    f"the run in {folder} is finished",
                    hint="pinngate predict evaluates it anywhere, pinngate report draws it anew",
                )
            if ranks().is_first:
                write(folder, functions=functions)
            return load_solution(folder, network=network, functions=functions)
        problem = config.load(folder / "problem.yaml", functions=functions)
        if problem.candidates:
            _require_one_process()
            from pinngate.solution.candidate_runs import resume_candidates

            how: dict[str, Any] = {"network": network, "optimizer": optimizer}
            how |= {"on_progress": on_progress, "callback": callback}
            return resume_candidates(problem, folder, has_report=has_report, **how)
        session = _session(folder, network, optimizer, functions, max_memory)
        is_told = (folder / "environment.json").exists()
        if ranks().is_first and not is_told:  # it was stopped before it wrote that
            files.write_environment(folder, session.problem)
        setup = time.perf_counter() - started
        return _continue(folder, session, setup, on_progress, callback, has_report)


def _session(
    folder: Path,
    network: nn.Module | None,
    optimizer: OwnOptimizer | None,
    functions: Functions,
    max_memory: int | None,
) -> Session:
    """Return the session of an unfinished run, as it stood at its last checkpoint, if any."""
    problem = config.load(folder / "problem.yaml", functions=functions)
    if optimizer is not None and problem.solve.optimizer != OWN_OPTIMIZER:
        raise InputError(
            f"the run in {folder} was begun with {problem.solve.optimizer}",
            expected="resume(folder) without optimizer=",
        )
    require_own_network(problem, network)
    if max_memory is not None:
        problem = changed(problem, solve=replace(problem.solve, max_memory=max_memory))
    session = begin(problem, network=network, optimizer=optimizer)
    path = folder / "checkpoint.pt"
    if path.exists():
        session.load_state_dict(checkpoint.load(path, files.identity(folder)))
    return session


def _continue(
    folder: Path,
    session: Session,
    setup: float,
    on_progress: OnProgress | None,
    callback: Callback | None = None,
    has_report: bool = True,
) -> Solution:
    is_writing = ranks().is_first
    identity = files.identity(folder) if is_writing else ""

    def keep(session: Session) -> None:
        checkpoint.save(folder / "checkpoint.pt", session.state_dict(), identity)

    try:
        reason = train(session, on_progress=on_progress, on_checkpoint=keep, callback=callback)
    except PinngateError:
        with suppress(OSError):  # what stopped the run is what is told
            if is_writing:
                files.write_history(folder / "history.csv", session.history)
        raise
    if is_writing:
        files.write_history(folder / "history.csv", session.history)
    judged = judge(session, reason, setup)
    if is_writing:
        write_results(folder, session.problem, judged, has_report=has_report)
    return Solution(session.problem, session, judged, folder)
