"""Ctrl-C, SIGTERM and SIGHUP: met between two iterations, so that a resumed run is the same.

A signal may come in the middle of a step, where half of the state is new and half is old. While a
run trains it is noted, and the loop ends at the next boundary with a checkpoint; a second one ends
the process at once, from the last checkpoint, and where an iteration is long the second one is sent
from here. Outside the loop the first one does; where it comes while Python cleans up, which
swallows exceptions, it is sent again a moment later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

from pinngate.errors import Interrupted, PinngateError

AGAIN = 0.02  # seconds until a signal that was swallowed is sent again
PATIENCE = 5.0  # seconds that whoever stops a run waits for the end of its iteration
STATUS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 143}
_OWN_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


@dataclass
class Pending:
    """The signal that came and waits for the end of an iteration, if any."""

    name: str = ""
    is_waiting: bool = False
    second: threading.Timer | None = None

    def met(self, number: int, _: FrameType | None) -> None:
        """Note a signal, or end at once where nothing waits for it or it is the second."""
        is_second, self.name = bool(self.name), signal.Signals(number).name
        if not self.is_waiting or is_second:
            raise Signalled(self.name)
        self.second = _sent_in(PATIENCE, number)

    def over(self) -> None:
        """Send no second signal: nothing waits any more."""
        if self.second is not None:
            self.second.cancel()


class Signalled(BaseException):
    """A signal on its way out of `noted`, where it becomes `Interrupted`.

    No `Exception`: whoever explains what a damaged file may raise must not take it for that.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def interruption(name: str, where: str = "") -> Interrupted:
    """Return the exception that a signal becomes."""
    return Interrupted(f"interrupted{where}", status=STATUS[name])


@contextmanager
def noted(*, is_waiting: bool) -> Iterator[Pending]:
    """Meet the signals inside the block; handlers that a program set itself stay.

    Args:
        is_waiting: whether the block asks for what is pending, rather than be ended at once.

    Raises:
        Interrupted: a signal ended the block.
    """
    pending = Pending(is_waiting=is_waiting)
    before = _handled_by(pending)
    hook = sys.unraisablehook
    if before:
        sys.unraisablehook = partial(_sent_again, hook)
    try:
        yield pending
    except Signalled as signalled:
        raise interruption(signalled.name) from None
    except PinngateError:
        raise
    except Exception as error:
        # code in C that meets the signal's exception may raise one of its own in its place
        if pending.name and not pending.is_waiting:
            raise interruption(pending.name) from error
        raise
    finally:
        pending.over()
        if before:
            sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _handled_by(pending: Pending) -> dict[signal.Signals, Any]:
    """Let signals be noted whose handlers are nobody's own; return those handlers."""
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return before
    known = (getattr(signal, name, None) for name in STATUS)  # no SIGHUP on Windows
    for number in (n for n in known if n is not None):
        present = signal.getsignal(number)
        if present in _OWN_DEFAULTS or getattr(present, "__func__", None) is Pending.met:
            before[number] = signal.signal(number, pending.met)
    return before


def _sent_again(
    otherwise: Callable[[sys.UnraisableHookArgs], object], swallowed: sys.UnraisableHookArgs
) -> None:
    """Send a signal again whose exception was raised where nothing can be raised."""
    error = swallowed.exc_value
    if not isinstance(error, Signalled):
        otherwise(swallowed)
        return
    _sent_in(AGAIN, getattr(signal, error.name))


def _sent_in(seconds: float, number: int) -> threading.Timer:
    """Send this process a signal after some seconds, unless the timer is cancelled before."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
    return timer
