"""Progress of a run: a live bar in terminals and notebooks, plain lines elsewhere if asked for.

Beside the training loop, which hands over every logged iteration. Everything goes to standard
error, so that standard output holds answers alone.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import TracebackType
from typing import Literal

from pinngate.runs.training import Progress

LINES = 10  # plain lines of a whole run

Form = Literal["bar", "lines", "nothing"]


class ProgressDisplay:
    """A context manager whose `show` is given to `pinngate.runs.training.train`.

    Args:
        is_wanted: True shows progress wherever it goes, False nowhere; None shows a bar in a
            terminal or notebook and nothing elsewhere.
    """

    def __init__(self, is_wanted: bool | None = None) -> None:
        self.form = form_of(is_wanted)
        self._shown = 0

    def __enter__(self) -> ProgressDisplay:
        if self.form == "bar":
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.completed}/{task.total}"),
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.form == "bar":
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Show one logged iteration."""
        if self.form == "nothing":
            return
        text = describe(progress)
        if self.form == "bar":
            self._bar.update(
                self._task,
                completed=progress.iteration,
                total=progress.iterations,
                description=text,
            )
            return
        due = progress.iteration * LINES // max(1, progress.iterations)
        if due > self._shown or progress.iteration == progress.iterations:
            self._shown = due
            line = f"iteration {progress.iteration}/{progress.iterations}  {text}"
            print(line, file=sys.stderr, flush=True)


def form_of(is_wanted: bool | None) -> Form:
    """Return how progress is shown here.

    A notebook draws the bar with ipywidgets; without them it gets lines.
    """
    if is_wanted is False:
        return "nothing"
    if is_notebook():
        return "bar" if find_spec("ipywidgets") is not None else "lines"
    if sys.stderr.isatty():
        return "bar"
    return "lines" if is_wanted else "nothing"


def is_notebook() -> bool:
    """Whether this is a Jupyter kernel, whose output is a page and no terminal."""
    if "IPython" not in sys.modules:
        return False
    from rich.console import Console

    return Console(stderr=True).is_jupyter


def describe(progress: Progress) -> str:
    """Return the figures of one logged iteration on one line."""
    row = progress.row
    parts = [f"loss {row['loss']:.3g}"]
    parts += [
        f"{name.removeprefix('loss_')} {value:.2g}"
        for name, value in row.items()
        if name.startswith("loss_")
    ]
    if "leave_one_out_risk" in row:
        parts.append(f"leave-one-out risk {row['leave_one_out_risk']:.4g}")
    if "open_fraction" in row:
        parts.append(f"gate open {row['open_fraction']:.0%}")
    parts.append(f"{progress.seconds_left:.0f} s left")
    return "  ".join(parts)
