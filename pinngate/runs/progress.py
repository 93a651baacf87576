"""Progress on standard error: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import TracebackType

from pinngate.runs.training import Progress

LINES = 10  # plain lines of a whole run


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
        self._shown = 0

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
        text = describe(progress)
        if self.is_live:
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


def is_notebook() -> bool:
    """Whether the code runs in a notebook, which shows what is displayed in it."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


def has_widgets() -> bool:
    """Whether a notebook can show a live bar; without, it gets plain lines."""
    return find_spec("ipywidgets") is not None


def describe(progress: Progress) -> str:
    """Return the figures of one logged iteration on one line."""
    row = progress.row
    parts = [f"loss {row['loss']:.3g}"] if "loss" in row else []
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
