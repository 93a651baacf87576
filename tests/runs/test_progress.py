"""Where progress is shown, and as what."""

from __future__ import annotations

import sys
import types

import pytest

from pinngate.runs import progress as display
from pinngate.runs.progress import ProgressDisplay, form_of
from pinngate.runs.training import Progress


def step(iteration: int, iterations: int = 40) -> Progress:
    row = {"loss": 0.5, "loss_equation_1": 0.25, "leave_one_out_risk": 0.1, "seconds": 1.0}
    return Progress(iteration, iterations, row, 3.0)


@pytest.mark.parametrize(
    ("is_notebook", "has_widgets", "is_terminal", "forms"),
    [
        (False, True, False, ("nothing", "lines", "nothing")),
        (False, True, True, ("bar", "bar", "nothing")),
        (True, True, False, ("bar", "bar", "nothing")),
        (True, False, False, ("lines", "lines", "nothing")),
    ],
)
def test_forms(
    is_notebook: bool,
    has_widgets: bool,
    is_terminal: bool,
    forms: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(display, "is_notebook", lambda: is_notebook)
    monkeypatch.setattr(display, "find_spec", lambda name: object() if has_widgets else None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert tuple(form_of(wanted) for wanted in (None, True, False)) == forms


def test_a_kernel_is_told_from_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not display.is_notebook()

    class ZMQInteractiveShell:
        pass

    class TerminalInteractiveShell:
        pass

    module = types.ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", module)
    for shell, expected in ((ZMQInteractiveShell, True), (TerminalInteractiveShell, False)):
        monkeypatch.setattr("builtins.get_ipython", shell, raising=False)
        assert display.is_notebook() is expected


def test_lines_are_about_ten(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(True) as shown:
        for iteration in range(1, 41):
            shown.show(step(iteration))
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith(
        "iteration 40/40  loss 0.5  equation_1 0.25  leave-one-out risk 0.1"
    )


def test_nothing_is_shown_by_default_outside_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressDisplay() as shown:
        shown.show(step(40))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_bar_follows_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressDisplay() as shown:
        shown.show(step(10))
        (task,) = shown._bar.tasks
        assert (task.completed, task.total) == (10, 40)
        assert "loss 0.5" in task.description
        shown.show(step(12, 80))  # a race may turn out longer
        assert (task.completed, task.total) == (12, 80)
    assert not shown._bar.live.is_started
