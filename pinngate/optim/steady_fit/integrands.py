"""One integral of a weak form over elements, and its derivatives.

Between `element_grid` and `element_system`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinngate.expression import ZERO, Expression, differentiate, names
from pinngate.optim.steady_fit.element_grid import Elements

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Integrand:
    """±∫ formula · test over elements, of the rows of one field.

    Attributes:
        field: whose rows.
        formula: what is integrated.
        sign: of it.
        elements: where.
        test: the test functions or their derivative, (Q, c) or (E, Q, c).
    """

    field: int
    formula: Expression
    sign: float
    elements: Elements
    test: Array

    @cached_property
    def slopes(self) -> dict[str, Expression]:
        """Derivatives by every name that it holds, those that are not zero."""
        found = {name: differentiate(self.formula, name) for name in names(self.formula)}
        return {name: slope for name, slope in found.items() if slope != ZERO}

    @cached_property
    def _weighted(self) -> Array:
        """The test functions times the weights of the quadrature, (E, Q, c)."""
        return np.asarray(self.sign * self.elements.weights[:, :, None] * self.test)

    def integrated(self, values: Array) -> Array:
        """Return the integrals of values (E, Q or 1) times the test functions, (E, c)."""
        spread = np.broadcast_to(values, self.elements.weights.shape)
        return np.einsum("eq,eqc->ec", spread, self._weighted)

    def block(self, values: Any, basis: Array) -> Array:
        """Return those times basis functions (…, Q, c) too, (E, c, c)."""
        spread = np.broadcast_to(values, self.elements.weights.shape)
        scaled = np.swapaxes(spread[:, :, None] * self._weighted, 1, 2)
        return np.asarray(scaled @ np.broadcast_to(basis, self._weighted.shape))


__all__ = ["Integrand"]
