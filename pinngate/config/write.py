"""A `Problem` back to the text of a problem file, with every default written out.

The run folder keeps this text, so that running it again gives the same numbers:
``loads(dumps(problem))`` equals the problem.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import yaml

from pinngate.config.shared_keys import divided
from pinngate.config.yaml_source import CORE_SCHEMA
from pinngate.errors import InputError
from pinngate.expression.printing import number_text, to_text
from pinngate.memory import exact_text
from pinngate.statement.axis_bounds import Bounds, is_logarithmic
from pinngate.statement.checks.schema import ProblemFile
from pinngate.statement.components import Input, Statement, single_coefficients
from pinngate.statement.equations import Conserved, Window
from pinngate.statement.experiments import of_experiment
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import (
    BoundaryPart,
    Coefficient,
    CoefficientField,
    Condition,
    Event,
    MeasuredObservations,
    Noise,
    Plane,
    Prior,
    Problem,
    StatedObservations,
    Truth,
)
from pinngate.statement.shapes import Ball, Box, Ellipse, Geometry, Part, Polygon, Shape
from pinngate.statement.unknown_quantities import NUM_KNOTS, FieldFunction, Pieces
from pinngate.tables.clock import Clock
from pinngate.tables.in_memory import InMemoryTable

DataNames = Mapping[Path | InMemoryTable, str]


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


def dumps(problem: Problem, *, files: DataNames | None = None) -> str:
    """Return the text of a problem file that `loads` reads back to an equal problem.

    Args:
        problem: the problem.
        files: what to call data files and tables in memory, instead of by the paths of the files;
            relative names are relative to where the text will be saved.

    Raises:
        InputError: values are in memory, and `files` gives them no name.
    """
    return yaml.dump(
        _tree(problem, files or {}),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=2**31 - 1,  # a formula stays on its line
    )


def _tree(problem: Problem, names: DataNames) -> dict[str, Any]:
    """Return the keys of a problem file in their order; optional ones where they say something."""
    optional = {
        **{key: getattr(problem, key) for key in ("title", "description", "source")},
        "coordinates": _Line(problem.coordinates),
        "geometry": _geometry(problem.geometry, problem.space_axes),
        "constants": _Line(problem.constants),
        "time": _time(problem.clock),
        "inputs": {given.name: _input(given, names) for given in problem.inputs},
        "estimate": _estimated(problem, {}),
        "units": _Line(problem.units),
        "events": [_event(event) for event in problem.events],
        "derived": {item.name: item.text for item in problem.derived},
        "truth": _truth(problem.truth, names),
    }
    required = {
        "pinngate": 1,
        "name": problem.name,
        "domain": _domain(problem.domain),
        "unknowns": _unknowns(problem),
        "equations": [equation.text for equation in problem.equations],
        "conditions": [
            *map(_condition, problem.conditions),
            *(_Line(periodic=axis) for axis in problem.periodic),
            *map(_conserved, problem.conserved),
        ],
        "observations": [_observations(item, names) for item in problem.observations],
        "solve": _solve(problem.solve),
    }
    tree = required | optional
    if problem.experiments:
        tree |= _experiments(problem, names)
    if problem.candidates:
        each = problem.candidates.items()
        whole = {
            name: _tree(Problem.of(one), names) | {"optional": one.optional} for name, one in each
        }
        tree |= divided(whole)
    kept = {*required} - ({"observations"} if problem.experiments else set())
    kept -= {"equations"} if problem.candidates else set()
    tree = {key: value for key, value in tree.items() if value or key in kept}
    return {key: tree[key] for key in ProblemFile.model_fields if key in tree}


def _domain(domain: Mapping[str, Bounds]) -> _Line:
    """Return axes and bounds; those on a logarithm say so."""
    return _Line(
        {
            axis: _Line(bounds=tuple(bounds), log=True) if is_logarithmic(bounds) else bounds
            for axis, bounds in domain.items()
        }
    )


def _experiments(problem: Problem, names: DataNames) -> dict[str, Any]:
    """Return the keys of several experiments: what all have, and each with what may be its own."""
    first = next(iter(problem.experiments.values()))
    observed = iter(problem.observations)
    own = [_experiment(problem, name, observed, names) for name in problem.experiments]
    return {
        "unknowns": _unknowns(first),
        "equations": [equation.text for equation in first.equations],
        "conditions": [_Line(periodic=axis) for axis in problem.periodic],
        "observations": [],
        "events": [],
        "constants": _Line(_common(problem.constants, first.constants)),
        "inputs": {i.name: _input(i, names) for i in first.inputs if i in problem.inputs},
        "estimate": _estimated(first, problem.each),
        "units": _Line(first.units),
        "derived": {item.name: item.text for item in first.derived},
        "truth": _truth(problem.truth and _common_truth(problem, first), names),
        "experiments": own,
    }


def _common_truth(problem: Problem, first: Statement) -> Truth | None:
    """Return the truth as it was stated for all experiments."""
    if first.truth is None:
        return None
    known = {n: v for n, v in first.truth.constants.items() if n not in problem.each}
    return replace(first.truth, constants=known)


def _common(whole: Mapping[str, float], one: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in one.items() if name in whole}


def _estimated(stated: Statement, each: Mapping[str, bool]) -> dict[str, _Line]:
    """Return the entries of all coefficients; `each` as `Statement` has it."""
    listed: list[Coefficient | CoefficientField] = list(single_coefficients(stated))
    listed += [*stated.coefficient_fields, *stated.field_functions, *stated.pieces]
    found = {c.name: _coefficient(c) for c in listed}
    for name, has_spread in each.items():
        found[name]["each"] = {"spread": True} if has_spread else True
    return found


def _experiment(
    problem: Problem, name: str, observed: Iterator[StatedObservations], names: DataNames
) -> dict[str, Any]:
    """Return one experiment; `observed` yields the observations of the whole in their order."""
    one = problem.experiments[name]
    constants = {n: v for n, v in one.constants.items() if n not in problem.constants}
    own = {
        "name": name,
        "domain": _domain(one.domain if one.domain != problem.domain else {}),
        "constants": _Line(constants),
        "truth": _Line(_own_truth(problem, name)),
        "inputs": _own_inputs(problem, name, names),
        "conditions": [*map(_condition, one.conditions), *map(_conserved, one.conserved)],
        "events": [_event(event) for event in one.events],
        "observations": [
            _observations(_with_data_of(o, next(observed)), names) for o in one.observations
        ],
    }
    return {key: value for key, value in own.items() if value}


def _own_truth(problem: Problem, name: str) -> dict[str, float]:
    """Return the true values of the coefficients that an experiment has of its own."""
    known = problem.experiments[name].true_coefficients()
    return {n: value for n, value in known.items() if n in problem.each}


def _own_inputs(problem: Problem, name: str, names: DataNames) -> dict[str, Any]:
    """Return the tables that an experiment has of its own."""
    tables = {i.name: i for i in problem.inputs}
    stated = [i.name for i in problem.experiments[name].inputs]
    renamed = {n: tables.get(of_experiment(n, name)) for n in stated}
    return {n: _input(given, names) for n, given in renamed.items() if given is not None}


def _with_data_of(stated: StatedObservations, whole: StatedObservations) -> StatedObservations:
    """Return observations of one experiment with the file that they have in the whole."""
    if isinstance(stated, MeasuredObservations) and isinstance(whole, MeasuredObservations):
        return replace(stated, file=whole.file)
    return stated


def _plane_text(plane: Plane) -> str:
    return f"{plane.axis} {'<=' if plane.is_past else '='} {number_text(plane.value)}"


def _where_text(where: Plane | Window) -> str:
    if isinstance(where, Plane):
        return _plane_text(where)
    parts = [_plane_text(where.plane)]
    for axis, low, high in where.bounds:
        parts += [f"{axis} > {number_text(low)}", f"{axis} < {number_text(high)}"]
    return " and ".join(parts)


def _condition(condition: Condition) -> _Line:
    if isinstance(condition.where, BoundaryPart):
        return _Line(on=condition.where.name, equation=condition.text)
    return _Line(where=_where_text(condition.where), equation=condition.text)


def _conserved(stated: Conserved) -> _Line:
    return _Line(mean=_Line(of=stated.of, over=stated.over, equals=stated.equals))


def _geometry(geometry: Geometry | None, space: tuple[str, ...]) -> dict[str, Any]:
    if geometry is None:
        return {}
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
    values.pop("natural", None)
    if values.get("prior") is not None:
        values["prior"] = _prior(values["prior"])
    if isinstance(coefficient, Pieces):
        breaks = zip(values.pop("over"), values.pop("breaks"), strict=True)
        values["pieces"] = _Line({axis: list(own) for axis, own in breaks})
    if isinstance(coefficient, FieldFunction):
        values |= _of_function(coefficient)
        del values["ranges"], values["weight"]
    if isinstance(coefficient, CoefficientField) and coefficient.truth is not None:
        values["truth"] = to_text(coefficient.truth)
    if coefficient.lower == 0.0:
        values = {"initial": values["initial"], "positive": True} | values | {"lower": None}
    return _present(values)


def _of_function(function: FieldFunction) -> dict[str, Any]:
    """Return range and knots of a function of fields, as far as they are no defaults."""
    each = zip(function.over, function.ranges, strict=True)
    stated: Any = _Line({over: list(ends) for over, ends in each if ends is not None})
    if len(function.over) == 1:
        stated = stated.get(function.over[0])
    is_usual = set(function.knots) == {NUM_KNOTS[len(function.over)]}
    return {"range": stated or None, "knots": None if is_usual else list(function.knots)}


def _event(event: Event) -> _Line:
    changes = {"add": event.add, "set": event.set}
    amounts = {key: {n: to_text(a) for n, a in own.items()} for key, own in changes.items() if own}
    return _Line({"at": {"t": list(event.times)}, **amounts})


def _prior(prior: Prior) -> _Line:
    if prior.is_of_logarithm:
        return _Line({"median": math.exp(prior.mean), "factor": math.exp(prior.std)})
    return _Line({"mean": prior.mean, "std": prior.std})


def _noise(noise: Noise | None) -> _Line | None:
    if noise is None:
        return None
    values = {key.name: getattr(noise, key.name) for key in fields(noise) if key.name != "model"}
    if noise.kind != "outliers":
        del values["fraction"], values["scale"]
    if noise.correlated is not None:
        values["correlated"] = _Line(asdict(noise.correlated))
    return _present(values)


def _file_text(data: Path | InMemoryTable, names: DataNames) -> str:
    if data in names:
        return names[data]
    if isinstance(data, InMemoryTable):
        raise InputError(
            f"the values of {data} are in memory, and a problem file names a file of them",
            hint="pinngate.run writes the values beside the problem",
        )
    return str(data)


def _unknowns(problem: Statement) -> tuple[str, ...] | _Line:
    if not problem.sizes and not problem.guesses and not problem.positive:
        return problem.unknowns
    found = {}
    for name in problem.unknowns:
        guess = to_text(problem.guesses[name]) if name in problem.guesses else None
        is_positive = True if name in problem.positive else None
        found[name] = _present(
            {"size": problem.sizes.get(name), "positive": is_positive, "initial_guess": guess}
        )
    return _Line(found)


def _time(clock: Clock | None) -> _Line:
    return _Line() if clock is None else _Line(origin=clock.origin_text, unit=clock.unit)


def _input(given: Input, names: DataNames) -> _Line:
    columns = dict(given.table.columns)
    values: dict[str, Any] = {
        "file": _file_text(given.file, names),
        "column": columns.pop("value", None),
    }
    values |= {"columns": _Line(columns) if columns else None}
    values |= {"interpolation": given.function.interpolation}
    return _present(values | {"missing": given.table.missing or None})


def _observations(item: StatedObservations, names: DataNames) -> _Line:
    values: dict[str, Any] = {"of": item.of}
    if isinstance(item, MeasuredObservations):
        columns = dict(item.table.columns)
        values["file"] = _file_text(item.file, names)
        values["column"] = columns.pop("value", None)
        values["columns"] = _Line(columns) if columns else None
        values["missing"] = item.table.missing or None
        values["max_rows"] = item.table.max_rows
        values["at"] = _Line(item.table.at) if item.table.at else None
        sensors = {name: _Line(own) for name, own in item.table.sensors.items()}
        values["sensors"] = _Line(sensors) if sensors else None
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


def _truth(truth: Truth | None, names: DataNames) -> dict[str, Any]:
    if truth is None:
        return {}
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
    """Return what is stated; in a resolved problem that is all that its optimizer reads."""
    tree: dict[str, Any] = {
        entry.name: getattr(options, entry.name) for entry in fields(SolveOptions)
    }
    if isinstance(options.network, NetworkOptions):
        tree["network"] = _Line(asdict(options.network))
    tree["weights"] = _Line(options.weights) if options.weights else None
    if options.max_memory is not None:
        tree["max_memory"] = exact_text(options.max_memory)
    return {key: value for key, value in tree.items() if value is not None}
