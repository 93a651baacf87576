"""A problem with candidates, solved: in memory, or into a folder with one of each inside.

Above `solving`, which turns here where a problem states candidates. The folder holds the answer of
the chosen candidate as any run does, and under ``candidates`` the run of each.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from pinngate import config
from pinngate.errors import InputError
from pinngate.runs import files
from pinngate.runs.keeping import kept
from pinngate.runs.lock import locked
from pinngate.solution.choice import Choice, choose_with
from pinngate.solution.folders import fill, load_solution, save
from pinngate.solution.solved import Solution
from pinngate.solution.solving import in_memory, solve
from pinngate.statement.problem import Problem
from pinngate.writing import write_text

FOLDER = "candidates"


def choose(problem: Problem, **how: Any) -> Choice:
    """Solve every candidate of a problem in memory and say which the data prefer.

    Args:
        problem: with `candidates`.
        how: what `solve` takes.

    Raises:
        InputError: the problem has no candidates or no observations, or an option does not exist.
        SolveError: no candidate could be solved.
    """
    return choose_with(problem, partial(solve, **how))


def run_candidates(
    problem: Problem, folder: Path, *, has_report: bool = True, **how: Any
) -> Solution:
    """Solve every candidate and leave the files of a run of the chosen one in a new folder.

    Args:
        problem: with `candidates`.
        folder: a new one.
        has_report: whether figures and report are drawn.
        how: what `in_memory` takes.

    Raises:
        InputError: as `choose`, or the folder cannot be used.
        SolveError: no candidate could be solved.
        StorageError: the disk is full or the folder went.
        Interrupted: a signal came; the candidates that were solved are kept.
    """
    is_new = not folder.exists()
    files.make(folder)
    with kept(folder), locked(folder):
        try:
            files.prepare(folder, problem)
            return _finish(problem, folder, how, has_report)
        except InputError:
            if is_new and not (folder / FOLDER).exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise


def resume_candidates(
    problem: Problem, folder: Path, *, has_report: bool = True, **how: Any
) -> Solution:
    """Solve the candidates that an interrupted run has not solved, and choose.

    Args and errors: as `run_candidates`; the caller holds the folder.
    """
    return _finish(problem, folder, how, has_report)


def _finish(
    problem: Problem, folder: Path, how: dict[str, Any], has_report: bool = True
) -> Solution:
    known = {}
    for name in problem.candidates:
        own = folder / FOLDER / name
        if (own / "metrics.json").is_file():
            known[name] = load_solution(own, functions=problem.functions)
        elif own.exists():
            shutil.rmtree(own)  # it was being written

    def keep(name: str, solution: Solution) -> Solution:
        save(solution, folder / FOLDER / name)
        return solution

    choice = choose_with(problem, partial(in_memory, **how), keep=keep, known=known)
    found = choice.solution
    names = files.copied_names(found.problem.data_files())
    write_text(folder / "problem.yaml", config.dumps(found.problem, files=names))
    fill(found, folder, has_report=has_report)
    return Solution(found.problem, found.session, found.judged, folder)


__all__ = ["choose", "resume_candidates", "run_candidates"]
