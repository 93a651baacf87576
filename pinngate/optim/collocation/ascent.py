"""What follows a stage of collocation that has come to rest: stiffer physics, more functions, back.

From the data alone the weight of the physics rises until what it leaves free is a small part of the
noise. Where the fit to the data is lost on the way, the basis is refined along the axes on which it
is not resolved; where that does not help and coefficients are unknown, the ascent begins again with
coefficients found otherwise. Between `refinement`, which says where a basis is too coarse, and
`basis_solver`, which iterates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pinngate.optim.collocation.continuation import is_worse
from pinngate.optim.collocation.refinement import (
    grow,
    has_more_to_find,
    is_resolved,
    is_strained,
    left_over,
    meet_misfit,
    refine,
)
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.collocation.working_space import WorkingSpace

CONVERGED = "the equations hold exactly and the leave-one-out risk stopped falling"
LOST = "the equations hold exactly, and without them the data would be fitted clearly better"
FIRST_WEIGHT = 1e-3  # of the physics beside its reference: the data alone
STIFF = 60.0  # goal of the weight beside reference noise over noise: slack a small part of it
LARGEST_GOAL = 1e6  # beyond, rounding takes over
SCANNED = 18  # half decades on either side
RELEASED_LATE = 0.5  # weight of the physics up to which coefficients are held
MOST_VAIN = 2  # refinements at the goal that come to nothing
MOST_LOST = 5  # of them where the data are lost


class Ascent:
    """The way of one basis from the data alone to exact physics.

    Args:
        space: the basis.
        is_linear: whether the problem is: then the weight goes to its goal at once.
        restore: comes back to a stage.

    Attributes:
        weight: of the physics, as it rises.
        age: iterations since it began, counted by the caller.
        best: the answer so far.
        soft: the fit to the data alone.
        is_exact: whether the physics came to its full weight.
        is_lost: whether without it the data would be fitted clearly better.
        has_answer: whether `best` is under full physics.
        release: weight up to which coefficients are held.
        is_over: whether nothing is left to try.
    """

    def __init__(
        self, space: WorkingSpace, *, is_linear: bool, restore: Callable[[Stage], None]
    ) -> None:
        self.space, self.is_linear, self.restore = space, is_linear, restore
        self.weight = space.weight
        self.age = 0
        self.best: Stage | None = None
        self.last: Stage | None = None
        self.soft: Stage | None = None
        self.starts = ["scan", "late"]
        self.release = 0.0
        self.is_exact = self.is_lost = self.has_answer = self.is_settled = self.is_over = False
        self.num_vain = 0

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return LOST if self.is_lost else CONVERGED

    def begin_anew(self) -> None:
        """Forget all stages: outliers had hidden what the fits missed."""
        self.weight.begin_again(FIRST_WEIGHT)
        self.best = self.last = self.soft = None
        self.num_vain = 0
        self.is_exact = self.has_answer = self.is_settled = self.is_over = False

    def set_goal(self, noise: float, reference: float) -> None:
        """Let the physics become exact to a small part of the noise as it was found."""
        noise = noise if self.soft is None else min(noise, math.sqrt(self.soft.risk))
        goal = STIFF * reference / max(noise, 1e-300)
        self.weight.goal = max(self.weight.accepted, min(LARGEST_GOAL, goal))

    def end(self, stage: Stage, num_steps: int) -> None:
        """Go on to stiffer physics, to a finer basis, back, or be over."""
        self.weight.ease(num_steps)
        if self.weight.accepted == 0.0:
            self._grow_on_data(stage)
        elif self.weight.is_at_goal:
            self._finish_or_refine(stage)
        else:
            self._accept(stage)

    def _grow_on_data(self, stage: Stage) -> None:
        """Refine while the data alone are fitted better, then let the physics in.

        A record of many periods is met by none of the first bases: as long as the errors of
        neighbouring values are alike, a finer one has something to find.
        """
        best = self.best
        is_better = best is None or is_worse(best.errors, stage.errors)
        if best is None or is_better:
            self.best = self.last = best = stage
        is_growing = is_better or has_more_to_find(self.space, stage)
        if is_growing and grow(self.space, stage):
            return
        self.soft = self.last = self.best = best
        self.restore(self.soft)
        self._stiffen()

    def _stiffen(self) -> None:
        """Raise the weight: of a linear problem, at once to its goal."""
        self.weight.rise(math.inf if self.is_linear else self.weight.factor)
        self.space.constrain()

    def _accept(self, stage: Stage) -> None:
        before, self.last = self.last or stage, stage
        self._see_whether_settled(stage, before)
        is_released = self.weight.accepted > self.release
        if is_released and not self.is_settled and meet_misfit(self.space, stage):
            return
        self._stiffen()
        self.space.learn_sizes()

    def _see_whether_settled(self, stage: Stage, before: Stage) -> None:
        """A refinement that changed nothing at the data is the last one while the weight rises."""
        if stage.resolution != before.resolution and stage.weight == before.weight:
            self.is_settled = is_resolved(stage, before)

    def _finish_or_refine(self, stage: Stage) -> None:
        """At the goal: refine until that changes nothing and no physics is left over."""
        self._see_whether_settled(stage, self.last or stage)
        self.last = stage
        self.weight.accepted = self.weight.value
        self.is_exact = True
        is_lost = self.soft is not None and is_worse(stage.errors, self.soft.errors)
        self.num_vain += 1
        best = self.best if self.has_answer else None
        if best is None or _is_better(stage, best, is_constrained=self.space.gains is not None):
            self.best, self.is_lost, self.has_answer, self.num_vain = stage, is_lost, True, 0
        is_hopeful = self.num_vain < (MOST_LOST if is_lost else MOST_VAIN)
        is_wanting = is_strained(stage, stage.misfit) or is_lost or not self.is_settled
        may_grow = self.is_linear and not is_lost and has_more_to_find(self.space, stage)
        if may_grow and grow(self.space, stage):
            return
        if is_wanting and is_hopeful and refine(self.space, left_over(self.space)):
            return
        # where the data alone were fitted far better, another start may be; else least score wins
        self.is_over = not (is_lost and self.start_again())

    def start_again(self) -> bool:
        """Begin once more from the data alone, coefficients found otherwise; False: none is left.

        First by a scan of each coefficient for where the physics is met best by the fields as they
        are, then with coefficients that are held until the physics has some weight.
        """
        if self.soft is None or not self.starts or not self.space.coefficients.names:
            return False
        start = self.starts.pop(0)
        self.restore(self.soft)
        self.weight.begin_again(FIRST_WEIGHT)
        self.age, self.num_vain = 0, 0
        self.is_exact, self.last, self.is_settled = False, self.soft, False
        self.release = RELEASED_LATE if start == "late" else 0.0
        self._stiffen()
        if start == "scan":
            _scan(self.space)
        return True

    def run_out(self, limit: int) -> str | None:
        """Begin again where that was not tried, else come back to the best stage.

        Args:
            limit: of iterations, which is reached.

        Returns:
            None where it begins again, else a sentence that says why to stop.
        """
        if self.start_again():
            return None
        if self.best is None or not (self.has_answer and self.best.score < math.inf):
            return f"the limit of {limit} iterations is reached"
        self.finish()
        return self.ending

    def finish(self) -> None:
        """Come back to the best stage."""
        if self.best is not None:
            self.restore(self.best)
            if self.has_answer:  # a start that came to nothing may have left a softer weight
                self.weight.value = self.weight.accepted = self.best.weight
                self.release, self.is_exact = 0.0, True

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on."""
        stages = {name: getattr(self, name) for name in _STAGES}
        return {
            "weight": dict(vars(self.weight)),
            "starts": list(self.starts),
            "stages": {n: None if x is None else x.to_state() for n, x in stages.items()},
            **{name: getattr(self, name) for name in _PLAIN},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        vars(self.weight).update(state["weight"])
        self.starts = list(state["starts"])
        for name, stage in state["stages"].items():
            setattr(self, name, None if stage is None else Stage.of(stage))
        if self.best is not None and self.soft is not None and self.best.weight == self.soft.weight:
            self.best = self.soft
        for name in _PLAIN:
            setattr(self, name, state[name])


_STAGES = ("best", "last", "soft")
_PLAIN = (
    "age",
    "num_vain",
    "release",
    "is_exact",
    "is_lost",
    "has_answer",
    "is_settled",
    "is_over",
)


def _is_better(stage: Stage, best: Stage, *, is_constrained: bool) -> bool:
    """Whether a stage takes the place of the best so far: its score is less, and no chance.

    Of a constrained basis the unmet physics is told as an error; where it is none to speak of, more
    functions have to pay: by a standard error of the difference of paired leave-one-out errors.
    """
    if stage.score >= best.score or not is_constrained or is_strained(best, best.misfit):
        return stage.score < best.score
    difference = best.errors.square() - stage.errors.square()
    return float(difference.mean()) > float(difference.std()) / math.sqrt(len(difference))


def _scan(space: WorkingSpace) -> None:
    """Move each coefficient to where the physics is met best by the fields as they are."""
    with torch.no_grad():
        raw = space.coefficients.raw
        for _ in range(2):
            for k in range(len(raw)):
                around = raw[k] + torch.arange(-SCANNED, SCANNED + 1) * math.log(10) / 2
                losses = []
                for value in around:
                    raw[k] = value
                    losses.append(float(space.residuals().square().sum()))
                finite = [x if math.isfinite(x) else math.inf for x in losses]
                raw[k] = around[finite.index(min(finite))]
