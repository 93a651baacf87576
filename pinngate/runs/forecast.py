"""The memory that a run is going to take, counted from the problem before any network is built.

What ``pinngate check`` says; the optimizers ask `linear.memory_plan` with the sizes that they have
built, and a test holds the two equal. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinngate.data.observations import ObservationSet
from pinngate.data.priors import conserved_sets, prior_sets
from pinngate.expression import Expression
from pinngate.linear.memory_plan import MemoryPlan, Size, choose_form, plan_posterior
from pinngate.memory import budget
from pinngate.model.channels.plan import plan_channels
from pinngate.model.terms import problem_terms
from pinngate.optim.divisions import COEFFICIENT_NETWORKS, DIVISIONS
from pinngate.points.sampling import NUM_CONDITION, NUM_SIDES, POSTERIOR_POINTS, size_of_batch
from pinngate.statement.completion import complete_options
from pinngate.statement.options import (
    GaussNewtonSolveOptions,
    NetworkOptions,
    OptimizerOptions,
)
from pinngate.statement.problem import BoundaryPart, Problem, Where, Window


def memory_of_a_run(problem: Problem, observations: Sequence[ObservationSet]) -> MemoryPlan:
    """Return the form and the bytes of the largest network that a run may work on.

    Raises:
        InputError: the options are not those of the optimizer, or no form fits into the budget.
    """
    options = complete_options(problem)
    if problem.beyond_networks:
        return MemoryPlan("dense", 0)
    observations = [*observations, *conserved_sets(problem, observations), *prior_sets(problem)]
    num_channels = _num_channels(problem, observations)
    if isinstance(options, GaussNewtonSolveOptions):
        allowed = budget(options.max_memory)
        plans = [
            choose_form(_size(problem, observations, options, network, num_channels), allowed)
            for network in _networks(options)
        ]
        return max(plans, key=lambda plan: plan.num_bytes)
    (network,) = _networks(options)
    size = _size(problem, observations, options, network, num_channels)
    return plan_posterior(size)


def _networks(options: OptimizerOptions) -> list[NetworkOptions]:
    if isinstance(options.network, NetworkOptions):
        return [options.network]
    every = [network for division in DIVISIONS for network in division.networks.values()]
    return [network for network in every if network is not None]


def _size(
    problem: Problem,
    observations: Sequence[ObservationSet],
    options: OptimizerOptions,
    network: NetworkOptions,
    num_channels: int,
) -> Size:
    num_terms = len(problem.solved_equations) + len(problem.positive)
    collocation = num_terms * size_of_batch(options.collocation, problem.domain)
    num_observations = sum(len(made.values) for made in observations)
    others = _num_condition_points(problem) + num_observations
    weights = network.num_weights(len(problem.axes), len(problem.solved_fields))
    for field in problem.coefficient_fields:
        weights += COEFFICIENT_NETWORKS[len(field.over)].num_weights(len(field.over), 1)
    return Size(
        num_rows=collocation + others,
        num_posterior_rows=POSTERIOR_POINTS * collocation + others,
        num_observations=num_observations,
        num_parameters=weights + len(problem.coefficients),
        width=network.width,
        depth=network.depth,
        num_channels=num_channels,
    )


def _num_condition_points(problem: Problem) -> int:
    def count(where: Where) -> int:
        if isinstance(where, BoundaryPart):
            return size_of_batch(NUM_SIDES * NUM_CONDITION, problem.domain)
        plane = where.plane if isinstance(where, Window) else where
        return size_of_batch(NUM_CONDITION, problem.domain, plane)

    return sum(count(condition.where) for condition in problem.conditions)


def _num_channels(problem: Problem, observations: Sequence[ObservationSet]) -> int:
    """Return the most derivative channels of any term: the equations' together, others' alone."""
    terms = problem_terms(problem, [made.expression for made in observations])
    equations = [term.residual for term in terms if term.kind == "equation"]
    alone = [term.residual for term in terms if term.kind != "equation"]
    counts = [_channels_of(problem, [residual], is_collapsing=False) for residual in alone]
    if equations:
        counts.append(_channels_of(problem, equations, is_collapsing=True))
    return max(counts)


def _channels_of(problem: Problem, residuals: Sequence[Expression], *, is_collapsing: bool) -> int:
    estimated = [c.name for c in problem.coefficients]
    plan = plan_channels(
        residuals, problem.outputs, problem.axes, estimated, is_collapsing=is_collapsing
    )
    return plan.num_channels
