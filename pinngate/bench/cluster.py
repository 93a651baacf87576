"""Runs of a benchmark as jobs of a cluster, through `submitit` (extra ``cluster``).

Takes the place of `workers`, whose processes are on this machine: every run is a job of SLURM, or
with ``local`` a process that submitit starts here. Jobs that the scheduler ended, or whose process
died, are tried once more and then are failed rows. What was submitted is cancelled when the
benchmark is stopped; rows that are there are not run again. Below `matrix`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pinngate.bench.suite import Run
from pinngate.bench.workers import TRIES, Execute, Job, Row, warm_up
from pinngate.errors import InputError
from pinngate.runs.signals import interruption, noted

CLUSTERS = ("slurm", "local")
LOOK = 0.5  # seconds between two looks at what is running here
LOOK_AT_SLURM = 10.0  # and there: the scheduler answers everybody
MOST_SUBMITTED = 500  # jobs of one array, below what SLURM takes by default


@dataclass(frozen=True)
class Cluster:
    """Where runs go.

    Attributes:
        name: slurm or local.
        options: of submitit, such as ``slurm_partition``.
    """

    name: str
    options: Mapping[str, str | int] = field(default_factory=dict)

    def executor(self, folder: Path, num_workers: int, time_limit: float | None) -> Any:
        """Return submitit's executor; scripts and logs of jobs go to the folder.

        Raises:
            InputError: submitit or SLURM is not installed, or it does not know an option.
        """
        submitit = _submitit(self.name)
        try:
            made = submitit.AutoExecutor(folder=folder, cluster=self.name)
            limit = {} if time_limit is None else {"timeout_min": math.ceil(time_limit / 60) + 1}
            own = {"slurm_array_parallelism": num_workers} if self.name == "slurm" else {}
            made.update_parameters(cpus_per_task=1, **(own | limit | dict(self.options)))
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise InputError(
                f"--cluster {self.name}: {str(error).splitlines()[0]}",
                expected="a machine where sbatch is, and options of submitit",
            ) from None
        return made


def cluster_of(name: str | None, options: Sequence[str]) -> Cluster | None:
    """Return the cluster of that name, None for none, with options as ``key=value``.

    Raises:
        InputError: it is unknown, submitit is not installed, or an option is none.
    """
    if name is None:
        if options:
            raise InputError("--job says how jobs run", expected="--cluster slurm, or local")
        return None
    _submitit(name)
    stated: dict[str, str | int] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not key or not equals:
            raise InputError(f"--job {option}", expected="KEY=VALUE, as in slurm_partition=gpu")
        stated[key] = int(value) if value.isdecimal() else value
    return Cluster(name, stated)


def _submitit(name: str) -> Any:
    if name not in CLUSTERS:
        raise InputError(f"unknown cluster '{name}'", expected=" or ".join(CLUSTERS))
    try:
        return import_module("submitit")
    except ImportError:
        raise InputError(
            "--cluster needs submitit", hint="pip install 'pinngate[cluster]'"
        ) from None


def executed_on(
    cluster: Cluster,
    folder: Path,
    jobs: Sequence[Job],
    execute: Execute,
    *,
    num_workers: int,
    time_limit: float | None,
    failed: Callable[[str, Run, str], Row],
) -> Iterator[Row]:
    """Yield the rows of runs as they are done, as `workers.executed` does.

    Args:
        cluster: where.
        folder: of scripts and logs of the jobs, which every node sees.
        jobs: keys and runs.
        execute: importable by name.
        num_workers: most that run at once.
        time_limit: seconds that a run may take, None for no limit.
        failed: the row of a run and the reason why it has no answer.

    Raises:
        InputError: as `Cluster.executor`.
        Interrupted: a signal came while jobs were submitted.
    """
    executor = cluster.executor(folder, num_workers, time_limit)
    is_here = cluster.name == "local"
    room = num_workers if is_here else MOST_SUBMITTED
    waiting, tries = deque(jobs), dict.fromkeys((key for key, _ in jobs), 0)
    submitted: list[_Submitted] = []
    try:
        while waiting or submitted:
            with noted(is_waiting=True) as signals:  # no job is started that is not cancelled
                submitted += _submit(executor, execute, waiting, room - len(submitted))
            if signals.name:
                raise interruption(signals.name)
            done = [s for s in submitted if s.is_over(time_limit)]
            submitted = [s for s in submitted if s not in done]
            for one in done:
                row = one.row(time_limit)
                if isinstance(row, dict):
                    yield row
                    continue
                tries[one.run[0]] += 1
                if tries[one.run[0]] < TRIES and not one.is_late:
                    waiting.append(one.run)
                else:
                    yield failed(*one.run, row)
            if not done:
                time.sleep(LOOK if is_here else LOOK_AT_SLURM)
    finally:
        for one in submitted:
            one.cancel()


def _submit(executor: Any, execute: Execute, waiting: deque[Job], room: int) -> list[_Submitted]:
    """Submit as many runs as there is room for, together."""
    taken = [waiting.popleft() for _ in range(min(room, len(waiting)))]
    if not taken:
        return []
    with executor.batch():
        jobs = [executor.submit(_on_node, execute, key, run) for key, run in taken]
    is_here = executor.cluster == "local"
    return [_Submitted(run, job, is_here) for run, job in zip(taken, jobs, strict=True)]


def _on_node(execute: Execute, key: str, run: Run) -> Row:
    warm_up()
    return execute(key, run)


@dataclass(eq=False)
class _Submitted:
    """A run and its job, on this machine or not; `began` is when it was first seen running."""

    run: Job
    job: Any
    is_here: bool
    began: float | None = None
    is_late: bool = False

    def is_over(self, time_limit: float | None) -> bool:
        """Whether the job has ended, or takes too long."""
        if self.job.done():
            return True
        if self.began is None and self.job.state == "RUNNING":
            self.began = time.monotonic()
        began = time.monotonic() if self.began is None else self.began
        self.is_late = time_limit is not None and time.monotonic() - began > time_limit
        return self.is_late

    def row(self, time_limit: float | None) -> Row | str:
        """Return the row, or why there is none; a job that takes too long is cancelled."""
        if self.is_late:
            self.cancel()
            return f"it took longer than the time limit of {time_limit:g} s"
        try:
            row: Row = self.job.result()
            return row
        except Exception as error:  # submitit raises what the job did, or that it left no result
            told = str(error).strip().splitlines()
            first = told[0][:200] if told else type(error).__name__
            return f"its job {self.job.job_id} failed {TRIES} times ({first})"

    def cancel(self) -> None:
        """End the job; one of this machine is over when this returns."""
        with suppress(Exception):  # the scheduler may have ended it
            self.job.cancel()
            if self.is_here:
                self.job.wait()
