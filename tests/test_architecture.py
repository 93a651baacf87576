"""The structure of the package: imports go one way between rooms, and the map names every room."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pinngate

PACKAGE = Path(pinngate.__file__).parent
MAP = PACKAGE.parent / "docs" / "architecture.md"

# A room imports only from rooms before its own, at the top of a module or inside a function.
ROOMS = [
    "errors",
    "reading",
    "writing",
    "memory",
    "streams",
    "parallel",
    "citation",
    "expression",
    "tables",
    "statement",
    "config",
    "geometry",
    "data",
    "model",
    "points",
    "linear",
    "inference",
    "reference",
    "limits",
    "classical",
    "optim",
    "torch",
    "runs",
    "report",
    "solution",
    "theory",
    "studies",
    "bench",
    "testing",
    "commands",
    "cli",
    "__main__",
]


def modules() -> dict[str, Path]:
    """Every module but the package itself, by its dotted name below the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts:
            found[".".join(parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Modules and names of the package that a module imports anywhere, types included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "pinngate":
                found |= {f"pinngate.{alias.name}" for alias in node.names}
            else:
                found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.removeprefix("pinngate.") for name in found if name.startswith("pinngate.")}


def room_of(module: str) -> str:
    return module.split(".")[0]


def test_every_module_has_a_room() -> None:
    assert [name for name in modules() if room_of(name) not in ROOMS] == []
    assert [room for room in ROOMS if room not in map(room_of, modules())] == []


def test_imports_go_one_way_between_rooms() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, path in modules().items()
        for imported in imports(path)
        if room_of(imported) in ROOMS
        and ROOMS.index(room_of(imported)) > ROOMS.index(room_of(name))
    ]
    assert wrong == []


def test_no_two_modules_have_one_name() -> None:
    # a package is named for its room; `__init__` says nothing of its own
    names = Counter(name.split(".")[-1] for name in modules() if "." in name)
    names.update(room for room in ROOMS if (PACKAGE / room).is_dir())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_map_names_every_room_in_this_order() -> None:
    named = re.findall(r"^\| `(\w+)/?` \|", MAP.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [room for room in ROOMS if room != "__main__"]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, path in modules().items()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_tests_mirror_the_package() -> None:
    tests = Path(__file__).parent
    rooms = {p.name for p in tests.iterdir() if p.is_dir() and p.name != "__pycache__"}
    across = {"reliability"}  # what tries to break all of them
    assert rooms - across <= {room for room in ROOMS if (PACKAGE / room).is_dir()}


def test_the_parts_for_any_training_loop_import_torch_alone() -> None:
    allowed = {"torch", "pinngate"} | sys.stdlib_module_names
    alone = [
        PACKAGE / "optim" / f"{name}.py"
        for name in ("gates", "gated_update", "population_risk_adam")
    ]
    for path in [*alone, *(PACKAGE / "torch").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed
            elif isinstance(node, ast.Import):
                assert {a.name.split(".")[0] for a in node.names} <= allowed
