"""How commands answer: on standard output, what goes on beside it on standard error."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
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


def show(solution: Solution, is_json: bool, began: float | None = None) -> None:
    """Print what came of a run, and end with its exit status.

    Args:
        solution: of the run.
        is_json: whether to print the metrics in place of lines.
        began: `time.perf_counter` when the command began.

    Raises:
        typer.Exit: the run failed or is doubtful.
    """
    from pinngate.report.terminal import verdict_lines

    metrics = solution.metrics
    if is_json:
        print_json(metrics)
    else:
        waited = None if began is None else time.perf_counter() - began
        for line in verdict_lines(metrics, waited):
            say(line)
        if solution.folder is not None:
            say(_whereabouts(solution.folder))
    if status := EXIT_STATUS[metrics["verdict"]]:
        raise typer.Exit(status)


def _whereabouts(folder: Path) -> str:
    page = folder / "report.html"
    return f"report: {page}" if page.exists() else f"folder: {folder}"
