"""What `pinngate.torch` loads, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = "import pinngate.torch, sys; print(*sys.modules)"
FOREIGN = {"matplotlib", "scipy", "deepxde", "pydantic", "yaml", "typer", "rich", "jinja2", "PIL"}
ROOMS = {"pinngate.statement", "pinngate.expression", "pinngate.model", "pinngate.runs"}


def test_it_loads_torch_and_nothing_of_differential_equations(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"torch", "pinngate.torch.per_example"} <= loaded
    assert loaded & (FOREIGN | ROOMS) == set()
