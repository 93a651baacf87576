"""The table of equations that derivative channels and statistics are tested on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pinngate.expression import Expression, evaluate, names, parse_equation
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import canonical, parse_derivative
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient, Equation, Problem


@dataclass(frozen=True)
class Case:
    axes: str
    equations: tuple[str, ...]
    num_channels: int
    num_textbook: int
    estimated: tuple[str, ...] = ()

    @property
    def unknowns(self) -> tuple[str, ...]:
        return ("u", "v")[: len(self.equations)]

    def problem(self) -> Problem:
        axes = tuple(self.axes)
        residuals = [canonical(parse_equation(e), self.unknowns, axes) for e in self.equations]
        return Problem.of(
            Statement(
                "case",
                dict.fromkeys(axes, (-0.5, 1.5)),
                self.unknowns,
                tuple(Equation(t, r) for t, r in zip(self.equations, residuals, strict=True)),
                constants={"nu": 0.3} if "nu" not in self.estimated else {},
                coefficients=tuple(Coefficient(name, 0.3) for name in self.estimated),
            )
        )


CASES = {
    "heat": Case("xt", ("u_t = nu*u_xx",), 3, 4),
    "burgers": Case("xt", ("u_t + u*u_x = nu*u_xx",), 3, 4),
    "wave": Case("xt", ("u_tt = 4*u_xx",), 4, 5),
    "advection": Case("xt", ("u_t + 5*u_x",), 2, 3),
    "advection-diffusion-reaction": Case("xt", ("u_t + u_x - nu*u_xx = u*(1 - u)",), 3, 4),
    "korteweg-de-vries": Case("xt", ("u_t + 6*u*u_x + u_xxx",), 4, 5),
    "kuramoto-sivashinsky": Case("xt", ("u_t + u*u_x + u_xx + u_xxxx",), 5, 6),
    "allen-cahn": Case("xt", ("u_t - nu*u_xx + 5*u**3 - 5*u",), 3, 4),
    "coupled": Case("xt", ("u_t = nu*u_xx - u*v**2", "v_t = 2*nu*v_xx + u*v**2"), 4, 4),
    "heat-2d": Case("xyt", ("u_t = nu*(u_xx + u_yy)",), 4, 6),
    "wave-2d": Case("xyt", ("u_tt = u_xx + u_yy",), 5, 7),
    "mixed": Case("xt", ("u_xt = sin(u)",), 4, 4),
    "varying": Case("xt", ("u_t = (1 + x**2)*u_xx + 2*x*u_x + exp(-t)",), 3, 4),
    "nonlinear-top": Case("xt", ("u_t = u_xx**2 + u_x",), 4, 4),
    "biharmonic": Case("xy", ("u_xxxx + 2*u_xxyy + u_yyyy = sin(x)",), 11, 13),
    "burgers-inverse": Case("xt", ("u_t + c*u*u_x = nu*u_xx",), 4, 4, ("c", "nu")),
    "ordinary": Case("t", ("u_tt + u**3 = cos(t)",), 3, 3),
}


def network_of(case: Case, *, width: int = 12, depth: int = 3, seed: int = 0) -> Network:
    problem = case.problem()
    return Network(
        list(problem.domain.values()),
        len(case.unknowns),
        NetworkOptions(width=width, depth=depth, features=1.5),
        output_scale=[1.3] * len(case.unknowns),
        output_shift=[0.2] * len(case.unknowns),
        generator=torch.Generator().manual_seed(seed),
    )


def coefficients_of(case: Case) -> Coefficients:
    return Coefficients(case.problem().coefficients, torch.float64)


def points_of(case: Case, num_points: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(num_points, len(case.axes), generator=generator, dtype=torch.float64)
    return 2 * unit - 0.5


def nested_autograd(
    network: Network, case: Case, residual: Expression, points: Tensor, values: dict[str, Tensor]
) -> Tensor:
    """The residual by nested reverse mode: slow, and obviously right."""
    points = points.clone().requires_grad_(True)
    fields = network(points)
    known: dict[str, float | Tensor] = dict(case.problem().constants) | values
    known |= {axis: points[:, k] for k, axis in enumerate(case.axes)}
    for name in names(residual):
        derivative = parse_derivative(name, case.unknowns, tuple(case.axes))
        if derivative is None:
            continue
        value = fields[:, case.unknowns.index(derivative.field)]
        for k, order in enumerate(derivative.orders):
            for _ in range(order):
                (gradient,) = torch.autograd.grad(value.sum(), points, create_graph=True)
                value = gradient[:, k]
        known[name] = value
    result: Tensor = evaluate(residual, known, torch)
    return result
