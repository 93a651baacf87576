"""Progress on standard error: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import TracebackType

from pinngate.runs.training import Progress

LINES = 10  # plain lines of a whole run
WIDTH = 80  # of a plain line
BAR_ROOM = 40  # letters that count and bar take of a terminal's width


class ProgressDisplay:
    """A context manager whose `show` is told of every logged iteration.

    Args:
        is_quiet: show nothing.
        is_live_only: show nothing where there is neither a terminal nor a notebook.
    """

    def __init__(self, is_quiet: bool = False, is_live_only: bool = False) -> None:
        in_notebook = is_notebook()
        self.is_live = not is_quiet and (has_widgets() if in_notebook else sys.stderr.isatty())
        self.is_quiet = is_quiet or (is_live_only and not self.is_live and not in_notebook)
        self._shown = self._last = 0

    def __enter__(self) -> ProgressDisplay:
        if self.is_live:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.completed}/{task.total}"),
                BarColumn(bar_width=24),
                TextColumn("{task.description}"),
                console=Console() if is_notebook() else Console(stderr=True),
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
        if self.is_live:
            self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Show one logged iteration."""
        if self.is_quiet:
            return
        if self.is_live:
            text = describe(progress, self._bar.console.width - BAR_ROOM)
            # a total may grow or shrink on the way, as candidates come and go
            total = max(progress.iterations, progress.iteration)
            self._bar.update(
                self._task, completed=progress.iteration, total=total, description=text
            )
            return
        due = progress.iteration * LINES // max(1, progress.iterations)
        is_last = progress.iteration == progress.iterations
        if progress.iteration > self._last and (due > self._shown or is_last):
            self._shown, self._last = max(due, self._shown), progress.iteration
            counted = f"iteration {progress.iteration}/{progress.iterations}  "
            line = counted + describe(progress, WIDTH - len(counted))
            print(line, file=sys.stderr, flush=True)


def is_notebook() -> bool:
    """Whether the code runs in a notebook, which shows what is displayed in it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def has_widgets() -> bool:
    """Whether a notebook can show a live bar; without, it gets plain lines."""
    return find_spec("ipywidgets") is not None


def describe(progress: Progress, width: int = WIDTH) -> str:
    """Return the figures of one logged iteration on one line, those that count most first.

    Args:
        progress: of the iteration.
        width: letters; single terms of the loss are left out where they do not fit.
    """
    row = progress.row
    parts = [f"{seconds_text(progress.seconds_left)} left"]
    if "leave_one_out_risk" in row:
        parts.append(f"leave-one-out risk {row['leave_one_out_risk']:.4g}")
    if "loss" in row:
        parts.append(f"loss {row['loss']:.3g}")
    if "open_fraction" in row:
        parts.append(f"gate open {row['open_fraction']:.0%}")
    parts += [
        f"{name.removeprefix('loss_')} {value:.2g}"
        for name, value in row.items()
        if name.startswith("loss_")
    ]
    text = parts[0]
    for part in parts[1:]:
        if len(text) + 2 + len(part) > width:
            break
        text += f"  {part}"
    return text


def seconds_text(seconds: float) -> str:
    """Return a time that is only roughly known, in words of two digits at most."""
    if seconds < 1:
        return "a moment" if seconds > 0 else "0 s"
    if seconds < 100:
        return f"about {seconds:.2g} s"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 100 else f"about {minutes / 60:.0f} h"
