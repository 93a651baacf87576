"""Commands in processes of their own, forked from one that has loaded everything already."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from pinngate.cli import main

MET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """One command in a forked process.

    Args:
        arguments: of pinngate.
        said: the file that takes all that it says.
    """

    def __init__(self, arguments: list[str], said: Path) -> None:
        self.said = said
        signal.pthread_sigmask(signal.SIG_BLOCK, MET)
        self.process = os.fork()
        if self.process == 0:
            self._become(arguments)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, MET)

    def _become(self, arguments: list[str]) -> None:
        status = 70
        try:
            descriptor = os.open(self.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            for name in MET:
                signal.signal(name, signal.SIG_DFL)
            sys.argv = ["pinngate", *arguments]
            signal.pthread_sigmask(signal.SIG_UNBLOCK, MET)  # one that came before ends it here
            signal.signal(signal.SIGINT, signal.default_int_handler)
            main()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else int(bool(error.code))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def send(self, number: int, after: float) -> None:
        """Send a signal after some seconds, where it is still there."""
        time.sleep(after)
        if os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(self.process, number)

    def status(self) -> int:
        """Wait for its end and return its status; that of a signal is negative."""
        _, found = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(found)

    def words(self) -> str:
        """Return what it has said."""
        return self.said.read_text(encoding="utf-8", errors="replace")


def load_everything() -> None:
    """Import what a run needs, so that a forked process has it."""
    import torch

    import pinngate.report.figures
    import pinngate.solution  # noqa: F401

    torch.set_num_threads(1)
