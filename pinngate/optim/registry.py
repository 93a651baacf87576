"""Optimizers by name, ours and the plain ones: how each is built from the options that it reads.

What an optimizer reads and by which defaults is declared in `pinngate.statement.options`; a new
first-order optimizer is one entry there and one here. `resolve` writes every default out, so that a
resolved problem solved again gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, cast

import torch
from torch import nn

from pinngate.errors import InputError
from pinngate.model.moments import Mode
from pinngate.optim.divisions import DIVISIONS, Division
from pinngate.optim.first_order import FirstOrder, FirstOrderOptions, OptimizerFactory
from pinngate.optim.forward import Forward
from pinngate.optim.gates import averaging_factor
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.own_optimizer import own_first_order
from pinngate.optim.parts import Parts, Stepper
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.optim.rotated import RotatedFirstOrder
from pinngate.optim.second_order import SecondOrder
from pinngate.statement.completion import complete_options
from pinngate.statement.options import (
    DEFAULT_OPTIMIZER,
    OWN_OPTIMIZER,
    RACE,
    AdamSolveOptions,
    GaussNewtonSolveOptions,
    OptimizerOptions,
    PopulationRiskAdamOptions,
    optimizer_name,
)
from pinngate.statement.problem import Problem, changed


@dataclass(frozen=True)
class Method:
    """One optimizer: its name and how its stepper is built from parts, whose problem is resolved.

    `citation` is what it rests on, None where only its author knows.
    """

    name: str
    build: Callable[[Parts], Stepper]
    citation: Literal["population-risk", "adam", "adamw"] | None = None


BETAS = (0.9, 0.999)  # Adam's
ROTATED_BETAS = (0.95, 0.95)  # SOAP's


def _adam(
    factory: Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer],
) -> Callable[[Parts], Stepper]:
    def build(parts: Parts) -> Stepper:
        options = AdamSolveOptions.of(parts.problem.solve)
        return _first_order(parts, options, factory)

    return build


def _population_risk_adam(parts: Parts) -> Stepper:
    options = PopulationRiskAdamOptions.of(parts.problem.solve)
    betas = ROTATED_BETAS if options.basis == "layers" else BETAS
    level = options.strictness * averaging_factor(betas[0])

    def make(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
        return PopulationRiskAdam(
            parameters,
            lr=rate,
            betas=betas,
            gate=None if options.gate == "none" else options.gate,
            variance="streaming" if options.statistics == "streaming" else "per-point",
            threshold=level,
            strength=level,
            foreach=True,
        )

    uses_statistics = options.gate != "none" and options.statistics != "streaming"
    return _first_order(
        parts,
        options,
        make,
        statistics=cast(Mode, options.statistics) if uses_statistics else None,
        is_gating_data_alone=options.gated_terms == "data",
    )


def _first_order(
    parts: Parts,
    options: AdamSolveOptions | PopulationRiskAdamOptions,
    factory: OptimizerFactory,
    *,
    statistics: Mode | None = None,
    is_gating_data_alone: bool = False,
) -> Stepper:
    if parts.own_network is not None and options.basis == "layers":
        raise InputError(
            "the layers of a network of one's own are not known",
            expected="solve.basis: weights, the coordinates of its weights",
        )
    if any(data.censoring is not None for data in parts.batches.sets):
        raise InputError(
            "some values are bounds, and this optimizer takes squares of residuals alone",
            expected="solve.optimizer: population-risk-gauss-newton",
        )
    kind = RotatedFirstOrder if options.basis == "layers" else FirstOrder
    return kind(
        parts.model,
        parts.network(options.network),
        parts.coefficients(),
        parts.batches,
        FirstOrderOptions(
            iterations=options.iterations,
            learning_rate=options.learning_rate,
            weights=asdict(options.weights),
            statistics=statistics,
            is_gating_data_alone=is_gating_data_alone,
            max_memory=options.max_memory,
        ),
        factory,
    )


def _second_order(parts: Parts) -> Stepper:
    if not parts.batches.num_points()["observations"]:
        return Forward(parts)
    options = GaussNewtonSolveOptions.of(parts.problem.solve)
    given = options.network
    divisions: Sequence[Division] = DIVISIONS
    if parts.own_network is not None:
        divisions = (Division({"own": None}),)
    elif given != RACE:
        divisions = (Division({"given": given}),)
    return SecondOrder(
        parts,
        divisions,
        GaussNewtonOptions(
            equation_weight=options.weights.equations,
            condition_weight=options.weights.conditions,
            max_iterations=options.iterations,
        ),
    )


OPTIMIZERS = {
    method.name: method
    for method in (
        Method(DEFAULT_OPTIMIZER, _second_order, "population-risk"),
        Method("population-risk-adam", _population_risk_adam, "population-risk"),
        Method("adam", _adam(lambda p, rate: torch.optim.Adam(p, lr=rate)), "adam"),
        Method("adamw", _adam(lambda p, rate: torch.optim.AdamW(p, lr=rate)), "adamw"),
    )
}
OWN = Method(OWN_OPTIMIZER, own_first_order)


def method(name: str) -> Method:
    """Return the optimizer of that name; ``auto`` is the package's choice.

    Raises:
        InputError: there is none of that name.
    """
    chosen = optimizer_name(name)
    return OWN if chosen == OWN_OPTIMIZER else OPTIMIZERS[chosen]


def complete(problem: Problem) -> OptimizerOptions:
    """Return every option that the problem's optimizer reads, defaults filled in.

    Raises:
        InputError: unknown optimizer or device, or an option that is stated and not read.
    """
    options = complete_options(problem)
    return replace(options, device=choose_device(options.device))


def resolve(problem: Problem) -> Problem:
    """Return the problem with everything stated that its optimizer reads.

    Raises:
        InputError: unknown optimizer or device, or an option that is stated and not read.
    """
    name = optimizer_name(problem.solve.optimizer)
    return changed(problem, solve=complete(problem).stated(name))


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
