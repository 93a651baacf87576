"""The answer to a problem: fields with their uncertainty, coefficients, verdict, figures."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pinngate.errors import InputError
from pinngate.inference.draws import joint_draws
from pinngate.inference.posterior import student_quantile
from pinngate.inference.uncertainty import Uncertainty
from pinngate.runs.found_functions import FunctionValues
from pinngate.runs.judgement import Judged, deviations
from pinngate.runs.metrics import Z_95
from pinngate.runs.training import Session, limited_threads
from pinngate.solution.coefficients_found import Estimate, Estimates, covariance_of
from pinngate.solution.functions_found import function_at
from pinngate.solution.places import Places, places
from pinngate.statement.coefficient_fields import ends_of, values_and_slopes
from pinngate.statement.piece_values import on_pieces
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Values = dict[str, Array]


@dataclass(frozen=True)
class Verdict:
    """How far an answer is to be trusted: a word, and why.

    Attributes:
        word: ``solved``, ``doubtful`` or ``failed``.
        reasons: why it stopped, then what speaks against the answer, with what to try.
    """

    word: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.word}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Sample:
    """Joint draws of an answer.

    Attributes:
        fields: every unknown and coefficient field, (num, …), the shape of the places behind.
        coefficients: every coefficient, (num,).
    """

    fields: Values
    coefficients: Values


@dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """A finished run.

    Places are given as points (n, axes) in the order of the domain, or as one number or array for
    each axis, ``x=…, t=…``, which broadcast. Outside the domain is an `InputError` unless
    ``extrapolate=True``.

    Attributes:
        problem: with every default written out.
        session: network, coefficients, data and truth.
        judged: what the files of a run hold.
        folder: where the run lies, or None.
    """

    problem: Problem
    session: Session
    judged: Judged
    folder: Path | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """The verdict in numbers, as in `metrics.json`."""
        return self.judged.metrics

    @property
    def verdict(self) -> Verdict:
        """How far the answer is to be trusted."""
        reasons = (self.metrics["reason"], *self.metrics["reasons"])
        return Verdict(self.metrics["verdict"], reasons)

    def __call__(
        self, points: ArrayLike | None = None, *, extrapolate: bool = False, **axes: ArrayLike
    ) -> Values:
        """Return every unknown and coefficient field: name → array of the shape of the places."""
        where = self._places(points, axes, extrapolate)
        found = self.session.evaluate(where.points)
        return {name: where.shaped(values) for name, values in found.items()}

    def std(
        self, points: ArrayLike | None = None, *, extrapolate: bool = False, **axes: ArrayLike
    ) -> Values:
        """Return the standard deviations of the same.

        Raises:
            InputError: as a call, or nothing was observed, so that there is no uncertainty.
        """
        where = self._places(points, axes, extrapolate)
        with self._threads():
            found = deviations(self.session, self.uncertainty(), where.points)
        return {name.removesuffix("_std"): where.shaped(values) for name, values in found.items()}

    def interval(
        self,
        points: ArrayLike | None = None,
        *,
        level: float = 0.95,
        extrapolate: bool = False,
        **axes: ArrayLike,
    ) -> dict[str, tuple[Array, Array]]:
        """Return lower and upper ends of pointwise intervals; bounds of a coefficient field hold.

        Raises:
            InputError: as `std`, or the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise InputError(f"a level of {level}", expected="a number between 0 and 1, as 0.95")
        where = self._places(points, axes, extrapolate)
        posterior = self.uncertainty()
        freedom = posterior.degrees_of_freedom
        width = Z_95 * student_quantile(freedom, level) / student_quantile(freedom)
        with self._threads():
            stds = deviations(self.session, posterior, where.points)
        outputs = self.session.outputs(where.points)
        ends = {}
        for name in self.problem.unknowns:
            half = width * stds[f"{name}_std"]
            ends[name] = (outputs[name] - half, outputs[name] + half)
        for varying in self.problem.coefficient_fields:
            slope = values_and_slopes(varying, outputs[varying.name])[1]
            half = width * stds[f"{varying.name}_std"] / slope
            ends[varying.name] = ends_of(varying, outputs[varying.name], half)
        ends |= self._intervals_on_pieces(where.points, level)
        return {name: (where.shaped(low), where.shaped(high)) for name, (low, high) in ends.items()}

    def sample(
        self,
        num: int,
        points: ArrayLike | None = None,
        *,
        seed: int = 0,
        extrapolate: bool = False,
        **axes: ArrayLike,
    ) -> Sample:
        """Return joint draws of fields and coefficients from the posterior.

        Args:
            num: how many.
            points: as of a call.
            seed: of the draws.
            extrapolate: as of a call.
            axes: as of a call.

        Raises:
            InputError: as `std`, or `num` is below one.

        Cost: num·P·(m + n) operations, P weights, m directions of the posterior, n places.
        """
        if num < 1:
            raise InputError(f"{num} draws", expected="one at least")
        where, stepper = self._places(points, axes, extrapolate), self.session.stepper
        network = copy.deepcopy(stepper.network).double()
        coefficients = copy.deepcopy(stepper.coefficients).double()
        generator = torch.Generator().manual_seed(seed)
        at = torch.as_tensor(where.points)
        with self._threads():
            drawn = joint_draws(self.uncertainty(), network, coefficients, at, num, generator)
        outputs = dict(zip(self.problem.outputs, drawn.outputs.unbind(-1), strict=True))
        fields = {name: outputs[name].numpy() for name in self.problem.shown_outputs}
        for varying in self.problem.coefficient_fields:
            fields[varying.name] = values_and_slopes(varying, fields[varying.name])[0]
        values = coefficients.values_at(drawn.raw).numpy()
        names = [c.name for c in self.problem.shown_coefficients]
        if self.problem.pieces:
            rows = [dict(zip(names, row, strict=False)) for row in values.tolist()]
            each = [on_pieces(self.problem, row, where.points) for row in rows]
            fields |= {own: np.stack([row[own] for row in each]) for own in each[0]}
        return Sample(
            {name: values.reshape(num, *where.shape) for name, values in fields.items()},
            {name: values[:, k] for k, name in enumerate(names)},
        )

    def function(
        self, name: str, *, extrapolate: bool = False, **arguments: ArrayLike
    ) -> FunctionValues:
        """Return an unknown function of fields, ``solution.function("f", u=…, v=…)``.

        Args:
            name: of the function.
            extrapolate: whether values and bands are told where the fit never was, too, by how
                smooth the function is; NaN stands there else.
            arguments: one number or array for each of its arguments; they broadcast.

        Returns:
            `value`, `std` and the ends `lower` and `upper` of pointwise 95 % intervals, which keep
            the bounds; but for the first None without a posterior.

        Raises:
            InputError: there is no such function, or its arguments are others.
        """
        return function_at(self, name, arguments, extrapolate=extrapolate)

    @cached_property
    def coefficients(self) -> Estimates:
        """The unknown coefficients with intervals, covariance and correlation."""
        found = {
            name: Estimate(
                entry["estimate"],
                entry["std"],
                None if entry["interval_95"] is None else tuple(entry["interval_95"]),
                entry["truth"],
            )
            for name, entry in self.metrics["coefficients"].items()
        }
        if not found or self._uncertainty is None:
            return Estimates(found, None)
        covariance = covariance_of(self._uncertainty, self.session.stepper.coefficients)
        shown = len(found)  # the weights of functions come last
        return Estimates(found, covariance[:shown, :shown])

    def plot(self, name: str | None = None) -> Figure:
        """Return a figure of a field with its data and standard deviation.

        Args:
            name: of an unknown or a coefficient field; the first unknown by default.

        Raises:
            InputError: there is no such field.
        """
        from pinngate.solution.display import figure_of

        return figure_of(self, name)

    def to_xarray(self) -> xarray.Dataset:
        """Return fields, standard deviations and known truths on the grid of the report.

        Raises:
            InputError: xarray is not installed.
        """
        from pinngate.runs.exports import dataset, require_xarray

        require_xarray()
        solution = self.judged.solution
        axes = {axis: solution[axis] for axis in self.problem.axes}
        fields = {name: values for name, values in solution.items() if name not in axes}
        return dataset(self.problem, axes, fields)

    def save(self, folder: Path | str) -> Path:
        """Write the folder of a run, report included; `load_solution` reads it back.

        Raises:
            InputError: the folder holds a run already or cannot be written.
        """
        from pinngate.solution.folders import save

        return save(self, Path(folder))

    def __repr__(self) -> str:
        from pinngate.solution.display import text_of

        return text_of(self)

    def _repr_html_(self) -> str:
        from pinngate.solution.display import html_of

        return html_of(self)

    def _places(
        self, points: ArrayLike | None, axes: dict[str, ArrayLike], extrapolate: bool
    ) -> Places:
        return places(self.problem, points, axes, extrapolate=extrapolate)

    def _threads(self) -> Any:
        return limited_threads(self.session.stepper.num_threads)

    def _intervals_on_pieces(self, points: Array, level: float) -> dict[str, tuple[Array, Array]]:
        """Return the ends of the intervals of functions on pieces at points."""
        if not self.problem.pieces:
            return {}
        found = self.uncertainty().coefficients(self.session.stepper.coefficients, level)
        lower = on_pieces(self.problem, {n: i.lower for n, i in found.items()}, points)
        upper = on_pieces(self.problem, {n: i.upper for n, i in found.items()}, points)
        return {name: (lower[name], upper[name]) for name in lower}

    @cached_property
    def _uncertainty(self) -> Uncertainty | None:
        with self._threads():
            return self.judged.posterior or self.session.stepper.posterior()

    def uncertainty(self) -> Uncertainty:
        """Return the joint posterior of weights and coefficients.

        Raises:
            InputError: there is none.
        """
        if self._uncertainty is None:
            raise InputError(
                "there is no uncertainty: nothing was observed, or it did not fit into memory",
                expected="a problem with observations",
            )
        return self._uncertainty
