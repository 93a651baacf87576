"""A solved problem: ask it for fields, their uncertainty, joint draws, coefficients and figures.

What `pinngate.solve` gives and `pinngate.load_solution` gives back. Fields are evaluated where they
are asked for; nothing is interpolated from a grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pinngate.errors import InputError, nearest
from pinngate.inference.uncertainty import Uncertainty
from pinngate.report.archive import RunArchive
from pinngate.runs import exports, files
from pinngate.runs.folder import open_folder, save_checkpoint, write_verdict
from pinngate.runs.training import Session
from pinngate.solution.estimates import Estimates
from pinngate.solution.places import Places, places_of
from pinngate.solution.posterior_fields import PosteriorFields
from pinngate.solution.record import observation_columns
from pinngate.solution.trust import Verdict, verdict_of
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Points = ArrayLike | None


@dataclass(frozen=True, repr=False, eq=False)
class Solution:
    """A solved problem.

    Places are given as points (n, axes) in the order of the problem's axes, or by axis as scalars
    and arrays that broadcast, ``solution(x=0.5, t=[0, 0.1])``; values have the shape that was asked
    for. Everything returned by name covers the unknowns and the coefficients that vary.

    Attributes:
        session: network, coefficients, data and truth.
        record: the verdict, the history, the fields on their grid and the data that were fitted.
        folder: where the run lies; None for one in memory.
        judged_by: the posterior of the answer, where it has been computed already.
    """

    session: Session
    record: RunArchive
    folder: Path | None = None
    judged_by: Uncertainty | None = None

    @property
    def problem(self) -> Problem:
        """The problem, with every default written out."""
        return self.session.problem

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the run, as in ``metrics.json``; None where one does not apply."""
        return self.record.metrics

    @property
    def verdict(self) -> Verdict:
        """Whether the answer can be trusted: a word, a sentence and the reasons."""
        return verdict_of(self.record)

    @property
    def coefficients(self) -> Estimates:
        """The estimated coefficients by name, with their joint covariance."""
        return Estimates(self.metrics["coefficients"], self._uncertain.coefficient_covariance)

    def __call__(
        self, points: Points = None, /, *, extrapolate: bool = False, **coordinates: ArrayLike
    ) -> dict[str, Array]:
        """Return every field at the places: name → values.

        Args:
            points: (n, axes), or a data frame with a column for each axis.
            extrapolate: whether places outside the domain and the geometry are wanted.
            coordinates: scalars or arrays by axis, in place of points.

        Raises:
            InputError: the places are incomplete, not numbers, of no fitting shape, or outside.
        """
        places = self._places(points, coordinates, extrapolate)
        return places.shaped(self.session.evaluate(places.points))

    def std(
        self, points: Points = None, /, *, extrapolate: bool = False, **coordinates: ArrayLike
    ) -> dict[str, Array]:
        """Return the standard deviation of every field at the places, as `__call__`.

        Raises:
            InputError: also where the run has no uncertainty.
        """
        places = self._places(points, coordinates, extrapolate)
        return places.shaped(self._uncertain.deviations(places.points))

    def interval(
        self,
        points: Points = None,
        /,
        *,
        level: float = 0.95,
        extrapolate: bool = False,
        **coordinates: ArrayLike,
    ) -> dict[str, tuple[Array, Array]]:
        """Return the lower and the upper end of pointwise intervals of every field.

        They are as wide as Student's t of the posterior's degrees of freedom says. Those of a
        coefficient that varies are symmetric where it is free of its bounds, and so keep them.

        Args:
            points: as `__call__`.
            level: probability that the interval at a place holds the value there.
            extrapolate: as `__call__`.
            coordinates: as `__call__`.

        Raises:
            InputError: as `std`, or the level is no probability.
        """
        places = self._places(points, coordinates, extrapolate)
        ends = self._uncertain.ends(places.points, level)
        lower, upper = (places.shaped({n: e[k] for n, e in ends.items()}) for k in (0, 1))
        return {name: (lower[name], upper[name]) for name in ends}

    def sample(
        self,
        num_draws: int,
        points: Points = None,
        /,
        *,
        seed: int = 0,
        extrapolate: bool = False,
        **coordinates: ArrayLike,
    ) -> dict[str, Array]:
        """Draw fields at the places and coefficients jointly from the posterior.

        The posterior is Gaussian in what the network gives and in the coefficients free of their
        bounds; draws are mapped from there and keep the bounds. Their standard deviations are those
        of `std` and of `coefficients`, to first order where there are bounds. Without places, the
        coefficients alone are drawn.

        Args:
            num_draws: number of draws.
            points: as `__call__`.
            seed: equal seeds give equal draws.
            extrapolate: as `__call__`.
            coordinates: as `__call__`.

        Returns:
            Each field (draws, *places) and each coefficient (draws,), by name.

        Raises:
            InputError: as `std`, or the number of draws is not positive.
        """
        if num_draws < 1:
            raise InputError(f"{num_draws} draws", expected="a number of at least 1")
        is_anywhere = points is not None or bool(coordinates)
        places = self._places(points if is_anywhere else [], coordinates, extrapolate)
        found = self._uncertain.draws(places.points, num_draws, seed)
        for name in self.problem.outputs:
            if not is_anywhere:
                del found[name]
            else:
                found[name] = found[name].reshape(num_draws, *places.shape)
        return found

    def plot(self, field: str | None = None) -> Figure:
        """Draw a field with the data and its standard deviation; opens no window.

        Args:
            field: an unknown or a coefficient that varies; the first unknown by default.

        Raises:
            InputError: there is no field of that name.
        """
        from pinngate.report import fields

        problem = self.problem
        name = problem.unknowns[0] if field is None else field
        if name not in problem.outputs:
            raise InputError(
                f"unknown field '{name}'",
                expected="the fields are " + ", ".join(problem.outputs),
                hint=nearest(name, problem.outputs),
            )
        varying = {f.name: f for f in problem.coefficient_fields}
        record = self.record
        if name in varying:
            record = record.of_coefficient_field(varying[name])
        return fields.solution(record, name)

    def to_xarray(self) -> xarray.Dataset:
        """Return the fields on their grid with standard deviation, truth where known, and units.

        Raises:
            InputError: xarray is not installed.
        """
        exports.require_xarray()
        axes = {axis: self.record.solution[axis] for axis in self.problem.axes}
        fields = {n: values for n, values in self.record.solution.items() if n not in axes}
        return exports.dataset(self.problem, axes, fields)

    def save(self, folder: str | Path) -> Path:
        """Write a complete run folder, as `pinngate run` does, and return its path.

        `pinngate.load_solution` gives the same solution back, and every command takes the folder.

        Raises:
            InputError: the folder holds a run already, cannot be written, or the problem cannot be
                written as a file.
        """
        from pinngate.report import write as write_report

        target = Path(folder)
        open_folder(target, self.problem)
        files.write_history(target / "history.csv", self.session.history)
        save_checkpoint(target, self.session)
        observations = observation_columns(self.record)
        write_verdict(target, self.metrics, self.record.solution, observations)
        write_report(target)
        return target

    def __repr__(self) -> str:
        from pinngate.report.terminal import verdict_lines

        return "\n  ".join([f"<Solution of {self.problem.name}>", *verdict_lines(self.metrics)])

    def _repr_html_(self) -> str:
        from pinngate.solution.notebook import render

        return render(self.record, self.verdict, self.plot())

    @cached_property
    def _uncertain(self) -> PosteriorFields:
        return PosteriorFields(self.session, self.judged_by)

    def _places(
        self, points: Points, coordinates: Mapping[str, ArrayLike], extrapolate: bool
    ) -> Places:
        return places_of(self.problem, points, coordinates, extrapolate=extrapolate)
