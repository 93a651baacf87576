"""Optimizers by name, ours and the plain ones, each with the defaults it works with.

A new first-order optimizer is one entry here. `resolve` writes every default out, so that a
resolved problem solved again gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import nn

from pinngate.errors import InputError, nearest
from pinngate.optim.first_order import FirstOrder, FirstOrderOptions
from pinngate.optim.gates import averaging_factor
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.parts import Parts, Stepper
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.optim.race import DIVISIONS, Division
from pinngate.optim.rotated import RotatedFirstOrder
from pinngate.optim.second_order import SecondOrder
from pinngate.statement.linearity import has_linear_equations
from pinngate.statement.options import NetworkOptions, SolveOptions
from pinngate.statement.problem import Problem


@dataclass(frozen=True)
class Method:
    """One optimizer: its name, defaults for every `solve` key and how its stepper is built.

    `nonlinear_collocation` and `inverse_collocation` replace the default number of collocation
    points where an equation is nonlinear and where coefficients are estimated: between few points
    the field can bend to what the data would have forbidden, and the answer pays for it.
    """

    name: str
    defaults: SolveOptions
    build: Callable[[Parts], Stepper]
    citation: Literal["population-risk", "adam", "adamw"]
    nonlinear_collocation: int | None = None
    inverse_collocation: int | None = None


FIRST_ORDER_DEFAULTS = SolveOptions(
    # A sine first layer of bandwidth 2 meets wave and advection in some thousand iterations, where
    # a plain tanh network stays at 40 % error (docs/decisions.md).
    network=NetworkOptions(width=64, depth=3, activation="tanh", features=2.0),
    collocation=256,
    iterations=4000,
    learning_rate=3e-3,
    gate="none",
    statistics="streaming",
    gated_terms="all",
    # The equation's residual is in units of its largest term: weight 1 makes a relative error of
    # the equation count as much as one of the data. Conditions are exact: five times that.
    weights={"equations": 1.0, "conditions": 5.0, "observations": 1.0},
    precision="float32",
)


BETAS = (0.9, 0.999)  # Adam's
ROTATED_BETAS = (0.95, 0.95)  # SOAP's


def _first_order(
    factory: Callable[[Iterable[nn.Parameter], float, SolveOptions], torch.optim.Optimizer],
) -> Callable[[Parts], Stepper]:
    def build(parts: Parts) -> Stepper:
        solve = parts.problem.solve
        uses_statistics = solve.gate != "none" and solve.statistics != "streaming"
        options = FirstOrderOptions(
            iterations=solve.iterations or 1,
            learning_rate=solve.learning_rate or 0.0,
            weights=solve.weights,
            statistics=solve.statistics if uses_statistics else None,  # type: ignore[arg-type]
            is_gating_data_alone=solve.gated_terms == "data",
            max_memory=solve.max_memory,
        )
        is_own = parts.own_network is not None
        if is_own and solve.basis == "layers":
            raise InputError(
                "the layers of a network of one's own are not known",
                expected="solve.basis: weights, the coordinates of its weights",
            )
        kind = RotatedFirstOrder if solve.basis == "layers" else FirstOrder
        return kind(
            parts.model,
            parts.network(None if is_own else solve.network or NetworkOptions()),
            parts.coefficients(),
            parts.batches,
            options,
            lambda parameters, rate: factory(parameters, rate, solve),
        )

    return build


def _population_risk_adam(
    parameters: Iterable[nn.Parameter], rate: float, solve: SolveOptions
) -> torch.optim.Optimizer:
    betas = ROTATED_BETAS if solve.basis == "layers" else BETAS
    level = (solve.strictness or 1.0) * averaging_factor(betas[0])
    return PopulationRiskAdam(
        parameters,
        lr=rate,
        betas=betas,
        gate=None if solve.gate == "none" else solve.gate,
        variance="streaming" if solve.statistics == "streaming" else "per-point",
        threshold=level,
        strength=level,
        foreach=True,
    )


def _second_order(parts: Parts) -> Stepper:
    solve = parts.problem.solve
    given = solve.network
    divisions: Sequence[Division] = DIVISIONS
    if parts.own_network is not None:
        divisions = (Division({"own": None}), Division({"own-warm": None}, is_spare=True))
    elif given is not None:
        divisions = (Division({"given": given}), Division({"given-warm": given}, is_spare=True))
    options = GaussNewtonOptions(
        equation_weight=solve.weights["equations"],
        condition_weight=solve.weights["conditions"],
        max_iterations=solve.iterations or 1,
    )
    return SecondOrder(parts, divisions, options)


METHODS = {
    method.name: method
    for method in (
        Method(
            "population-risk-gauss-newton",
            SolveOptions(
                collocation=256,
                iterations=150,
                weights={"equations": 3.0, "conditions": 5.0, "observations": 1.0},
                precision="float64",
            ),
            _second_order,
            "population-risk",
            nonlinear_collocation=512,
            inverse_collocation=1024,
        ),
        Method(
            "population-risk-adam",
            # In the layers' eigenbases a gate that asks for five times the calibrated signal keeps
            # their speed and drops the overfitting that comes with it (results/paper). It judges
            # the data alone: that equations differ from point to point is no noise.
            replace(
                FIRST_ORDER_DEFAULTS,
                gate="hard",
                statistics="grouped",
                gated_terms="data",
                strictness=5.0,
                basis="layers",
                learning_rate=1e-2,
            ),
            _first_order(_population_risk_adam),
            "population-risk",
        ),
        Method(
            "adam",
            FIRST_ORDER_DEFAULTS,
            _first_order(lambda p, rate, _: torch.optim.Adam(p, lr=rate)),
            "adam",
        ),
        Method(
            "adamw",
            FIRST_ORDER_DEFAULTS,
            _first_order(lambda p, rate, _: torch.optim.AdamW(p, lr=rate)),
            "adamw",
        ),
    )
}
AUTO = "population-risk-gauss-newton"
# Default numbers of collocation points hold for two axes; on a line fewer are as dense, in a volume
# more are needed.
SHARE_BY_AXES = {1: 0.25, 2: 1.0, 3: 2.0, 4: 4.0}


def method(name: str) -> Method:
    """Return the optimizer of that name; ``auto`` is the package's choice.

    Raises:
        InputError: there is none of that name.
    """
    chosen = AUTO if name == "auto" else name
    if chosen not in METHODS:
        raise InputError(
            f"unknown optimizer '{name}'",
            expected="the optimizers are auto, " + ", ".join(METHODS),
            hint=nearest(name, METHODS),
        )
    return METHODS[chosen]


def resolve(problem: Problem) -> Problem:
    """Return the problem with every `solve` key filled in.

    Raises:
        InputError: unknown optimizer or device.
    """
    chosen = method(problem.solve.optimizer)
    given, defaults = problem.solve, _defaults(chosen, problem)
    filled = {
        key.name: getattr(defaults, key.name)
        for key in fields(SolveOptions)
        if getattr(given, key.name) is None
    }
    solve = replace(
        given,
        **filled,
        optimizer=chosen.name,
        weights=defaults.weights | given.weights,
        device=choose_device(given.device),
    )
    return replace(problem, solve=solve)


def _defaults(chosen: Method, problem: Problem) -> SolveOptions:
    """Return the defaults of an optimizer for the kind of problem."""
    defaults = chosen.defaults
    if (
        problem.coefficients or problem.coefficient_fields
    ) and chosen.inverse_collocation is not None:
        defaults = replace(defaults, collocation=chosen.inverse_collocation)
    elif chosen.nonlinear_collocation is not None and not has_linear_equations(problem):
        defaults = replace(defaults, collocation=chosen.nonlinear_collocation)
    if problem.solve.own_network is not None:  # its layers are not known
        defaults = replace(defaults, network=None, basis=defaults.basis and "weights")
    if defaults.collocation is not None:
        share = SHARE_BY_AXES[len(problem.axes)]
        defaults = replace(defaults, collocation=int(share * defaults.collocation))
    return defaults


def choose_device(name: str) -> str:
    """Return ``cpu`` or ``cuda`` for ``auto``, or the device asked for.

    Raises:
        InputError: the device does not exist on this machine.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise InputError(f"unknown device '{name}'", expected="auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "this machine has no CUDA device", hint="use --device cpu, or leave the choice to auto"
        )
    return name
