"""The tensor basis at work: its resolution and sizes, its nodes, its rows, and what it misses.

Above `spaces`, which makes bases and finer ones; below `ascent`, which says when to refine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pinngate.linear.forms import Trial
from pinngate.linear.jacobian import Batches, assign, flatten, row_weights, weighted_residuals
from pinngate.linear.linearisation import Linearisation
from pinngate.model.bases import TensorBasis
from pinngate.model.coefficients import Coefficients
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.scales import FieldScale, Scales
from pinngate.model.terms import problem_terms
from pinngate.model.trefftz_basis import TrefftzBasis
from pinngate.optim.collocation.continuation import Continuation
from pinngate.optim.collocation.free_directions import Constraint, Physics, constraint
from pinngate.optim.collocation.resolved import Resolved
from pinngate.optim.collocation.spaces import (
    Resolution,
    first_resolution,
    resolved_parts,
    space,
)
from pinngate.optim.collocation.unmet_physics import Gains, field_error
from pinngate.optim.gauss_newton.row_balance import balanced_rows
from pinngate.optim.gauss_newton.solver_options import GaussNewtonOptions
from pinngate.optim.parts import Parts
from pinngate.points.basis_nodes import node_batches

Array = NDArray[np.float64]

UNRESOLVED_WEIGHT = 0.1  # most of the weight of what the basis cannot do away with
MOST_FUNCTIONS = 1200  # of all fields: beyond, each of many steps takes seconds
MOST_CONSTRAINED = 8000  # where the physics is solved once: 1.5 GB
KNOWN_SIZE = 3.0  # factor by which a hidden field may differ from the size it is given


class WorkingSpace:
    """The basis of one problem at its present resolution.

    Args:
        parts: the problem.
        coefficients: the scalar ones.
        options: weights of equations and conditions at the reference.
        weight: of the physics, as it rises.
        is_linear: whether the problem is.

    Attributes:
        network: fields and functions at their present weights.
        model: residuals of equations, conditions and observations.
        batches: nodes and data.
        constrained_at: weight of the physics that its functions obey, 0 where they need not.
        tempering: factors of the directions that it has, (f,), None where they have none.
        gains: by which unmet physics is told as an error of the fields, where it is constrained.
        anchor: the weights that the ridge holds to, zeros.
    """

    def __init__(
        self,
        parts: Parts,
        coefficients: Coefficients,
        options: GaussNewtonOptions,
        weight: Continuation,
        *,
        is_linear: bool,
    ) -> None:
        self.parts, self.coefficients, self.options = parts, coefficients, options
        self.weight, self.is_linear = weight, is_linear
        self.constrained_at = 0.0
        self.tempering: Tensor | None = None
        self._known: dict[Any, Constraint | None] = {}
        self.build(first_resolution(parts.problem, coefficients), dict(parts.batches.scales))

    def build(self, resolution: Resolution, scales: Scales) -> None:
        """Make the basis of a resolution, with its nodes and terms; constrained where it was."""
        problem, source = self.parts.problem, self.parts.batches
        self.resolution, self.scales = resolution, dict(scales)
        self.network = space(problem, resolution, scales)
        observed = [o.expression for o in source.sets]
        self.model = ResidualModel(problem_terms(problem, observed, scales), problem)
        fields = self.fields
        functions = dict(zip(problem.axes, fields.functions, strict=True))
        self.batches = node_batches(source, functions)
        self.trial = Trial(self.model, self.network, self.coefficients)
        slices = row_weights(self.model, self.batches, {}).slices
        num_rows = {name: rows.stop - rows.start for name, rows in slices.items()}
        resolved = resolved_parts(problem, fields, self.model.terms, num_rows)
        self._resolved = {name: (slices[name], own) for name, own in resolved.items()}
        self.gains: Gains | None = None
        equations = {t.name for t in self.model.terms if t.kind == "equation"}
        if self.constrained_at > 0 and equations <= self._resolved.keys():
            self._constrain()
        self.anchor = self.theta[: self.network.num_parameters] * 0

    def constrain(self) -> None:
        """Go over to the part of the basis that obeys the physics of a linear problem."""
        if self.is_linear and self.constrained_at == 0.0:
            self.constrained_at = self.weight.value
            self._carry_over(self.resolution, self.scales)

    def _constrain(self) -> None:
        """Keep the directions that the physics leaves free, where they are a part."""
        key = (tuple(self.resolution.items()), tuple(self.scales.items()), self.constrained_at)
        if key not in self._known:
            num_values = self.parts.batches.num_points()["observations"]
            physics = Physics(
                self.trial,
                self.batches,
                self.row_weights(self.batches, self.constrained_at),
                {name: own for name, (_, own) in self._resolved.items()},
                num_values / self.network.unit**2,
            )
            reference = self.row_weights(self.batches, 1.0)
            axes = self.parts.problem.axes
            self._known[key] = constraint(self.fields, axes, physics, reference)
        found = self._known[key]
        if found is not None:
            self.gains = found.gains
            factors = 1.0 if self.tempering is None else self.tempering
            self.network = TrefftzBasis(self.fields, found.offset, found.directions * factors)
            self.trial = Trial(self.model, self.network, self.coefficients)

    def temper(self, factors: Tensor) -> None:
        """Scale the directions of a constrained basis (f,); the fields stay as they are."""
        theta = self.theta
        self.tempering = factors
        self.build(self.resolution, self.scales)
        theta[: len(factors)] /= factors
        self.theta = theta

    @property
    def fields(self) -> TensorBasis:
        """The basis of the fields at its weights, beside those of coefficients that vary."""
        first = self.network.networks[0]
        if isinstance(first, TrefftzBasis):
            return first.expanded
        if not isinstance(first, TensorBasis):
            raise TypeError("a space is made of bases")
        return first

    @property
    def theta(self) -> Tensor:
        """Weights, then raw coefficients, (P,)."""
        return flatten(self.network, self.coefficients)

    @theta.setter
    def theta(self, theta: Tensor) -> None:
        assign(self.network, self.coefficients, theta)

    def row_weights(self, batches: Batches, weight: float | None = None) -> RowWeights:
        """Return the weights of the rows, at the present weight of the physics or one given."""
        value = self.weight.value if weight is None else weight
        return balanced_rows(self.model, batches, self.options, value, self.network.unit)

    @property
    def mixing(self) -> Resolved:
        """What weighs the resolved part of the physics at the present weight."""
        return Resolved(self._resolved, min(1.0, UNRESOLVED_WEIGHT / self.weight.value))

    def residuals(self) -> Tensor:
        """Return the weighted residuals at the nodes, (N,)."""
        return weighted_residuals(*self.trial, self.batches, self.row_weights(self.batches))

    def misfit(self, line: Linearisation) -> float:
        """Return Σ r² of the physics at the reference weights, as a mean over the observations.

        Of a constrained basis the error of the fields that it stands for.
        """
        if self.gains is not None:
            weights = self.row_weights(self.batches, 1.0)
            residuals = weighted_residuals(*self.trial, self.batches, weights)
            return field_error(self.mixing, residuals, self.gains)
        total = 0.0
        for term in self.model.terms:
            if term.kind in ("equation", "condition"):
                value = self.weight.value
                weight = max(1.0, value) if term.kind == "condition" else value
                rows = line.weights.slices[term.name]
                total += float(line.plain[rows].square().sum()) / weight**2
        return total / len(line.observed)

    def change(self, resolution: Resolution) -> bool:
        """Carry the fields over to another resolution; return whether there was room."""
        made = space(self.parts.problem, resolution, self.scales)
        most = MOST_CONSTRAINED if self.constrained_at > 0 else MOST_FUNCTIONS
        return made.num_parameters <= most and self._carry_over(resolution, self.scales)

    def learn_sizes(self) -> None:
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
            self._carry_over(self.resolution, self.scales | grown)

    def _carry_over(self, resolution: Resolution, scales: Scales) -> bool:
        """Build anew and take over the fields; return False where too many functions are free."""
        before, own, theta = self.network, (self.resolution, self.scales), self.theta
        tempering, self.tempering = self.tempering, None
        self.build(resolution, scales)
        if self.network.num_parameters > MOST_FUNCTIONS:
            self.tempering = tempering
            self.build(*own)
            self.theta = theta
            return False
        places = self.batches[self.parts.batches.equation_names[0]].points
        for old, new in zip(before.networks, self.network.networks, strict=True):
            if isinstance(new, TensorBasis | TrefftzBasis):
                new.fit_to(old, places)
        return True
