"""Arguments and options that commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinngate.errors import DataError, InputError, PinngateError, TruthError
from pinngate.reading import finite_decimal, whole

if TYPE_CHECKING:
    from pinngate.config import Located
MOST_SECONDS = 1e9


def path_of(text: str | Path) -> Path:
    """Read the name of a file or folder; an empty one would be the present folder."""
    if not str(text).strip() or text == "" or "\0" in str(text):
        raise InputError("an empty name", expected="the name of a file or a folder")
    return Path(text)


def whole_number(text: str | int) -> int:
    """Read a whole number in ASCII digits."""
    try:
        return text if isinstance(text, int) else whole(text)
    except ValueError:
        raise InputError(f"'{text}' is no whole number", expected="digits, as in 12") from None


def seconds_of(text: str | float) -> float:
    """Read a number of seconds above zero."""
    try:
        seconds = text if isinstance(text, float) else finite_decimal(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < MOST_SECONDS:
        raise InputError(f"'{text}' is no time limit", expected="seconds, as in 600")
    return seconds


def count_of(text: str | int) -> int:
    """Read a whole number of one or more."""
    if (number := whole_number(text)) < 1:
        raise InputError(f"{number} is too few", expected="1 or more")
    return number


ProblemArgument = Annotated[
    str, typer.Argument(metavar="PROBLEM", help="a problem file, or the name of a shipped problem")
]
FolderArgument = Annotated[
    Path, typer.Argument(metavar="DIR", parser=path_of, help="the folder of a run")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override a key, as in solve.iterations=2000")
]
ReportOption = Annotated[
    bool, typer.Option("--report/--no-report", help="draw figures and write report.html")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="no progress")]
JsonOption = Annotated[bool, typer.Option("--json", help="print metrics.json in place of a table")]
PlainJsonOption = Annotated[bool, typer.Option("--json", help="print JSON in place of text")]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="memory that the solver may use, such as 2GB [default: half of what is free]",
    ),
]


def load(
    problem: str, overrides: list[str] | None, stated: dict[str, int | str | None] | None = None
) -> Located:
    """Load a problem; `stated` are keys of `solve` that have options of their own."""
    from pinngate import config

    given = {key: value for key, value in (stated or {}).items() if value is not None}
    every = [*(overrides or []), *(f"solve.{key}={value}" for key, value in given.items())]
    return config.load_located(config.resolve(problem), overrides=every)


def byte_count(size: str | None) -> int | None:
    """Return the bytes of an amount of memory; None stays None."""
    from pinngate.memory import parse_size

    try:
        return None if size is None else parse_size(size)
    except ValueError:
        raise InputError(
            f"--max-memory {size} is no amount of memory",
            expected="an amount such as 2GB, 500MB or 1.5GiB",
        ) from None


@contextmanager
def pointing_to(located: Located) -> Iterator[None]:
    """Let faults of data files and of the truth point to where the problem states them."""
    try:
        yield
    except DataError as error:
        if error.file in located.files:
            raise error.at(located.files[error.file]) from None
        raise
    except TruthError as error:
        raise (error if located.truth is None else error.at(located.truth)) from None


@contextmanager
def remembering(folder: Path) -> Iterator[None]:
    """Keep the traceback of a fault of the package in the folder of a run."""
    try:
        yield
    except (PinngateError, typer.Exit):
        raise
    except Exception as error:
        from pinngate.runs.bug import keep

        keep(folder, error)
        raise
