"""Formulas of things that are known with their slopes: values, and slopes by the chain rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import Expression, differentiate, evaluate

Array = NDArray[np.float64]


def chain_rule(
    expression: Expression,
    found: Mapping[str, tuple[Array, Array]],
    known: Mapping[str, Any],
    shape: tuple[int, int],
) -> tuple[Array, Array]:
    """Return f(…) at n places, (n,), and ∂f/∂θ = Σ_i ∂f/∂u_i ∂u_i/∂θ, (n, P).

    Args:
        expression: f.
        found: the u_i that it names, (n,), with ∂u_i/∂θ, (n, P).
        known: all else that it names: numbers or arrays (n,).
        shape: (n, P).
    """
    count, _ = shape
    values = {**known, **{name: value for name, (value, _) in found.items()}}
    total = np.zeros(shape)
    for name, (_, slopes) in found.items():
        outer = np.asarray(evaluate(differentiate(expression, name), values, np), dtype=float)
        total += np.broadcast_to(outer, count)[:, None] * slopes
    value = np.asarray(evaluate(expression, values, np), dtype=float)
    return np.broadcast_to(value, count), total


__all__ = ["chain_rule"]
