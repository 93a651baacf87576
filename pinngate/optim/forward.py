"""Problems without observations: nothing is to be fitted, and what is stated is solved.

The default optimizer chooses by the risk on data. Without data an evolution that is stated in full
is marched by a solver (`direct_fit.forward_solution`), as one iteration; whatever else there is,
fields that equations and conditions leave to a network, is refused with the way out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pinngate.errors import InputError
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.model.networks import Network
from pinngate.optim.direct_fit.forward_solution import forward_model, forward_solution
from pinngate.optim.direct_fit.marched_states import CannotMarch
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.optim.direct_fit.through_solver import DirectFit
from pinngate.optim.parts import Parts
from pinngate.statement.options import DEFAULT_OPTIMIZER

FROM_STATED = "nothing was observed: the equations were solved from what is stated"
SOLVED = f"{FROM_STATED}, and a finer solver moves nothing"
COARSE = f"{FROM_STATED}, but a finer solver still moves it"


class Forward:
    """Solves what is stated, in one iteration: a `Stepper`.

    Args:
        parts: a problem without observations.

    Raises:
        InputError: it is none that a solver marches from its initial state.
    """

    num_threads: int | None = 1
    expected_iterations = 1

    def __init__(self, parts: Parts) -> None:
        self.parts, problem = parts, parts.problem
        self.coefficients = parts.coefficients()
        self._sizes = [parts.batches.scales[u].size for u in problem.unknowns]
        try:
            if parts.own_network is not None:
                raise CannotMarch("it has a network of its own")
            forward_model(problem, self.coefficients, np.array(self._sizes))
        except CannotMarch as error:
            raise InputError(
                "the problem has no observations",
                expected=f"data, by which {DEFAULT_OPTIMIZER} chooses, or an evolution that a "
                f"solver can march from its initial state, which it cannot: {error}",
                hint="state observations, or take solve.optimizer: adam, which fits a network to "
                "equations and conditions alone",
            ) from None
        self.fit: DirectFit | None = None
        self.network: Network = SolvedFields(problem, None, self._sizes)
        self.iteration = 0

    @property
    def reason(self) -> str | None:
        """None before the step, then how it ended."""
        if self.fit is None:
            return None
        return SOLVED if self.fit.is_converged else COARSE

    @property
    def has_converged(self) -> bool:
        """Whether two resolutions agree."""
        return self.fit is not None and self.fit.is_converged

    def step(self) -> None:
        """Solve.

        Raises:
            CannotMarch: there is no solution.
        """
        problem = self.parts.problem
        self.fit = forward_solution(
            forward_model(problem, self.coefficients, np.array(self._sizes))
        )
        self.network = SolvedFields(problem, self.fit, self._sizes)
        self.iteration = 1

    def log_row(self) -> dict[str, float]:
        """Return how far two resolutions are apart, in sizes of the states."""
        return {} if self.fit is None else {"solver_error": self.fit.solver_error.values}

    def finish(self) -> None:
        """The solution stands."""

    def posterior(self) -> None:
        """Return None: nothing was observed."""

    def kernel(self) -> None:
        """Return None: nothing was observed."""

    def memory(self) -> MemoryPlan:
        """Return the form of a network without weights."""
        return MemoryPlan("dense", 0)

    def describe(self) -> dict[str, Any]:
        """Return how it was solved."""
        return {"network": self.network.describe()}

    def state_dict(self) -> dict[str, Any]:
        """Return whether it was solved: the same problem has the same solution."""
        return {"iteration": self.iteration}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Solve again where that was done."""
        if state["iteration"]:
            self.step()
