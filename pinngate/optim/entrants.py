"""Who enters the race beside the networks, and when: a fit through a solver, a tensor basis.

Pure statements about a problem and its data, between `divisions` and `line_up`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pinngate.optim.collocation.spaces import is_sparse, kinks
from pinngate.optim.direct_fit.candidate import has_solver
from pinngate.optim.divisions import Division
from pinngate.optim.parts import Parts
from pinngate.statement.homogeneity import scaled_together
from pinngate.statement.linearity import is_linear
from pinngate.statement.options import RACE

SOLVER, POLISH, BASIS = "solver", "polish", "basis"
MOST_AXES = 3  # of a basis
MANY_VALUES = 2000  # beyond, the least basis is cheaper than the least network
MOST_VALUES = 20_000  # on three axes; beyond, networks alone race, who see a part of them at first


def is_for_solver(parts: Parts) -> bool:
    """Whether a direct fit through a solver races: on evolutions with no noise of one's own."""
    solve = parts.problem.solve
    is_free = solve.network == RACE and parts.own_network is None and solve.polish != "none"
    is_free = is_free and parts.batches.device.type == "cpu" and not parts.own_noise()
    has_data = parts.batches.num_points()["observations"] > 0
    is_free = is_free and has_data and not _has_loose_functions(parts)
    return is_free and has_solver(parts.problem)


def _has_loose_functions(parts: Parts) -> bool:
    """Whether the equations know a function up to a factor only: tangents are singular then."""
    functions = {f.name for f in parts.problem.coefficient_fields}
    return bool(functions) and bool(functions & set(scaled_together(parts.problem)))


def is_for_basis(parts: Parts) -> bool:
    """Whether a tensor basis races: on one or two axes, or on three where few of it are free."""
    problem, batches = parts.problem, parts.batches
    is_free = problem.solve.network == RACE and parts.own_network is None
    is_free = is_free and not problem.beyond_networks
    return (
        is_free
        and (not is_sparse(problem) or _leaves_few_free(parts))
        and batches.num_points()["observations"] > 0
        and batches.dtype == torch.float64
        and batches.device.type == "cpu"
    )


def _leaves_few_free(parts: Parts) -> bool:
    """Whether equations reduce the products of three axes to hundreds by one factorisation.

    Linear ones that are known do; others would ask for one of thousands at each step. Where a
    solution may have kinks no part of all products is near it.
    """
    problem, count = parts.problem, parts.batches.num_points()["observations"]
    is_smooth = not any(kinks(problem, axis) for axis in problem.axes)
    is_small = len(problem.axes) <= MOST_AXES and count < MOST_VALUES
    return is_small and is_smooth and is_linear(problem)


def with_basis(parts: Parts, divisions: Sequence[Division]) -> tuple[Division, ...]:
    """Return the divisions with that of the basis: first where it costs less than networks.

    Where few values are all that is unknown, and on more than two axes, small networks are quick
    and know smooth fields better than products do; the basis follows where they do not fit.
    """
    basis, problem = Division({BASIS: None}), parts.problem
    if is_sparse(problem) or (len(problem.axes) > 1 and _is_of_few_values(parts)):
        return (*divisions[:1], basis, *divisions[1:])
    return (basis, *divisions)


def with_solver(parts: Parts, divisions: Sequence[Division]) -> tuple[Division, ...]:
    """Return the divisions with that of the solver: first but where means of networks are better.

    Networks of one layer on a linear problem have a mean, which knows smooth fields better than
    one function of the initial state does.
    """
    solver = Division({SOLVER: None})
    if len(parts.problem.axes) > 1 and is_linear(parts.problem):
        return (*divisions[:1], solver, *divisions[1:])
    return (solver, *divisions)


def _is_of_few_values(parts: Parts) -> bool:
    """Whether few values are all that is unknown."""
    problem, count = parts.problem, parts.batches.num_points()["observations"]
    is_searching = bool(problem.coefficients) or bool(problem.coefficient_fields)
    return count < MANY_VALUES and not is_searching
