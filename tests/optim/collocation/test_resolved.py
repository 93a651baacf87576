"""What a basis can do away with of a residual, and what comes of weighing that alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

import pinngate
from pinngate.linear.columns import JacobianColumns
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.mixing import MixedColumns
from pinngate.model.axis_functions import AxisFunctions, Legendre, Splines, Trigonometric
from pinngate.optim.collocation.resolved import Resolved, ResolvedSpace, resolved_on
from pinngate.optim.collocation.spaces import has_means

DOUBLE = torch.float64


def splines() -> Splines:
    return Splines(np.linspace(-1, 1, 6))


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_derivatives_span_as_many_functions_as_there_are_less_their_order(order: int) -> None:
    functions = splines()
    psi = resolved_on(functions, order)
    assert psi.shape[1] == len(functions.frequencies) - order
    assert torch.allclose(psi.T @ psi, torch.eye(psi.shape[1], dtype=DOUBLE), atol=1e-12)


@pytest.mark.parametrize("functions", [splines(), Trigonometric(9)], ids=["splines", "periodic"])
def test_derivatives_of_its_own_functions_are_resolved(functions: AxisFunctions) -> None:
    points, weights = functions.nodes()
    rows = torch.as_tensor(np.sqrt(weights)[:, None] * functions.values(points, 2))
    psi = resolved_on(functions, 2)
    assert torch.allclose(psi @ (psi.T @ rows), rows, atol=1e-8 * float(rows.abs().max()))


def made(ratio: float) -> Resolved:
    x, y = resolved_on(splines(), 2), resolved_on(splines(), 1)
    space = ResolvedSpace.of({"x": x, "y": y})
    return Resolved({"equation_1": (slice(0, len(x) * len(y)), space)}, ratio)


def triangle() -> ResolvedSpace:
    """Of polynomials of three axes those of a degree of five in all."""
    axes = {
        axis: resolved_on(Legendre(7), order) for axis, order in zip("xyt", (2, 2, 1), strict=True)
    }
    degrees = np.indices([psi.shape[1] for psi in axes.values()]).sum(0)
    return ResolvedSpace.of(axes, torch.as_tensor(degrees <= 5))


def test_a_part_of_the_products_is_projected_on() -> None:
    space = triangle()
    every = math.prod(psi.shape[1] for psi in space.axes.values())
    assert int(space.kept.sum()) == math.comb(8, 3) < every
    torch.manual_seed(0)
    x = torch.randn(math.prod(len(psi) for psi in space.axes.values()), 3, dtype=DOUBLE)
    inside = space.projected(x)
    assert torch.allclose(space.projected(inside), inside, atol=1e-12)
    found = space.coordinates(x)
    assert found.shape == (math.comb(8, 3), 3)
    assert torch.allclose(found.square().sum(0), inside.square().sum(0))


def test_coordinates_are_added_up_over_parts_of_the_first_axis() -> None:
    space = triangle()
    first, *others = (len(psi) for psi in space.axes.values())
    x = torch.randn(first * math.prod(others), 2, dtype=DOUBLE)
    line, half = math.prod(others), first // 2
    parts = [
        space.coordinates(x[: half * line], slice(0, half)),
        space.coordinates(x[half * line :], slice(half, first)),
    ]
    assert torch.allclose(sum(parts), space.coordinates(x), atol=1e-12)


def test_nothing_is_left_over_of_what_is_kept_and_all_else_is_seen_by_some_axis() -> None:
    space = triangle()
    torch.manual_seed(0)
    x = torch.randn(math.prod(len(psi) for psi in space.axes.values()), dtype=DOUBLE)
    inside = space.projected(x[:, None])[:, 0]
    assert sum(float(own.sum()) for own in space.left_over(inside).values()) < 1e-20
    outside = float((x - inside).square().sum())
    assert sum(float(own.sum()) for own in space.left_over(x).values()) >= outside


def test_it_is_symmetric_and_leaves_observations_alone() -> None:
    mixing = made(0.1)
    count = mixing.parts["equation_1"][0].stop
    torch.manual_seed(0)
    a, b = torch.randn(2, count + 7, dtype=DOUBLE)
    assert float(a @ mixing(b)) == pytest.approx(float(mixing(a) @ b))
    assert torch.equal(mixing(a)[count:], a[count:])
    assert torch.equal(made(1.0)(a), a)
    rest = a[:count] - made(0.0)(a)[:count]
    assert float((made(0.0)(a)[:count] @ rest).abs()) < 1e-10


def test_what_is_left_over_is_told_by_axis() -> None:
    mixing = made(0.1)
    x, y = mixing.parts["equation_1"][1].axes.values()
    torch.manual_seed(0)
    noise = torch.randn(len(x), dtype=DOUBLE)
    rough, smooth = noise - x @ (x.T @ noise), y[:, 0]
    found = mixing.left_over(torch.outer(rough, smooth).flatten())
    assert torch.allclose(found["x"], rough.square(), atol=1e-12)
    assert float(found["y"].sum()) < 1e-20


def test_mixed_columns_are_the_product_with_the_jacobian() -> None:
    mixing = made(0.2)
    count = mixing.parts["equation_1"][0].stop
    torch.manual_seed(1)
    jacobian = torch.randn(count + 30, 12, dtype=DOUBLE)
    observed = slice(count, count + 30)
    target = torch.randn(count + 30, dtype=DOUBLE)
    mixed = FactoredSystem(MixedColumns(JacobianColumns(jacobian, 2, observed, "normal"), mixing))
    plain = FactoredSystem(JacobianColumns(mixing(jacobian), 2, observed, "normal"))
    for ours, expected in zip(
        mixed.minimiser(0.3, target), plain.minimiser(0.3, target), strict=True
    ):
        assert torch.allclose(ours, expected, atol=1e-10)
    ours, expected = mixed.best_fit([0.1, 1.0], target), plain.best_fit([0.1, 1.0], target)
    assert torch.allclose(ours.leave_one_out, expected.leave_one_out, atol=1e-10)


def test_exact_physics_does_not_take_the_solution_of_a_coarse_basis() -> None:
    """Waves of four and a half periods on eight intervals: driven to zero, all of the residual
    of a standing wave would take the wave with it."""
    generator = np.random.default_rng(0)
    x, t = generator.uniform(size=(2, 3000))
    wave = np.sin(3 * np.pi * x) * np.cos(9 * np.pi * t)
    problem = pinngate.Problem(
        domain={"x": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=["u_tt = 9*u_xx"],
        conditions=[{"where": f"x = {end}", "equation": "u = 0"} for end in (0, 1)],
        observations=[
            pinngate.Observations(
                "u", {"x": x, "t": t}, wave + 0.1 * generator.standard_normal(len(x))
            )
        ],
    )
    solution = pinngate.solve(problem)
    assert "basis" in solution.metrics["network"]
    places = generator.uniform(size=(2, 500))
    error = solution(x=places[0], t=places[1])["u"] - np.sin(3 * np.pi * places[0]) * np.cos(
        9 * np.pi * places[1]
    )
    # the noise that is left in some fifteen free amplitudes
    assert np.sqrt(np.mean(error**2)) < 0.1 * np.sqrt(25 / 3000)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_nested_intervals_leave_no_rounding_in_the_resolved_space(order: int) -> None:
    """One direction too many is a condition that no field can meet: it fixed the place of loads."""
    breaks = np.linspace(-1, 1, 41).tolist()
    for level in range(5):
        middles = [(low + high) / 2 for low, high in itertools.pairwise(breaks)]
        breaks = sorted([*breaks, *(m for m in middles if abs(m + 0.13) < 0.3 / 2**level)])
    functions = Splines(breaks)
    psi = resolved_on(functions, order)
    assert psi.shape[1] == len(functions.frequencies) - order
    points, weights = functions.nodes()
    low = torch.as_tensor(np.sqrt(weights)[:, None] * functions.values(points, order)[:, 2:20])
    assert torch.allclose(psi @ (psi.T @ low), low, atol=1e-6 * float(low.abs().max()))


def test_derivatives_at_a_kink_may_jump() -> None:
    functions = Splines([-1.0, -0.5, 0.2, 1.0], {0.2: 0})
    points, weights = functions.nodes()
    psi = resolved_on(functions, 1)
    jump = torch.as_tensor(np.sqrt(weights) * (points > 0.2))
    assert torch.allclose(psi @ (psi.T @ jump), jump, atol=1e-12)
    assert psi.shape[1] == len(functions.frequencies) - 1


def test_a_load_thinner_than_the_intervals_finds_its_place() -> None:
    """The interval of a place is that of least squares on the closed form, sine by sine."""
    x = np.linspace(0.1, 2.9, 29)
    waves = np.arange(1, 300) * np.pi / 3

    def sagging(size: float, place: float) -> np.ndarray:
        shape = np.exp(-((waves * 0.05) ** 2) / 2) / waves**4
        return 2 / 3 * size / 2e4 * np.sin(np.outer(x, waves)) @ (np.sin(waves * place) * shape)

    values = sagging(500.0, 1.3) + 1e-4 * np.random.default_rng(1).standard_normal(len(x))
    expected = least_squares(lambda p: (sagging(*p) - values) / 1e-4, [500, 1.3], x_scale=[100, 1])
    scatter = np.sqrt(2 * expected.cost / (len(x) - 2))
    stds = scatter * np.sqrt(np.diag(np.linalg.inv(expected.jac.T @ expected.jac)))
    solution = pinngate.solve(
        pinngate.Problem(
            domain={"x": [0, 3]},
            unknowns=["w"],
            estimate={
                "P": pinngate.Unknown(100, positive=True),
                "a": pinngate.Unknown(1.5, lower=0, upper=3),
            },
            equations=["2e4*w_xxxx = P/(0.05*sqrt(2*pi))*exp(-(x - a)**2/(2*0.05**2))"],
            conditions=[f"{name} = 0 at x = {end}" for name in ("w", "w_xx") for end in (0, 3)],
            observations=[pinngate.Observations("w", x, values)],
        )
    )
    for name, value, std in zip(("P", "a"), expected.x, stds, strict=True):
        found = solution.coefficients[name]
        assert abs(found.estimate - value) < 0.3 * std
        assert found.std == pytest.approx(std, rel=0.3)


def test_a_mean_that_the_equation_holds_is_known_as_well_as_the_data_tell_it() -> None:
    """Of T_t = k (m + A cos ωt − T), periodic in t, m is the mean of T."""
    t = np.arange(1.0, 24.0, 2.0)
    rate, mean, size, omega, noise = 0.13, 14.0, 9.0, 2 * np.pi / 24, 0.3
    angle = np.arctan2(omega, rate)
    clean = mean + size * np.cos(angle) * np.cos(omega * t - angle)
    problem = pinngate.Problem(
        domain={"t": [0, 24]},
        unknowns=["T"],
        equations=["T_t = k*(m + 9*cos(2*pi*t/24) - T)"],
        conditions=["periodic in t"],
        estimate={"k": pinngate.Unknown(1, positive=True), "m": pinngate.Unknown(0)},
        observations=[
            pinngate.Observations(
                "T", {"t": t}, clean + noise * np.random.default_rng(0).standard_normal(len(t))
            )
        ],
    )
    low, high = pinngate.solve(problem).coefficients["m"].interval
    assert low < mean < high
    assert high - low < 3 * 2 * 1.96 * noise / np.sqrt(len(t))


@pytest.mark.parametrize(
    ("equation", "holds"),
    [
        ("u_t - u_xx + k", {"x": True, "y": True, "t": False}),
        ("u_xx + u_yy - k", {"x": False, "y": False, "t": False}),
        ("u_xx + u_yy - k*u", {"x": True, "y": True, "t": False}),
    ],
)
def test_means_over_periodic_axes_are_held_where_fields_are(
    equation: str, holds: dict[str, bool]
) -> None:
    problem = pinngate.Problem(
        domain={"x": [0, 1], "y": [0, 1], "t": [0, 1]},
        unknowns=["u"],
        equations=[equation],
        conditions=["periodic in x", "periodic in y"],
        estimate={"k": pinngate.Unknown(1)},
        observations=[
            pinngate.Observations("u", {"x": [0.5], "y": [0.5], "t": [0.5]}, np.array([1.0]))
        ],
    )
    residual = problem.equations[0].residual
    assert {axis: has_means(problem, axis, residual) for axis in holds} == holds
