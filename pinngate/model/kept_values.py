"""Values at points that come again, kept within a budget of memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from torch import Tensor

from pinngate.model.channels.plan import Orders

CACHED = 1_000_000_000  # bytes at most


class KeptValues:
    """Tensors by points and orders of derivatives; all are let go where they would be too many."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, Orders], Tensor] = {}

    def of(
        self, points: Tensor, orders: Orders, make: Callable[[Tensor, Orders], Tensor]
    ) -> Tensor:
        """Return what `make` makes of points (N, axes) and orders, made once."""
        key = (hashlib.sha1(points.cpu().numpy().tobytes()).digest(), orders)
        if key not in self._kept:
            if sum(kept.nbytes for kept in self._kept.values()) > CACHED:
                self.clear()
            self._kept[key] = make(points, orders)
        return self._kept[key]

    def clear(self) -> None:
        """Let go of all."""
        self._kept.clear()
