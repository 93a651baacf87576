"""Noisy values of one field, or of what a sensor sees: the data that training sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pinngate.data.censoring import Censoring
from pinngate.data.noise_law import NoiseLaw
from pinngate.data.whitening import Whitening
from pinngate.errors import DataError
from pinngate.expression import Expression, Name
from pinngate.statement.measurement import Mean
from pinngate.statement.problem import Plane

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ObservationSet:
    """Noisy values of one field, or of what a sensor sees of the fields.

    Attributes:
        name: unique in its problem, ``observation_1`` and so on.
        of: the observed field, or the text of the quantity.
        points: (n, axes); along the axes of a mean the middle of the domain.
        values: (n,), in the units of what is observed.
        std: (n,) known standard deviation of each value, or None: synthetic noise is not told.
        law: how the noise follows the value, or None where it does not; `std` is then None.
        is_prior: whether it stands for what is known of a coefficient beforehand.
        is_roughness: whether that is how smooth a function is.
        group: what it shares its noise with, empty where that is its own.
        censoring: the bounds of values that say no more than that, or None.
        memory: that of the errors, or None where they are independent.
        before_log: the set as it was measured where its logarithms are fitted, else None.
        where: the plane that all points lie on, where the problem states one.
        source: where the values come from, in words.
        clean: (n,) values without noise, for judging only.
        quantity: what is observed where it is no field.
        mean: over which axes the values are means, or None.
        held_out: values of the same kind that are never fitted, or None.
        num_missing: values that the file says were not measured.
        notes: what a person should know of these data, in words.
    """

    name: str
    of: str
    points: Array
    values: Array
    std: Array | None = None
    where: Plane | None = None
    source: str = ""
    clean: Array | None = None
    quantity: Expression | None = None
    mean: Mean | None = None
    held_out: ObservationSet | None = None
    num_missing: int = 0
    notes: tuple[str, ...] = ()
    law: NoiseLaw | None = None
    censoring: Censoring | None = None
    memory: Whitening | None = None
    before_log: ObservationSet | None = None
    is_prior: bool = False
    is_roughness: bool = False
    group: str = ""

    @property
    def as_measured(self) -> ObservationSet:
        """The set before logarithms were taken, itself where none were."""
        return self.before_log or self

    @property
    def expression(self) -> Expression:
        """What is observed, as an expression of fields and derivatives."""
        return Name(self.of) if self.quantity is None else self.quantity

    @property
    def is_of_field(self) -> bool:
        """Whether the values are those of a field at points."""
        return self.quantity is None and self.mean is None

    @property
    def is_measured(self) -> NDArray[np.bool_]:
        """Which values are no bounds, (n,)."""
        return (self.censoring or Censoring()).sides(self.values) == 0

    def whitened(self, rows: Array) -> Array:
        """Return errors (n,), or tangents (n, P), as far as the errors before do not tell them."""
        if self.memory is None:
            return rows
        return self.memory.predecessors(self.points, self.std).whiten(rows)

    def rows(self, chosen: NDArray[np.intp]) -> ObservationSet:
        """Return the set of some of the values."""
        std, clean = (None if array is None else array[chosen] for array in (self.std, self.clean))
        return replace(
            self,
            points=self.points[chosen],
            values=self.values[chosen],
            std=std,
            clean=clean,
            before_log=None if self.before_log is None else self.before_log.rows(chosen),
        )

    def __post_init__(self) -> None:
        if self.points.ndim != 2:
            raise DataError(
                f"{self.name}: points have the shape {self.points.shape}",
                expected="(points, axes)",
            )
        for label in ("values", "std", "clean"):
            array = getattr(self, label)
            if array is not None and array.shape != self.points.shape[:1]:
                raise DataError(
                    f"{self.name}: {label} has the shape {array.shape}",
                    expected=f"({len(self.points)},), one for each point",
                )


__all__ = ["Array", "ObservationSet"]
