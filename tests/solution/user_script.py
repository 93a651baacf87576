"""What a user writes around a solution, typed: data frame, network, optimizer, callback."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import nn

import pinngate
from pinngate.runs.training import Progress

rng = np.random.default_rng(0)
points = rng.random((60, 2))
values = np.exp(-points[:, 1]) * np.sin(np.pi * points[:, 0]) + 0.1 * rng.standard_normal(60)
frame = pd.DataFrame({"x": points[:, 0], "t": points[:, 1], "u": values})


def rod(observations: pinngate.Observations) -> pinngate.Problem:
    return pinngate.Problem(
        domain={"x": (0, 1), "t": (0, 1)},
        unknowns=["u"],
        equations=["u_t = k*u_xx"],
        estimate={"k": pinngate.Unknown(initial=0.1, positive=True)},
        conditions=["u = 0 at x = 0", "u = 0 at x = 1"],
        observations=[observations],
        solve={"iterations": 6, "collocation": 32, "network": {"width": 8, "depth": 1}},
    )


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        fields: torch.Tensor = self.layers(places)
        return fields


def nadam(parameters: Iterable[nn.Parameter]) -> torch.optim.NAdam:
    return torch.optim.NAdam(parameters, lr=3e-3)


def stop_after_three(progress: Progress) -> bool:
    return progress.iteration >= 3 and np.isfinite(progress.row["loss"])


def main() -> None:
    from_arrays = pinngate.solve(rod(pinngate.Observations("u", points, values, std=0.1)), seed=0)
    from_frame = pinngate.solve(rod(pinngate.Observations("u", frame, std=[0.1] * 60)))
    assert from_frame([[0.5, 0.1]])["u"] == from_arrays(x=0.5, t=0.1)["u"]
    low, high = from_arrays.interval(x=0.5, t=np.array([0.1, 0.9]))["u"]
    assert (low < high).all()
    k = from_arrays.coefficients["k"]
    assert k.interval is not None
    assert k.interval[0] < float(k) < k.interval[1]
    assert from_arrays.sample(5, x=0.5, t=0.1).fields["u"].shape == (5,)

    own_network = pinngate.solve(rod(pinngate.Observations("u", frame)), network=Small())
    own_optimizer = pinngate.solve(rod(pinngate.Observations("u", frame)), optimizer=nadam)
    stopped = pinngate.solve(rod(pinngate.Observations("u", frame)), callback=stop_after_three)
    assert own_network.metrics["network"]["own"] == "Small"
    assert own_optimizer.metrics["optimizer"] == "NAdam"
    assert stopped.metrics["iterations"] == 3
    assert "stopped by the callback" in str(stopped.verdict)

    shipped = pinngate.solve(pinngate.load("heat-noisy-ic"), network={"width": 16, "depth": 1})
    error: float = shipped.metrics["fields"]["u"]["relative_l2"]
    assert error < 0.2


if __name__ == "__main__":
    main()
