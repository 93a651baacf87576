"""What a session's posterior says in the fields' own values: deviations, intervals, joint draws.

Between the solution object and `pinngate.inference`, whose posterior speaks of what the network
gives and of raw coefficients. Coefficients that have bounds are mapped back here.
"""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from pinngate.errors import InputError
from pinngate.inference.draws import coefficient_covariance, draw
from pinngate.inference.uncertainty import Uncertainty, field_quantile
from pinngate.runs.judgement import deviations
from pinngate.runs.training import Session, limited_threads
from pinngate.statement.coefficient_fields import ends_of, values_and_slopes
from pinngate.streams import torch_seed

Array = NDArray[np.float64]


class PosteriorFields:
    """Uncertainty of the fields and coefficients of a finished session.

    Args:
        session: after training.
        posterior: the session's, where it has been computed already.
    """

    def __init__(self, session: Session, posterior: Uncertainty | None = None) -> None:
        self.session = session
        self._given = posterior

    @cached_property
    def posterior(self) -> Uncertainty:
        """The posterior at the answer.

        Raises:
            InputError: the run has none.
        """
        with limited_threads(self.session.stepper.num_threads):
            found = self._given or self.session.stepper.posterior()
        if found is None:
            raise InputError(
                "this run has no uncertainty",
                expected="observations, and memory for the Jacobian of all residuals",
            )
        return found

    def deviations(self, points: Array) -> dict[str, Array]:
        """Return the standard deviation of every field at points (n, axes): name → (n,)."""
        posterior = self.posterior
        with limited_threads(self.session.stepper.num_threads):
            found = deviations(self.session, posterior, points)
        return {name.removesuffix("_std"): std for name, std in found.items()}

    def ends(self, points: Array, level: float) -> dict[str, tuple[Array, Array]]:
        """Return the ends of pointwise intervals at points (n, axes): name → two arrays (n,).

        Raises:
            InputError: the level is no probability, or there is no uncertainty.
        """
        quantile = field_quantile(self.posterior, level)
        values, std = self.session.evaluate(points), self.deviations(points)
        ends = {n: (values[n] - quantile * std[n], values[n] + quantile * std[n]) for n in values}
        outputs = self.session.outputs(points) if self.session.problem.coefficient_fields else {}
        for varying in self.session.problem.coefficient_fields:
            output = outputs[varying.name]
            slope = values_and_slopes(varying, output)[1]
            ends[varying.name] = ends_of(varying, output, quantile * std[varying.name] / slope)
        return ends

    def draws(self, points: Array, count: int, seed: int) -> dict[str, Array]:
        """Draw fields at points (n, axes) and coefficients jointly: name → (count, n) or (count,).

        Raises:
            InputError: there is no uncertainty, or the seed is negative.
        """
        problem, stepper = self.session.problem, self.session.stepper
        network = copy.deepcopy(stepper.network).double()
        generator = torch.Generator().manual_seed(torch_seed(seed, "posterior draws"))
        at = torch.as_tensor(points, device=network.low.device)
        coefficients, posterior = stepper.coefficients, self.posterior
        with limited_threads(stepper.num_threads):
            drawn = draw(posterior, network, coefficients, at, count, generator)
        outputs = drawn.outputs.cpu().numpy()
        found = {name: outputs[:, :, k] for k, name in enumerate(problem.outputs)}
        for varying in problem.coefficient_fields:
            found[varying.name] = values_and_slopes(varying, found[varying.name])[0]
        values = coefficients.values_at(drawn.raw).cpu().numpy()
        return found | {name: values[:, k] for k, name in enumerate(coefficients.names)}

    def coefficient_covariance(self) -> Array:
        """Return the joint covariance of the coefficients in their own units, (K, K)."""
        coefficients = self.session.stepper.coefficients
        found: Array = coefficient_covariance(self.posterior, coefficients).cpu().numpy()
        return found
