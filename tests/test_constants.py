"""How many numbers steer one default solve: counted in the sources, and held where they are.

Counted are *named constants*, a number bound to a name in capitals at the top of a module or to an
option of the solver, and *inline numbers*, any other number in code than 0, 1, 2, a half and their
negatives, powers of ten that only guard a division by zero apart. Sizes of memory, labels, the
coefficients of a published method and the first-order optimizers, which the default does not run,
are left out, and the networks of the divisions. `python -m tests.test_constants` prints the list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "pinngate"
ROOMS = ("optim", "inference", "points", "model")
OTHERS = {  # not on the path of a default solve
    "optim/divisions.py", "optim/first_order.py", "optim/gated_update.py", "optim/gates.py",
    "optim/last_iterate.py", "optim/own_optimizer.py", "optim/population_risk_adam.py",
    "optim/registry.py", "optim/rotated.py", "model/own_network.py", "model/moments.py",
    "points/sobol.py", "points/grid.py",
}  # fmt: skip
MEMORY = {"TILE", "MAX_TILE", "MAX_GRADIENTS", "CACHED"}
METHOD = {  # mathematics
    "ACCEPTED", "ROOT", "NODES", "WEIGHTS", "STAGES", "REAL", "EMBEDDED", "LOG_2_PI",
}  # fmt: skip
PLAIN = {0.0, 0.5, 1.0, 2.0}
TINY = 1e-200  # a guard of a division

# those of the solver in the loop and of the basis, 80 and 60, are mostly their own numerics
MOST_NAMED = 142
MOST_INLINE = 86


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            name = path.relative_to(PACKAGE).as_posix()
            if name not in OTHERS:
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def numbers(node: ast.AST) -> list[float]:
    """Numbers in an expression that say something."""
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    kept = [float(v) for v in found if isinstance(v, int | float) and not isinstance(v, bool)]
    return [v for v in kept if abs(v) not in PLAIN and not 0 < abs(v) < TINY]


def named_constants() -> list[str]:
    """Module constants with a number, and options of the solver with one."""
    found = []
    for name, tree in sources():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                target = node.targets[0].id
                has_number = any(
                    isinstance(n, ast.Constant) and type(n.value) in (int, float)
                    for n in ast.walk(node.value)
                )
                if target.lstrip("_").isupper() and has_number and target not in MEMORY | METHOD:
                    found.append(f"{name}: {target}")
            if isinstance(node, ast.ClassDef) and node.name == "GaussNewtonOptions":
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and n.value]
                options = [f for f in fields if ast.unparse(f.annotation) in ("int", "float")]
                found += [f"{name}: {ast.unparse(f.target)}" for f in options]
    return found


def inline_numbers() -> list[str]:
    """Numbers inside functions."""
    found = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                own = [n for n in node.body if not isinstance(n, ast.FunctionDef | ast.ClassDef)]
                found += [f"{name}:{node.name}: {v:g}" for n in own for v in numbers(n)]
    return found


def test_no_more_numbers_steer_a_solve() -> None:
    assert len(named_constants()) <= MOST_NAMED
    assert len(inline_numbers()) <= MOST_INLINE


if __name__ == "__main__":
    for title, entries in (("named", named_constants()), ("inline", inline_numbers())):
        print(f"{title}: {len(entries)}", *entries, sep="\n  ")
