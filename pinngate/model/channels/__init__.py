"""Derivative channels: which to carry, and how they travel forward and backward by hand."""

from pinngate.model.channels.plan import Operator, Plan, plan_channels
from pinngate.model.channels.propagate import LayerFactors, Propagation, backward, forward

__all__ = [
    "LayerFactors",
    "Operator",
    "Plan",
    "Propagation",
    "backward",
    "forward",
    "plan_channels",
]
