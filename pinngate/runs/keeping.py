"""What is kept when a run is stopped from outside, and how to go on: one message for each way.

A signal, a full disk, a folder that is removed or no longer writable: whatever it was, the files of
a run are whole or absent, and the message says which of them are there. Around the work of
`solution.solving`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pinngate.errors import Interrupted, StorageError
from pinngate.runs.signals import Signalled, interruption


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Turn what stops a run into a message that says what is kept and how to go on.

    Raises:
        Interrupted: a signal came.
        StorageError: the folder cannot be written to.
    """
    try:
        yield
    except Interrupted as error:
        raise Interrupted(f"{error}; {how_to_go_on(folder)}", status=error.status) from None
    except Signalled as signalled:
        stopped = interruption(signalled.name)
        raise Interrupted(f"{stopped}; {how_to_go_on(folder)}", status=stopped.status) from None
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {how_to_go_on(folder)}") from None
    except StorageError as error:
        raise StorageError(f"{error}\n  {how_to_go_on(folder)}") from None
    except OSError as error:
        where = error.filename or folder
        raise StorageError(
            f"cannot write {where}: {error.strerror or error}\n  {how_to_go_on(folder)}"
        ) from None


def how_to_go_on(folder: Path) -> str:
    """Say what a folder holds of a run, and the command that finishes it."""
    command = f"go on with: {resume_command(folder)}"
    for name, what in (
        ("metrics.json", "the answer is kept, its report is not drawn"),
        ("checkpoint.pt", "the last checkpoint is kept"),
        ("problem.yaml", "the problem is kept, and nothing of the training"),
    ):
        try:
            if (folder / name).is_file():
                return f"{what}; {command}"
        except OSError:
            continue
    return "nothing is kept: run the problem again"


def resume_command(folder: Path) -> str:
    """Return the command that finishes the run in a folder."""
    return f"pinngate resume {shlex.quote(str(folder))}"
