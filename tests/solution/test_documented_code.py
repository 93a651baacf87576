"""The Python code of the README and of docs/solution.md runs; with a user's script it is typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pinngate
from pinngate.solution import solving

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/solution.md"]


def code_of(page: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_it_runs(page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def short(problem: Any, **options: Any) -> Any:
        asked = options.pop("callback", None) or (lambda progress: False)
        return solving.solve(problem, callback=lambda p: asked(p) or p.iteration >= 24, **options)

    (tmp_path / "problems").symlink_to(ROOT / "problems")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pinngate, "solve", short, raising=False)
    names: dict[str, Any] = {"__name__": "documented"}
    exec(compile(code_of(page), page, "exec"), names)
    assert isinstance(names["solution"], pinngate.Solution)


@pytest.mark.slow
def test_it_is_typed(tmp_path: Path) -> None:
    scripts = []
    for page in PAGES:
        script = tmp_path / f"{Path(page).stem.lower()}_code.py"
        script.write_text(code_of(page), encoding="utf-8")
        scripts.append(str(script))
    tests = ROOT / "tests"
    scripts += [str(tests / own) for own in ("solution/user_script.py", "statement/user_script.py")]
    options = ["--strict", "--follow-imports=silent", "--config-file=", "--cache-dir"]
    command = [sys.executable, "-m", "mypy", *options, str(ROOT / ".mypy_cache" / "strict")]
    done = subprocess.run([*command, *scripts], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
