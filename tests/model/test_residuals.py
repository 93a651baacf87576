"""Terms, scales and tiles."""

from __future__ import annotations

import pytest
import torch

from pinngate.expression import parse
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import characteristic_size
from pinngate.model.terms import Batch, problem_terms
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.problem import Condition, Plane, Problem
from tests.equations import CASES, coefficients_of, network_of, points_of


@pytest.mark.parametrize("metres", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seconds", [1e-6, 1.0, 1e6])
def test_scaled_residual_does_not_depend_on_units(metres: float, seconds: float) -> None:
    problem = CASES["heat"].problem()
    domain = {"x": (0.0, 2 * metres), "t": (0.0, 3 * seconds)}
    stated = Problem.of(
        Statement(
            "heat", domain, ("u",), problem.equations, constants={"nu": 0.3 * metres**2 / seconds}
        )
    )
    scale = characteristic_size(stated, stated.equations[0].residual)
    # largest of u_t = 1/1.5 s and nu·u_xx = 0.3/1 per second
    assert scale * seconds == pytest.approx(1 / 1.5, rel=1e-12)


def test_tiles_cover_every_point_once() -> None:
    case = CASES["coupled"]
    problem = case.problem()
    stated = Problem.of(
        Statement(
            "coupled",
            problem.domain,
            problem.unknowns,
            problem.equations,
            conditions=(Condition(Plane("x", -0.5), "u", parse("u")),),
            constants=problem.constants,
        )
    )
    terms = problem_terms(stated, ["u", "v"])
    model = ResidualModel(terms, stated)
    sizes = {"equation_1": 50, "condition_1": 7, "observation_1": 33, "observation_2": 12}
    batches = {}
    for name, size in sizes.items():
        columns = {"@value": torch.zeros(size), "@row": torch.ones(size)}
        is_data = name.startswith("observation")
        batches[name] = Batch(points_of(case, size, seed=len(batches)), columns if is_data else {})
    batches["equation_2"] = batches["equation_1"]
    seen: dict[str, list[int]] = {}
    residuals: dict[str, list[torch.Tensor]] = {}
    network = network_of(case)
    for tile in model.sweep(network, coefficients_of(case), batches, tile=16):
        assert tile.propagation.outputs.shape[1] <= 16
        for e in tile.evaluations:
            size = len(e.residual)
            seen.setdefault(e.term.name, []).extend(range(e.start, e.start + size))
            residuals.setdefault(e.term.name, []).append(e.residual)
    for name, size in (sizes | {"equation_2": 50}).items():
        assert seen[name] == list(range(size))
    for k, name in enumerate(["observation_1", "observation_2"]):
        expected = network(batches[name].points)[:, k].detach()
        torch.testing.assert_close(torch.cat(residuals[name]), expected)


def test_stated_deviations_weight_the_data() -> None:
    case = CASES["heat"]
    model = ResidualModel(problem_terms(case.problem(), ["u"]), case.problem())
    points = points_of(case, 3)
    weight = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    value = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    batches = {
        "equation_1": Batch(points),
        "observation_1": Batch(points, {"@value": value, "@row": weight}),
    }
    network = network_of(case)
    found = {
        e.term.name: e
        for tile in model.sweep(network, coefficients_of(case), batches)
        for e in tile.evaluations
    }["observation_1"]
    expected = (network(points)[:, 0] - value) * weight
    torch.testing.assert_close(found.residual, expected.detach())


@pytest.mark.parametrize(
    ("name", "orders"),
    [("u", (0, 0)), ("u_x", (1, 0)), ("u_xtx", (2, 1)), ("w", None), ("u_y", None), ("u_", None)],
)
def test_names_of_derivatives(name: str, orders: tuple[int, int] | None) -> None:
    found = parse_derivative(name, ("u",), ("x", "t"))
    assert (found.orders if found else None) == orders
