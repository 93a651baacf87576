"""Noise whose size follows what is measured: proportional to it, or that of counts.

A value scatters with the standard deviation s·g(f) about what is fitted to it, f: g = |f| where the
noise is a share s of the value, g = √f and s = 1 where values are counts. Weights 1/g(f)² from the
present fit make least squares solve the likelihood's equations of a mean and a variance function
(R. W. M. Wedderburn, Biometrika 61, 1974, 439-447): iteratively reweighted, no bias where errors
average out. Below `observations`; every candidate of the race asks for the same g.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FLOOR = 0.01  # of the values' root mean square, below which proportional noise falls no further
LEAST_COUNT = 0.25  # expected counts below it scatter as much


@dataclass(frozen=True)
class NoiseLaw:
    """How the standard deviation of a value follows what is fitted to it.

    Attributes:
        kind: ``proportional`` or ``poisson``.
        least: |f|, or f of counts, below which the noise falls no further.
        factor: s, None where it is to be estimated.
    """

    kind: str
    least: float
    factor: float | None = None

    @classmethod
    def of(cls, kind: str, values: Array, factor: float | None) -> NoiseLaw:
        """Return the law for some values (n,)."""
        if kind == "poisson":
            return cls(kind, LEAST_COUNT, 1.0)
        return cls(kind, FLOOR * float(np.sqrt(np.mean(values**2))) or 1.0, factor)

    def shape(self, fitted: Any) -> Any:
        """Return g(f) of fitted values, an array or a tensor (n,)."""
        if self.kind == "poisson":
            return fitted.clip(self.least) ** 0.5
        return abs(fitted).clip(self.least)


__all__ = ["NoiseLaw"]
