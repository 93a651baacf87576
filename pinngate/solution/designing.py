"""Where to measure next, asked of a solution or of the folder of a run."""

from __future__ import annotations

from pathlib import Path

from pinngate.errors import InputError
from pinngate.runs import files
from pinngate.runs.lock import locked
from pinngate.runs.measurement_design import Design, assumed_noise, design_of
from pinngate.runs.training import limited_threads
from pinngate.solution.folders import load_solution
from pinngate.solution.solved import Solution
from pinngate.statement.problem import Problem, changed
from pinngate.writing import write_bytes

NUM_PROPOSED = 20  # measurements, unless it is said how many


def design(
    solution: Solution,
    quantity: str | None = None,
    *,
    points: int = NUM_PROPOSED,
    noise: float | None = None,
    problem: Problem | None = None,
) -> Design:
    """Return where and when further measurements would tell most about a number.

    The places are chosen one after the other, each with what those before it tell, so that the
    first n of them are the choice for n. What is foreseen is exact where the problem is linear and
    the noise what it was.

    Args:
        solution: of a run with observations.
        quantity: a coefficient, or a derived quantity that is a number; the only one by default.
        points: how many measurements.
        noise: standard deviation of one; that which the run found, by default.
        problem: the same problem with other `derived` quantities, among which is the one asked for.

    Raises:
        InputError: there is no such quantity, no uncertainty, or no noise to go by.
    """
    if points < 1:
        raise InputError(f"{points} points", expected="a whole number, 1 or more")
    if noise is not None and not noise > 0:
        raise InputError(f"a noise of {noise}", expected="a standard deviation above zero")
    posterior = solution.uncertainty()
    assumed = assumed_noise(solution.problem, solution.metrics, noise)
    session = solution.session
    before = session.problem
    session.problem = before if problem is None else _with_quantities(before, problem)
    try:
        with limited_threads(session.stepper.num_threads):
            return design_of(session, posterior, quantity, assumed, points)
    finally:
        session.problem = before


def _with_quantities(solved: Problem, asked: Problem) -> Problem:
    """Return the solved problem with the derived quantities of another statement of it."""
    for part in ("axes", "unknowns"):
        own, other = getattr(solved, part), getattr(asked, part)
        if own != other:
            raise InputError(
                f"the run was of another problem: its {part} are {', '.join(own)}, "
                f"those of the problem {', '.join(other)}",
                expected="a run of the same problem",
            )
    return changed(solved, derived=asked.derived)


def write_design(found: Design, folder: Path) -> tuple[Path, Path]:
    """Write ``design.csv`` and ``design.png`` into the folder of a run; return their paths."""
    from pinngate.report.design_figure import figure
    from pinngate.report.style import png

    table, picture = folder / "design.csv", folder / "design.png"
    with locked(folder):
        files.write_csv(table, found.table())
        write_bytes(picture, png(figure(found)))
    return table, picture


def design_folder(
    problem: Problem,
    folder: Path,
    quantity: str | None,
    *,
    points: int = NUM_PROPOSED,
    noise: float | None = None,
) -> Design:
    """Return the design for a finished run and leave its table and figure in the folder.

    Args and errors: as `design`, and the folder holds no finished run.
    """
    solution = load_solution(folder, functions=problem.functions)
    found = design(solution, quantity, points=points, noise=noise, problem=problem)
    write_design(found, folder)
    return found


__all__ = ["design", "design_folder", "write_design"]
