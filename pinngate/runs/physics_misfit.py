"""What share of every equation and condition an answer leaves unmet.

    share = ‖R‖ / max_k ‖R_k‖,

root mean squares over points that the solver did not see, of a residual R = Σ R_k and of its
summands. A condition such as u = 0 has no summand of a size of its own: there the size that the
residual has for fields of their characteristic size counts, too. The equations of a fit through a
solver hold up to the error of the solver, which is `solver_check`. Below `judgement`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from pinngate.expression import Expression, Name, summands
from pinngate.model.residuals import ResidualModel
from pinngate.model.scales import common_size
from pinngate.model.terms import BELOW, Batch, Term
from pinngate.optim.direct_fit.solved_fields import SolvedFields
from pinngate.runs.training import Session
from pinngate.statement.components import is_before_events
from pinngate.statement.problem import Problem

FACTOR = 4  # times the collocation points of the solver


def physics_misfit(session: Session) -> dict[str, float]:
    """Return the share that is unmet of every equation and condition, by its name.

    Cost: a pass through the trial space for every summand, on four times the collocation points.
    """
    source = session.batches.twin("misfit", FACTOR, session.stepper.network.low.dtype)
    batches, unit = source.draw_in_order(), common_size(source.scales)
    is_solved = isinstance(session.stepper.network, SolvedFields)
    problem = session.problem
    stated = enumerate(problem.conditions, 1)
    hidden = {f"condition_{k}" for k, c in stated if is_before_events(problem, c)}
    return {
        term.name: 0.0
        if is_solved and term.kind == "equation" and not term.name.startswith(BELOW)
        else _share(session, term, batches[term.name], unit)
        for term in source.terms
        if term.kind in ("equation", "condition") and term.name not in hidden
    }


def _share(session: Session, term: Term, batch: Batch, unit: float) -> float:
    left = _size(session, term.residual, batch)
    sizes = [_size(session, part, batch) for part in summands(term.residual)]
    sizes += [_size(session, Name(field), batch) for field in _bounded(session.problem, term)]
    if term.kind == "condition":
        sizes.append(term.scale * unit)
    largest = max(filter(math.isfinite, sizes), default=0.0)
    return left / largest if largest > 0 else 0.0


def _bounded(problem: Problem, term: Term) -> list[str]:
    """Return the field that a term keeps above zero, none for other terms."""
    return [u for k, u in enumerate(problem.positive, 1) if term.name == f"{BELOW}_{k}"]


def _size(session: Session, expression: Expression, batch: Batch) -> float:
    """Return the root mean square of an expression over a batch."""
    stepper = session.stepper
    model = ResidualModel([Term("seen", "condition", expression)], session.problem)
    tiles = model.sweep(stepper.network, stepper.coefficients, {"seen": batch})
    values = list(_values(part.residual for tile in tiles for part in tile.evaluations))
    return math.sqrt(float(torch.cat(values).square().mean())) if values else 0.0


def _values(residuals: Iterable[torch.Tensor]) -> Iterable[torch.Tensor]:
    for residual in residuals:
        yield residual.detach().double()
