"""Heat from noisy observations: the problem, its truth, network and batches that solvers meet."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pinngate.expression import parse, parse_equation
from pinngate.linear.jacobian import row_weights
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import Batch, problem_terms
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.statement.components import Statement
from pinngate.statement.derivatives import canonical
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient, Condition, Equation, Plane, Problem

DOUBLE = torch.float64
SINES = NetworkOptions(24, 1, "sin", 4.0)


def heat(coefficients: tuple[Coefficient, ...] = (), periodic: tuple[str, ...] = ()) -> Problem:
    text = f"u_t - {'kappa' if coefficients else '0.05'}*u_xx"
    return Problem.of(
        Statement(
            "heat",
            {"x": (0.0, 1.0), "t": (0.0, 1.0)},
            ("u",),
            (Equation(text, canonical(parse_equation(text), ("u",), ("x", "t"))),),
            ()
            if periodic
            else tuple(Condition(Plane("x", v), "u", parse("u")) for v in (0.0, 1.0)),
            periodic=periodic,
            coefficients=coefficients,
        )
    )


def truth(points: Tensor) -> Tensor:
    x, t, k = points[:, 0], points[:, 1], 0.05 * math.pi**2
    slow = torch.exp(-k * t) * torch.sin(math.pi * x)
    return slow + 0.5 * torch.exp(-9 * k * t) * torch.sin(3 * math.pi * x)


class NoisyHeat:
    """One draw of the data, a network and a source of batches.

    `sigma` may be one number for each of several sets of `num_observations` each; `stated` sets
    give their true standard deviations as weights.
    """

    def __init__(
        self,
        options: NetworkOptions = SINES,
        *,
        coefficients: tuple[Coefficient, ...] = (),
        periodic: tuple[str, ...] = (),
        seed: int = 0,
        network_seed: int | None = None,
        num_observations: int = 200,
        is_initial: bool = True,
        sigma: float | tuple[float, ...] = 0.3,
        num_outliers: int = 0,
        scale: float = 1.0,
        is_stated: bool = False,
    ) -> None:
        self.problem = heat(coefficients, periodic)
        self.generator = g = torch.Generator().manual_seed(seed)
        sigmas = sigma if isinstance(sigma, tuple) else (sigma,)
        precision = torch.tensor(sigmas, dtype=DOUBLE) ** -2
        weights = (precision / precision.mean()).sqrt() if is_stated else torch.ones(len(sigmas))
        self.observations = {}
        for k, (size, weight) in enumerate(zip(sigmas, weights, strict=True), 1):
            points = torch.rand(num_observations, 2, generator=g, dtype=DOUBLE)
            if is_initial:
                points[:, 1] = 0.0
            noise = size * torch.randn(num_observations, generator=g, dtype=DOUBLE)
            noise[:num_outliers] *= 10
            values = scale * (truth(points) + noise)
            columns = {"@value": values, "@row": torch.full_like(values, float(weight))}
            self.observations[f"observation_{k}"] = Batch(points, columns)
        every = torch.cat([b.columns["@value"] for b in self.observations.values()])
        terms = problem_terms(self.problem, ["u"] * len(sigmas))
        self.model = ResidualModel(terms, self.problem)
        self.network = Network(
            list(self.problem.domain.values()),
            1,
            options,
            is_periodic=[a in periodic for a in self.problem.axes],
            output_scale=[float(every.std())],
            generator=torch.Generator().manual_seed(
                seed + 1 if network_seed is None else network_seed
            ),
        )
        self.coefficients = Coefficients(coefficients, DOUBLE)

    @property
    def parts(self) -> tuple[ResidualModel, Network, Coefficients]:
        return self.model, self.network, self.coefficients

    @property
    def points(self) -> Tensor:
        """Where the first set was observed."""
        return self.observations["observation_1"].points

    def draw(self, num_collocation: int = 128, num_condition: int = 16) -> dict[str, Batch]:
        g = self.generator
        batches = {"equation_1": Batch(torch.rand(num_collocation, 2, generator=g, dtype=DOUBLE))}
        for k, condition in enumerate(self.problem.conditions, 1):
            points = torch.rand(num_condition, 2, generator=g, dtype=DOUBLE)
            points[:, 0] = condition.where.value
            batches[f"condition_{k}"] = Batch(points)
        return batches | self.observations

    def weights(self, batches: dict[str, Batch]) -> RowWeights:
        """Return row weights that differ from term to term."""
        by_term = {t.name: 0.5 + k for k, t in enumerate(self.model.terms)}
        return row_weights(self.model, batches, by_term)

    def solver(self, **options: float) -> PopulationRiskGaussNewton:
        return PopulationRiskGaussNewton(*self.parts, GaussNewtonOptions(**options))

    def grid(self, count: int = 41) -> Tensor:
        return torch.cartesian_prod(*[torch.linspace(0, 1, count, dtype=DOUBLE)] * 2)

    def error(self) -> float:
        """Return the relative L2 error of the network."""
        exact = truth(self.grid())
        return float((self.network(self.grid())[:, 0].detach() - exact).norm() / exact.norm())


def solve(setting: NoisyHeat, solver: PopulationRiskGaussNewton) -> list[dict[str, float]]:
    """Step until the solver gives a reason to stop; return its log."""
    rows = []
    while solver.reason is None:
        rows.append(solver.step(setting.draw()))
    solver.finish()
    return rows
