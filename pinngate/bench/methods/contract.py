"""What a method of a benchmark gets and what it returns: the same for ours and for every rival.

A `Method` takes a `Task`, the problem with its noisy data and the points to predict at, and returns
an `Outcome`. The truth is in neither: `Course` holds it to judge intermediate states as they are
handed in, and tells the method nothing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.data.observations import ObservationSet
from pinngate.errors import InputError, nearest
from pinngate.inference.posterior import CoefficientInterval
from pinngate.points.grid import Grid
from pinngate.runs.metrics import relative_l2
from pinngate.statement.options import SolveOptions
from pinngate.statement.problem import Problem, Window, changed

Array = NDArray[np.float64]


class NotApplicable(Exception):  # noqa: N818 - an outcome, not a fault
    """The method is not meant for this problem; the message says why. Counts as no failure."""


def require_plain(problem: Problem) -> None:
    """Refuse what only our own methods know: geometries, fields as coefficients, fluxes, windows.

    Raises:
        NotApplicable: saying which.
    """
    if problem.geometry is not None:
        raise NotApplicable("it is for boxes")
    if problem.coefficient_fields:
        raise NotApplicable("it has no coefficients that vary with the axes")
    if problem.fluxes:
        raise NotApplicable("it has no steps inside brackets that are differentiated")
    if any(isinstance(condition.where, Window) for condition in problem.conditions):
        raise NotApplicable("it has no conditions on parts of a side")


class Course:
    """The error against time while a method works, judged as the states are handed in.

    Args:
        grid: where states are to be evaluated, coarser than the grid of the final judgement.
        truth: each unknown at its points, (n,); None where it is not known.
    """

    def __init__(self, grid: Grid, truth: Mapping[str, Array] | None) -> None:
        self.points = grid.points
        self._truth = truth
        self._at_start: NDArray[np.bool_] | None = None
        if "t" in grid.axes:
            times = grid.points[:, list(grid.axes).index("t")]
            self._at_start = times == grid.axes["t"][0]
        self._columns: dict[str, list[float]] = {}

    def add(self, seconds: float, iteration: int, fields: Mapping[str, Array]) -> None:
        """Judge one state: wall-clock seconds so far, iterations so far, fields at `points`."""
        if self._truth is None:
            return
        row = {"seconds": seconds, "iteration": float(iteration)}
        for name, known in self._truth.items():
            row[f"relative_l2.{name}"] = relative_l2(fields[name], known)
            if self._at_start is not None:
                start = relative_l2(fields[name][self._at_start], known[self._at_start])
                row[f"relative_l2_initial.{name}"] = start
        for key, value in row.items():
            self._columns.setdefault(key, []).append(value)

    def table(self) -> dict[str, list[float | None]]:
        """Return the columns, six digits each; a value that is not finite is None."""
        return {
            key: [float(f"{v:.6g}") if np.isfinite(v) else None for v in column]
            for key, column in self._columns.items()
        }


@dataclass(frozen=True)
class Task:
    """What a method works on.

    Attributes:
        problem: as `Method.prepare` made it; its seed is the run's.
        observations: the noisy data, the same for every method.
        points: where to predict, (n, axes).
        course: takes intermediate states.
        options: of the method, defaults filled in.
    """

    problem: Problem
    observations: Sequence[ObservationSet]
    points: Array
    course: Course
    options: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.problem.solve.seed


@dataclass(frozen=True)
class Outcome:
    """What a method found.

    Attributes:
        fields: each unknown at the task's points, (n,).
        seconds: wall clock from the problem in memory to the answer, judging left out.
        reason: why it stopped, in words.
        iterations: as the method counts them, None where it has none.
        coefficients: estimates.
        intervals: of the coefficients, where the method has them.
        std: standard deviations of the fields at the points, (n,), where the method has them.
        details: further numbers and words for the row.
        metrics: a verdict in the form of `metrics.json` already, for our own runs.
    """

    fields: Mapping[str, Array]
    seconds: float
    reason: str
    iterations: int | None = None
    coefficients: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, CoefficientInterval] | None = None
    std: Mapping[str, Array] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] | None = None


def data_alone(problem: Problem, options: Mapping[str, Any]) -> Problem:
    """Return the problem without its `solve` keys but the seed: no default of ours is in it."""
    return changed(problem, solve=SolveOptions(seed=problem.solve.seed))


@dataclass(frozen=True)
class Method:
    """One way to solve a problem.

    Attributes:
        name: in suites.
        family: colours figures: ours, optimizer, deepxde or classical.
        summary: one phrase for tables of methods.
        solve: does it.
        defaults: every option with its default.
        prepare: the problem as it enters the run's identity: all that the answer depends on.
        module: what must be importable, None for nothing.
        extra: the extra that installs it.
        source: paper or library.
    """

    name: str
    family: str
    summary: str
    solve: Callable[[Task], Outcome]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Problem, Mapping[str, Any]], Problem] = data_alone
    module: str | None = None
    extra: str = "bench"
    source: str = ""

    def complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with every default filled in."""
        return {**self.defaults, **options}

    def check(self, options: Mapping[str, Any], where: str) -> None:
        """Refuse options that the method does not have.

        Raises:
            InputError: naming the nearest right one.
        """
        for name in options:
            if name not in self.defaults:
                raise InputError(
                    f"{where}: {self.name} has no option '{name}'",
                    expected="its options are " + (", ".join(self.defaults) or "none"),
                    hint=nearest(name, self.defaults),
                )

    def require(self) -> None:
        """Refuse to begin without the library that the method needs.

        Raises:
            InputError: naming the extra that installs it.
        """
        if self.module is not None and importlib.util.find_spec(self.module) is None:
            raise InputError(
                f"the method {self.name} needs {self.module}, which is not installed",
                expected=f"pip install 'pinngate[{self.extra}]'",
            )
