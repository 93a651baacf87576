"""What a limit is of: a problem with its data, their noise, and the true fields and coefficients.

Between the stated problem and the Cramér–Rao bound (`bound`): a `Case` exists only for the class of
problems that the bound is known for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.limits.linearised_equation import FieldValues
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from pinngate.data.observations import ObservationSet

Array = NDArray[np.float64]
Sensitivity = Callable[[str, Array], Array]  # field, points (m, axes) → (m, parameters)


class Unavailable(Exception):  # noqa: N818 - an outcome, never leaves this room
    """The reason why a problem has no limit here."""


class Undetermined(Unavailable):
    """The data do not tell the unknowns apart."""


@dataclass(frozen=True)
class Case:
    """What the limit is of: a problem, its data with their σ, and the true field and coefficients.

    `points` is where the error is taken.
    """

    problem: Problem
    observations: Sequence[ObservationSet]
    stds: Sequence[Array]
    points: Array
    truth: FieldValues
    coefficients: Mapping[str, float]

    @property
    def axis(self) -> str:
        """The space axis."""
        return self.problem.space_axes[0]

    def jacobian(self, sensitivity: Sensitivity) -> Array:
        """Return ∂(observed values)/∂θ over σ, shape (values, parameters)."""
        sets = zip(self.observations, self.stds, strict=True)
        return np.concatenate(
            [sensitivity(data.of, data.points) / std[:, None] for data, std in sets]
        )

    def noise(self) -> Array:
        """Return the errors of the observed values over σ, shape (values,)."""
        sets = zip(self.observations, self.stds, strict=True)
        return np.concatenate(
            [(data.values - self.true_values(data.of, data.points)) / std for data, std in sets]
        )

    def true_values(self, field: str, points: Array) -> Array:
        """Return a true field at points (m, axes), shape (m,)."""
        return np.asarray(self.truth(points)[field])


def case_of(
    problem: Problem,
    observations: Sequence[ObservationSet],
    points: Array,
    truth: FieldValues,
    noise_std: Mapping[str, float],
) -> Case:
    """Return the case of a problem of the class that the limit is known for."""
    true = problem.true_coefficients()
    missing = [c.name for c in problem.coefficients if c.name not in true]
    obstacles = {
        "it needs time and exactly one space axis": not problem.has_time
        or len(problem.space_axes) != 1,
        "a coefficient that varies with the axes has no finite number of unknowns": bool(
            problem.coefficient_fields
        ),
        "a function of a field has no finite number of unknowns": bool(problem.field_functions),
        "a step inside a bracket that is differentiated has no tangent equations here": bool(
            problem.fluxes
        ),
        "fields jump at events": bool(problem.events),
        "there are no observations": not observations,
        "some observations are not of a field at points": not all(
            data.is_of_field for data in observations
        ),
        "some values are bounds": any(data.censoring is not None for data in observations),
        "errors are correlated": any(data.memory is not None for data in observations),
        f"the true value of {', '.join(missing)} is not known": bool(missing),
    }
    for reason, holds in obstacles.items():
        if holds:
            raise Unavailable(reason)
    coefficients = {c.name: true[c.name] for c in problem.coefficients}
    stds = [_std_of(data, noise_std) for data in observations]
    return Case(problem, observations, stds, points, truth, coefficients)


def _std_of(data: ObservationSet, noise_std: Mapping[str, float]) -> Array:
    std = noise_std.get(data.name, data.std)
    if std is None:
        raise Unavailable(f"the noise of {data.name} is not known")
    values = np.broadcast_to(np.asarray(std, dtype=float), (len(data.points),))
    if data.law is not None and data.clean is not None:
        shape = data.law.shape(data.clean)
        values = values * shape / np.sqrt(np.mean(shape**2))
    if not np.all(values > 0):
        raise Unavailable(f"{data.name} carries no noise")
    return values
