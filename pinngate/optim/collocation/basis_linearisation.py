"""The problem linearised at the weights of a basis; of a linear one the Jacobian is made once.

Between `working_space`, which knows rows and nodes, and `basis_solver`, which iterates: while a
linear problem stays on one basis at one weight of the physics, a step moves residuals alone.
"""

from __future__ import annotations

from torch import Tensor

from pinngate.linear.forms import Form
from pinngate.linear.jacobian import Batches, weighted_residuals
from pinngate.linear.linearisation import Linearisation, linearise
from pinngate.linear.system import LinearisedSystem
from pinngate.model.row_weights import RowWeights
from pinngate.optim.collocation.working_space import WorkingSpace
from pinngate.optim.gauss_newton.data_noise import DataNoise


class BasisLinearisation:
    """Makes linearisations of one basis.

    Args:
        space: the basis.
        noise: of the observations, for the roots of their rows.
        form: how a Jacobian is held.
        is_linear: whether the problem is.
    """

    def __init__(
        self, space: WorkingSpace, noise: DataNoise, form: Form, *, is_linear: bool
    ) -> None:
        self.space, self.noise, self.form, self.is_linear = space, noise, form, is_linear
        self._kept: tuple[Batches, Linearisation] | None = None

    def at(self, batches: Batches, ridge: float, *, has_coefficients: bool) -> Linearisation:
        """Return the linearisation at the present weights, at the nodes and with some data.

        Args:
            batches: supplies the data; those of the basis itself stand for a step.
            ridge: about which ridges the system will be asked.
            has_coefficients: whether the coefficients move too in a step.
        """
        space, is_at_nodes = self.space, batches is self.space.batches
        own = {**space.batches, **{n: b for n, b in batches.items() if n in self.noise.models}}
        weights = space.row_weights(own)
        if self._kept is not None and is_at_nodes and self._kept[0] is batches:
            kept = self._kept[1]
            plain = weighted_residuals(*space.trial, own, weights)
            rooted = self.noise.of_rows(own)(plain, weights)
            if rooted.are_equal(kept.weights):
                return self._moved(kept.system, rooted, plain)
        found = linearise(
            self.form,
            space.trial,
            own,
            weights,
            space.anchor,
            ridge=ridge,
            noise=self.noise.of_rows(own),
            has_coefficients=has_coefficients or not is_at_nodes,
            mixing=space.mixing,
        )
        self._kept = (batches, found) if self.is_linear and is_at_nodes else None
        return found

    def _moved(self, system: LinearisedSystem, weights: RowWeights, plain: Tensor) -> Linearisation:
        """Return the linearisation at other weights of a linear problem, whose J is the same."""
        residual = self.space.mixing(weights.weighted(plain))
        offset = self.space.theta[: len(self.space.anchor)] - self.space.anchor
        target = residual - system.apply(offset)
        return Linearisation(weights, plain, residual, target, offset, system)
