"""Coefficients that vary with the axes: exact rewriting, separate networks, honest intervals."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from pinngate import config
from pinngate import solution as runs
from pinngate.errors import InputError
from pinngate.expression import evaluate, names, parse, parse_equation
from pinngate.linear.jacobian import jacobian, row_weights
from pinngate.linear.rows import LinearisedRows
from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import forward
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import JointNetwork, Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch, problem_terms
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.report.truth_check import verify_truth
from pinngate.statement.brackets import Brackets
from pinngate.statement.coefficient_fields import (
    ends_of,
    searched,
    true_values,
    value_of,
    values_and_slopes,
    with_true_fields,
)
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import CoefficientField, Problem

DOUBLE = torch.float64
ROD = """\
pinngate: 1
name: rod
domain: {x: [0, 2], t: [0, 1]}
unknowns: [u]
estimate:
  k: {over: x, initial: 0.5, positive: true}
equations:
  - u_t = (k*u_x)_x
conditions:
  - {where: x = 0, equation: u = 0}
observations:
  - {of: u, count: 40, noise: {std: 0.01}}
truth:
  u: exp(-t)*sin(x)
  k: 1 + 0.5*x
"""
RING = ROD.replace("{where: x = 0, equation: u = 0}", "{periodic: x}")
PLATE = """\
pinngate: 1
name: plate
domain: {x: [0, 1], y: [0, 2]}
unknowns: [u]
estimate:
  a: {over: [y, x], initial: 2, BOUNDS}
equations:
  - a_xy*u + (a*u_x)_x + (u_y*a)_y + a*u**2 = sin(x)
observations:
  - {of: u, count: 20, noise: {std: 0.01}}
truth:
  u: x*y
