"""Coming back to a run on disk: its session as it stood at the last checkpoint."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from pinngate import config
from pinngate.errors import InputError
from pinngate.expression.parser import NONE, Functions
from pinngate.optim.own_optimizer import FinishedOptimizer
from pinngate.runs import checkpoint, files
from pinngate.runs.training import Session, begin
from pinngate.statement.options import OWN_OPTIMIZER
from pinngate.statement.problem import Problem


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
    require_own_network(problem, network)
    is_own = problem.solve.optimizer == OWN_OPTIMIZER
    session = begin(problem, network=network, optimizer=FinishedOptimizer if is_own else None)
    session.load_state_dict(checkpoint.load(folder / "checkpoint.pt", files.identity(folder)))
    session.stepper.finish()
    return session


def require_own_network(problem: Problem, network: nn.Module | None) -> None:
    """Refuse a module for a run that had none.

    Raises:
        InputError: one is given, and the run was not solved with one.
    """
    if network is not None and problem.solve.own_network is None:
        raise InputError(
            "a network is given, and this run was solved with the package's own",
            expected="no network=",
        )
