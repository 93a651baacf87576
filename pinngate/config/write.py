"""A `Problem` back to the text of a problem file, with every default written out.

The run folder keeps this text, so that running it again gives the same numbers:
``loads(dumps(problem))`` equals the problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from pinngate.config.yaml_source import CORE_SCHEMA
from pinngate.expression.printing import number_text, to_text
from pinngate.memory import exact_text
from pinngate.statement.options import SolveOptions
from pinngate.statement.problem import (
    BoundaryPart,
    Coefficient,
    CoefficientField,
    Condition,
    MeasuredObservations,
    Noise,
    Observations,
    Plane,
    Problem,
    Truth,
)
from pinngate.statement.shapes import Ball, Box, Ellipse, Geometry, Part, Polygon, Shape


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Quotes what either YAML 1.1 or 1.2 would not read as text; keeps line breaks visible."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - declared so by PyYAML
        **yaml.SafeDumper.yaml_implicit_resolvers,
        None: CORE_SCHEMA,
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def text_scalar(self, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style)

    def number_scalar(self, value: float) -> yaml.ScalarNode:
        shown = number_text(value)
        kind = "int" if shown.lstrip("-").isdigit() else "float"
        return self.represent_scalar(f"tag:yaml.org,2002:{kind}", shown)

    def mapping_line(self, value: _Line) -> yaml.MappingNode:
        return self.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)

    def sequence_line(self, value: tuple[Any, ...]) -> yaml.SequenceNode:
        return self.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(str, _Dumper.text_scalar)
_Dumper.add_representer(float, _Dumper.number_scalar)
_Dumper.add_representer(_Line, _Dumper.mapping_line)
_Dumper.add_representer(tuple, _Dumper.sequence_line)


def dumps(problem: Problem, *, files: Mapping[Path, str] | None = None) -> str:
    """Return the text of a problem file that `loads` reads back to an equal problem.

    Args:
        problem: the problem.
        files: what to call data files instead of by their own paths; relative names are relative
            to where the text will be saved.
    """
    names = files or {}
    tree: dict[str, Any] = {"pinngate": 1, "name": problem.name}
    for key in ("title", "description", "source"):
        if text := getattr(problem, key):
            tree[key] = text
    tree["domain"] = _Line(problem.domain)
    if problem.geometry is not None:
        tree["geometry"] = _geometry(problem.geometry, problem.space_axes)
    tree["unknowns"] = problem.unknowns
    if problem.constants:
        tree["constants"] = _Line(problem.constants)
    if problem.coefficients or problem.coefficient_fields:
        estimated: list[Coefficient | CoefficientField] = list(problem.coefficients)
        estimated += problem.coefficient_fields
        tree["estimate"] = {c.name: _coefficient(c) for c in estimated}
    tree["equations"] = [equation.text for equation in problem.equations]
    tree["conditions"] = [_condition(condition) for condition in problem.conditions]
    tree["conditions"] += [_Line(periodic=axis) for axis in problem.periodic]
    tree["observations"] = [_observations(item, names) for item in problem.observations]
    if problem.units:
        tree["units"] = _Line(problem.units)
    if problem.truth is not None:
        tree["truth"] = _truth(problem.truth, names)
    tree["solve"] = _solve(problem.solve)
    return yaml.dump(
        tree,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=2**31 - 1,  # a formula stays on its line
    )


def _plane_text(plane: Plane) -> str:
    return f"{plane.axis} = {number_text(plane.value)}"


def _condition(condition: Condition) -> _Line:
    if isinstance(condition.where, BoundaryPart):
        return _Line(on=condition.where.name, equation=condition.text)
    return _Line(where=_plane_text(condition.where), equation=condition.text)


def _geometry(geometry: Geometry, space: tuple[str, ...]) -> dict[str, Any]:
    return {
        "shapes": {name: _shape(shape, space) for name, shape in geometry.shapes.items()},
        "inside": to_text(geometry.inside),
        "boundaries": {name: _part(part) for name, part in geometry.parts.items()},
    }


def _shape(shape: Shape, space: tuple[str, ...]) -> _Line:
    is_planar = len(space) == 2
    match shape:
        case Ball(center, radius):
            return _Line({"disk" if is_planar else "sphere": _Line(center=center, radius=radius)})
        case Ellipse(center, radii, angle):
            return _Line(ellipse=_Line(center=center, radii=radii, angle=angle))
        case Box(low, high):
            sides = _Line(zip(space, zip(low, high, strict=True), strict=True))
            return _Line({"rectangle" if is_planar else "cuboid": sides})
        case Polygon(vertices):
            return _Line(polygon=vertices)


def _part(part: Part) -> _Line:
    where = None
    if part.where is not None:
        left, right = to_text(part.where.left), to_text(part.where.right)
        where = f"{left} {part.where.operator} {right}"
    return _present({"of": part.of, "where": where})


def _present(values: Mapping[str, Any]) -> _Line:
    return _Line({key: value for key, value in values.items() if value is not None})


def _coefficient(coefficient: Coefficient | CoefficientField) -> _Line:
    values = {f.name: getattr(coefficient, f.name) for f in fields(coefficient)}
    del values["name"]
    if isinstance(coefficient, CoefficientField) and coefficient.truth is not None:
        values["truth"] = to_text(coefficient.truth)
    if coefficient.lower == 0.0:
        values = {"initial": values["initial"], "positive": True} | values | {"lower": None}
    return _present(values)


def _noise(noise: Noise | None) -> _Line | None:
    if noise is None:
        return None
    values = {key.name: getattr(noise, key.name) for key in fields(noise) if key.name != "model"}
    if noise.kind != "outliers":
        del values["fraction"], values["scale"]
    return _present(values)


def _file_text(path: Path, names: Mapping[Path, str]) -> str:
    return names.get(path, str(path))


def _observations(item: Observations, names: Mapping[Path, str]) -> _Line:
    values: dict[str, Any] = {"of": item.of}
    if isinstance(item, MeasuredObservations):
        columns = dict(item.table.columns)
        values["file"] = _file_text(item.file, names)
        values["column"] = columns.pop("value", None)
        values["columns"] = _Line(columns) if columns else None
        values["missing"] = item.table.missing or None
        values["max_rows"] = item.table.max_rows
    else:
        values["where"] = _plane_text(item.where) if item.where else None
        values["count"] = item.count
        values["layout"] = _Line(item.layout) if isinstance(item.layout, dict) else item.layout
    values["noise"] = _noise(item.noise)
    if item.mean is not None:
        values["mean"] = _present({"over": item.mean.axes, "width": item.mean.width})
    if item.holdout is not None:
        file = item.holdout.file
        values["holdout"] = item.holdout.fraction if file is None else _file_text(file, names)
    return _present(values)


def _truth(truth: Truth, names: Mapping[Path, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    if truth.constants:
        tree["constants"] = _Line(truth.constants)
    tree |= {unknown: to_text(formula) for unknown, formula in truth.fields.items()}
    if truth.solver is not None:
        tree["solver"] = truth.solver
        tree["clean"] = {key: to_text(formula) for key, formula in truth.clean.items()}
    if truth.file is not None:
        tree["file"] = _file_text(truth.file, names)
    return tree


def _solve(options: SolveOptions) -> dict[str, Any]:
    tree: dict[str, Any] = {
        entry.name: getattr(options, entry.name) for entry in fields(SolveOptions)
    }
    tree["network"] = _Line(asdict(options.network)) if options.network else None
    tree["weights"] = _Line(options.weights)
    del tree["max_memory"]
    if options.max_memory is not None:
        tree["max_memory"] = exact_text(options.max_memory)
    return tree
