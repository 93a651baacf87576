"""Which of several equations the data prefer: each is solved, and the answers are compared.

Above `solving`. Every candidate is a problem of its own; that of the chosen one is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pinngate.errors import InputError, SolveError
from pinngate.report.model_comparison import (
    Candidate,
    Preference,
    candidate_of,
    lead_in_words,
    ranked,
)
from pinngate.runs.doubts import UNMET
from pinngate.solution.display import archive_of
from pinngate.solution.solved import Solution
from pinngate.solution.term_selection import select_terms
from pinngate.statement.components import Statement
from pinngate.statement.dropped_terms import without
from pinngate.statement.problem import Problem, changed

Solve = Callable[[Problem], Solution]

FAILED = "failed"  # the verdict of an answer that is none


@dataclass(frozen=True, eq=False)
class Choice:
    """Candidates and what the data say of them.

    Attributes:
        problem: with all candidates as they were left, the chosen one first.
        solutions: of each that was solved, by name.
        order: how the chosen one stands to itself and each other, as `model_comparison.ranked`.
        sizes: how many coefficients and functions each leaves to the data.
        dropped: the terms of each that were left out.
        failed: why the others have no answer to compare.
    """

    problem: Problem
    solutions: dict[str, Solution]
    order: list[Preference]
    sizes: dict[str, int]
    dropped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the chosen candidate."""
        return self.order[0].one

    @property
    def solution(self) -> Solution:
        """The answer: that of the chosen candidate, whose metrics tell of the others."""
        own = self.solutions[self.name]
        told = {"problem": self.problem.name, "candidates": self.entries()}
        judged = replace(own.judged, metrics=own.metrics | told)
        problem = changed(self.problem, solve=own.problem.solve)
        return replace(own, problem=problem, judged=judged)

    def words(self) -> list[str]:
        """Return how the chosen candidate stands to each other one, in words."""
        lines = [lead_in_words(one, self.sizes) for one in self.order[1:]]
        lines += [f"{name} is left out: {reason}" for name, reason in self.failed.items()]
        return lines

    def entries(self) -> dict[str, Any]:
        """Return the entry ``candidates`` of metrics.json."""
        return {
            "chosen": self.name,
            "words": self.words(),
            "table": [self._row(one) for one in self.order],
        }

    def _row(self, one: Preference) -> dict[str, Any]:
        solution = self.solutions[one.other]
        return {
            "name": one.other,
            "equations": [equation.text for equation in solution.problem.equations],
            "size": self.sizes[one.other],
            "leave_one_out": solution.metrics["risk"]["leave_one_out"],
            "behind": one.difference,
            "standard_error": one.standard_error,
            "verdict": solution.metrics["verdict"],
            "dropped": list(self.dropped.get(one.other, ())),
            "coefficients": {n: str(e) for n, e in solution.coefficients.items()},
        }

    def __repr__(self) -> str:
        return "\n".join([f"chosen: {self.name}", *self.words()])


def choose_with(
    problem: Problem,
    solve: Solve,
    *,
    keep: Callable[[str, Solution], Solution] = lambda _, solution: solution,
    known: Mapping[str, Solution] | None = None,
) -> Choice:
    """Solve every candidate of a problem and say which the data prefer.

    Args:
        problem: with `candidates`.
        solve: what solves a problem.
        keep: what is done with the solution of a candidate, given its name.
        known: solutions of candidates that need not be solved again.

    Raises:
        InputError: the problem has no candidates, or nothing was observed.
        SolveError: none could be solved.
    """
    if not problem.candidates:
        raise InputError("the problem states no candidates", expected="a key 'candidates'")
    solutions, failed = dict(known or {}), {}
    for name, one in alone(problem):
        if name in solutions:
            continue
        try:
            solutions[name] = keep(name, select_terms(one, solve).solution)
        except SolveError as error:
            failed[name] = str(error).splitlines()[0]
    return choice_of(problem, solutions, failed)


def alone(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield each candidate as a problem of its own, solved as the whole is."""
    for name, statement in problem.candidates.items():
        one = Problem.of(statement)
        yield name, changed(one, solve=problem.solve, name=f"{problem.name}-{name}")


def choice_of(
    problem: Problem, solutions: Mapping[str, Solution], failed: Mapping[str, str]
) -> Choice:
    """Return the choice between solutions of candidates.

    Raises:
        SolveError: there are none.
        InputError: nothing was observed.
    """
    if not solutions:
        raise SolveError("no candidate could be solved: " + "; ".join(failed.values()))
    found = [candidate_of(archive_of(s), name) for name, s in solutions.items()]
    usable = [one for one in found if one is not None]
    if not usable:
        raise InputError("nothing tells the candidates apart", expected="a key 'observations'")
    order = ranked(_answers(usable, solutions) or usable)
    stated, chosen = problem.candidates, order[0].one
    dropped = {name: _dropped(stated[name], s.problem) for name, s in solutions.items()}
    remaining = {
        name: _remaining(stated[name], dropped.get(name, ())) for name in {chosen: None, **stated}
    }
    return Choice(
        changed(remaining[chosen], candidates=remaining),
        dict(solutions),
        order,
        {one.name: one.size for one in usable},
        dropped,
        dict(failed) | _without_answer(usable, solutions),
    )


def _remaining(stated: Statement, dropped: tuple[str, ...]) -> Problem:
    """Return a candidate without the terms that were left out; none of the others is optional."""
    return changed(without(Problem.of(stated), dropped), optional=())


def _answers(found: list[Candidate], solutions: Mapping[str, Solution]) -> list[Candidate]:
    """Return the candidates whose solution solves their equations."""
    return [one for one in found if not _why_none(solutions[one.name])]


def _why_none(solution: Solution) -> str:
    """Return why a solution is no answer of its equations; empty where it is one.

    A network that leaves its equation unmet may fit the data as well as any: that speaks against
    the equation, and its leave-one-out errors are not those of the equation.
    """
    if solution.metrics["verdict"] == FAILED:
        return solution.verdict.reasons[0]
    unmet = {n: share for n, share in solution.metrics["physics_misfit"].items() if share}
    worst = max(unmet, key=lambda name: unmet[name], default="")
    if not worst or unmet[worst] <= UNMET:
        return ""
    return f"its answer leaves {worst} unmet by {100 * unmet[worst]:.0f} % of its size"


def _without_answer(found: list[Candidate], solutions: Mapping[str, Solution]) -> dict[str, str]:
    answers = _answers(found, solutions) or found
    return {one.name: _why_none(solutions[one.name]) for one in found if one not in answers}


def _dropped(stated: Statement, solved: Problem) -> tuple[str, ...]:
    left = {c.name for c in solved.coefficients}
    return tuple(name for name in stated.optional if name not in left)


__all__ = ["Choice", "alone", "choice_of", "choose_with"]
