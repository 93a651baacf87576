"""Arithmetic that breaks down: a division by zero, an overflow, a matrix that has no factors.

Which numbers of a problem make it do so is for whoever stated them to see, so it is told in words
with the stage at which it happened; it is no fault of the package. Around the stages of a run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pinngate.errors import InputError, SolveError

BREAKDOWNS = (ArithmeticError, np.linalg.LinAlgError, torch.linalg.LinAlgError)
ADVICE = "state the problem in units in which its numbers are neither huge nor tiny"


@contextmanager
def setting_up() -> Iterator[None]:
    """Tell of numbers with which a problem cannot even be set up.

    Raises:
        InputError: there are such.
    """
    try:
        yield
    except BREAKDOWNS as error:
        raise InputError(
            f"the numbers of this problem are beyond what can be computed with ({_words(error)})",
            expected="sizes of fields, axes and coefficients between 1e-100 and 1e100",
            hint=ADVICE,
        ) from error


@contextmanager
def solving(stage: str) -> Iterator[None]:
    """Tell of a computation that broke down.

    Raises:
        SolveError: it did.
    """
    try:
        yield
    except BREAKDOWNS as error:
        raise SolveError(
            f"the computation broke down {stage} ({_words(error)}): {ADVICE}"
        ) from error


def _words(error: Exception) -> str:
    told = error.args[-1] if error.args else type(error).__name__
    return str(told).splitlines()[0][:200] if str(told) else type(error).__name__


def nulled(value: Any) -> Any:
    """Return nested metrics with None in place of every number that is not finite."""
    if isinstance(value, dict):
        return {key: nulled(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [nulled(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
