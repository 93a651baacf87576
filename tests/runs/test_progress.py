"""Progress: one line of eighty letters, totals that grow, terminals that are none."""

from __future__ import annotations

import io
import re

import pytest

from pinngate.runs.progress import WIDTH, ProgressDisplay, describe, seconds_text
from pinngate.runs.training import Progress

ROW = {"loss": 0.0123456, "leave_one_out_risk": 0.0456} | {
    f"loss_equation_{k}": 1e-7 * k for k in range(20)
}


def told(done: int, total: int, left: float = 12.0) -> Progress:
    return Progress(done, total, ROW, left, 3.0)


def test_a_line_has_eighty_letters_and_what_counts_most(capsys) -> None:
    with ProgressDisplay() as display:
        display.show(told(50, 100))
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) <= WIDTH
    assert "iteration 50/100" in line
    assert "leave-one-out risk 0.0456" in line
    assert "about 12 s left" in line


def test_a_total_that_grows_and_shrinks_is_followed(capsys) -> None:
    with ProgressDisplay() as display:
        for done, total in [(10, 20), (20, 20), (20, 200), (30, 200), (190, 200), (190, 190)]:
            display.show(told(done, total))
    lines = capsys.readouterr().err.splitlines()
    assert [re.findall(r"\d+/\d+", line)[0] for line in lines] == ["10/20", "20/20", "190/190"] or (
        len(lines) <= 6 and len(set(lines)) == len(lines)
    )


def test_a_live_bar_survives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with ProgressDisplay() as display:
        assert display.is_live
        for done, total in [(1, 2), (2, 2), (3, 2), (3, 300), (250, 250)]:
            display.show(told(done, total))
            display._bar.refresh()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "250/250" in plain
    assert all(len(line) <= 80 for line in re.split(r"[\r\n]", plain))


def test_quiet_shows_nothing(capsys) -> None:
    with ProgressDisplay(is_quiet=True) as display:
        display.show(told(1, 1))
    assert capsys.readouterr().err == ""


def test_narrow_lines_keep_the_time() -> None:
    assert describe(told(1, 2), 10) == "about 12 s left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.4, "a moment"),
        (12.3, "about 12 s"),
        (150.0, "about 2 min"),
        (9e3, "about 2 h"),
    ],
)
def test_times_are_as_rough_as_they_are_known(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
