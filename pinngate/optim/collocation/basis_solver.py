"""Population-risk Gauss–Newton on a tensor basis, from the data alone to exact physics.

A basis is linear in its weights, so that the data alone give a first fit by one linear solve: a
smoothing spline whose ridge the leave-one-out risk chooses. From there the weight of the physics
rises (`continuation`) until what it leaves free is a small part of the noise; unknown coefficients
follow. Where the fit to the data is lost on the way, the basis is refined along the axes on which
it is not resolved, and only where that does not help the weight goes back. That is generalised
profiling (J. O. Ramsay et al., J. R. Statist. Soc. B 69, 2007) with the number of functions and the
ridge left to the data. A linear problem without unknown coefficients is one solve at the full
weight.

One candidate of the race beside networks; the caller drives it one iteration at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pinngate.inference.posterior import Posterior
from pinngate.inference.series import correlation
from pinngate.linear.forms import DenseForm, Form, Trial
from pinngate.linear.jacobian import (
    Batches,
    assign,
    flatten,
    row_weights,
    weighted_residuals,
)
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.linear.system import LinearisedSystem, RidgeFit
from pinngate.model.bases import TensorBasis
from pinngate.model.coefficients import Coefficients
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.scales import FieldScale
from pinngate.model.terms import Term, problem_terms
from pinngate.optim.collocation.continuation import Continuation, is_worse
from pinngate.optim.collocation.resolved import Resolved
from pinngate.optim.collocation.spaces import (
    Resolution,
    by_interval,
    coarsening_errors,
    finer,
    first_resolution,
    refined,
    resolved_parts,
    space,
)
from pinngate.optim.collocation.stages import Stage
from pinngate.optim.gauss_newton.data_noise import DataNoise, Verdict
from pinngate.optim.gauss_newton.iterate import coefficient_row
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.gauss_newton.stopping import Stopping
from pinngate.optim.gauss_newton.trust_region import descend
from pinngate.optim.parts import Parts
from pinngate.points.basis_nodes import node_batches
from pinngate.statement.linearity import is_linear

Array = NDArray[np.float64]

CONVERGED = "the equations hold exactly and the leave-one-out risk stopped falling"
LOST = "the equations hold exactly, and without them the data would be fitted clearly better"
FIRST_WEIGHT = 1e-3  # of the physics beside its reference: the data alone
STIFF = 60.0  # goal of the weight beside reference noise over noise: slack a small part of it
LARGEST_GOAL = 1e6  # beyond, rounding takes over
SCANNED = 18  # half decades on either side
RELEASED_LATE = 0.5  # weight of the physics up to which coefficients are held
LEAST_DAMPING = 1e-3  # of the ridge
RIDGES = 3  # a decade
DECADES = 25  # below the largest eigenvalue
RESTING = 0.01  # difference of actual and foreseen risk at which a stage has come to rest
SETTLED = 3.0  # at the goal, times d/n: a fifth of a standard deviation of what is free
MOST_IN_STAGE = 20  # iterations; a stage that needs more took too large a step
MOST_FUNCTIONS = 1200  # of all fields: beyond, each of many steps takes seconds
MOST_LINEAR = 2500  # where a handful of solves is all
UNRESOLVED_WEIGHT = 0.1  # most of the weight of what the basis cannot do away with
STRAINED = 0.3  # of the noise's part in the risk, from which unmet physics matters
MOSTLY = 0.5  # of the misfit, left over by a basis that is too coarse
MOST_VAIN = 2  # refinements at the goal that come to nothing
MOST_LOST = 5  # of them where the data are lost
FREE = 0.25  # of the functions, beyond which a fit fills its space
UNRESOLVED = 0.3  # of the statistical error, by which a finer basis may change the fit
KNOWN_SIZE = 3.0  # factor by which a hidden field may differ from the size it is given


class Collocation:
    """One candidate: see the module.

    Args:
        parts: the problem.
        options: weights of equations and conditions at the reference.

    Attributes:
        reason: None while it goes on, else a sentence that says why to stop.
        is_exact: whether the physics came to its full weight.
        best: the answer so far.
    """

    def __init__(self, parts: Parts, options: GaussNewtonOptions) -> None:
        self.parts, self.options = parts, options
        self.form: Form = DenseForm(is_factored=True)
        self.scales = dict(parts.batches.scales)
        self.coefficients: Coefficients = parts.coefficients()
        self.is_linear = is_linear(parts.problem)
        names = [t.name for t in parts.batches.terms if t.kind == "observation"]
        self.noise = DataNoise(names)
        self.weight = Continuation(FIRST_WEIGHT, LARGEST_GOAL)
        self.ridge, self.damping = 0.0, 0.0
        self.iteration = self.in_stage = self.begun = 0
        self.best: Stage | None = None
        self.last: Stage | None = None
        self.soft: Stage | None = None
        self.starts = ["scan", "late"]
        self.release = 0.0
        self.is_exact = self.is_lost = self.has_answer = False
        self.num_vain = 0
        self.is_settled = False
        self.reason: str | None = None
        self.last_score = self.last_lookahead = math.inf
        self.resolution = first_resolution(parts.problem, self.coefficients)
        self._build()
        self.unit = self.network.unit

    def _build(self) -> None:
        """Make the basis of the present resolution and sizes, its nodes and its terms."""
        problem, source = self.parts.problem, self.parts.batches
        self.network = space(problem, self.resolution, self.scales)
        observed = [o.expression for o in source.sets]
        self.model = ResidualModel(problem_terms(problem, observed, self.scales), problem)
        fields = self.fields
        functions = dict(zip(problem.axes, fields.functions, strict=True))
        self.batches = node_batches(source, functions, len(fields.members))
        self.trial = Trial(self.model, self.network, self.coefficients)
        self.kept: Linearisation | None = None
        slices = row_weights(self.model, self.batches, {}).slices
        num_rows = {name: rows.stop - rows.start for name, rows in slices.items()}
        resolved = resolved_parts(problem, fields, self.model.terms, num_rows)
        self.resolved = [(slices[name], axes) for name, axes in resolved.items()]
        self.anchor = flatten(self.network, self.coefficients)[: self.network.num_parameters] * 0

    @property
    def fields(self) -> TensorBasis:
        """The basis of the fields, beside those of coefficients that vary."""
        first = self.network.networks[0]
        if not isinstance(first, TensorBasis):
            raise TypeError("a space is made of bases")
        return first

    def row_weights(self, batches: Batches) -> RowWeights:
        """Return the weights of the rows, in units of the fields' size."""
        counts = row_weights(self.model, batches, {}).counts()
        observed = sum(counts[t.name] for t in self.model.terms if t.kind == "observation")
        by_term = {t.name: self._weight(t, counts[t.name], observed) for t in self.model.terms}
        return row_weights(self.model, batches, by_term)

    def _weight(self, term: Term, count: int, num_observations: int) -> float:
        unit = self.network.unit
        if term.kind == "observation":
            return 1.0 / unit
        weight = self.options.condition_weight * max(1.0, self.weight.value)
        if term.kind == "equation":
            weight = self.options.equation_weight * self.weight.value
        return weight * math.sqrt(num_observations / count) / unit

    @property
    def mixing(self) -> Resolved:
        """What weighs the resolved part of the physics at the present weight."""
        return Resolved(self.resolved, min(1.0, UNRESOLVED_WEIGHT / self.weight.value))

    def linearise(self, batches: Batches) -> Linearisation:
        """Linearise at the present iterate, at the nodes and with the data of `batches`."""
        data = {n: b for n, b in batches.items() if n in self.noise.models}
        own = {**self.batches, **data}
        weights = self.row_weights(own)
        if self.is_linear and self.kept is not None and batches is self.batches:
            plain = weighted_residuals(*self.trial, own, weights)
            rooted = weights.with_roots(self.noise.row_roots(plain, weights))
            if rooted.are_equal(self.kept.weights):
                return self._moved(self.kept.system, rooted, plain)
        found = linearise(
            self.form,
            self.trial,
            own,
            weights,
            self.anchor,
            ridge=self.ridge,
            noise_roots=self.noise.row_roots,
            has_coefficients=self.weight.accepted > self.release or batches is not self.batches,
            mixing=self.mixing,
        )
        self.kept = found if batches is self.batches else None
        return found

    def _moved(self, system: LinearisedSystem, weights: RowWeights, plain: Tensor) -> Linearisation:
        """Return the linearisation at other weights of a linear problem, whose J is the same."""
        residual = self.mixing(weights.weighted(plain))
        offset = flatten(self.network, self.coefficients)[: len(self.anchor)] - self.anchor
        target = residual - system.apply(offset)
        return Linearisation(weights, plain, residual, target, offset, system)

    def step(self, batches: Batches) -> dict[str, float]:
        """Do one iteration and return its row of the log.

        Raises:
            SolveError: residuals are not finite.
        """
        line = self.linearise(self.batches)
        fit = self._choose_ridge(line)
        actual = line.observed / (1 - fit.leverage)
        risk = self.noise.risk(actual, line.weights)
        lookahead = self.noise.risk(fit.leave_one_out, line.weights)
        misfit = self._misfit(line)
        self.last_score, self.last_lookahead = risk + misfit, lookahead
        row = self._log_row(line, fit, risk, lookahead, misfit)
        share = self._resting_share(fit)
        is_resting = abs(risk - lookahead) <= share * lookahead and self.in_stage > 0
        if is_resting or self.in_stage >= MOST_IN_STAGE:
            stage = self._stage(line, fit, actual, risk, misfit)
            self._set_goal(line, fit)
            self._end_stage(stage)
        else:
            self.in_stage += 1
            row["gain_ratio"] = self._descend(line)
            verdict = self.noise.update(line, fit, is_full=self.weight.is_at_goal)
            if verdict is Verdict.GAUSSIAN:
                self.reason = LOST if self.is_lost else CONVERGED
            elif verdict is Verdict.HEAVY:
                self._soften()
        self.iteration += 1
        if self.reason is None and self.iteration - self.begun >= self.options.max_iterations:
            self._end_of_patience()
        return row

    def _resting_share(self, fit: RidgeFit) -> float:
        """Return the share of the risk by which a fit at rest may differ from the one foreseen.

        At the goal, a share of the part that the fit's own freedom has in it.
        """
        if not self.weight.is_at_goal:
            return RESTING
        return RESTING * min(1.0, SETTLED * fit.effective_dimension / len(fit.leverage))

    def _end_of_patience(self) -> None:
        """Start again where that was not tried; else the best stage is the answer."""
        if self.coefficients.names and self.starts and self.soft is not None:
            self._start_again(self.starts.pop(0), self.soft)
        elif self.score < math.inf:
            self.finish()
            self.reason = LOST if self.is_lost else CONVERGED
        else:
            self.reason = f"the limit of {self.options.max_iterations} iterations is reached"

    def _soften(self) -> None:
        """Begin anew with the noise as it was found: outliers had hidden what the fit missed."""
        self.weight = Continuation(FIRST_WEIGHT, self.weight.goal)
        self.best = self.last = self.soft = None
        self.num_vain = 0
        self.in_stage, self.is_exact, self.has_answer, self.is_settled = 0, False, False, False

    def _choose_ridge(self, line: Linearisation) -> RidgeFit:
        """Return the fit at the ridge of least risk, scanned at the beginning of each stage."""
        most = 0 if self.is_linear else 1
        if self.in_stage > most and self.ridge > 0:
            return line.system.fits([self.ridge], line.target)[0]
        top = float(line.system.spectrum(line.target)[0][0])
        coarse = [top * 10.0**-k for k in range(DECADES)]
        fit = line.system.best_fit(coarse, line.target)
        fine = [fit.ridge * 10 ** (k / RIDGES) for k in range(1 - RIDGES, RIDGES)]
        fit = line.system.best_fit(fine, line.target)
        self.ridge = fit.ridge
        return fit

    def _misfit(self, line: Linearisation) -> float:
        """Return Σ r² of the physics at the reference weights, as a mean over the observations."""
        total = 0.0
        for term in self.model.terms:
            if term.kind in ("equation", "condition"):
                value = self.weight.value
                weight = max(1.0, value) if term.kind == "condition" else value
                rows = line.weights.slices[term.name]
                total += float(line.plain[rows].square().sum()) / weight**2
        return total / len(line.observed)

    def _log_row(
        self, line: Linearisation, fit: RidgeFit, risk: float, lookahead: float, misfit: float
    ) -> dict[str, float]:
        square = self.network.unit**2
        row = {
            "loss": float(line.residual.square().sum()) * square / len(line.observed),
            "leave_one_out_risk": risk * square,
            "training_risk": float(line.observed.square().mean()) * square,
            "lookahead_risk": lookahead * square,
            "selection_risk": (risk + misfit) * square,
            "effective_dimension": fit.effective_dimension,
            "signal_fraction": line.system.signal_fraction(self.ridge),
            "ridge": self.ridge,
            "damping": self.damping,
            "physics_weight": self.weight.value * self.options.equation_weight,
            "functions": float(self.network.num_parameters),
        }
        for name in line.weights.slices:
            plain = line.weights.unweighted(name, line.plain)
            row[f"loss_{name}"] = float(plain.square().mean())
        stds = self.noise.stds(line, fit)
        row |= {f"noise_std_{k}": s * self.network.unit for k, s in enumerate(stds, 1)}
        return row | coefficient_row(line, fit, self.coefficients)

    def _descend(self, line: Linearisation) -> float:
        theta = flatten(self.network, self.coefficients)

        def moved(delta: Tensor) -> Tensor:
            return theta + torch.cat([delta, delta.new_zeros(len(theta) - len(delta))])

        def residuals(delta: Tensor) -> Tensor:
            assign(self.network, self.coefficients, moved(delta))
            plain = weighted_residuals(*self.trial, self.batches, line.weights)
            return self.mixing(line.weights.weighted(plain))

        step = descend(
            residuals,
            line.system,
            line.residual,
            line.offset,
            ridge=self.ridge,
            damping=max(self.damping, LEAST_DAMPING * self.ridge),
            least_damping=LEAST_DAMPING * self.ridge,
            proximity=float(line.residual.square().sum()) / len(line.observed),
        )
        self.damping = step.damping
        assign(self.network, self.coefficients, theta if step.delta is None else moved(step.delta))
        return step.gain

    def _end_stage(self, stage: Stage) -> None:
        """Go on to stiffer physics, to a finer basis, back, or stop."""
        self.weight.ease(self.in_stage)
        self.in_stage = 0
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
        if (is_better or self._is_missing_signal(stage)) and self._change(self._grown(stage)):
            return
        self.soft = self.last = self.best = best
        self._restore(self.soft)
        self._stiffen()

    def _grown(self, stage: Stage) -> Resolution:
        """Return more intervals along the axes on which the data fill those that there are."""
        totals = {axis: math.sqrt(float(own.sum())) for axis, own in self._missed().items()}
        grown = [axis for axis, total in totals.items() if total > self._allowed(stage)]
        return finer(self.parts.problem, self.resolution, grown or list(totals))

    def _stiffen(self) -> None:
        """Raise the weight: of a linear problem, at once to its goal."""
        self.weight.rise(math.inf if self.is_linear else self.weight.factor)

    def _is_missing_signal(self, stage: Stage) -> bool:
        """Whether leave-one-out errors of neighbours are correlated and values are left to tell."""
        sets = self.parts.batches.sets
        points = np.concatenate([o.points for o in sets])
        labels = np.repeat(np.arange(len(sets)), [len(o.points) for o in sets])
        num_places = len(np.unique(points, axis=0))
        if self.network.num_parameters > len(self.fields.output_scale) * num_places:
            return False
        is_series = points.shape[1] == 1
        kind, time = ("series", 0) if is_series else ("blocks", None)
        found = correlation(points, stage.errors.numpy(), labels, labels, kind, time)
        return found is not None and found.is_clear

    def _accept(self, stage: Stage) -> None:
        before, self.last = self.last or stage, stage
        self._see_whether_settled(stage, before)
        if self.weight.accepted > self.release and not self.is_settled and self._meet_misfit(stage):
            return
        self._stiffen()
        self._learn_sizes()

    def _see_whether_settled(self, stage: Stage, before: Stage) -> None:
        """A refinement that changed nothing at the data is the last one while the weight rises."""
        if stage.resolution != before.resolution and stage.weight == before.weight:
            change = float((stage.errors - before.errors).square().mean().sqrt())
            self.is_settled = change < self._allowed(stage)

    def _meet_misfit(self, stage: Stage) -> bool:
        """Refine where most of what is unmet of the equations is left over, or values ask for it.

        The rest of the misfit falls as the weight rises.
        """
        if stage.dimension > FREE * self.network.num_parameters:
            return False
        misfit = stage.misfit * min(1.0, self.weight.value) ** 2
        is_strained = misfit > STRAINED * stage.freedom_in_risk
        if is_strained and self._share_left_over() > MOSTLY:
            return self._refine(self._left_over())
        errors = self._missed()
        return _total(errors) > self._allowed(stage) and self._refine(errors)

    def _share_left_over(self) -> float:
        """Return the part of the physics' misfit that the basis cannot do away with."""
        if not self.resolved:
            return 1.0
        weights = self.row_weights(self.batches)
        rows = weighted_residuals(*self.trial, self.batches, weights)[: weights.observed.start]
        rest = Resolved(self.resolved, 0.0)(rows)
        return 1 - float(rest.square().sum() / rows.square().sum().clamp_min(1e-300))

    def _allowed(self, stage: Stage) -> float:
        """Return what a coarser basis may miss: a part of the statistical error."""
        return UNRESOLVED * math.sqrt(stage.freedom_in_risk)

    def _finish_or_refine(self, stage: Stage) -> None:
        """At the goal: refine until that changes nothing and no physics is left over."""
        self._see_whether_settled(stage, self.last or stage)
        self.last = stage
        self.weight.accepted = self.weight.value
        self.is_exact = True
        is_lost = self.soft is not None and is_worse(stage.errors, self.soft.errors)
        self.num_vain += 1
        if self.best is None or not self.has_answer or stage.score < self.best.score:
            self.best, self.is_lost, self.has_answer, self.num_vain = stage, is_lost, True, 0
        is_strained = stage.misfit > STRAINED * stage.freedom_in_risk
        is_hopeful = self.num_vain < (MOST_LOST if is_lost else MOST_VAIN)
        if (
            (is_strained or is_lost or not self.is_settled)
            and is_hopeful
            and self._refine(self._left_over())
        ):
            return
        self._finish(is_lost)

    def _finish(self, is_lost: bool) -> None:
        """Start again where the data alone were fitted far better; else the least score wins."""
        if is_lost and self.coefficients.names and self.starts and self.soft is not None:
            self._start_again(self.starts.pop(0), self.soft)
            return
        self.finish()
        if self.options.is_robust and not self.noise.is_judging:
            self.turn_robust()
            return
        self.reason = LOST if self.is_lost else CONVERGED

    def _start_again(self, start: str, soft: Stage) -> None:
        """Begin once more from the fit to the data alone, with coefficients found otherwise."""
        self._restore(soft)
        self.begun, self.in_stage = self.iteration, 0
        self.weight = Continuation(FIRST_WEIGHT, self.weight.goal)
        self.is_exact, self.last, self.damping, self.num_vain = False, soft, 0.0, 0
        self.is_settled = False
        self.release = RELEASED_LATE if start == "late" else 0.0
        self._stiffen()
        if start == "scan":
            self._scan()

    def _scan(self) -> None:
        """Move each coefficient to where the physics is met best by the fields as they are."""
        with torch.no_grad():
            raw = self.coefficients.raw
            for _ in range(2):
                for k in range(len(raw)):
                    around = raw[k] + torch.arange(-SCANNED, SCANNED + 1) * math.log(10) / 2
                    losses = []
                    for value in around:
                        raw[k] = value
                        r = weighted_residuals(
                            *self.trial, self.batches, self.row_weights(self.batches)
                        )
                        losses.append(float(r.square().sum()))
                    finite = [x if math.isfinite(x) else math.inf for x in losses]
                    raw[k] = around[finite.index(min(finite))]

    def _stage(
        self, line: Linearisation, fit: RidgeFit, errors: Tensor, risk: float, misfit: float
    ) -> Stage:
        return Stage(
            self.resolution,
            dict(self.scales),
            flatten(self.network, self.coefficients),
            errors.clone(),
            self.ridge,
            self.weight.value,
            risk,
            misfit,
            fit.effective_dimension,
            self.noise.state_dict(),
        )

    def _set_goal(self, line: Linearisation, fit: RidgeFit) -> None:
        freedom = max(1.0, len(line.observed) - fit.effective_dimension)
        found = math.sqrt(float(line.observed.square().sum()) / freedom)
        noise = found if self.soft is None else min(found, math.sqrt(self.soft.risk))
        goal = STIFF * self.options.reference_noise / max(noise, 1e-300)
        self.weight.goal = max(self.weight.accepted, min(LARGEST_GOAL, goal))

    def _missed(self) -> dict[str, Array]:
        """Return what coarser bases would miss, by axis and interval, in the fields' size."""
        return coarsening_errors(self.parts.problem, self.resolution, self.fields)

    def _left_over(self) -> dict[str, Array]:
        """Return by axis and interval what of the physics the basis cannot do away with."""
        problem = self.parts.problem
        if not self.resolved:
            return coarsening_errors(problem, self.resolution, self.fields, is_of_derivatives=True)
        weights = self.row_weights(self.batches)
        found = self.mixing.left_over(weighted_residuals(*self.trial, self.batches, weights))
        return by_interval(self.resolution, self.fields, found)

    def _refine(self, missed: Mapping[str, Array]) -> bool:
        """Refine the basis where it is not resolved; return whether there was room."""
        return self._change(refined(self.resolution, missed))

    def _change(self, resolution: Resolution) -> bool:
        made = space(self.parts.problem, resolution, self.scales)
        if made.num_parameters > (MOST_LINEAR if self.is_linear else MOST_FUNCTIONS):
            return False
        self._rebuild(resolution)
        return True

    def _learn_sizes(self) -> None:
        """Give hidden fields the size that they have by now."""
        seen = {o.of for o in self.parts.batches.sets if o.is_of_field}
        values = self.network(self.batches[self.parts.batches.equation_names[0]].points).detach()
        grown = {}
        for k, name in enumerate(self.parts.problem.solved_fields):
            size = float(values[:, k].square().mean().sqrt())
            ratio = size / self.scales[name].size
            if name not in seen and size > 0 and max(ratio, 1 / ratio) > KNOWN_SIZE:
                grown[name] = FieldScale(size)
        if grown:
            self.scales |= grown
            self._rebuild(self.resolution)

    def _rebuild(self, resolution: Resolution) -> None:
        """Carry the present fields over to another resolution."""
        before = self.network
        self.resolution = resolution
        self._build()
        for old, new in zip(before.networks, self.network.networks, strict=True):
            if isinstance(new, TensorBasis):
                new.fit_to(old, self.batches[self.parts.batches.equation_names[0]].points)

    def _restore(self, stage: Stage) -> None:
        self.resolution, self.scales = stage.resolution, dict(stage.scales)
        self._build()
        assign(self.network, self.coefficients, stage.theta)
        self.ridge = stage.ridge
        self.noise.load_state_dict(stage.noise)

    @property
    def score(self) -> float:
        """Risk and misfit of the physics of the best stage, in units of the fields.

        Infinite while the physics rises: softer stages do not compare with networks.
        """
        if self.best is None or not self.has_answer:
            return math.inf
        return self.best.score

    @property
    def stopping(self) -> Stopping:
        """The best stage, as the race asks for it."""
        found = Stopping(self.options)
        if self.best is not None and self.score < math.inf:
            found.best = {
                "score": self.score,
                "errors": self.best.errors,
                "risk": self.best.risk * self.unit**2,
                "physics": self.best.weight,
                "dimension": self.best.dimension,
                "iteration": self.iteration,
            }
        return found

    def finish(self) -> None:
        """Put the best stage back into the network and the coefficients."""
        if self.best is not None:
            self._restore(self.best)
            if self.has_answer:  # a start that came to nothing may have left a softer weight
                self.weight.value = self.weight.accepted = self.best.weight
                self.release, self.is_exact = 0.0, True

    def turn_robust(self) -> None:
        """Judge the tails of the noise from now on."""
        self.noise.judge_tails()

    def coefficient_covariance(self, system: LinearisedSystem, variance: float) -> Tensor:
        """Return the covariance of the raw coefficients (K, K)."""
        return variance * system.unpenalised_covariance(self.ridge)

    @property
    def is_poor(self) -> bool:
        """Whether data and exact physics disagree in fields that networks may follow better."""
        return self.is_lost and len(self.parts.problem.axes) > 1

    def complete(self, posterior: Posterior) -> None:
        """Nothing is missing."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on: tensors, numbers, strings and containers of them."""
        stages = {name: getattr(self, name) for name in STAGES}
        return {
            "theta": flatten(self.network, self.coefficients),
            "resolution": dict(self.resolution),
            "scales": {name: (f.size, f.centre) for name, f in self.scales.items()},
            "weight": dict(vars(self.weight)),
            "noise": self.noise.state_dict(),
            "starts": list(self.starts),
            "stages": {n: None if x is None else x.to_state() for n, x in stages.items()},
            **{name: getattr(self, name) for name in PLAIN_STATE},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; the following iterations are bitwise the same."""
        self.resolution = dict(state["resolution"])
        self.scales = {name: FieldScale(*pair) for name, pair in state["scales"].items()}
        self._build()
        assign(self.network, self.coefficients, state["theta"])
        self.weight = Continuation(**state["weight"])
        self.noise.load_state_dict(state["noise"])
        self.starts = list(state["starts"])
        for name, stage in state["stages"].items():
            setattr(self, name, None if stage is None else Stage.of(stage))
        if self.best is not None and self.soft is not None and self.best.weight == self.soft.weight:
            self.best = self.soft
        for name in PLAIN_STATE:
            setattr(self, name, state[name])


STAGES = ("best", "last", "soft")
PLAIN_STATE = (
    "ridge",
    "damping",
    "iteration",
    "in_stage",
    "begun",
    "num_vain",
    "release",
    "is_exact",
    "is_lost",
    "has_answer",
    "is_settled",
    "reason",
    "last_score",
    "last_lookahead",
)


def _total(missed: Mapping[str, Array]) -> float:
    """Return the root mean square of what the worst axis misses."""
    return math.sqrt(max(float(own.sum()) for own in missed.values()))
