"""From a checked problem file to a `Problem`: everything that takes more than one key to judge.

The third and last stage of reading a problem file. Names are declared in the order axes, constants,
unknowns, coefficients; then equations, conditions and observations are read; `judge` reads the
truth and `determinacy` decides whether anything determines the fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pinngate.errors import InputError, Span, nearest
from pinngate.expression import names
from pinngate.expression.parser import NONE, Functions
from pinngate.statement.checks.condition_sections import build_conditions
from pinngate.statement.checks.estimate_section import build_estimate
from pinngate.statement.checks.geometry_section import build_geometry
from pinngate.statement.checks.observation_sections import build_observations
from pinngate.statement.checks.schema import ProblemFile, SolveSection
from pinngate.statement.checks.scope import AXES, Scope
from pinngate.statement.checks.source import Place, Source
from pinngate.statement.checks.truth_section import RESERVED, build_truth, field_truths
from pinngate.statement.checks.wellposedness import given_conditions, needed_conditions
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import (
    Coefficient,
    CoefficientField,
    Condition,
    Equation,
    Observations,
    Problem,
    Truth,
)
from pinngate.statement.shapes import Geometry


@dataclass(frozen=True)
class Located:
    """A problem, and for each data file that it names the place in the problem file."""

    problem: Problem
    files: dict[Path, Span] = field(default_factory=dict)


class Builder:
    """Reads one validated file; the methods stand in the order in which they are called."""

    def __init__(
        self, source: Source, file: ProblemFile, folder: Path, functions: Functions = NONE
    ) -> None:
        self.source = source
        self.file = file
        self.folder = folder
        self.scope = Scope(source, functions=functions)
        self.domain: dict[str, tuple[float, float]] = {}
        self.files: dict[Path, Span] = {}
        self.geometry: Geometry | None = None

    def build(self) -> Located:
        """Return the problem.

        Raises:
            InputError: the file contradicts itself; see the methods.
        """
        file = self.file
        self.own_functions()
        self.axes()
        for name, value in file.constants.items():
            place: Place = ("constants", name)
            self.scope.declare(name, "a constant", place)
            self.scope.constants[name] = self.scope.number(value, place, f"the constant '{name}'")
        self.bounds()
        self.scope.domain = self.domain
        self.unknowns()
        self.geometry = build_geometry(self.scope, file.geometry)
        coefficients, fields = build_estimate(self.scope, file.estimate)
        equations = tuple(
            Equation(" ".join(text.split()), self.scope.residual(text, place, "an equation"))
            for place, text in self._items("equations", file.equations)
        )
        self.every_unknown_appears(equations)
        conditions, periodic = build_conditions(self.scope, file.conditions, self.geometry)
        observations = build_observations(self.scope, file.observations, self.folder, self.files)
        self.every_coefficient_appears(
            [*coefficients, *fields], equations, conditions, observations
        )
        truth = build_truth(
            self.scope, file.truth, self.folder, coefficients, equations, self.files, file.estimate
        )
        fields = field_truths(self.scope, self.file, coefficients, fields, truth)
        if truth == Truth():
            truth = None  # it stated coefficient fields alone, which know their truth themselves
        self.synthetic_needs_truth(truth)
        self.solvers_need_a_box(truth)
        if not observations:
            self.fields_need_observations(fields)
            self.determined(equations, conditions, periodic, coefficients)
        problem = Problem(
            name=file.name,
            domain=self.domain,
            unknowns=self.scope.unknowns,
            equations=equations,
            conditions=conditions,
            periodic=periodic,
            observations=observations,
            constants=dict(self.scope.constants),
            coefficients=coefficients,
            coefficient_fields=fields,
            truth=truth,
            solve=_solve_options(file.solve),
            geometry=self.geometry,
            title=" ".join(file.title.split()),
            description=file.description.strip(),
            source=file.source.strip(),
            units=self.units(),
            functions=dict(self.scope.functions),
        )
        return Located(problem, self.files)

    def _items(self, section: str, items: list[str]) -> list[tuple[Place, str]]:
        return [((section, i), item) for i, item in enumerate(items)]

    def own_functions(self) -> None:
        """Declare the functions of the caller's own."""
        for name, function in self.scope.functions.items():
            self.scope.declare(name, "a function", ("functions", name))
            if not callable(function):
                raise InputError(
                    f"'{name}' in functions is a {type(function).__name__}",
                    expected="a Python function of torch tensors",
                )

    def axes(self) -> None:
        """Declare the axes: up to three of x, y, z, and perhaps t; at least one of all."""
        for axis in self.file.domain:
            place: Place = ("domain", axis)
            if axis not in AXES:
                raise InputError(
                    f"unknown axis '{axis}'",
                    span=self.source.key(place),
                    expected="the axes are x, y, z in space and t, which is time",
                )
            self.scope.declare(axis, "an axis", place)
        self.scope.axes = tuple(self.file.domain)
        if not self.scope.axes:
            raise InputError(
                "the domain has no axis",
                span=self.source.key(("domain",)),
                expected="up to three of x, y, z, and t where there is time",
            )

    def bounds(self) -> None:
        """Evaluate the bounds of the domain."""
        for axis, pair in self.file.domain.items():
            place: Place = ("domain", axis)
            low, high = (
                self.scope.number(value, (*place, i), f"a bound of {axis}")
                for i, value in enumerate(pair)
            )
            if not low < high:
                raise InputError(
                    f"the lower bound of {axis}, {low:g}, is not below the upper, {high:g}",
                    span=self.source.span(place),
                    expected="[low, high] with low < high",
                )
            self.domain[axis] = (low, high)

    def unknowns(self) -> None:
        """Declare the fields."""
        for i, name in enumerate(self.file.unknowns):
            place: Place = ("unknowns", i)
            if name in RESERVED:
                raise InputError(
                    f"'{name}' cannot name an unknown: it is a key of 'truth'",
                    span=self.source.span(place),
                    expected="another name",
                )
            self.scope.declare(name, "an unknown", place)
            self.scope.unknowns = (*self.scope.unknowns, name)
        self.scope.refuse_derivatives()

    def every_unknown_appears(self, equations: tuple[Equation, ...]) -> None:
        """Refuse an unknown that no equation mentions."""
        for i, unknown in enumerate(self.scope.unknowns):
            if not any(
                self.scope.fields_in(equation.residual) & {unknown} for equation in equations
            ):
                raise InputError(
                    f"no equation mentions the unknown '{unknown}'",
                    span=self.source.span(("unknowns", i)),
                    expected="each unknown, or a derivative of it, in one equation at least",
                )

    def every_coefficient_appears(
        self,
        coefficients: list[Coefficient | CoefficientField],
        equations: tuple[Equation, ...],
        conditions: tuple[Condition, ...],
        observations: tuple[Observations, ...],
    ) -> None:
        """Refuse a coefficient that nothing could determine."""
        residuals = [item.residual for item in equations] + [item.residual for item in conditions]
        residuals += [item.quantity for item in observations if item.quantity is not None]
        used = {name for residual in residuals for name in names(residual)}
        used |= {name for residual in residuals for name in self.scope.fields_in(residual)}
        for coefficient in coefficients:
            if coefficient.name not in used:
                raise InputError(
                    f"no equation or condition mentions the coefficient '{coefficient.name}'",
                    span=self.source.key(("estimate", coefficient.name)),
                    expected="an equation that holds it, since nothing else determines it",
                )

    def units(self) -> dict[str, str]:
        """Read `units`; each belongs to an axis, a field or an estimated coefficient."""
        known = [*self.scope.axes, *self.scope.unknowns, *self.scope.coefficients]
        for name in self.file.units:
            if name not in known:
                raise InputError(
                    f"a unit of '{name}', which is no axis and no unknown",
                    span=self.source.key(("units", name)),
                    expected=f"units of {', '.join(known)}",
                    hint=nearest(name, known),
                )
        return dict(self.file.units)

    def synthetic_needs_truth(self, truth: Truth | None) -> None:
        """Refuse synthetic observations of what nothing states."""
        for i, section in enumerate(self.file.observations):
            if section.file is None and (
                truth is None or not (truth.fields or truth.solver or truth.file)
            ):
                raise InputError(
                    "a synthetic observation needs the truth, and there is none",
                    span=self.source.span(("observations", i)),
                    expected="truth: with a formula for each unknown, a solver or a file",
                    hint="measured values are stated with 'file'",
                )

    def solvers_need_a_box(self, truth: Truth | None) -> None:
        """Refuse a computed truth inside a geometry."""
        if self.geometry is not None and truth is not None and truth.solver is not None:
            raise InputError(
                "the reference solvers know boxes only, and the problem states a geometry",
                span=self.source.span(("truth", "solver")),
                expected="a formula for each unknown, or a file with values on a grid of the "
                "whole domain",
            )

    def fields_need_observations(self, fields: tuple[CoefficientField, ...]) -> None:
        """Refuse a coefficient field that no observation could determine."""
        if fields:
            raise InputError(
                f"nothing from which to infer the field '{fields[0].name}'",
                span=self.source.key(("estimate", fields[0].name)),
                expected="observations",
            )

    def determined(
        self,
        equations: tuple[Equation, ...],
        conditions: tuple[Condition, ...],
        periodic: tuple[str, ...],
        coefficients: tuple[Coefficient, ...],
    ) -> None:
        """Refuse a problem without observations that has too few conditions."""
        unknowns, axes = self.scope.unknowns, self.scope.axes
        span = self.source.key(("conditions",) if self.file.conditions else ("equations",))
        what = "nothing determines this problem: it has no observations and "
        needed = needed_conditions(equations, unknowns, axes)
        if needed is None:
            raise InputError(
                what + f"{len(equations)} equation(s) for {len(unknowns)} unknowns",
                span=span,
                expected="an equation for each unknown, or observations",
            )
        given = given_conditions(conditions, periodic, needed)
        for axis, count in needed.items():
            if given[axis] < count:
                raise InputError(
                    what
                    + f"{given[axis] or 'no'} condition{'s' * (given[axis] != 1)} along {axis}",
                    span=span,
                    expected=f"{count} along {axis} at least, the order of the equations in {axis}"
                    + ("" if axis == "t" else f"; {{periodic: {axis}}} counts as all"),
                    hint="or observations",
                )
        spare = sum(given.values()) - sum(needed.values())
        if spare < len(coefficients):
            raise InputError(
                what + f"nothing from which to infer '{coefficients[0].name}'",
                span=self.source.key(("estimate", coefficients[0].name)),
                expected="observations, or more conditions than the fields need",
            )


def build(source: Source, file: ProblemFile, folder: Path, functions: Functions = NONE) -> Located:
    """Make a problem from a validated file.

    Args:
        source: of the file, for the places of its faults.
        file: the file.
        folder: where relative paths start.
        functions: of the caller's own that formulas may call.

    Raises:
        InputError: the file contradicts itself.
    """
    return Builder(source, file, folder, functions).build()


def _solve_options(section: SolveSection | None) -> SolveOptions:
    if section is None:
        return SolveOptions()
    values = {key: getattr(section, key) for key in SolveSection.model_fields}
    values["network"] = NetworkOptions(**section.network.model_dump()) if section.network else None
    values["weights"] = section.weights.model_dump(exclude_none=True) if section.weights else {}
    return SolveOptions(**values)
