"""The examples of docs/extending.md run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    known: dict[str, object] = {"__name__": "examples"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    assert "Residual" in capsys.readouterr().out
