"""What a problem file can be made to hold: exit in words, with a place, before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinngate.config import loads
from pinngate.config.loading import load
from pinngate.errors import InputError

PROBLEM = """\
pinngate: 1
name: a
title: "plain"
domain: {x: [0, 1]}
unknowns: [u]
estimate: {k: {initial: 1}}
equations: ["u_x = k"]
observations:
  - {of: u, count: 20, noise: {std: 0.1}}
truth: {u: x}
"""

FAULTS = {
    "null for a list": ("{initial: 1}", "{initial: 1, over: null}", ":6:", "cannot be nothing"),
    "null for what is observed": ("of: u", "of: null", ":9:", "cannot be nothing"),
    "no layout": ("count: 20", "layout: {}", ":9:", "along no axis"),
    "a root of -1": ("u: x", "u: x*sqrt(-1)", ":10:", "sqrt(-1) has no finite real value"),
    "a division by zero": ("u_x = k", "u_x = k/(2 - 2)", ":7:", "has no finite real value"),
    "a logarithm of zero": ("u_x = k", "u_x = k + x*log(0)", ":7:", "log(0) has no finite"),
    "infinity": ("u_x = k", "u_x = k*1e200**2", ":7:", "has no finite real value"),
    "half a character": ('"plain"', '"\\ud800"', ":3:", "half a character"),
    "half a character in a key": ("title:", '"\\ud800":', ":3:", "half a character"),
    "grouped digits": ("u_x = k", "u_x = 1_000*k", ":7:", "a number with '_'"),
    "foreign digits": ("u_x = k", "u_x = \u0661*k", ":7:", "not allowed in a formula"),
    "memory without end": ("truth:", f"solve: {{max_memory: {'9' * 400}}}\ntruth:", ":10:", "GiB"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_refused_with_its_place(name: str) -> None:
    old, new, place, message = FAULTS[name]
    with pytest.raises(InputError) as caught:
        loads(PROBLEM.replace(old, new))
    assert place in str(caught.value)
    assert message in str(caught.value)


def test_data_files_are_regular_files(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,u\n0.5,1\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "data.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name, kind in (
        ("link", "a link"),
        ("zero", "a link"),
        ("folder", "a folder"),
        ("pipe", "a pipe"),
    ):
        text = PROBLEM.replace("count: 20, noise: {std: 0.1}", f"file: {name}.csv")
        (tmp_path / "problem.yaml").write_text(text)
        with pytest.raises(InputError, match=f"'{name}.csv' is {kind}") as caught:
            load(tmp_path / "problem.yaml")
        assert "problem.yaml:9:" in str(caught.value)


def test_escapes_in_prose_are_shown_and_not_obeyed() -> None:
    problem = loads(PROBLEM.replace('"plain"', '"\\e[31mred\\a"'))
    assert problem.title  # a title is the author's; a message shows what cannot be printed
    with pytest.raises(InputError) as caught:
        loads(PROBLEM.replace("name: a", 'name: "\\e[31m"'))
    assert "\x1b" not in str(caught.value)
