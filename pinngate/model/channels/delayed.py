"""Delayed values: everything is propagated at earlier places too, which become channels.

With D delays each of N points t stands beside t − τ_1, …, t − τ_D, so that any network or basis
gives u(t − τ) as it gives u(t). Before the start of the axis a field is what it is there. Around
`propagate`. Without delays nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def with_earlier(points: Tensor, delays: Sequence[float], start: float) -> Tensor:
    """Return points (N, 1), each followed by those of its delays: (N·(1 + D), 1)."""
    if not delays:
        return points
    earlier = (points - points.new_tensor(delays)).clamp_min(start)
    return torch.cat([points, earlier], 1).view(-1, 1)


def side_by_side(outputs: Tensor, num_delays: int) -> Tensor:
    """Return outputs (C, N·(1 + D), fields) as channels of the points, (C + D, N, fields)."""
    if not num_delays:
        return outputs
    nodes = outputs.unflatten(1, (-1, 1 + num_delays))
    return torch.cat([nodes[:, :, 0], nodes[0, :, 1:].transpose(0, 1)])


def spread(adjoints: Tensor, num_delays: int) -> Tensor:
    """Return adjoints (C + D, N, fields) at every place, (C, N·(1 + D), fields): the transpose."""
    if not num_delays:
        return adjoints
    present, delayed = adjoints[:-num_delays], adjoints[-num_delays:]
    nodes = adjoints.new_zeros(*present.shape[:2], 1 + num_delays, adjoints.shape[2])
    nodes[:, :, 0] = present
    nodes[0, :, 1:] = delayed.transpose(0, 1)
    return nodes.flatten(1, 2)


__all__ = ["side_by_side", "spread", "with_earlier"]
