"""The networks that are tried: the divisions of the race, and those of coefficient fields.

Plain statements above `race`, `second_order` and `parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pinngate.statement.options import NetworkOptions

COEFFICIENT_NETWORKS = {
    num_axes: NetworkOptions(width=width, depth=1, activation="sin", features=3.0)
    for num_axes, width in ((1, 16), (2, 32), (3, 48), (4, 48))
}

SMALL = {
    "sine-24-4": NetworkOptions(width=24, depth=1, activation="sin", features=4.0),
    "sine-48-3": NetworkOptions(width=48, depth=1, activation="sin", features=3.0),
    "sine-48-6": NetworkOptions(width=48, depth=1, activation="sin", features=6.0),
    "sine-16-3": NetworkOptions(width=16, depth=1, activation="sin", features=3.0),
    "sine-24-2": NetworkOptions(width=24, depth=1, activation="sin", features=2.0),
}
DEEP = {
    "deep-16-1": NetworkOptions(width=16, depth=3, activation="tanh", features=1.0),
    "tanh-16x4": NetworkOptions(width=16, depth=4, activation="tanh", features=None),
}


@dataclass(frozen=True)
class Division:
    """Candidates that enter the race together.

    Attributes:
        networks: by name; None is a network of the caller's own.
        is_preliminary: whether one round is all they get where the problem is demanding.
    """

    networks: Mapping[str, NetworkOptions | None]
    is_preliminary: bool = False


DIVISIONS = (Division(SMALL, is_preliminary=True), Division(DEEP))
