"""Coming back to a run on disk: its session as it stood at the last checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from pinngate import config
from pinngate.expression.parser import NONE, Functions
from pinngate.optim.own_optimizer import FinishedOptimizer
from pinngate.runs import checkpoint, files
from pinngate.runs.training import Session, begin
from pinngate.statement.options import OWN_OPTIMIZER


def load_session(
    folder: Path, *, network: nn.Module | None = None, functions: Functions = NONE
) -> Session:
    """Return the session of a run as it stood at its last checkpoint.

    Args:
        folder: of the run.
        network: of the class and size of the caller's own that it was run with, where there was
            one; its weights come from the run.
        functions: of the caller's own that the problem calls.

    Raises:
        InputError: the folder holds no run, or what the caller brought along is missing.
    """
    files.require_run(folder)
    problem = config.load(folder / "problem.yaml", functions=functions)
    is_own = problem.solve.optimizer == OWN_OPTIMIZER
    session = begin(problem, network=network, optimizer=FinishedOptimizer if is_own else None)
    session.load_state_dict(checkpoint.load(folder / "checkpoint.pt"))
    session.stepper.finish()
    return session
