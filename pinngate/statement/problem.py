"""A problem: what users state and the rest of the package works on.

`Problem` states one in Python; `pinngate.config` reads one from a problem file. The same checks
stand behind both, so that whoever holds a problem need not check it again. It is immutable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pinngate.errors import InputError
from pinngate.expression.parser import NONE
from pinngate.statement.arguments import Input, Number, Observations, Unknown
from pinngate.statement.checks.candidate_sections import build_candidates
from pinngate.statement.checks.python_source import read_arguments
from pinngate.statement.checks.validation import validate
from pinngate.statement.components import Derived, Event, Statement, Truth, single_coefficients
from pinngate.statement.equations import (
    BoundaryPart,
    Condition,
    Equation,
    Flux,
    Plane,
    Where,
    Window,
)
from pinngate.statement.stated_observations import (
    MeasuredObservations,
    Noise,
    StatedObservations,
    SyntheticObservations,
    label_of,
)
from pinngate.statement.unknown_quantities import Coefficient, CoefficientField, Prior, Spread


class Problem(Statement):
    """A differential equation, what is known exactly, what was measured and what is unknown.

        Problem(
            domain={"x": (0, 1), "t": (0, 1)},
            unknowns=["u"],
            equations=["u_t = k*u_xx"],
            estimate={"k": Unknown(initial=0.1, positive=True)},
            conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
            observations=[Observations("u", points, values, std=0.1)],
        )

    The arguments are the keys of a problem file and take what those take: numbers, formulas as
    text, mappings and lists. None and what is empty stand for a key that is not there.

    Args:
        domain: bounds of every axis: up to three of x, y, z, and t, which is time; others where
            `coordinates` says what they are. ``{"bounds": (0.1, 1000), "log": True}`` searches on
            the logarithm of an axis.
        unknowns: names of the fields; or a mapping of them, ``{"C": {"size": 1e5}}``.
        equations: ``left = right``, or one expression that is zero; candidates may have their own.
        conditions: what holds exactly: ``u = 0 at x = 0``, ``u = 0 on hole``, ``periodic in x``.
        observations: what was measured, with noise.
        constants: known numbers, or formulas in constants stated before.
        time: from when on t counts, for dates: ``{"origin": "2024-01-01", "unit": "h"}``.
        inputs: known functions given as tables, which equations name like constants.
        estimate: coefficients to infer; a number alone is where the search starts.
        truth: the answer to judge by, never used in training.
        geometry: where the domain is no box but a part of it.
        coordinates: ``radial``, ``spherical``, or the kind of each axis, ``{"r": "radius"}``.
        units: of axes, fields and coefficients, for figures and files.
        events: what happens at an instant, ``{"at": {"t": [0, 6]}, "add": {"C": "100/V"}}``.
        experiments: several runs of the same equations, each a mapping with a `name` and what it
            has of its own: constants, conditions, events, observations, where time ends.
        candidates: several equations of which the data are asked to choose one, by name, each with
            what it has of its own: ``{"heat": {"equations": ["u_t = D*u_xx"]}}``.
        derived: quantities of interest, ``{"R0": "beta/gamma", "peak": "max(u, t)"}``.
        solve: how to solve: ``{"seed": 1, "iterations": 100}``.
        name: of the problem and of its results: letters, digits, - and _.
        title: one line of prose.
        description: more prose.
        source: the paper or the data set it comes from.
        functions: of one's own that formulas call by these names: elementwise functions of torch
            tensors that autograd differentiates. A problem with such is not written to a file
            whole: whoever comes back to its run gives them again.

    Raises:
        InputError: the statement is wrong; the message says in which argument, and why.
    """

    def __init__(
        self,
        *,
        domain: Mapping[str, Sequence[Number] | Mapping[str, object]],
        unknowns: Sequence[str] | Mapping[str, Mapping[str, object]],
        equations: Sequence[str] | None = None,
        conditions: Sequence[str | Mapping[str, str]] = (),
        observations: Sequence[Observations | Mapping[str, object]] = (),
        constants: Mapping[str, Number] | None = None,
        time: Mapping[str, str] | None = None,
        inputs: Mapping[str, Input | Mapping[str, object]] | None = None,
        estimate: Mapping[str, Unknown | Number | Mapping[str, object]] | None = None,
        truth: Mapping[str, object] | None = None,
        geometry: Mapping[str, object] | None = None,
        coordinates: str | Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        events: Sequence[Mapping[str, object]] = (),
        experiments: Sequence[Mapping[str, object]] = (),
        candidates: Mapping[str, Mapping[str, object]] | None = None,
        derived: Mapping[str, str] | None = None,
        solve: Mapping[str, object] | None = None,
        name: str = "problem",
        title: str = "",
        description: str = "",
        source: str = "",
        functions: Mapping[str, Callable[..., Any]] = NONE,
    ) -> None:
        if not isinstance(functions, Mapping):
            raise InputError(
                f"functions cannot be a {type(functions).__name__}",
                expected="a mapping of names to Python functions",
            )
        read = read_arguments(
            {
                "name": name,
                "title": title,
                "description": description,
                "source": source,
                "domain": domain,
                "coordinates": coordinates,
                "geometry": geometry,
                "unknowns": unknowns,
                "constants": constants,
                "time": time,
                "inputs": inputs,
                "estimate": estimate,
                "equations": equations,
                "conditions": conditions,
                "observations": observations,
                "units": units,
                "events": events,
                "experiments": experiments,
                "candidates": candidates,
                "derived": derived,
                "truth": truth,
                "solve": solve,
            }
        )
        statement, _ = build_candidates(read, validate(read), Path(), functions)
        super().__init__(**_parts(statement))

    @classmethod
    def of(cls, statement: Statement) -> Problem:
        """Return the problem with these parts, which are not checked again."""
        problem = cls.__new__(cls)
        Statement.__init__(problem, **_parts(statement))
        return problem

    def __repr__(self) -> str:
        lines = [f"{key + ':':<12}{line}" for key, line in _outline(self).items() if line]
        return "\n  ".join([f"Problem {self.name}", *lines])


def changed(problem: Problem, **parts: Any) -> Problem:
    """Return a problem with other parts, which are not checked: what `dataclasses.replace` does.

    Args:
        problem: the problem, which stays as it is.
        parts: fields of `components.Statement`.

    Raises:
        TypeError: there is no such part.
    """
    return Problem.of(replace(Statement(**_parts(problem)), **parts))


def _parts(statement: Statement) -> dict[str, Any]:
    return {f.name: getattr(statement, f.name) for f in fields(Statement)}


def _outline(problem: Problem) -> dict[str, str]:
    """Return a line for each part of a problem, empty where there is none."""
    bounds = ", ".join(f"{a} in [{lo:g}, {hi:g}]" for a, (lo, hi) in problem.domain.items())
    estimated = [c.name for c in single_coefficients(problem)]
    varying = (*problem.coefficient_fields, *problem.field_functions, *problem.pieces)
    estimated += [f"{f.name}({', '.join(f.over)})" for f in varying]
    conditions = [f"{c.text} at {c.where}" for c in problem.conditions]
    conditions += [f"periodic in {axis}" for axis in problem.periodic]
    inside = " inside a geometry" if problem.geometry is not None else ""
    return {
        "fields": f"{', '.join(problem.unknowns)} on {bounds}{inside}",
        "equations": "; ".join(equation.text for equation in problem.equations),
        "conditions": "; ".join(conditions),
        "inputs": ", ".join(f"{i.name}({', '.join(i.over)})" for i in problem.inputs),
        "unknown": ", ".join(estimated),
        "candidates": ", ".join(problem.candidates),
        "data": "; ".join(f"{label_of(o)}, {_origin(o)}" for o in problem.observations),
    }


def _origin(item: StatedObservations) -> str:
    if isinstance(item, SyntheticObservations):
        return f"{item.count} synthetic values"
    if isinstance(item.file, Path):
        return f"measured, {item.file.name}"
    return f"measured, {len(item.file)} values"


__all__ = [
    "BoundaryPart",
    "Coefficient",
    "CoefficientField",
    "Condition",
    "Derived",
    "Equation",
    "Event",
    "Flux",
    "MeasuredObservations",
    "Noise",
    "Plane",
    "Prior",
    "Problem",
    "Spread",
    "StatedObservations",
    "SyntheticObservations",
    "Truth",
    "Where",
    "Window",
    "changed",
    "label_of",
]
