"""Where the equations are enforced: collocation points that follow the fields.

A front is thin, and points spread evenly hardly meet it. The arc-length monitor function of moving
mesh methods (W. Huang and R. D. Russell, Adaptive Moving Mesh Methods, 2011) puts points in
proportion to s = √(1 + Σ|∇u|²), gradients in units of the fields' size over half the domain, and a
residual there is measured in units of the local slope, r/s. `pinngate.points.batches` draws by it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pinngate.model.channels.plan import Plan
from pinngate.model.channels.propagate import forward
from pinngate.model.networks import Network

TILE = 8192  # points propagated at once


def arc_length(network: Network, points: Tensor) -> Tensor:
    """Return s = √(1 + Σ_fields |∇u|²) at points (n, axes), (n,); dimensionless, at least one.

    Cost: one forward propagation of 1 + axes channels.
    """
    num_axes = points.shape[1]
    zero = (0,) * num_axes
    firsts = [tuple(int(i == k) for i in range(num_axes)) for k in range(num_axes)]
    plan = Plan(tuple(str(k) for k in range(num_axes)), (zero, *firsts), (), (), {})
    lengths = (network.high - network.low) / 2
    found = []
    for part in points.split(TILE):
        slopes = forward(network, plan, part, {}).outputs[1:] / network.output_scale
        found.append((1 + (slopes * lengths[:, None, None]).square().sum((0, 2))).sqrt())
    return torch.cat(found)


def equidistribute(density: Tensor, count: int) -> Tensor:
    """Return `count` indices drawn in proportion to a density (n,), evenly spaced in its integral.

    Systematic sampling: index i is chosen ⌊count·p_i⌋ or ⌈count·p_i⌉ times.
    """
    mass = torch.cumsum(density, 0)
    places = (torch.arange(count, device=mass.device) + 0.5) / count * mass[-1]
    return torch.searchsorted(mass, places.to(mass)).clamp_max(len(density) - 1)
