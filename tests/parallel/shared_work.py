"""What processes share, once by each optimizer and form; started by torchrun, or called by a test."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

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

STEPS = 4
POINTS = 3 * 4096  # three tiles of the equation and some more of data and conditions
FORMS: dict[str, Form] = {
    "dense": DenseForm(),
    "normal": NormalForm(),
    "matrix-free": MatrixFreeForm(MatrixFreeOptions(num_sampled=128, max_rank=32)),
}


def by_gauss_newton(form: Form) -> dict[str, Tensor]:
    """Return weights after some iterations, the figures of each and deviations at the end."""
    setting = NoisyHeat(
        NetworkOptions(8, 1, "sin", 2.0),
        coefficients=(Coefficient("kappa", 0.1, lower=0.0),),
        num_observations=9000,
        is_initial=False,
    )
    solver = PopulationRiskGaussNewton(*setting.parts, GaussNewtonOptions(), form)
    rows = [solver.step(setting.draw(POINTS, 64)) for _ in range(STEPS)]
    posterior = gauss_newton_posterior(solver, setting.draw(POINTS, 64))
    return {
        "weights": flatten(setting.network, setting.coefficients),
        "rows": torch.tensor([list(row.values()) for row in rows], dtype=torch.float64),
        "std": posterior.std(setting.network, setting.grid(5)),
    }


def by_adam(statistics: str) -> dict[str, Tensor]:
    """Return the weights and the losses after some steps of PopulationRiskAdam."""
    stated = pinngate.load("burgers-inverse", overrides=[
        "solve.optimizer=population-risk-adam", "solve.precision=float64", "solve.iterations=50",
        f"solve.collocation={POINTS}", f"solve.statistics={statistics}", "solve.device=cpu",
        "solve.network={width: 12, depth: 2, activation: tanh}",
    ])  # fmt: skip
    stepper = begin(stated).stepper
    losses = []
    for _ in range(STEPS):
        stepper.step()
        losses.append(stepper.log_row()["loss"])
    weights = flatten(stepper.network, stepper.coefficients)
    return {"weights": weights, "losses": torch.tensor(losses, dtype=torch.float64)}


def everything() -> dict[str, dict[str, Tensor]]:
    """Return what every way comes to."""
    found = {name: by_gauss_newton(form) for name, form in FORMS.items()}
    return found | {f"adam, {way}": by_adam(way) for way in ("grouped", "pairs")}


if __name__ == "__main__":
    with joined():
        results = everything()
        among = ranks()
        results["sent"] = {"bytes": torch.tensor(among.num_bytes)}
        torch.save(results, Path(sys.argv[1]) / f"rank-{among.index}.pt")
