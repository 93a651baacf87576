"""Derivative channels: which to carry, and how they travel forward and backward.

What travels needs torch and is loaded when it is first used; the plans do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pinngate.model.channels.plan import Operator, Plan, plan_channels

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("pinngate.model.channels.propagate"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
