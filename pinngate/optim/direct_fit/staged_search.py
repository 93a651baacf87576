"""The search for θ in stages: nodes, the whole record, a growing record, decades, a finer solver.

Least squares from a bad start ends in the nearest minimum: ten cycles of an oscillation fitted
with a wrong rate come out flat. Where the first fit leaves most of the data unexplained, the
record is fitted from its beginning on, each fit the start of the next one, which is twice as long
or ends where the last no longer foresees it; where that does not help either, decades around the
start are searched (`other_starts`). The best fit counts. Then the solver is refined until that
moves nothing. Between `levenberg_marquardt` and `through_solver`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import chdtri

from pinngate.inference.misfit import LEVEL
from pinngate.optim.direct_fit import frames
from pinngate.optim.direct_fit.block_ridges import Ridges
from pinngate.optim.direct_fit.exact_model import MOST_STEPS
from pinngate.optim.direct_fit.fitted_record import POOR, TOLERANCE, FittedRecord
from pinngate.optim.direct_fit.levenberg_marquardt import Iterate, LevenbergMarquardt
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.other_starts import OtherStarts
from pinngate.optim.direct_fit.unknowns import Guess

Array = NDArray[np.float64]

MOST_NODES = 2400
FINER = 2.5  # times smaller an error at least, from one resolution to the next
SHIFT = 0.25  # of a standard deviation: what the error of the solver may move
FIRST_RIDGE = 0.1
FEWEST_VALUES = 3  # for each number that is free, in a part of the record
NUM_PLACES = 64  # tried elsewhere
STARTS = 3  # refitted of the best places among them; as many that end alike confirm the end
ALIKE = 0.01  # of what is left unexplained, in ends that are the same


@dataclass(frozen=True)
class SolverError:
    """What the error of the solver changes, from two resolutions.

    Attributes:
        values: largest change of what sensors read, in standard deviations of the noise.
        shift: of any coefficient, or of all unknowns in the mean, in their standard deviations.
    """

    values: float
    shift: float


class StagedSearch:
    """The search on one problem.

    Args:
        record: data and solutions.
        max_iterations: of each run of least squares.
        has_octaves: of the ridges.
        guess: fields of another candidate's answer; then no other start is looked for.

    Attributes:
        ridges: of the blocks of θ.
        steps: the runs of least squares, with their count.
        error: of the solver, after `run`.
        left: what the ends of its searches left unexplained.
        rests: θ and −2 log L where they came to rest.
        chosen: θ of the best of them, before the solver was refined.
    """

    def __init__(
        self,
        record: FittedRecord,
        max_iterations: int,
        *,
        has_octaves: bool = True,
        guess: Guess | None = None,
    ) -> None:
        self._guess = guess
        self._starts = OtherStarts(record)
        self.record, self.max_iterations = record, max_iterations
        self._unknowns = unknowns = record.model.unknowns
        self.ridges = Ridges(
            unknowns.blocks,
            unknowns.num_free,
            FIRST_RIDGE,
            record.noise.num_measured,
            has_octaves=has_octaves,
        )
        self.steps = LevenbergMarquardt(record.at, record.noise, self.ridges, unknowns)
        self.error = SolverError(np.inf, np.inf)
        self.left: list[float] = []
        self.rests: list[tuple[Array, float]] = []
        self.chosen: Array | None = None

    def run(self, theta: Array) -> Iterate:
        """Return the best iterate from a start, on a resolution whose error is small.

        One that leaves most of the data unexplained is not worth a finer solver.

        Raises:
            CannotMarch: no solution was found.
        """
        record = self.record
        if self._guess is not None:
            theta = frames.joined(record, theta, self._guess)
        if record.at(theta) is not None:
            record.adapt(theta, record.num_nodes, TOLERANCE)
            theta = frames.joined(record, theta)
        is_lost = self._guess is None and record.model.growth > 1 / TOLERANCE
        found = None if is_lost else self._ended(self.steps.run(theta, self.max_iterations))
        if self._guess is None:
            found = self._from_elsewhere(theta, found)
        if found is None:
            raise CannotMarch("no solution was found from the start")
        self.chosen = found.theta
        record.adapt(found.theta, record.num_nodes, TOLERANCE)
        found = self.steps.run(found.theta, self.max_iterations) or found
        is_lost = record.unexplained(found) > POOR and not record.has_one_minimum
        return found if is_lost else self._refined(found)

    def _from_elsewhere(self, theta: Array, found: Iterate | None) -> Iterate | None:
        """Return the best of a fit and of those from other starts."""
        if found is None or self.is_poor(found):
            found = self._better(found, self._grown(theta))
        if found is not None and not self._is_open(found):
            return self._compared(found)
        center = theta.copy()
        if found is not None:
            at = frames.parted(self.record, found.theta)
            center[self._unknowns.scalars.stop :] = at[self._unknowns.scalars.stop :]
        for reach in self._starts.reaches(found):
            if self._is_open(found):
                scanned = self._scanned(center, reach, NUM_PLACES, self.max_iterations)
                found = self._better(found, scanned)
        return found

    def _is_open(self, found: Iterate | None) -> bool:
        """Whether other starts may do clearly better."""
        return found is None or self.is_poor(found) or self._starts.has_idle(found)

    def _compared(self, found: Iterate) -> Iterate | None:
        """Return the best of a good fit and, of ordinary equations, of those from around it.

        Data may be explained by a minimum that is not the least, and by several as well.
        """
        if self.record.model.form.axis is not None or self.record.has_one_minimum:
            return found
        most = MOST_STEPS // (8 * self.record.solution(found.theta).num_steps)
        around = frames.parted(self.record, found.theta), 1.0, min(NUM_PLACES, most)
        return self._better(found, self._scanned(*around, most // STARTS))

    def is_poor(self, found: Iterate) -> bool:
        """Whether a fit leaves most of a set's variance, or a pattern that other starts may not."""
        record = self.record
        is_unexplained = record.unexplained(found) > POOR and not record.has_one_minimum
        return is_unexplained or (record.has_pattern(found) and not self._is_confirmed)

    @property
    def _is_confirmed(self) -> bool:
        """Whether several starts came to the best end."""
        best = (1 + ALIKE) * min(self.left, default=np.inf)
        return sum(left <= best for left in self.left) >= STARTS

    def _ended(self, found: Iterate | None) -> Iterate | None:
        """Note what the end of a search from one start leaves unexplained."""
        if found is not None:
            self.left.append(self.record.unexplained(found))
            if self.steps.has_converged:
                self.rests.append((found.theta, self.record.unlikeliness(found)))
        return found

    def rivals(self, deviations: Array) -> list[Array]:
        """Return other places of rest that the data do not tell from the chosen one, (P,) each.

        Twice the logarithm of the likelihood is less than χ² of one number at one per cent below
        the best there, and a coefficient that is shown as many of its deviations away.

        Args:
            deviations: of the numbers of the answer, (P,).
        """
        clear = float(chdtri(1, LEVEL))
        least = min((u for _, u in self.rests), default=0.0)
        first, shown = self._unknowns.scalars.start, self._unknowns.problem.shown_coefficients
        own = slice(first, first + len(shown))
        found: list[Array] = []
        if self.chosen is None:
            return found
        for other, unlikeliness in sorted(self.rests, key=lambda rest: rest[1]):
            apart = [
                np.square((other - one)[own]) > clear * np.square(deviations[own])
                for one in (self.chosen, *found)
            ]
            if unlikeliness < least + clear and all(map(np.any, apart)):
                found.append(other)
        return found

    def _better(self, one: Iterate | None, other: Iterate | None) -> Iterate | None:
        """Return the likelier of two fits, the first where they are alike, in its coordinates."""
        found = one or other
        if one is not None and other is not None:
            least = self.record.unlikeliness(one) - ALIKE * len(one.residual)
            found = other if self.record.unlikeliness(other) < least else one
        frames.take(self.record, None if found is None else found.frame)
        return found

    def _grown(self, theta: Array) -> Iterate | None:
        """Return the fit to a record that grows from its beginning, as far as it is foreseen."""
        record, at = self.record, theta
        frames.take(record, None)
        share = record.share_of(FEWEST_VALUES * self._unknowns.num_free)
        record.end_at(share)
        was_good = False
        while True:
            found = self.steps.run(at, self.max_iterations)
            if found is not None and share >= 1:
                return self._ended(found)
            if found is None:
                break
            is_good = record.unexplained(found) <= POOR
            before = share
            at, share = self._foreseen(found, share, is_good=is_good)
            if share <= before or (was_good and not is_good):
                break
            was_good = is_good
        at = frames.parted(record, at)
        record.end_at(1.0)
        return self._ended(record.at(at))

    def _foreseen(self, found: Iterate, share: float, *, is_good: bool) -> tuple[Array, float]:
        """Return θ for a longer record, and its share of the time axis: at most twice as long.

        A good fit is followed as far as the variance of its forecast is small beside that of the
        data.
        """
        record, seen = self.record, self.record.noise.active
        further = min(1.0, 2 * share)
        at = frames.moved(record, found.theta, further)
        here = record.at(at) if is_good else None
        if here is None:
            return at, further
        known = here.jacobian[seen] / record.noise.values[seen, None]
        root = root_of_covariance(known, self.ridges.diagonal)
        doubt = np.square(here.jacobian @ root).sum(axis=1)
        following = min(further, record.share_before(doubt > POOR * record.variances))
        return frames.moved(record, at, following), following

    def _scanned(self, center: Array, reach: float, num: int, most: int) -> Iterate | None:
        """Return the best fit of so many steps from the most promising places around one."""
        best = None
        frames.take(self.record, None)
        for here in self._starts.best(center, reach, num, self.ridges.diagonal)[:STARTS]:
            frames.take(self.record, None)
            if self.record.at(here.theta) is None:  # on the nodes of the search before
                continue
            at = frames.joined(self.record, here.theta)
            self.record.noise.begin()
            best = self._better(best, self._ended(self.steps.run(at, most)))
        return best

    def _refined(self, found: Iterate) -> Iterate:
        """Refine the solver until its error moves little.

        Two resolutions of which the finer errs f times less differ by f − 1 times its error
        (L. F. Richardson, Phil. Trans. R. Soc. A 210, 1911), which says how much finer the next
        one is to be.
        """
        model, tolerance, count = self.record.model, TOLERANCE, self.record.num_nodes
        is_in_space, finer = model.form.axis is not None, FINER
        while True:
            coarse = found.residual
            tolerance /= finer
            count = round(count * finer ** (1 / model.accuracy)) if is_in_space else count
            self.record.adapt(found.theta, count, tolerance)
            fine = self.record.at(found.theta)
            if fine is None:
                if np.isfinite(self.error.shift):
                    return found
                raise CannotMarch("the refined solver finds no solution")
            rest = (fine.residual - coarse) / self.record.noise.values / (finer - 1)
            self.error = SolverError(float(np.abs(rest).max()), self._shift(fine, rest))
            found = self.steps.run(fine.theta, self.max_iterations) or fine
            finer = max(FINER, 2 * self.error.shift / SHIFT)
            room = (MOST_NODES / count) ** model.accuracy if is_in_space else np.inf
            if self.error.shift < SHIFT or room < FINER:
                return found
            finer = min(finer, room)

    def _shift(self, fine: Iterate, change: Array) -> float:
        """Return how far a change of the residuals (n,) moves the unknowns."""
        jacobian = fine.jacobian / self.record.noise.values[:, None]
        root = root_of_covariance(jacobian, self.ridges.diagonal)
        moved = root.T @ (jacobian.T @ change)
        each = np.abs(root @ moved) / np.maximum(np.linalg.norm(root, axis=1), 1e-300)
        mean = np.linalg.norm(moved) / np.sqrt(max(1, len(moved)))
        return float(max(mean, each[self._unknowns.scalars].max(initial=0.0)))


def root_of_covariance(jacobian: Array, ridge: Array) -> Array:
    """Return L with L Lᵀ = (JᵀJ + Λ)⁻¹, (P, P), from a QR factorisation of both.

    Args:
        jacobian: in units of the noise, (n, P).
        ridge: the diagonal of Λ, (P,).
    """
    rows = np.concatenate([jacobian, np.diag(np.sqrt(ridge))])
    size = np.linalg.norm(rows, axis=0)
    scale = 1 / np.where(size > 0, size, 1.0)
    r: Array = np.linalg.qr(rows * scale)[1]
    size = np.abs(r.diagonal())
    floor = 1e-13 * size.max(initial=1e-300)
    r[np.diag_indices(len(r))] = np.where(size < floor, floor, r.diagonal())
    return np.asarray(scale[:, None] * solve_triangular(r, np.eye(len(r))))


__all__ = ["SolverError", "StagedSearch", "root_of_covariance"]
