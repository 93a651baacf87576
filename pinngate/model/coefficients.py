"""Unknown scalar coefficients as trainable numbers: each through the map that keeps its bounds.

A positive coefficient is searched for through its logarithm, one with two bounds through a logistic
map, an unbounded one as initial + size·raw with size = |initial| (where that is zero, the size at
which it matters in its equation, `scales.natural_size`), so that a step of the same length means
the same relative change for all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from pinngate.statement.problem import Coefficient

Array = NDArray[np.float64]


class Coefficients(nn.Module):
    """The estimated coefficients of a problem; `raw` (num_coefficients,) is what is trained.

    Args:
        coefficients: what the problem states of them.
        dtype: of `raw`.
        sizes: size of each where it starts at zero, 1 by default.
    """

    def __init__(
        self,
        coefficients: Sequence[Coefficient],
        dtype: torch.dtype,
        sizes: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.specifications = tuple(coefficients)
        given = sizes or [1.0] * len(self.specifications)
        self.sizes = tuple(
            abs(c.initial) or size for c, size in zip(self.specifications, given, strict=True)
        )
        both = zip(self.specifications, self.sizes, strict=True)
        raw = [_raw_initial(c, size) for c, size in both]
        stated = ("initial", "lower", "upper")
        each = [[getattr(c, key) for c in self.specifications] for key in stated]
        self._stated = np.array(each, dtype=float)  # None is NaN
        self.raw = nn.Parameter(torch.tensor(raw, dtype=dtype))

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(c.name for c in self.specifications)

    def values_and_slopes(self) -> tuple[Tensor, Tensor]:
        """Return the values and d value / d raw, both (num_coefficients,)."""
        values, slopes = [], []
        for specification, size, raw in zip(
            self.specifications, self.sizes, self.raw.detach(), strict=True
        ):
            value, slope = _value_and_slope(specification, size, raw)
            values.append(value)
            slopes.append(slope)
        empty = self.raw.detach()
        return (torch.stack(values), torch.stack(slopes)) if values else (empty, empty)

    def values_at(self, raw: Tensor) -> Tensor:
        """Return the values (…, num_coefficients) of raw parameters of that shape."""
        both = enumerate(zip(self.specifications, self.sizes, strict=True))
        values = [_value_and_slope(c, size, raw[..., k])[0] for k, (c, size) in both]
        return torch.stack(values, -1) if values else raw

    def mapped(self, raw: Array) -> tuple[Array, Array]:
        """Return values and slopes at other raw numbers, all (num_coefficients,).

        Infinite where the exponential is; nothing marches there.
        """
        initial, lower, upper = self._stated
        has_lower, has_upper, sizes = ~np.isnan(lower), ~np.isnan(upper), np.array(self.sizes)
        with np.errstate(over="ignore"):
            grown = sizes * np.exp(np.where(has_lower | has_upper, raw, 0.0))
        values = np.where(has_lower, lower + grown, initial + sizes * raw)
        slopes = np.where(has_lower, grown, sizes)
        if has_upper.any():
            share, width = expit(raw), upper - lower
            between = has_lower & has_upper
            values = np.where(
                between, lower + width * share, np.where(has_upper, upper - grown, values)
            )
            inner = width * share * expit(-raw)
            slopes = np.where(between, inner, np.where(has_upper, -grown, slopes))
        return values, slopes

    def values(self) -> dict[str, Tensor]:
        """Return the present values by name, 0-dimensional tensors."""
        return dict(zip(self.names, self.values_and_slopes()[0], strict=True))


def _raw_initial(c: Coefficient, size: float) -> float:
    if c.lower is not None and c.upper is not None:
        fraction = (c.initial - c.lower) / (c.upper - c.lower)
        return math.log(fraction / (1 - fraction))
    if c.lower is not None:
        return math.log((c.initial - c.lower) / size)
    if c.upper is not None:
        return math.log((c.upper - c.initial) / size)
    return 0.0


def _value_and_slope(c: Coefficient, size: float, raw: Tensor) -> tuple[Tensor, Tensor]:
    if c.lower is not None and c.upper is not None:
        s = torch.sigmoid(raw)
        width = c.upper - c.lower
        return c.lower + width * s, width * s * torch.sigmoid(-raw)
    if c.lower is not None:
        grown = size * torch.exp(raw)
        return c.lower + grown, grown
    if c.upper is not None:
        grown = size * torch.exp(raw)
        return c.upper - grown, -grown
    return c.initial + size * raw, torch.full_like(raw, size)
