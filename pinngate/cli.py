"""The command line: thin, lazy, every answer on standard output, everything else on standard error.

Exit status: 0 solved; 1 the run failed or did not converge; 2 the input is wrong; 3 doubtful: all
is written, and reasons are told not to trust it; 130 or 143 interrupted.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import platform
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Annotated

import typer

from pinngate import __version__
from pinngate.commands import (
    choice_commands,
    file_commands,
    run_commands,
    shell_words,
    table_commands,
)
from pinngate.commands.answers import tell
from pinngate.errors import InputError, Interrupted, PinngateError
from pinngate.memory import keep_freed
from pinngate.parallel.launch import is_heard, is_launched, joined
from pinngate.runs.signals import noted
from pinngate.studies.study_command import study

# New objects between two searches for circles among them, in place of Python's 700: importing torch
# and drawing make half a million that stay, and searching them takes a tenth of a short run.
COLLECTED = 50_000
# Where numpy and scipy have OpenBLAS to themselves and torch has a library of its own: what they
# multiply is small, and threads would wait for each other longer than they work.
ONE_THREADED = ("x86_64", "AMD64")

app = typer.Typer(
    name="pinngate",
    help="Partial differential equations from noisy observations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # brackets in the texts below are brackets
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(is_asked: bool) -> None:
    if is_asked:
        print(f"pinngate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
) -> None:
    """Partial differential equations from noisy observations."""


_COMMANDS: dict[str, Callable[..., None]] = {
    "run": run_commands.run,
    "resume": run_commands.resume,
    "report": run_commands.report,
    "report-bug": run_commands.report_bug,
    "check": file_commands.check,
    "predict": table_commands.predict,
    "compare": table_commands.compare,
    "design": choice_commands.design,
    "spectrum": table_commands.spectrum,
    "theory": table_commands.theory,
    "bench": table_commands.bench,
    "list": file_commands.list_,
    "new": file_commands.new,
    "cite": file_commands.cite,
    "schema": file_commands.schema,
    "study": study,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish")],
) -> None:
    """Print what lets a shell complete commands, options and shipped problems."""
    print(shell_words.script(shell, typer.main.get_command(app)))


def main() -> None:
    """Run the command line and exit."""
    gc.set_threshold(COLLECTED)
    keep_freed()
    if platform.machine() in ONE_THREADED:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    is_debugging = "--debug" in sys.argv
    if not is_debugging:
        warnings.simplefilter("ignore")  # of numpy and torch: what matters is told in words
        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # letters that a font lacks
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know ASCII alone
    arguments = ["--debug", *(a for a in sys.argv[1:] if a != "--debug")]
    try:
        with noted(is_waiting=False), _shared():
            app(args=arguments if is_debugging else sys.argv[1:], standalone_mode=True)
    except Exception as error:
        if is_debugging:
            raise
        sys.exit(_told(error))
    except KeyboardInterrupt:
        sys.exit(_told(Interrupted("interrupted")))


@contextmanager
def _shared() -> Iterator[None]:
    """Share the command with the other processes of torchrun, if any; the first one prints.

    Raises:
        InputError: it is a command that processes cannot share.
    """
    command = next((a for a in sys.argv[1:] if not a.startswith("-")), "run")
    if is_launched() and command not in ("run", "resume"):
        raise InputError(
            f"torchrun has started '{command}'", expected="run or resume, which processes can share"
        )
    with joined():
        if os.environ.get("RANK", "0") == "0" or not is_launched():
            yield
            return
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield


def _way_on(told: str) -> str:
    """Return how to go on where `resume` was stopped before it came to know its folder."""
    if sys.argv[1:2] != ["resume"] or "pinngate resume" in told:
        return ""
    return f"; go on with: {shlex.join(['pinngate', *sys.argv[1:]])}"


def _told(error: Exception) -> int:
    """Say what stopped a command, in one of the processes that share it, and return its status."""
    say = tell if is_heard() else _ignore
    if isinstance(error, Interrupted):
        say(f"{error}{_way_on(str(error))}")
        return error.status
    if isinstance(error, PinngateError):
        say(str(error))
        return 2 if isinstance(error, InputError) else 1
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, MemoryError):
        told = str(error).splitlines()
        say(f"out of memory: {told[0] if told else 'nothing is left'}")
        say("  a smaller --max-memory, fewer points or a smaller network need less")
        return 1
    from pinngate.runs.bug import command_for

    say(f"internal error: {type(error).__name__}: {error}")
    say(f"  this is a fault of pinngate; please report what this prints: {command_for(error)}")
    say("  run again with --debug for the traceback")
    return 1


def _ignore(_: str) -> None:
    pass
