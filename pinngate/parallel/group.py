"""The process group of ``torchrun``: gloo between main memories, nccl between GPUs.

Loaded only in a process that torchrun has started. A process that is gone closes its connections,
which ends the next exchange of the others; one that hangs is given up after `PATIENCE`. Which of
them tells why a run has ended is decided by a counter in torchrun's own store, which outlives them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from pinngate.errors import InputError, Interrupted
from pinngate.parallel.ranks import Ranks, sharing

PATIENCE = 1800.0  # seconds that an exchange may wait for a process that is busy or hangs
LEAD = 1.0  # seconds by which the first process may tell before the others do
LOST = "another process of this run has ended or does not answer"

_stores: list[dist.Store] = []


@contextmanager
def joined_group() -> Iterator[None]:
    """Join the processes that torchrun has started, and share what is solved inside the block.

    Raises:
        InputError: their number is no power of two.
        Interrupted: they cannot be reached.
    """
    index, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if size & (size - 1):
        raise InputError(
            f"torchrun has started {size} processes",
            expected="1, 2, 4, 8 or another power of two of them, so that sums have one order",
            hint="torchrun --nproc-per-node 2 -m pinngate ...",
        )
    has_gpus = torch.cuda.is_available()
    if has_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    patience = timedelta(seconds=PATIENCE)
    try:
        store, _, _ = next(dist.rendezvous("env://", index, size, timeout=patience))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_gpus else "gloo",
            store=store,
            rank=index,
            world_size=size,
            timeout=patience,
        )
    except RuntimeError as error:
        raise Interrupted(LOST, status=1) from error
    _stores.append(store)
    among = Ranks(index, size, _swapped)
    try:
        with sharing(among), _ending_together(among):
            yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _ending_together(among: Ranks) -> Iterator[None]:
    """Wait for the one that writes: torchrun stops all once one has ended with a status."""
    try:
        yield
    except SystemExit:
        among.most([0.0])
        raise
    among.most([0.0])


def is_first_to_tell() -> bool:
    """Whether no other process has told yet; the first process goes ahead of the others.

    For a process that is about to end: it no longer listens to torchrun, which tells all to end
    once one has.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    is_first = os.environ["RANK"] == "0"
    if not _stores:  # they have not met: what stopped one has stopped all
        return is_first
    if not is_first:
        time.sleep(LEAD)
    try:
        return _stores[-1].add("pinngate/told", 1) == 1
    except RuntimeError:  # torchrun is gone
        return is_first


def _swapped(given: Tensor, partner: int) -> Tensor:
    received = torch.empty_like(given)
    sent = dist.P2POp(dist.isend, given, partner)
    try:
        for work in dist.batch_isend_irecv([sent, dist.P2POp(dist.irecv, received, partner)]):
            work.wait()
    except RuntimeError as error:
        raise Interrupted(LOST, status=1) from error
    return received
