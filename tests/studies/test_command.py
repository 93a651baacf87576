"""``pinngate study`` as it is typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pinngate import cli


def call(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["pinngate", "study", *arguments])
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_a_study_in_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--quick", "--out", str(tmp_path), "--workers", "2", "--set", "networks.seeds=[]"]
    options += ["--set", "networks.arms.adam=null", "--set", "features.widths=[5]"]
    arguments = ["double-descent", *options]
    status, out, err = call(arguments, monkeypatch, capsys)
    assert status == 0, err
    assert "features, time 100" in out
    assert "2/2" in err
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "pinngate study double-descent --quick" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["groking"], "did you mean 'grokking'?"),
        (["double-descent", "--set", "noise=1"], "noise"),
        (["double-descent", "--device", "abacus"], "device 'abacus'"),
        (["double-descent", "--workers", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_input_is_status_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = call(arguments, monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert words in err
