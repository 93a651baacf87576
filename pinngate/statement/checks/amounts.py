"""How much a statement may ask for: every number that makes work is judged before any is done.

Whatever a file can make large has a limit here, far above what a fit in reasonable time can use,
and is refused with its number; what depends on the free memory is estimated where it is needed
(`pinngate.runs.forecast`, `pinngate.data`). Between `validation` and `building`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from pinngate.errors import InputError
from pinngate.statement.checks.schema import NetworkSection, ProblemFile
from pinngate.statement.checks.source import Place, Source

MAX_UNKNOWNS = 100  # fields; channels of fifty coupled equations are planned in two seconds
MAX_EQUATIONS = 500
MAX_CONDITIONS = 1_000
MAX_SETS = 1_000  # of observations
MAX_ESTIMATED = 500
MAX_INPUTS = 200
MAX_SHAPES = 200
MAX_VERTICES = 2_000  # of a polygon, whose sides are compared pairwise
MAX_VALUES = 20_000_000  # made for one set of observations: some gigabytes
MAX_COLLOCATION = 10_000_000
MAX_ITERATIONS = 1_000_000_000
MAX_WEIGHTS = 50_000_000  # of one network
MAX_DEPTH = 200  # hidden layers

Amount = tuple[Place, int, int, str]


def refuse_large(source: Source, file: ProblemFile) -> None:
    """Refuse the first number of a statement that nothing could be done with.

    Raises:
        InputError: there is one; with the number and the largest that is allowed.
    """
    for place, number, most, what in _amounts(file):
        if number > most:
            raise InputError(
                f"{number:,} {what}",
                span=source.span(place),
                expected=f"at most {most:,}",
                hint="state fewer",
            )


def _amounts(file: ProblemFile) -> Iterator[Amount]:
    yield ("unknowns",), len(file.unknowns), MAX_UNKNOWNS, "unknowns"
    yield ("equations",), len(file.equations), MAX_EQUATIONS, "equations"
    yield ("conditions",), len(file.conditions), MAX_CONDITIONS, "conditions"
    yield ("estimate",), len(file.estimate), MAX_ESTIMATED, "estimated coefficients"
    yield ("inputs",), len(file.inputs), MAX_INPUTS, "inputs"
    sets = sum(len(section.of) for section in file.observations)
    yield ("observations",), sets, MAX_SETS, "sets of observations"
    yield from _of_geometry(file)
    yield from _of_observations(file)
    yield from _of_solving(file)


def _of_geometry(file: ProblemFile) -> Iterator[Amount]:
    if file.geometry is None:
        return
    shapes = file.geometry.shapes
    yield ("geometry", "shapes"), len(shapes), MAX_SHAPES, "shapes"
    for name, shape in shapes.items():
        place = ("geometry", "shapes", name, "polygon")
        yield place, len(shape.polygon or ()), MAX_VERTICES, "vertices"


def _of_observations(file: ProblemFile) -> Iterator[Amount]:
    for i, section in enumerate(file.observations):
        place: Place = ("observations", i)
        yield (*place, "count"), section.count or 0, MAX_VALUES, "values"
        if isinstance(section.layout, dict):
            yield (*place, "layout"), prod(section.layout.values()), MAX_VALUES, "values"


def _of_solving(file: ProblemFile) -> Iterator[Amount]:
    if file.solve is None:
        return
    solve = file.solve
    yield ("solve", "collocation"), solve.collocation or 0, MAX_COLLOCATION, "collocation points"
    yield ("solve", "iterations"), solve.iterations or 0, MAX_ITERATIONS, "iterations"
    if isinstance(solve.network, NetworkSection):
        width, depth = solve.network.width, solve.network.depth
        yield ("solve", "network", "depth"), depth, MAX_DEPTH, "hidden layers"
        yield ("solve", "network"), width * width * depth, MAX_WEIGHTS, "weights of the network"
