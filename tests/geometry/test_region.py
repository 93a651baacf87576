"""What is inside, and the boundary with its normals, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import qmc

from pinngate.errors import InputError
from pinngate.geometry.region import NUM_BOUNDARY, Region
from pinngate.statement.components import Statement
from pinngate.statement.problem import Problem
from tests.geometry.stated import HOLE, PLATE, needs_deepxde, problem

pytestmark = needs_deepxde

CUBE = "{x: [-1, 1], y: [-1, 1], z: [-1, 1]}"
ELL = "ell: {polygon: [[-1, -1], [0, -1], [0, 0], [1, 0], [1, 1], [-1, 1]]}"
NOTCHED = f"{PLATE}, notch: {{rectangle: {{x: [0, 1], y: [-1, 0]}}}}"
TURNED = "e: {ellipse: {center: [0.1, 0.2], radii: [0.7, 0.3], angle: pi/6}}"
# two unit-radius disks of the size 0.5 with centres 0.5 apart: a lens of angle 2 pi/3 is shared
LENSES = "a: {disk: {center: [-0.25, 0], radius: 0.5}}, b: {disk: {center: [0.25, 0], radius: 0.5}}"
LENS = 0.25 * (2 * math.pi / 3 - math.sqrt(3) / 2)

# shapes, set, area (volume), length (area) of the boundary
CASES = [
    (HOLE, "hole", math.pi * 0.09, math.pi * 0.6),
    (f"{PLATE}, {HOLE}", "plate - hole", 4 - math.pi * 0.09, 8 + math.pi * 0.6),
    (ELL, "ell", 3.0, 8.0),
    (NOTCHED, "plate - notch", 3.0, 8.0),
    (LENSES, "a + b", math.pi / 2 - LENS, 4 * math.pi / 3),
    (LENSES, "a*b", LENS, 2 * math.pi / 3),
    ("t: {polygon: [[0, 0], [0, 1], [1, 0]]}", "t", 0.5, 2 + math.sqrt(2)),
    ("r: {polygon: [[0, -1], [1, 0], [0, 1], [-1, 0]]}", "r", 2.0, 4 * math.sqrt(2)),
]
SOLIDS = [
    ("ball: {sphere: {center: [0, 0.1, 0], radius: 0.8}}", "ball", 4 / 3 * math.pi * 0.512),
    (
        "box: {cuboid: {x: [-1, 1], y: [0, 1], z: [-1, 0]}}, "
        "ball: {sphere: {center: [0, 0.5, -0.5], radius: 0.4}}",
        "box - ball",
        2 - 4 / 3 * math.pi * 0.064,
    ),
]


def solid(shapes: str, inside: str) -> Problem:
    return problem(shapes, inside, domain=CUBE)


def area(region: Region, num_points: int) -> float:
    axes = len(region.columns)
    points = qmc.Sobol(axes, rng=0).random(num_points) * 2 - 1
    return 2.0**axes * float(region.inside(points).mean())


@pytest.mark.parametrize(("shapes", "inside", "size", "length"), CASES)
def test_area_by_sampling_converges(shapes: str, inside: str, size: float, length: float) -> None:
    region = Region(problem(shapes, inside))
    for num_points in (2**10, 2**14):
        # scrambled nets err by N^(-3/4) times the length of the edge in boxes of area 4, at most
        assert abs(area(region, num_points) - size) < length * num_points**-0.75


@pytest.mark.parametrize(("shapes", "inside", "size", "length"), CASES)
def test_the_boundary_obeys_the_divergence_theorem(
    shapes: str, inside: str, size: float, length: float
) -> None:
    places, normals = Region(problem(shapes, inside)).boundary()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-12)
    # four standard errors of a mean over the places; some sets drop most of them
    slack = 4 * length / math.sqrt(len(places))
    assert len(places) > 0.2 * NUM_BOUNDARY
    np.testing.assert_allclose(length * normals.mean(axis=0), 0, atol=slack)
    assert length * np.sum(places * normals, axis=1).mean() / 2 == pytest.approx(size, abs=slack)


@pytest.mark.parametrize(("shapes", "inside", "volume"), SOLIDS)
def test_solids_obey_it_too(shapes: str, inside: str, volume: float) -> None:
    region = Region(solid(shapes, inside))
    # discrepancy of nets in three dimensions, N^(-2/3), times the area of the surface, 12 at most
    assert abs(area(region, 2**14) - volume) < 12 * (2**14) ** (-2 / 3)
    places, normals = region.boundary()
    surface = 4 * math.pi * 0.64 if inside == "ball" else 10 + 4 * math.pi * 0.16
    slack = 4 * surface / math.sqrt(len(places))
    flux = surface * np.sum(places * normals, axis=1).mean() / 3
    assert flux == pytest.approx(volume, abs=slack)


def test_membership_is_that_of_the_inequalities() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (5000, 2))
    x, y = points.T
    disk = (x - 0.2) ** 2 + y**2 < 0.09
    np.testing.assert_array_equal(Region(problem()).inside(points), ~disk)
    along = np.cos(np.pi / 6) * (x - 0.1) + np.sin(np.pi / 6) * (y - 0.2)
    across = -np.sin(np.pi / 6) * (x - 0.1) + np.cos(np.pi / 6) * (y - 0.2)
    ellipse = (along / 0.7) ** 2 + (across / 0.3) ** 2 < 1
    np.testing.assert_array_equal(Region(problem(TURNED, "e")).inside(points), ellipse)
    ell = (x < 0) | (y > 0)
    np.testing.assert_array_equal(Region(problem(ELL, "ell")).inside(points), ell)
    np.testing.assert_array_equal(Region(problem(NOTCHED, "plate - notch")).inside(points), ell)


def test_an_upright_ellipse_is_the_turned_flat_one() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (5000, 2))
    upright = Region(problem("e: {ellipse: {center: [0, 0], radii: [0.2, 0.9]}}", "e"))
    np.testing.assert_array_equal(
        upright.inside(points), (points[:, 0] / 0.2) ** 2 + (points[:, 1] / 0.9) ** 2 < 1
    )


def test_normals_of_disk_and_ellipse_are_gradients() -> None:
    places, normals = Region(problem()).boundary("hole")
    # out of the plate is into the hole
    np.testing.assert_allclose(normals, -(places - [0.2, 0]) / 0.3, atol=1e-9)
    places, normals = Region(
        problem("e: {ellipse: {center: [0.1, 0.2], radii: [0.7, 0.3]}}", "e")
    ).boundary()
    gradient = (places - [0.1, 0.2]) / np.array([0.7, 0.3]) ** 2
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    np.testing.assert_allclose(normals, gradient, atol=1e-7)


def test_a_shared_edge_is_no_boundary() -> None:
    halves = "l: {rectangle: {x: [-1, 0], y: [-1, 1]}}, r: {rectangle: {x: [0, 1], y: [-1, 1]}}"
    places, _ = Region(problem(halves, "l + r")).boundary()
    np.testing.assert_allclose(np.abs(places).max(axis=1), 1)
    places, _ = Region(problem(NOTCHED, "plate - notch")).boundary()
    x, y = places.T
    assert not ((x > 1e-9) & (y < -1e-9)).any()


@pytest.mark.parametrize("size", [1e-7, 1e6])
def test_units_do_not_matter(size: float) -> None:
    def region(s: float) -> Region:
        vertices = f"[[0, 0], [{s}, 0], [{s}, {s}], [{s / 2}, {s / 3}], [0, {s}]]"
        domain = f"{{x: [0, {s}], y: [0, {s}]}}"
        return Region(problem(f"p: {{polygon: {vertices}}}", "p", domain=domain))

    places, normals = region(size).boundary()
    unit, unit_normals = region(1.0).boundary()
    np.testing.assert_allclose(places / size, unit, atol=1e-12)
    np.testing.assert_allclose(normals, unit_normals, atol=1e-9)


def test_parts_are_chosen_by_shape_and_by_relation() -> None:
    parts = (
        "{left: {where: x = -1}, east: {of: hole, where: x > 0.2}, near: {where: y**2 < x**2/4}}"
    )
    region = Region(problem(boundaries=parts))
    places, normals = region.boundary("left")
    np.testing.assert_allclose(places[:, 0], -1)
    np.testing.assert_allclose(normals, [[-1, 0]] * len(places))
    places, _ = region.boundary("east")
    np.testing.assert_allclose(np.hypot(places[:, 0] - 0.2, places[:, 1]), 0.3)
    assert places[:, 0].min() > 0.2
    places, _ = region.boundary("near")
    assert (places[:, 1] ** 2 < places[:, 0] ** 2 / 4).all()
    np.testing.assert_array_equal(region.boundary("left")[0], region.boundary("left")[0])


def test_rounding_leaves_a_boundary_point_in() -> None:
    region = Region(problem())
    angles = np.linspace(0, 6, 40)
    rim = np.round(np.stack([0.2 + 0.3 * np.cos(angles), 0.3 * np.sin(angles)], axis=1), 7)
    assert (np.hypot(rim[:, 0] - 0.2, rim[:, 1]) < 0.3).any()
    assert region.inside(rim).all()
    assert not region.inside(np.array([[0.2, 0.299]])).any()
    edges = np.array([[1.0, 0.5], [-1.0, 0.5], [0.5, 1.0], [0.5, 0.0]])
    assert Region(problem(ELL, "ell")).inside(edges).all()


def test_a_box_holds_everything_and_has_no_parts() -> None:
    plain = problem()
    box = Region(Problem.of(Statement("box", plain.domain, ("u",), plain.equations)))
    assert box.inside(np.zeros((3, 2))).all()
    with pytest.raises(InputError, match="states no geometry"):
        box.boundary()


def test_what_is_empty_is_refused() -> None:
    with pytest.raises(InputError, match="the geometry is empty"):
        Region(problem(f"{HOLE}, more: {{disk: {{center: [0.2, 0], radius: 0.5}}}}", "hole - more"))
    region = Region(problem(boundaries="{far: {where: x > 2}}"))
    with pytest.raises(InputError, match="no point of the boundary belongs to 'far'"):
        region.boundary("far")
