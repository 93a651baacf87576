"""Derivative channels: which to carry, and how they travel forward and backward."""

from pinngate.model.channels.plan import Operator, Plan, plan_channels
from pinngate.model.channels.propagate import (
    Channels,
    LayerFactors,
    Propagation,
    Tape,
    backward,
    forward,
)

__all__ = [
    "Channels",
    "LayerFactors",
    "Operator",
    "Plan",
    "Propagation",
    "Tape",
    "backward",
    "forward",
    "plan_channels",
]
