"""Whether torchrun has started this process; what is heavy is loaded only if it has."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

MOST_LEAVES = 64  # processes among which a sum is shared; it needs log₂ of that more sums at once


def is_launched() -> bool:
    """Whether this is one of the processes of ``torchrun``, by the environment that it sets."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def joined() -> AbstractContextManager[None]:
    """Share what is solved inside the block with the other processes of ``torchrun``, if any.

    Raises:
        InputError: their number is no power of two.
        Interrupted: they cannot be reached.
    """
    if not is_launched():
        return nullcontext()
    from pinngate.parallel.group import joined_group

    return joined_group()


def is_heard() -> bool:
    """Whether this process tells what stopped the run: the first one that asks, or the only one."""
    if not is_launched():
        return True
    from pinngate.parallel.group import is_first_to_tell

    return is_first_to_tell()
