"""Observations of a checked problem, measured or synthetic, and how they scatter.

Parts of a `components.Statement`. Everything here is immutable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pinngate.expression import Expression
from pinngate.statement.equations import Plane
from pinngate.statement.measurement import Holdout, Mean, Table
from pinngate.tables.in_memory import InMemoryTable


@dataclass(frozen=True)
class Remembrance:
    """Errors of covariance exp(−|Δ|/`length`) along the axis `over`, at one place of the others."""

    over: str
    length: float

    def __str__(self) -> str:
        return f"correlated over {self.over} with length {self.length:g}"


@dataclass(frozen=True)
class Noise:
    """How observations scatter about the field.

    `std` is in data units; `relative` is a fraction of the standard deviation of the clean values
    (one of the two is given, or none where it is estimated). ``student-t`` has three degrees of
    freedom, scaled to the stated standard deviation. ``outliers`` replaces a `fraction` of gaussian
    errors by errors of `scale` standard deviations. ``log-normal`` values are off by factors, of
    which `factor` is typical, exp of the standard deviation of their logarithm; ``proportional``
    ones by a share `relative` of the value; ``poisson`` ones are counts; ``censored`` ones at or
    beyond `below` or `above` are that bound. Errors that are `correlated` remember each other.
    `model` is a model of the
    caller's own, a `pinngate.inference.noise_model.NoiseModel`, which no file can state; `kind` is
    then ``own``.
    """

    std: float | None = None
    relative: float | None = None
    kind: Literal[
        "gaussian",
        "student-t",
        "outliers",
        "log-normal",
        "proportional",
        "poisson",
        "censored",
        "own",
    ] = "gaussian"
    fraction: float = 0.1
    scale: float = 10.0
    model: object | None = None
    factor: float | None = None
    below: float | None = None
    above: float | None = None
    correlated: Remembrance | None = None

    @property
    def details(self) -> str:
        """Bounds and memory in words, each after a comma; empty where there are none."""
        ends = {"below": self.below, "above": self.above}
        parts = [f"censored {end} {x:g}" for end, x in ends.items() if x is not None]
        parts += [str(self.correlated)] if self.correlated else []
        return "".join(f", {part}" for part in parts)

    @property
    def is_stated(self) -> bool:
        """Whether its size is known."""
        sizes = (self.std, self.relative, self.factor)
        return self.kind == "poisson" or any(size is not None for size in sizes)


@dataclass(frozen=True)
class SyntheticObservations:
    """Values made from the truth plus noise; `where` None is the whole domain.

    `of` is the observed field; where a sensor sees something else, `of` is its text and `quantity`
    the expression of fields and derivatives. With `mean` the values are means of it. A `layout`
    that maps axes to counts is a grid with so many points along each of them. Sets of one `group`,
    the same sensor in several experiments, have one noise.
    """

    of: str
    count: int
    noise: Noise
    where: Plane | None = None
    layout: Literal["random", "grid"] | dict[str, int] = "random"
    quantity: Expression | None = None
    mean: Mean | None = None
    holdout: Holdout | None = None
    group: str = ""


@dataclass(frozen=True)
class MeasuredObservations:
    """Values from a CSV or NPZ file, or from memory; `noise` is what is assumed of them.

    `of`, `quantity` and `mean` as for synthetic ones.
    """

    of: str
    file: Path | InMemoryTable
    noise: Noise | None = None
    quantity: Expression | None = None
    mean: Mean | None = None
    holdout: Holdout | None = None
    table: Table = field(default_factory=lambda: Table({}))
    group: str = ""


StatedObservations = SyntheticObservations | MeasuredObservations


def label_of(observations: StatedObservations) -> str:
    """Return what was observed: the field, the formula, or ``mean of u over x``."""
    mean = observations.mean
    return observations.of if mean is None else f"mean of {observations.of} {mean}"
