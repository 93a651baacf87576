"""The examples of docs/torch.md run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from pinngate.torch import PopulationRiskAdam

PAGE = Path(__file__).parents[2] / "docs" / "torch.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*GradScaler.*")
def test_the_examples_run() -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 5
    known: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
        optimizer = known["optimizer"]
        assert isinstance(optimizer, PopulationRiskAdam)
        if block is not blocks[-1]:
            assert all("variance" in optimizer.state[p] for p in known["model"].parameters())
            assert all(bool(torch.isfinite(p).all()) for p in known["model"].parameters())
