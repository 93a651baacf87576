"""Processes that run what they are given, one run at a time, and may die or hang.

A run that ends its process, killed for its memory or by a fault of a library, is tried once more in
a fresh one and then is a failed row; so is one that takes longer than it may, whose process is
killed. What the others do goes on. Below `matrix`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from pinngate.bench.suite import Run
from pinngate.memory import keep_freed

Row = dict[str, Any]
Execute = Callable[[str, Run], Row]
Job = tuple[str, Run]
TRIES = 2  # a process may have been killed for what another one took of the memory


class Worker:
    """One process, started when it is first needed.

    Args:
        execute: what it does with a run; importable by name.

    Attributes:
        job: what it is at, None where it waits.
    """

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self.job: Job | None = None
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._execute), daemon=False)
        self._process.start()
        theirs.close()  # so that the end of the process ends the connection
        self._began, self._is_warm = time.monotonic(), False

    def begin(self, job: Job) -> None:
        """Give it a run."""
        self.job, self._began = job, time.monotonic()
        with suppress(OSError):  # it is gone, which `answer` will find
            self.connection.send(job)

    def seconds_left(self, limit: float | None) -> float | None:
        """Return how long its run may still take, None without a limit; a start does not count."""
        if limit is None or not self._is_warm:
            return None
        return max(0.0, self._began + limit - time.monotonic())

    def answer(self) -> Row | None:
        """Return the row that is there, None where it only says that it has started.

        Raises:
            EOFError: the process is gone.
        """
        try:
            found = self.connection.recv()
        except OSError as error:
            raise EOFError from error
        if found is None:
            self._began, self._is_warm = time.monotonic(), True
            return None
        self.job = None
        row: Row = found
        return row

    def replace(self) -> int | None:
        """Start a fresh process in place of this one, and return how this one ended."""
        self.stop()
        status = self._process.exitcode
        self.job = None
        self._start()
        return status

    def stop(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def executed(
    jobs: Sequence[Job],
    execute: Execute,
    *,
    num_workers: int,
    time_limit: float | None,
    failed: Callable[[str, Run, str], Row],
) -> Iterator[Row]:
    """Yield the rows of runs as they are done, in as many processes.

    Args:
        jobs: keys and runs.
        execute: importable by name.
        num_workers: processes.
        time_limit: seconds that a run may take, None for no limit.
        failed: the row of a run and the reason why it has no answer.
    """
    waiting, tries = deque(jobs), dict.fromkeys((key for key, _ in jobs), 0)
    workers = [Worker(execute) for _ in range(min(num_workers, len(jobs)))]
    try:
        while waiting or any(worker.job for worker in workers):
            for worker in workers:
                if worker.job is None and waiting:
                    worker.begin(waiting.popleft())
            busy = [worker for worker in workers if worker.job is not None]
            left = [s for w in busy if (s := w.seconds_left(time_limit)) is not None]
            ready = wait([worker.connection for worker in busy], min(left, default=None))
            for worker in busy:
                row = _outcome(worker, worker.connection in ready, time_limit, tries, failed)
                if isinstance(row, dict):
                    yield row
                elif row is not None:
                    waiting.appendleft(row)
    finally:
        for worker in workers:
            worker.stop()


def _outcome(
    worker: Worker,
    is_ready: bool,
    time_limit: float | None,
    tries: dict[str, int],
    failed: Callable[[str, Run, str], Row],
) -> Row | Job | None:
    """Return a row, a run that is to be tried again, or None while there is nothing to say."""
    assert worker.job is not None
    job = worker.job
    if is_ready:
        try:
            return worker.answer()
        except EOFError:
            status = worker.replace()
            tries[job[0]] += 1
            if tries[job[0]] < TRIES:
                return job
            return failed(*job, f"its process ended {TRIES} times, {_status(status)}")
    if worker.seconds_left(time_limit) == 0:
        worker.replace()
        return failed(*job, f"it took longer than the time limit of {time_limit:g} s")
    return None


def _status(status: int | None) -> str:
    if status is None or status >= 0:
        return f"with status {status}"
    return f"killed by signal {-status}; it may have had too little memory"


def _serve(connection: Connection, execute: Execute) -> None:
    """Answer runs until the other end is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warm_up()
    connection.send(None)
    while True:
        try:
            key, run = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(execute(key, run))


def warm_up() -> None:
    """Take one thread, and load what a first optimizer step needs: no run pays for it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_freed()
    import torch

    torch.set_num_threads(1)
    weight = torch.zeros(1, requires_grad=True)
    weight.square().sum().backward()
    torch.optim.Adam([weight]).step()


def _end_with_parent() -> None:
    """Leave no worker behind where the benchmark was killed and could not tell it to stop."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
