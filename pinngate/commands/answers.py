"""How commands answer: on standard output, what goes on beside it on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from pinngate.errors import printable

if TYPE_CHECKING:
    from rich.text import Text

    from pinngate.solution import Solution

EXIT_STATUS = {"solved": 0, "failed": 1, "doubtful": 3}


def say(text: str) -> None:
    """Print a line; control characters in it are not obeyed."""
    print(printable(text))


def tell(text: str) -> None:
    """Print a line on standard error."""
    with suppress(OSError):  # a terminal that is gone, as after SIGHUP
        print(printable(text), file=sys.stderr)


def plain(text: Any) -> Text:
    """Return a cell in which brackets are brackets."""
    from rich.text import Text

    return Text(printable(str(text)))


def print_json(content: Any) -> None:
    """Print plain containers as JSON."""
    import json

    print(json.dumps(content, indent=2, allow_nan=False))


def show(solution: Solution, is_json: bool) -> None:
    """Print what came of a run, and end with its exit status.

    Raises:
        typer.Exit: the run failed or is doubtful.
    """
    from pinngate.report.terminal import verdict_lines

    metrics = solution.metrics
    if is_json:
        print_json(metrics)
    else:
        for line in verdict_lines(metrics):
            say(line)
        if solution.folder is not None:
            say(f"report: {solution.folder / 'report.html'}")
    if status := EXIT_STATUS[metrics["verdict"]]:
        raise typer.Exit(status)
