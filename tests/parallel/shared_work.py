"""What processes share, once by each optimizer and form: started by torchrun, called by tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

import pinngate
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.forms import DenseForm, Form, MatrixFreeForm, NormalForm
from pinngate.linear.jacobian import flatten
from pinngate.optim.gauss_newton.last_fit import gauss_newton_posterior
from pinngate.optim.gauss_newton.solver import PopulationRiskGaussNewton
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.parallel.launch import joined
from pinngate.parallel.ranks import ranks
from pinngate.runs.training import begin
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import Coefficient
from tests.noisy_heat import NoisyHeat

POINTS = 3 * 4096  # three tiles of the equation and some more of data and conditions
FORMS: dict[str, Form] = {
    "dense": DenseForm(),
    "normal": NormalForm(),
    "matrix-free": MatrixFreeForm(MatrixFreeOptions(num_sampled=128, max_rank=48, num_probes=2)),
}
ADAM = [
    "solve.optimizer=population-risk-adam",
    "solve.precision=float64",
    "solve.iterations=50",
    f"solve.collocation={POINTS}",
    "solve.device=cpu",
    "solve.network={width: 12, depth: 2, activation: tanh}",
]
Found = dict[str, Any]


def by_gauss_newton(form: Form, before: Found | None = None) -> Found:
    """Iterate once, or once more from `before`, and return all that came of it."""
    setting = NoisyHeat(
        NetworkOptions(8, 1, "sin", 2.0),
        coefficients=(Coefficient("kappa", 0.1, lower=0.0),),
        num_observations=9000,
        is_initial=False,
    )
    solver = PopulationRiskGaussNewton(*setting.parts, GaussNewtonOptions(), form)
    batches = [setting.draw(POINTS, 64) for _ in range(2)]
    if before is not None:
        solver.load_state_dict(before["state"])
    row = solver.step(batches[solver.iteration])
    state = solver.state_dict()
    std = gauss_newton_posterior(solver, batches[0]).std(setting.network, setting.grid(5))
    return {"weights": state["theta"], "row": torch.tensor([*row.values()]), "std": std} | {
        "state": state
    }


def by_adam(statistics: str, before: Found | None = None) -> Found:
    """Step three times, or once more from `before`, and return all that came of it."""
    stated = [*ADAM, f"solve.statistics={statistics}"]
    session = begin(pinngate.load("burgers-inverse", overrides=stated))
    stepper = session.stepper
    if before is not None:
        session.load_state_dict(before["state"])
    for _ in range(3 if before is None else 1):
        stepper.step()
    return {
        "weights": flatten(stepper.network, stepper.coefficients),
        "row": torch.tensor([*stepper.log_row().values()]),
        "state": session.state_dict(),
    }


def everything(before: dict[str, Found] | None = None) -> dict[str, Found]:
    """Return what every way comes to, from the start or from `before`."""
    told = before or {}
    found = {name: by_gauss_newton(form, told.get(name)) for name, form in FORMS.items()}
    return found | {way: by_adam(way, told.get(way)) for way in ("grouped", "pairs")}


if __name__ == "__main__":
    with joined():
        results = everything()
        among = ranks()
        results["sent"] = {"bytes": among.num_bytes, "messages": among.num_messages}
        torch.save(results, Path(sys.argv[1]) / f"rank-{among.index}.pt")
