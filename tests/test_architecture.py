"""The structure of the package: imports go one way, and public names are documented."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pinngate

PACKAGE = Path(pinngate.__file__).parent

# A module imports, when it is loaded, only from rooms above its own.
ROOMS = [
    ["errors"],
    ["expression", "streams", "citation", "memory", "data.measurement"],
    ["data", "inference", "inference.series", "inference.misfit"],
    ["geometry.shapes"],
    ["problem"],
    ["geometry"],
    ["networks", "sampling", "optim.gates", "testing", "linearity"],
    ["optim.gated_update"],
    ["optim.population_risk_adam"],
    ["config"],
    ["channels", "coefficients", "coefficient_fields"],
    ["data.tables", "data.quantities", "data.thinning"],
    ["data.observations", "adaptation"],
    ["reference"],
    ["scales"],
    ["residuals"],
    ["moments", "batches", "limits", "inference.risk", "smoothness"],
    ["classical", "optim.gauss_newton"],
    ["inference.linearised_fit"],
    ["inference.posterior", "inference.kernel"],
    ["optim.matrix_free", "inference.averaging", "inference.uncertainty"],
    ["optim.parts"],
    ["optim.race"],
    ["optim.first_order", "optim.answer"],
    ["optim.rotated", "optim.warm_start"],
    ["optim.second_order"],
    ["optim.registry"],
    ["metrics", "checkpoint", "inspection"],
    ["training"],
    ["evaluation", "artifacts", "report"],
    ["outputs", "comparison"],
    ["runs", "progress"],
    ["bench", "spectrum"],
    ["cli"],
    ["__main__"],
]
RANK = {name: rank for rank, room in enumerate(ROOMS) for name in room}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    for size in (2, 1):
        name = ".".join(parts[:size])
        if name in RANK:
            return name
    return None


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts != ("optim",):
            found[".".join(parts)] = path
    return found


def loaded_imports(path: Path) -> list[str]:
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            base = node.module
            names += [base] if base != "pinngate" else [f"pinngate.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [n.removeprefix("pinngate.") for n in names if n.startswith("pinngate.")]


def test_every_module_has_a_room() -> None:
    assert [name for name in modules() if room_of(name) is None] == []


def test_imports_go_one_way() -> None:
    wrong = []
    for name, path in modules().items():
        room = room_of(name)
        for imported in loaded_imports(path):
            other = room_of(imported)
            if room is None or other is None or other == room:
                continue
            if RANK[other] >= RANK[room]:
                wrong.append(f"{name} imports {imported}")
    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, path in modules().items()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_population_risk_adam_imports_torch_alone() -> None:
    allowed = {"torch", "pinngate"} | sys.stdlib_module_names
    for name in ("gates", "gated_update", "population_risk_adam"):
        tree = ast.parse((PACKAGE / "optim" / f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] in allowed
            elif isinstance(node, ast.Import):
                assert {a.name.split(".")[0] for a in node.names} <= allowed