"""
BOUNDS = ["positive: true", "lower: 1", "upper: 3", "lower: 1, upper: 5", "positive: false"]


def problem_of(text: str, **changes: str) -> Problem:
    for old, new in changes.items():
        text = text.replace(old, new)
    return config.loads(text)


def network_of(problem: Problem, width: int = 7, depth: int = 2) -> JointNetwork:
    """Random in every part, unlike the start of a run."""
    options = NetworkOptions(width=width, depth=depth, features=1.5)
    random = torch.Generator().manual_seed(0)
    parts = []
    for over in [problem.axes, *(field.over for field in problem.coefficient_fields)]:
        parts.append(
            Network(
                [problem.domain[a] for a in over],
                1,
                options,
                columns=[problem.axes.index(a) for a in over],
                is_periodic=[a in problem.periodic for a in over],
                generator=random,
            )
        )
    return JointNetwork(parts)


def points_of(problem: Problem, count: int) -> Tensor:
    low, high = torch.tensor(list(problem.domain.values()), dtype=DOUBLE).T
    unit = torch.rand(count, len(low), dtype=DOUBLE, generator=torch.Generator().manual_seed(1))
    return low + (high - low) * unit


def batches_of(problem: Problem, count: int) -> tuple[ResidualModel, dict[str, Batch]]:
    terms = problem_terms(problem, ["u"])
    batches = {term.name: Batch(points_of(problem, count)) for term in terms}
    columns = {"@value": torch.zeros(count, dtype=DOUBLE), "@row": torch.ones(count)}
    batches["observation_1"] = Batch(points_of(problem, count), columns)
    return ResidualModel(terms, problem), batches


def by_autograd(problem: Problem, network: Network, points: Tensor) -> Tensor:
    """The stated residual, its coefficient field a function of the network's output."""
    points = points.clone().requires_grad_(True)
    outputs = network(points)
    (field,) = problem.coefficient_fields
    fields = {
        "u": outputs[:, 0],
        field.name: evaluate(value_of(field), {field.name: outputs[:, 1]}, torch),
    }
    residual = problem.equations[0].residual
    known = {axis: points[:, k] for k, axis in enumerate(problem.axes)}
    for name in names(residual):
        derivative = parse_derivative(name, problem.outputs, problem.axes)
        if derivative is None:
            continue
        value = fields[derivative.field]
        for k, order in enumerate(derivative.orders):
            for _ in range(order):
                (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
                value = slope[:, k]
        known[name] = value
    result: Tensor = evaluate(residual, known, torch)
    return result


@pytest.mark.parametrize(
    "problem",
    [problem_of(ROD), *(problem_of(PLATE, BOUNDS=bounds) for bounds in BOUNDS)],
    ids=["rod", *BOUNDS],
)
def test_residuals_and_jacobian_equal_nested_autograd(problem: Problem) -> None:
    network = network_of(problem)
    model, batches = batches_of(problem, 11)
    weights = row_weights(model, batches, {t.name: 1.0 for t in model.terms})
    none = Coefficients((), DOUBLE)
    jac, r = jacobian(model, network, none, batches, weights)
    rows = weights.slices["equation_1"]
    expected = by_autograd(problem, network, batches["equation_1"].points) / model.terms[0].scale
    torch.testing.assert_close(r[rows], expected.detach(), rtol=1e-10, atol=1e-12)
    parameters = [p for layer in network.linears for p in (layer.weight, layer.bias)]
    for row, value in zip(jac[rows], expected, strict=True):
        slopes = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
        found = torch.cat([g.reshape(-1) for g in slopes])
        torch.testing.assert_close(row, found, rtol=1e-9, atol=1e-11)


def test_products_without_the_jacobian_are_those_with_it() -> None:
    problem = problem_of(RING)
    network = network_of(problem)
    model, batches = batches_of(problem, 30)
    weights = row_weights(model, batches, {t.name: 0.7 for t in model.terms})
    none = Coefficients((), DOUBLE)
    jac, _ = jacobian(model, network, none, batches, weights)
    rows = LinearisedRows(model, network, none, batches, weights)
    v = torch.randn(jac.shape[1], 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(2))
    y = torch.randn(jac.shape[0], 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(rows.forward(v), jac @ v, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(rows.adjoint(y), jac.T @ y, rtol=1e-10, atol=1e-11)


def test_a_field_does_not_vary_with_other_axes() -> None:
    problem = problem_of(ROD)
    network, points = network_of(problem), points_of(problem, 9)
    orders = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    outputs = forward(network, Plan(problem.axes, orders, (), (), {}), points, {}).outputs
    along_t = [k for k, alpha in enumerate(orders) if alpha[1]]
    assert torch.count_nonzero(outputs[along_t, :, 1]) == 0  # exactly, not to rounding
    assert torch.count_nonzero(outputs[along_t, :, 0]) > 0
    moved = points.clone()
    moved[:, 1] += 0.3
    assert torch.equal(network(points)[:, 1], network(moved)[:, 1])


def test_observations_reach_the_coefficient_through_the_equation_alone() -> None:
    problem = problem_of(ROD)
    network = network_of(problem)
    model, batches = batches_of(problem, 5)
    weights = row_weights(model, batches, {t.name: 1.0 for t in model.terms})
    jac, _ = jacobian(model, network, Coefficients((), DOUBLE), batches, weights)
    own = network.networks[0].num_parameters
    assert torch.count_nonzero(jac[weights.slices["observation_1"], own:]) == 0
    assert torch.count_nonzero(jac[weights.slices["equation_1"], own:]) > 0


def test_a_periodic_axis_makes_the_coefficient_periodic_and_stays_so() -> None:
    problem = problem_of(RING)
    network = network_of(problem)
    firsts = [part.linears[0].weight for part in network.networks]
    held = [w[:, 0].clone() for w in firsts]
    free = firsts[0][:, 1].clone()
    model, batches = batches_of(problem, 30)
    PopulationRiskGaussNewton(model, network, Coefficients((), DOUBLE)).step(batches)
    assert not torch.equal(firsts[0][:, 1], free)
    assert all(torch.equal(w[:, 0], before) for w, before in zip(firsts, held, strict=True))
    points = points_of(problem, 9)
    moved = points + torch.tensor([2.0, 0.0], dtype=DOUBLE)
    torch.testing.assert_close(network(moved), network(points), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "bounds", [(None, None), (0.0, None), (1.0, None), (None, 3.0), (1.0, 5.0)]
)
def test_the_output_zero_is_the_initial_value_and_bounds_hold(
    bounds: tuple[float | None, float | None],
) -> None:
    field = CoefficientField("a", ("x",), 2.0, *bounds)
    output = np.linspace(-5, 5, 41)
    value, slope = values_and_slopes(field, output)
    assert value[20] == pytest.approx(2.0, rel=1e-12)
    lower, upper = bounds
    assert lower is None or value.min() > lower
    assert upper is None or value.max() < upper
    step = 1e-5  # central difference: error step²/6 times the third derivative, at most 150
    above, below = (values_and_slopes(field, output + h)[0] for h in (step, -step))
    np.testing.assert_allclose(slope, np.abs(above - below) / (2 * step), rtol=1e-6, atol=1e-8)
    low, high = ends_of(field, output, np.full(41, 0.5))
    assert ((low < value) & (value < high)).all()
    assert lower is None or low.min() > lower


def test_a_run_starts_at_the_initial_value_everywhere() -> None:
    from pinngate.runs.training import begin

    session = begin(problem_of(ROD))
    values = session.evaluate(points_of(session.problem, 50).numpy())
    np.testing.assert_allclose(values["k"], 0.5, rtol=1e-12)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("(a*u_x)_x", "a_x*u_x + a*u_xx"),
        ("2*(a*u_x)_x**2", "2*(a_x*u_x + a*u_xx)**2"),
        ("-(k*u_x)_t = (k)_x", "-(k*u_xt) = k_x"),
        ("((x*u)_x)_t", "u_t + x*u_xt"),
        ("(u**2/2)_x", "u*u_x"),
        ("sin(u)_xx", "cos(u)*u_xx - sin(u)*u_x**2"),
    ],
)
def test_the_derivative_of_a_bracket_is_carried_out(typed: str, written: str) -> None:
    axes, over = ("x", "t"), {"k": ("x",)}
    expanded = Brackets(("u", "a", "k"), axes, over).expanded(parse_equation(typed))
    expected = parse_equation(written)
    values = {name: 0.3 + 0.1 * k for k, name in enumerate(sorted(names(expanded)))}
    found = evaluate(expanded, values, np)
    assert set(names(expected)) <= set(names(expanded))
    assert found == pytest.approx(evaluate(expected, values, np), rel=1e-12)


@pytest.mark.parametrize("text", ["(a*u_x).x", "u.x", "u.real", "(u)_", "(u)_x1", "(u).__class__"])
def test_nothing_else_comes_in_through_a_bracket(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


def test_the_truth_is_found_in_either_place_and_written_back() -> None:
    below = problem_of(ROD)
    beside = problem_of(
        ROD.replace("positive: true}", "positive: true, truth: 1 + 0.5*x}").replace(
            "  k: 1", "  # "
        )
    )
    assert below == beside
    assert config.loads(config.dumps(below)) == below
    points = np.array([[0.0, 0.3], [2.0, 0.9]])
    np.testing.assert_array_equal(true_values(below, points)["k"], [1.0, 2.0])


def test_the_truth_is_put_into_the_equation() -> None:
    wrong, right = (
        verify_truth(problem_of(ROD, **{"(k*u_x)_x": f"(k*u_x)_x{extra}"}))[0]
        for extra in ("", " - exp(-t)*(0.5*cos(x) - 0.5*x*sin(x))")
    )
    assert not wrong.is_satisfied
    assert right.is_satisfied
    assert "k" not in names(with_true_fields(problem_of(ROD)).equations[0].residual)


def test_without_coefficient_fields_residuals_stay_as_they_are() -> None:
    problem = config.load(config.resolve("heat-noisy-ic"))
    residual = problem.equations[0].residual
    assert searched(problem, residual) == residual


FAULTS = [
    ("over: x,", "over: «z»,", "the domain has no axis 'z'"),
    ("over: x,", "over: [x, «x»],", "'x' stands twice"),
    ("(k*u_x)_x", "(k*u_x)_x + «k_t»", "does not vary with t"),
    ("initial: 0.5", "initial: «-1»", "outside its bounds"),
    ("k: 1 + 0.5*x", "k: 1 + 0.5*«t»", "unknown name 't'"),
    ("u_t = (k*u_x)_x", "u_t = u_xx", "mentions the coefficient 'k'"),
    ("  k: {over", "  u_x: {over", "derivative of 'u'"),
    ("unknowns: [u]", "unknowns: [u]\nconstants: {k_x: 1}", "derivative of 'k'"),
    ("(k*u_x)_x", "(k*u_x)_z", "'_z' after a bracket is no derivative"),
    ("u_t = (k*u_x)_x", "k_x = 0", "mentions no unknown"),
    ("  u: exp(-t)*sin(x)", "  solver: spectral\n  clean: {u: sin(x)}\n  # ", None),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS)
def test_faults_are_named_at_their_place(old: str, new: str, said: str | None) -> None:
    marked = ROD.replace(old, new)
    text = marked.replace("«", "").replace("»", "")
    if said is None:
        config.loads(text)
        said, text = "the true field 'k' is not stated", text.replace("  k: 1 + 0.5*x\n", "")
    with pytest.raises(InputError) as caught:
        config.loads(text, file="rod.yaml")
    assert said in str(caught.value)
    if "«" in marked:
        before = marked[: marked.index("«")].splitlines()
        assert str(caught.value).startswith(f"rod.yaml:{len(before)}:{len(before[-1]) + 1}: ")


def test_a_field_needs_observations() -> None:
    text = ROD.replace("  - {of: u, count: 40, noise: {std: 0.01}}", "  []")
    with pytest.raises(InputError, match="nothing from which to infer the field 'k'"):
        config.loads(text)


# the field is flat below x = 0.3, where its slope is a hundredth of the steepest
BAR = """\
pinngate: 1
name: bar
domain: {x: [0, 1]}
unknowns: [u]
estimate:
  a: {over: x, initial: 1, positive: true, truth: 1 + 0.5*sin(2*pi*x)}
equations:
  - (a*u_x)_x = ((1 + 0.5*sin(2*pi*x))*(tanh((x - 0.7)/0.2))_x)_x
conditions:
  - {where: x = 1, equation: a = 1}
observations:
  - {of: u, count: 300, noise: {std: 0.01}}
truth:
  u: tanh((x - 0.7)/0.2)
solve:
  network: {width: 10, depth: 2, features: 1}
  collocation: 64
  iterations: 100
"""


@pytest.fixture(scope="module")
def bar(tmp_path_factory: pytest.TempPathFactory) -> runs.Solution:
    return runs.run(config.loads(BAR), tmp_path_factory.mktemp("fields") / "bar")


def test_a_field_is_recovered_where_the_data_tell(bar: runs.Solution) -> None:
    x = np.linspace(0.5, 1, 51)[:, None]
    truth = 1 + 0.5 * np.sin(2 * np.pi * x[:, 0])
    error = np.linalg.norm(bar(x)["a"] - truth) / np.linalg.norm(truth)
    # the scatter over noise is 0.02; the initial value would be off by 0.5
    assert error < 0.06
    assert bar.metrics["fields"]["u"]["relative_l2"] < 0.005


def test_the_field_is_uncertain_where_the_slope_vanishes(bar: runs.Solution) -> None:
    assert bar.folder is not None
    with np.load(bar.folder / "solution.npz") as arrays:
        x, std = arrays["x"], arrays["a_std"]
        assert arrays["a"].shape == arrays["a_truth"].shape == std.shape == x.shape
    assert std[x < 0.2].mean() > 10 * std[(x > 0.5) & (x < 0.9)].mean()
    assert bar.metrics["coefficient_fields"]["a"]["coverage_95"] > 0.9


def test_the_files_of_a_run_hold_the_field(bar: runs.Solution) -> None:
    folder = bar.folder
    assert folder is not None
    assert set(json.loads((folder / "metrics.json").read_text())["coefficient_fields"]) == {"a"}
    assert {p.name for p in (folder / "figures").iterdir()} >= {"field_a.svg", "error_a.svg"}
    assert "the field a is within" in (folder / "report.html").read_text()
    assert "relative_l2_a" in (folder / "history.csv").read_text().splitlines()[0]
    points = np.array([[0.25], [0.6]])
    predicted = runs.predict(folder, points)
    np.testing.assert_array_equal(predicted["a"], bar(points)["a"])
    assert (predicted["a_std"] > 0).all()


@pytest.mark.parametrize("statistics", ["streaming", "pairs", "grouped"])
def test_first_order_optimizers_train_a_field(statistics: str) -> None:
    text = BAR + "  optimizer: population-risk-adam\n"
    solution = runs.solve(config.loads(f"{text}  statistics: {statistics}\n"))
    points = np.linspace(0, 1, 11)[:, None]
    assert np.ptp(solution(points)["a"]) > 0
    assert solution.metrics["coefficient_fields"]["a"]["coverage_95"] is not None
