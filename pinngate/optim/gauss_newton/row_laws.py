"""Noise that follows what is fitted, as factors on the rows of a term.

Between the data's laws (`data.noise_law`) and `data_noise`, which asks for the factors of all rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from pinngate.data.noise_law import NoiseLaw
from pinngate.model.row_weights import RowWeights


class RowLaws:
    """The laws of the terms that have one.

    Args:
        laws: by term, with the scale of the term's residuals in data units.

    Attributes:
        known: standard deviation of the terms whose law leaves nothing to estimate, in the rows'
            units, as of the last fit.
    """

    def __init__(self, laws: Mapping[str, tuple[NoiseLaw, float]]) -> None:
        self._laws = dict(laws)
        self._factors: dict[str, Tensor] = {}
        self.known: dict[str, float] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._laws

    def follow(self, name: str, values: Tensor, plain: Tensor, weights: RowWeights) -> None:
        """Find the factors that make the rows of a term alike in noise, of geometric mean one.

        With that mean the weighted mean square is the variance of the same likelihood, whatever
        the fit, so that risks compare.

        Args:
            name: of the term.
            values: that were measured, (n,).
            plain: residuals of all terms, (N,).
            weights: which rows are whose.
        """
        law, scale = self._laws[name]
        shape = law.shape(values + scale * weights.unweighted(name, plain)) / scale
        middle = shape.log().mean().exp()
        if law.factor is not None:
            self.known[name] = law.factor * float(middle) * weights.by_term[name]
        self._factors[name] = middle / shape

    def alike(self, name: str, rows: Tensor) -> Tensor:
        """Return rows of a term times its factors."""
        return rows * self._factors[name] if name in self._factors else rows

    def all_alike(self, plain: Tensor, weights: RowWeights) -> Tensor:
        """Return residuals of all terms (N,), those of terms with a law times their factors."""
        found = plain.clone()
        for name in self._factors:
            found[weights.slices[name]] = self.alike(name, plain[weights.slices[name]])
        return found


__all__ = ["RowLaws"]
