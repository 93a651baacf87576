"""Derivative channels: which to carry, and how they travel forward and backward by hand."""

from pinngate.channels.plan import Operator, Plan, plan_channels
from pinngate.channels.propagate import LayerFactors, Propagation, backward, forward

__all__ = [
    "LayerFactors",
    "Operator",
    "Plan",
    "Propagation",
    "backward",
    "forward",
    "plan_channels",
]
