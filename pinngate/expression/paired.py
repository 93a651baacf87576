"""Functions of two arguments: min, max, arctan2 and mod, evaluated elementwise.

In a tree they stand as `Applied`, like functions of the caller's own; `calculus` has their
derivatives. mod(a, b) = a − b ⌊a/b⌋ has the sign of b; of several arguments min and max are nested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PAIRED = ("min", "max", "arctan2", "mod")
NESTED = ("min", "max")  # of more than two arguments
_SCALAR: dict[str, Callable[[float, float], float]] = {
    "min": min,
    "max": max,
    "arctan2": math.atan2,
    "mod": lambda a, b: a % b,
}
_OF_ARRAYS = {"min": "minimum", "max": "maximum", "arctan2": "arctan2", "mod": "remainder"}


@dataclass(frozen=True)
class Paired:
    """One of `PAIRED`, by its `name`."""

    name: str

    def evaluate(self, arguments: Sequence[Any], by: Sequence[int] = ()) -> Any:
        """Return the function of two numbers, arrays or tensors, elementwise.

        Its derivatives are other formulas: `by` is empty.
        """
        if all(isinstance(a, float) for a in arguments):
            return float(_SCALAR[self.name](*arguments))
        like = next((a for a in arguments if hasattr(a, "detach")), None)
        if like is None:
            import numpy as np

            return getattr(np, _OF_ARRAYS[self.name])(*arguments)
        import torch

        given = [torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in arguments]
        return getattr(torch, _OF_ARRAYS[self.name])(*given)


__all__ = ["NESTED", "PAIRED", "Paired"]
