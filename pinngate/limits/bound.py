"""The limit on the error of a problem's fields and coefficients: the Cramér–Rao bound.

Joins the unknown amplitudes (`modes`), their effect on the fields (`modal`, `tangents`) and the
positions and noise of the observations. With J = ∂(observed values)/∂θ and known σ,
F = Σ JᵀJ/σ², C = F⁻¹, and the expected squared error over a grid is Σ_points g C gᵀ. Source:
Rao 1945, Cramér 1946; the linearisation is exact to first order in σ.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.limits.linearisation import FieldValues, grid_points, time_orders
from pinngate.limits.modal import evolve, symbol_of
from pinngate.limits.modes import Family, Mode, family_of
from pinngate.limits.tangents import InitialTangent, solve_tangents
from pinngate.statement.problem import Problem

if TYPE_CHECKING:
    from pinngate.data.observations import ObservationSet

Array = NDArray[np.float64]
Sensitivity = Callable[[str, Array], Array]  # field, points (m, axes) → (m, parameters)

NUM_UNKNOWN_MODES = 20  # of the initial condition of an inverse problem; 10 to 40 agree
# ratio of the singular values of J (unit columns) below which data do not tell unknowns apart:
# 20 modes have 0.05 to 0.3 from well-spread data, 1e-5 and less from a few sensors
WELL_SPREAD = 1e-3
SINGULAR = 1e-10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limit:
    """What the best unbiased estimator would reach.

    `relative_l2` is the root-mean-square over noise draws of ‖error‖/‖truth‖ on the grid, for each
    field; `realised` is ‖error‖/‖truth‖ of that estimator on the very values that were observed,
    to first order in their noise: it has the luck of their draw. `coefficients` is the standard
    deviation of each estimated coefficient; `method` one phrase.
    """

    relative_l2: dict[str, float]
    realised: dict[str, float]
    coefficients: dict[str, float]
    method: str

    def of_field(self, name: str) -> dict[str, float]:
        """Return the entry of a field in ``metrics.json``."""
        return {"relative_l2": self.relative_l2[name], "realised": self.realised[name]}


class _Unavailable(Exception):  # noqa: N818 - an outcome, never leaves this module
    """The reason why a problem has no limit here."""


def limit(
    problem: Problem,
    observations: Sequence[ObservationSet],
    grid_points: Array,
    truth: FieldValues | None,
    noise_std: Mapping[str, float],
) -> Limit | None:
    """Return the statistical limit of the given observations, or None with a logged reason.

    The unknowns are the coefficients to estimate and the amplitudes of every initial condition that
    is not exact. Without coefficients these are the modes that hold 99.99 % of the clean one's
    energy; with coefficients the first 20 modes, or, where the positions of the data cannot tell
    those apart, again the modes really present. A limit above 100 % says nothing
    (to answer zero is better) and is not returned. Estimators that are biased on purpose can fall
    below a limit with many modes. Noise that is not gaussian is
    entered by its standard deviation, which gives the best *linear* unbiased estimator.

    Args:
        problem: one space axis and time, of one of the forms of `linearisation`.
        observations: their positions decide the limit, their values what is realised.
        grid_points: where the error is taken, shape (m, axes).
        truth: the true fields at points (m, axes); without one there is no limit.
        noise_std: true σ by the name of the observation set, in data units; a set that is absent
            uses its own stated standard deviation.

    Cost: milliseconds for a linear equation with constant coefficients, otherwise one sparse
    solve for each of 200 to 1200 time steps.
    """
    try:
        if truth is None:
            raise _Unavailable("the truth is not known")
        return _limit(problem, observations, grid_points, truth, noise_std)
    except (_Unavailable, SolveError) as reason:
        logger.info("no limit for %s: %s", problem.name, reason)
        return None


def _limit(
    problem: Problem,
    observations: Sequence[ObservationSet],
    points: Array,
    truth: FieldValues,
    noise_std: Mapping[str, float],
) -> Limit:
    if not problem.has_time or len(problem.space_axes) != 1:
        raise _Unavailable("it needs time and exactly one space axis")
    if problem.coefficient_fields:
        raise _Unavailable(
            "a coefficient that varies with the axes has no finite number of unknowns"
        )
    if not observations:
        raise _Unavailable("there are no observations")
    if not all(data.is_of_field for data in observations):
        raise _Unavailable("some observations are not of a field at points")
    coefficients = problem.true_coefficients()
    missing = [c.name for c in problem.coefficients if c.name not in coefficients]
    if missing:
        raise _Unavailable(f"the true value of {', '.join(missing)} is not known")
    coefficients = {c.name: coefficients[c.name] for c in problem.coefficients}
    stds = [_std_of(data, noise_std) for data in observations]
    families = _families(problem, truth)
    unknown = _unknown_initial_data(problem)
    attempts = ["first", "present"] if coefficients else ["present"]
    if not unknown:
        attempts = ["none"]
    reason = ""
    for choice in attempts:
        initial = [
            InitialTangent(f, order, mode)
            for f, order in unknown
            for mode in _modes(problem, families[f], truth, f, order, choice)
        ]
        if not initial and not coefficients:
            raise _Unavailable("nothing is unknown")
        sensitivity, how = _sensitivity(problem, families, truth, coefficients, initial)
        result = _propagate(
            problem,
            observations,
            stds,
            points,
            truth,
            sensitivity,
            len(initial),
            coefficients,
            WELL_SPREAD if choice == "first" else SINGULAR,
        )
        if isinstance(result, str):
            reason = result
            continue
        amplitudes = {
            "present": f"{len(initial)} initial modes really present, ",
            "first": f"the first {len(initial)} initial modes, ",
            "none": "",
        }[choice]
        return Limit(*result, f"Cramér–Rao: {amplitudes}{how}")
    raise _Unavailable(reason)


def _std_of(data: ObservationSet, noise_std: Mapping[str, float]) -> Array:
    std = noise_std.get(data.name, data.std)
    if std is None:
        raise _Unavailable(f"the noise of {data.name} is not known")
    values = np.broadcast_to(np.asarray(std, dtype=float), (len(data.points),))
    if not np.all(values > 0):
        raise _Unavailable(f"{data.name} carries no noise")
    return values


def _unknown_initial_data(problem: Problem) -> list[tuple[str, int]]:
    """Return (field, time order) of every initial datum that no exact condition gives."""
    at_t, start = problem.axes.index("t"), problem.domain["t"][0]
    known: set[tuple[str, int]] = set()
    for condition in problem.conditions:
        if condition.where.axis != "t" or condition.where.value != start:
            continue
        derivatives = list(problem.derivatives(condition.residual).values())
        if len(derivatives) == 1 and derivatives[0].order == derivatives[0].orders[at_t]:
            known.add((derivatives[0].field, derivatives[0].orders[at_t]))
    orders = time_orders(problem)
    return [(f, j) for f in problem.unknowns for j in range(orders[f]) if (f, j) not in known]


def _families(problem: Problem, truth: FieldValues) -> dict[str, Family]:
    """Return the modes of each field; periodic ones where nothing is stated and the truth fits."""
    axis = problem.space_axes[0]
    low, high = problem.domain[axis]
    instants = np.linspace(*problem.domain["t"], 9)
    families: dict[str, Family] = {}
    for f in problem.unknowns:
        family = family_of(problem, f, axis)
        if family is None:
            values = np.asarray(
                truth(grid_points(problem, axis, np.linspace(low, high, 65), instants))[f]
            ).reshape(len(instants), -1)
            gap = np.abs(values[:, 0] - values[:, -1]).max()
            if gap > 1e-6 * np.abs(values).max():
                raise _Unavailable(f"the values of {f} at the ends of {axis} are not known")
            family = Family(low, high, None)
        families[f] = family
    if len({family.ends is None for family in families.values()}) > 1:
        raise _Unavailable("some fields are periodic and others are not")
    return families


def _modes(
    problem: Problem, family: Family, truth: FieldValues, f: str, order: int, choice: str
) -> list[Mode]:
    if choice == "first":
        return family.first_modes(NUM_UNKNOWN_MODES)
    start, end = problem.domain["t"]
    axis, x = problem.space_axes[0], family.midpoints()
    delta = 1e-4 * (end - start)
    clean = [
        np.asarray(truth(grid_points(problem, axis, x, np.array([start + k * delta])))[f])
        for k in range(order + 1)
    ]
    return family.present_modes(np.diff(clean, n=order, axis=0)[0] / delta**order)


def _sensitivity(
    problem: Problem,
    families: Mapping[str, Family],
    truth: FieldValues,
    coefficients: Mapping[str, float],
    initial: Sequence[InitialTangent],
) -> tuple[Sensitivity, str]:
    axis, start = problem.space_axes[0], problem.domain["t"][0]
    family = families[problem.unknowns[0]]
    symbol = symbol_of(problem, axis, family)
    if symbol is not None:
        at_x, at_t = problem.axes.index(axis), problem.axes.index("t")

        def closed(of: str, points: Array) -> Array:
            x, t = points[:, at_x], points[:, at_t] - start
            return np.column_stack(
                [evolve(symbol, tangent.mode, tangent.time_order, x, t) for tangent in initial]
            )

        return closed, "closed form"
    period = family.high - family.low if family.ends is None else None
    tangents = solve_tangents(problem, truth, coefficients, initial, axis, period=period)
    return tangents, "tangent equations"


def _propagate(
    problem: Problem,
    observations: Sequence[ObservationSet],
    stds: Sequence[Array],
    points: Array,
    truth: FieldValues,
    sensitivity: Sensitivity,
    num_initial: int,
    coefficients: Mapping[str, float],
    least_ratio: float,
) -> tuple[dict[str, float], dict[str, float], dict[str, float]] | str:
    """Return expected and realised errors of fields, and those of coefficients, or why not."""
    jacobian = np.concatenate(
        [
            sensitivity(data.of, data.points) / std[:, None]
            for data, std in zip(observations, stds, strict=True)
        ]
    )
    # unit columns first: amplitudes and coefficients have different units
    size = np.linalg.norm(jacobian, axis=0)
    if not np.all(np.isfinite(jacobian)) or np.any(size == 0):
        return "an unknown has no effect on the observations"
    left, singular, rotated = np.linalg.svd(jacobian / size, full_matrices=False)
    if len(singular) < len(size) or singular[-1] < least_ratio * singular[0]:
        return "the observations do not determine every unknown"
    root = (rotated.T / singular) / size[:, None]  # C = root rootᵀ
    noise = np.concatenate(
        [
            (data.values - np.asarray(truth(data.points)[data.of])) / std
            for data, std in zip(observations, stds, strict=True)
        ]
    )
    exact = truth(points)
    relative: dict[str, float] = {}
    realised: dict[str, float] = {}
    for f in problem.unknowns:
        spread, size_of_truth = sensitivity(f, points) @ root, np.linalg.norm(np.asarray(exact[f]))
        relative[f] = float(np.linalg.norm(spread) / size_of_truth)
        realised[f] = float(np.linalg.norm(spread @ (left.T @ noise)) / size_of_truth)
    if not all(value <= 1 for value in relative.values()):
        raise _Unavailable("the limit is above 100 %")
    stds_of = np.linalg.norm(root, axis=1)[num_initial:]
    return relative, realised, dict(zip(coefficients, stds_of.tolist(), strict=True))
