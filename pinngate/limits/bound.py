"""The limit on the error of a problem's fields and coefficients: the Cramér–Rao bound.

Joins the unknown amplitudes (`modes`), their effect on the fields (`modal`, `tangents`) and the
positions and noise of the observations. With J = ∂(observed values)/∂θ and known σ,
F = Σ JᵀJ/σ², C = F⁻¹, and the expected squared error over a grid is Σ_points g C gᵀ. Source:
Rao 1945, Cramér 1946; the linearisation is exact to first order in σ.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pinngate.errors import SolveError
from pinngate.limits.case import Case, Sensitivity, Unavailable, Undetermined, case_of
from pinngate.limits.linearised_equation import FieldValues, grid_points, time_orders
from pinngate.limits.modal import evolve, symbol_of
from pinngate.limits.modes import Family, Mode, family_of
from pinngate.limits.tangents import InitialTangent, solve_tangents
from pinngate.statement.problem import Plane, Problem

if TYPE_CHECKING:
    from pinngate.data.observations import ObservationSet

Array = NDArray[np.float64]

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
            raise Unavailable("the truth is not known")
        return _limit(case_of(problem, observations, grid_points, truth, noise_std))
    except (Unavailable, SolveError) as reason:
        logger.info("no limit for %s: %s", problem.name, reason)
        return None


@dataclass(frozen=True)
class _Choice:
    """Which initial amplitudes count as unknown.

    `words` say it; singular values below `least_ratio` of the largest are too small.
    """

    words: str
    least_ratio: float = SINGULAR


FIRST = _Choice("the first {} initial modes, ", WELL_SPREAD)
PRESENT = _Choice("{} initial modes really present, ")
NONE = _Choice("")


def _limit(case: Case) -> Limit:
    families = _families(case)
    data = _unknown_initial_data(case.problem)
    failure = Undetermined()
    for choice in _choices(data, case.coefficients):
        initial = [
            InitialTangent(f, order, mode)
            for f, order in data
            for mode in _modes(case, families[f], f, order, choice)
        ]
        if not initial and not case.coefficients:
            raise Unavailable("nothing is unknown")
        sensitivity, how = _sensitivity(case, families, initial)
        try:
            errors = _propagate(case, sensitivity, len(initial), choice.least_ratio)
        except Undetermined as reason:
            failure = reason
            continue
        return Limit(*errors, f"Cramér–Rao: {choice.words.format(len(initial))}{how}")
    raise failure


def _choices(
    data: Sequence[tuple[str, int]], coefficients: Mapping[str, float]
) -> tuple[_Choice, ...]:
    """Return what to take for unknown, in the order in which it is tried."""
    if not data:
        return (NONE,)
    return (FIRST, PRESENT) if coefficients else (PRESENT,)


def _unknown_initial_data(problem: Problem) -> list[tuple[str, int]]:
    """Return (field, time order) of every initial datum that no exact condition gives."""
    at_t, start = problem.axes.index("t"), problem.domain["t"][0]
    known: set[tuple[str, int]] = set()
    for condition in problem.conditions:
        derivatives = list(problem.derivatives(condition.residual).values())
        if condition.where != Plane("t", start) or len(derivatives) != 1:
            continue
        (derivative,) = derivatives
        if derivative.order == derivative.orders[at_t]:
            known.add((derivative.field, derivative.order))
    orders = time_orders(problem)
    return [(f, j) for f in problem.unknowns for j in range(orders[f]) if (f, j) not in known]


def _families(case: Case) -> dict[str, Family]:
    """Return the modes of each field; periodic ones where nothing is stated and the truth fits."""
    families = {
        f: family_of(case.problem, f, case.axis) or _periodic_family(case, f)
        for f in case.problem.unknowns
    }
    if len({family.ends is None for family in families.values()}) > 1:
        raise Unavailable("some fields are periodic and others are not")
    return families


def _periodic_family(case: Case, f: str) -> Family:
    low, high = case.problem.domain[case.axis]
    instants = np.linspace(*case.problem.domain["t"], 9)
    places = grid_points(case.problem, case.axis, np.linspace(low, high, 65), instants)
    values = case.true_values(f, places).reshape(len(instants), -1)
    gap = np.abs(values[:, 0] - values[:, -1]).max()
    if gap > 1e-6 * np.abs(values).max():
        raise Unavailable(f"the values of {f} at the ends of {case.axis} are not known")
    return Family(low, high, None)


def _modes(case: Case, family: Family, f: str, order: int, choice: _Choice) -> list[Mode]:
    if choice is FIRST:
        return family.first_modes(NUM_UNKNOWN_MODES)
    problem, x = case.problem, family.midpoints()
    start, end = problem.domain["t"]
    delta = 1e-4 * (end - start)
    clean = [
        case.true_values(f, grid_points(problem, case.axis, x, np.array([start + k * delta])))
        for k in range(order + 1)
    ]
    return family.present_modes(np.diff(clean, n=order, axis=0)[0] / delta**order)


def _sensitivity(
    case: Case, families: Mapping[str, Family], initial: Sequence[InitialTangent]
) -> tuple[Sensitivity, str]:
    problem, axis = case.problem, case.axis
    family = families[problem.unknowns[0]]
    symbol = symbol_of(problem, axis, family)
    if symbol is not None:
        at_x, at_t = problem.axes.index(axis), problem.axes.index("t")

        def closed(of: str, points: Array) -> Array:
            x, t = points[:, at_x], points[:, at_t] - problem.domain["t"][0]
            return np.column_stack(
                [evolve(symbol, tangent.mode, tangent.time_order, x, t) for tangent in initial]
            )

        return closed, "closed form"
    period = family.high - family.low if family.ends is None else None
    tangents = solve_tangents(problem, case.truth, case.coefficients, initial, axis, period=period)
    return tangents, "tangent equations"


def _propagate(
    case: Case, sensitivity: Sensitivity, num_initial: int, least_ratio: float
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return expected and realised errors of fields, and those of coefficients."""
    left, root = _covariance_root(case.jacobian(sensitivity), least_ratio)
    noise, exact = case.noise(), case.truth(case.points)
    relative: dict[str, float] = {}
    realised: dict[str, float] = {}
    for f in case.problem.unknowns:
        spread = sensitivity(f, case.points) @ root
        size_of_truth = np.linalg.norm(np.asarray(exact[f]))
        relative[f] = float(np.linalg.norm(spread) / size_of_truth)
        realised[f] = float(np.linalg.norm(spread @ (left.T @ noise)) / size_of_truth)
    if not all(value <= 1 for value in relative.values()):
        raise Unavailable("the limit is above 100 %")
    stds_of = np.linalg.norm(root, axis=1)[num_initial:]
    return relative, realised, dict(zip(case.coefficients, stds_of.tolist(), strict=True))


def _covariance_root(jacobian: Array, least_ratio: float) -> tuple[Array, Array]:
    """Return U of J = U S V and R with C = R Rᵀ = (JᵀJ)⁻¹."""
    # unit columns first: amplitudes and coefficients have different units
    size = np.linalg.norm(jacobian, axis=0)
    if not np.all(np.isfinite(jacobian)) or np.any(size == 0):
        raise Undetermined("an unknown has no effect on the observations")
    left, singular, rotated = np.linalg.svd(jacobian / size, full_matrices=False)
    if len(singular) < len(size) or singular[-1] < least_ratio * singular[0]:
        raise Undetermined("the observations do not determine every unknown")
    return left, (rotated.T / singular) / size[:, None]
