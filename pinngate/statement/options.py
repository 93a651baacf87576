"""How to solve: what the `solve` section of a problem may say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class NetworkOptions:
    """A fully connected network.

    `features` is the bandwidth of a sine first layer (standard deviation of its weights on inputs
    scaled to [−1, 1]); None means a plain first layer with `activation`.
    """

    width: int = 64
    depth: int = 3
    activation: Literal["tanh", "sin"] = "tanh"
    features: float | None = 2.0


@dataclass(frozen=True)
class SolveOptions:
    """How to solve. None stands for the default of the optimizer that is used.

    `own_network` names the class of a module that the caller gives in place of `network`.

    `max_memory` is in bytes; None is half of what is free when the run starts, and stays None in a
    resolved problem, because it depends on the machine.
    """

    optimizer: str = "auto"
    network: NetworkOptions | None = None
    own_network: str | None = None
    collocation: int | None = None
    iterations: int | None = None
    learning_rate: float | None = None
    gate: Literal["hard", "soft", "snr", "none"] | None = None
    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] | None = None
    gated_terms: Literal["all", "data"] | None = None
    strictness: float | None = None
    basis: Literal["weights", "layers"] | None = None
    weights: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    precision: Literal["float32", "float64"] | None = None
    device: str = "auto"
    max_memory: int | None = None
