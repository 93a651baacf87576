"""The geometry of a problem file: what is read, written back, and refused with its place."""

from __future__ import annotations

import math

import pytest

from pinngate.config import dumps, load, loads
from pinngate.config.catalog import path
from pinngate.errors import InputError
from pinngate.expression import parse
from pinngate.statement.problem import BoundaryPart, Problem
from pinngate.statement.shapes import Box, Ellipse, Part, Polygon, Relation
from tests.geometry.stated import HOLE, PLATE, problem, text

SQUARE = "{x: [-1, 1], y: [-1, 1]}"
CUBE = "{x: [-1, 1], y: [-1, 1], z: [-1, 1]}"


def test_shapes_sets_and_parts_are_read() -> None:
    made = problem(
        "e: {ellipse: {center: [0, 0], radii: [0.5, 1/4], angle: pi/2}}, "
        "p: {polygon: [[0, 0], [1, 0], [0, 1]]}, b: {rectangle: {y: [0, 1], x: [-1, 0]}}",
        "(e + p)*b",
        boundaries="{low: {of: b, where: y = 0}, mid: {where: x**2 < 1/4}}",
        conditions="[{on: low, equation: n_x*u_x + n_y*u_y = 0}]",
    )
    stated = made.geometry
    assert stated is not None
    assert stated.shapes == {
        "e": Ellipse((0.0, 0.0), (0.5, 0.25), pytest.approx(1.5707963)),
        "p": Polygon(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))),
        "b": Box((-1.0, 0.0), (0.0, 1.0)),
    }
    assert stated.inside == parse("(e + p)*b")
    assert stated.parts == {
        "low": Part("b", Relation(parse("y"), "=", parse("0"))),
        "mid": Part(None, Relation(parse("x**2"), "<", parse("1/4"))),
    }
    assert made.conditions[0].where == BoundaryPart("low")
    # the whole, each shape, each part
    assert stated.part_names() == ["boundary", "e", "p", "b", "low", "mid"]
    assert stated.part("boundary") == Part()
    assert stated.part("p") == Part("p")


def test_bounds_of_a_turned_ellipse() -> None:
    turned = Ellipse((1.0, 0.0), (2.0, 1.0), 0.5)
    # its points are c + 2 cos(s) (cos a, sin a) + sin(s) (-sin a, cos a)
    cos, sin = math.cos(0.5), math.sin(0.5)
    steps = [k / 1000 for k in range(6284)]
    xs = [1 + 2 * math.cos(s) * cos - math.sin(s) * sin for s in steps]
    ys = [2 * math.cos(s) * sin + math.sin(s) * cos for s in steps]
    for values, bounds in zip((xs, ys), turned.bounds(), strict=True):
        # the nearest step is 5e-4 from an extremum, where the curve is flat
        assert (min(values), max(values)) == pytest.approx(bounds, abs=1e-6)


@pytest.mark.parametrize(
    "made",
    [
        problem(boundaries="{left: {where: x = -1}, rim: {of: hole, where: y > 0}}"),
        problem("b: {sphere: {center: [0, 0, 0], radius: 1}}", "b", domain=CUBE),
        problem("b: {cuboid: {x: [0, 1], y: [0, 1], z: [0, 1]}}", "b", domain=CUBE),
        load(path("heat-hole")),
        load(path("poisson-l-shape")),
    ],
)
def test_it_is_written_back(made: Problem) -> None:
    assert loads(dumps(made)) == made


def test_one_shape_needs_no_set() -> None:
    assert (
        load(path("heat-disk")).geometry
        == problem("plate: {disk: {center: [0, 0], radius: 1}}", "plate").geometry
    )


def test_the_normal_is_named_on_a_part_only() -> None:
    on = "[{on: boundary, equation: n_x*u_x + n_y*u_y = 0}]"
    assert problem(conditions=on).normal == ("n_x", "n_y")
    with pytest.raises(InputError, match="unknown name 'n_x' in a condition"):
        problem(conditions="[{where: x = 1, equation: n_x*u_x = 0}]")


