"""The examples of docs/extending.md run as they stand, one after the other."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    module = types.ModuleType("examples")  # what is pickled or annotated finds its module there
    monkeypatch.setitem(sys.modules, "examples", module)
    known = vars(module)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    assert "Residual" in capsys.readouterr().out
