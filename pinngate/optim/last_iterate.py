"""What the last iterate of a first-order run tells: Laplace's posterior, and the kernel's spectrum.

Both come from the Jacobian at the weights where the optimizer stopped. It is formed once, after the
last step, and may be larger than the steps themselves: `memory` says what it takes.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pinngate.errors import InputError
from pinngate.inference.kernel import KernelSpectrum, kernel_spectrum
from pinngate.inference.linearised_fit import LinearisedFit, fit_at_weights
from pinngate.inference.posterior import posterior_of
from pinngate.inference.uncertainty import Uncertainty
from pinngate.linear.forms import Trial, planned
from pinngate.linear.memory_plan import MemoryPlan, Size, plan_posterior
from pinngate.memory import budget, rounded_text
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.points.batches import BatchSource
from pinngate.points.sampling import POSTERIOR_POINTS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LastIterate:
    """A network and coefficients as an optimizer left them.

    Attributes:
        model: the loss's terms.
        network: with the weights of the last step.
        coefficients: of the last step.
        batches: the source of points and data.
        anchor: weights from which the ridge measures, (parameters of the network,).
        weights: kind of term (equations, conditions, observations) to its weight in the loss.
        max_memory: bytes, None for half of what is free.
    """

    model: ResidualModel
    network: Network
    coefficients: Coefficients
    batches: BatchSource
    anchor: Tensor
    weights: Mapping[str, float]
    max_memory: int | None

    def posterior(self) -> Uncertainty | None:
        """Return Laplace's posterior, None where it would not fit or nothing was observed."""
        if not self.batches.observations:
            return None
        needed, allowed = self.memory().num_bytes, budget(self.max_memory)
        if needed > allowed:
            logger.warning(
                "no uncertainty: its Jacobian takes %s, and %s are allowed",
                rounded_text(needed),
                rounded_text(allowed),
            )
            return None
        return posterior_of(self._linearised(), self.batches.stated_std())

    def kernel(self) -> KernelSpectrum | None:
        """Return the kernel spectrum, None where nothing was observed.

        Raises:
            InputError: it does not fit into memory.
        """
        if not self.batches.observations:
            return None
        needed, allowed = self.memory().num_bytes, budget(self.max_memory)
        if needed > allowed:
            raise InputError(
                f"the kernel takes {rounded_text(needed)} of memory, "
                f"and {rounded_text(allowed)} are allowed",
                expected="more free memory, or fewer points or parameters",
            )
        return kernel_spectrum(self._linearised())

    def memory(self) -> MemoryPlan:
        """Return the form of the posterior and what it needs."""
        width, depth = self.network.width_and_depth
        size = Size(
            num_rows=self.batches.num_rows(),
            num_posterior_rows=self.batches.num_rows(POSTERIOR_POINTS),
            num_observations=self.batches.num_points()["observations"],
            num_parameters=self.network.num_parameters + len(self.coefficients.names),
            width=width,
            depth=depth,
            num_channels=self.model.num_channels,
        )
        return plan_posterior(size)

    def _linearised(self) -> LinearisedFit:
        """Linearise, rows weighted so that their squares sum to n times the loss, n the data."""
        batches = self.batches.twin("posterior", POSTERIOR_POINTS).draw_in_order()
        num_observations = self.batches.num_points()["observations"]
        roots = {}
        for term in self.model.terms:
            weight = self.weights.get(f"{term.kind}s", 1.0)
            is_data = term.kind == "observation"
            share = 1.0 if is_data else num_observations / len(batches[term.name])
            roots[term.name] = 1.0 if is_data else math.sqrt(weight * share)
        network = copy.deepcopy(self.network).double()
        coefficients = copy.deepcopy(self.coefficients).double()
        trial = Trial(self.model, network, coefficients)
        return fit_at_weights(trial, batches, roots, self.anchor, planned(self.memory()))