SHAPES = [
    ("{disc: {center: [0, 0], radius: 1}}", "unknown key 'disc'", "did you mean 'disk'"),
    ("{}", "this one is none", "exactly one of disk"),
    (
        f"{{disk: {{center: [0, 0], radius: 1}}, rectangle: {SQUARE}}}",
        "disk and rectangle",
        "one of",
    ),
    ("{sphere: {center: [0, 0, 0], radius: 1}}", "a sphere is no shape in 2 dim", "axes are x, y"),
    (
        "{disk: {center: [0, 0, 0], radius: 1}}",
        "a point with 3 coordinates",
        "one for each of x, y",
    ),
    ("{disk: {center: [0, 0], radius: 0}}", "a length of 0", "more than 0"),
    ("{rectangle: {x: [0, 1]}}", "sides along x", "each of x, y"),
    ("{rectangle: {x: [1, 0], y: [0, 1]}}", "lower bound of x, 1", "low < high"),
    ("{polygon: [[0, 0], [1, 1], [1, 0], [0, 1]]}", "cross or touch", "in order"),
    ("{polygon: [[0, 0], [0, 0], [1, 0], [0, 1]]}", "cross or touch", "each once"),
    ("{polygon: [[0, 0], [2, 0], [1, 0], [1, 1]]}", "cross or touch", "in order"),
    (
        "{disk: {center: [0.5, 0], radius: 1}}",
        "from x = -0.5 to 1.5, outside",
        "a domain around it",
    ),
]
OTHERS = [
    ("inside", "plate - whole", "unknown shape 'whole'", "did you mean 'hole'"),
    ("inside", "plate*pi - hole", "unknown shape 'pi'", "the shapes are plate, hole"),
    ("inside", "plate/hole", "is not a set of shapes", "+ (union)"),
    ("inside", "plate - hole - 1", "is not a set of shapes", "names of shapes"),
    ("inside", "plate", "does not use the shape 'hole'", "each shape"),
    ("shapes", f"boundary: {{rectangle: {SQUARE}}}", "it is the whole boundary", "nothing else"),
    ("boundaries", "{hole: {where: x = 0}}", "it is a shape", "nothing else has"),
    ("boundaries", "{p: {}}", "neither 'of' nor 'where'", "{of: a shape}"),
    ("boundaries", "{p: {of: hol}}", "unknown shape 'hol'", "did you mean 'hole'"),
    ("boundaries", "{p: {where: x + 1}}", "is not a relation", "x = 0"),
    ("boundaries", "{p: {where: x < t}}", "unknown name 't'", "x, y"),
    ("conditions", "[{on: holes, equation: u = 0}]", "unknown boundary part", "mean 'hole'"),
    ("conditions", "[{on: hole, where: x = 0, equation: u = 0}]", "'where' and 'on'", "one of"),
    ("conditions", "[{on: hole}]", "'equation' is missing", "equation: u = 0"),
    ("conditions", "[{on: hole, periodic: x}]", "no 'on'", "alone"),
    ("more", "constants: {n_x: 1}", "'n_x' cannot name a component of the normal", "a constant"),
]


def check_refused(what: str, expected: str, *args: str, **options: str) -> None:
    with pytest.raises(InputError) as caught:
        problem(*args, **options)
    assert caught.value.span is not None
    assert what in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(("shape", "what", "expected"), SHAPES)
def test_a_wrong_shape_is_refused_at_its_place(shape: str, what: str, expected: str) -> None:
    check_refused(what, expected, f"a: {shape}", "a")


@pytest.mark.parametrize(("key", "value", "what", "expected"), OTHERS)
def test_a_wrong_set_part_or_condition_is_too(
    key: str, value: str, what: str, expected: str
) -> None:
    check_refused(what, expected, **{key: value})


def test_shapes_that_do_not_meet_are_refused() -> None:
    apart = f"a: {{disk: {{center: [-0.5, 0], radius: 0.2}}}}, {HOLE}"
    check_refused("the geometry is empty", "shapes that meet", apart, "a*hole")


def test_a_condition_on_a_part_needs_a_geometry() -> None:
    stated = text(conditions="[{on: hole, equation: u = 0}]")
    start, end = stated.index("geometry:"), stated.index("unknowns:")
    with pytest.raises(InputError, match="a key 'geometry', whose boundary has parts"):
        loads(stated[:start] + stated[end:])


def test_a_line_has_no_shapes() -> None:
    stated = text(f"{PLATE}", "plate").replace(SQUARE, "{x: [-1, 1], t: [-1, 1]}", 1)
    with pytest.raises(InputError, match="two or three space axes"):
        loads(stated.replace("u_yy", "u_t"))


def test_several_shapes_need_a_set() -> None:
    with pytest.raises(InputError, match="several shapes and no 'inside'"):
        loads(text().replace("  inside: plate - hole\n", ""))


def test_the_reference_solvers_are_refused() -> None:
    stated = text(domain="{x: [-1, 1], y: [-1, 1], t: [0, 1]}")
    solver = "truth: {solver: finite-difference, clean: {u: x}}"
    stated = stated.replace("truth: {u: x**2 + y**2}", solver).replace("= 4", "= u_t")
    with pytest.raises(InputError, match="know boxes only"):
        loads(stated)


def test_without_data_a_boundary_condition_determines_a_field() -> None:
    on = "[{on: boundary, equation: u = 1}]"
    stated = text(conditions=on)
    start, end = stated.index("observations:"), stated.index("truth:")
    assert loads(stated[:start] + stated[end:]).observations == ()
    with pytest.raises(InputError, match="nothing determines this problem"):
        loads((stated[:start] + stated[end:]).replace(on, "[]"))
