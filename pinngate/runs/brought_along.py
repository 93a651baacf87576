"""What a Python caller brings along: networks, functions and noise models, tried before a run.

Below `training.begin`, which calls these before and after it builds the stepper.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from pinngate.errors import InputError
from pinngate.expression import applied_functions
from pinngate.model.residuals import ResidualModel
from pinngate.model.terms import Batch
from pinngate.model.tiles import TermEvaluation
from pinngate.optim.parts import Stepper
from pinngate.statement.options import DEFAULT_OPTIMIZER
from pinngate.statement.problem import Problem, changed


def refuse_own_noise(problem: Problem, optimizer: str) -> None:
    """Refuse noise models of the caller's own where the optimizer weighs all values alike.

    Raises:
        InputError: there is one, and the optimizer is another.
    """
    if optimizer == DEFAULT_OPTIMIZER:
        return
    if any(o.noise is not None and o.noise.model is not None for o in problem.observations):
        raise InputError(
            f"the optimizer {optimizer} does not read a noise model of one's own",
            expected=f"the optimizer {DEFAULT_OPTIMIZER}",
        )


def try_functions(model: ResidualModel, stepper: Stepper, batches: dict[str, Batch]) -> None:
    """Refuse functions of the caller's own that fail where the fit starts.

    Raises:
        InputError: a function fails, mixes points or is not finite, or its derivatives are not.
    """
    few = {name: batch.take(slice(0, 1)) for name, batch in batches.items()}
    whole, alone = (_evaluations(model, stepper, taken) for taken in (batches, few))
    for name, part in whole.items():
        own = " and ".join(f"'{f}'" for f in applied_functions(part.term.residual))
        if not own:
            continue
        computed = (part.residual, *part.by_channel.values(), part.by_coefficient)
        if not all(bool(torch.isfinite(values).all()) for values in computed):
            raise InputError(
                f"{name}, which calls {own}, is not finite at the start, or its derivatives",
                expected="functions that are finite, with their derivatives, for all values that "
                "the fields may take",
            )
        if not torch.allclose(part.residual[:1], alone[name].residual, rtol=1e-3):
            raise InputError(
                f"{name}, which calls {own}, has another value at a point among others than alone",
                expected="functions that work on each element by itself",
            )


def _evaluations(
    model: ResidualModel, stepper: Stepper, batches: dict[str, Batch]
) -> dict[str, TermEvaluation]:
    """Return the first tile of every term."""
    found: dict[str, TermEvaluation] = {}
    for tile in model.sweep(stepper.network, stepper.coefficients, batches):
        for part in tile.evaluations:
            found.setdefault(part.term.name, part)
    return found


def with_own_network(problem: Problem, network: nn.Module | None) -> Problem:
    """Return the problem that says whether its network is the caller's own.

    Raises:
        InputError: it says so, and none is given.
    """
    if network is not None:
        solve = replace(problem.solve, network=None, own_network=type(network).__name__)
        return changed(problem, solve=solve)
    if problem.solve.own_network is not None:
        raise InputError(
            f"the problem is solved with a network of one's own, {problem.solve.own_network}, "
            "and none is given",
            expected="the module, from Python: network=...",
            hint="without the key solve.own_network the package's own networks solve it",
        )
    return problem
