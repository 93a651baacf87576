"""Checkpoints: everything needed to go on, written so that a killed process loses nothing.

A file is written beside its final place and moved there in one step. It holds tensors and plain
containers only and loads with ``weights_only=True``.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from pinngate.errors import InputError

FORMAT = 2


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    part = path.with_suffix(".part")
    torch.save({"format": FORMAT, **state}, part)
    os.replace(part, path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        InputError: there is none, or it is not one of this package's.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist", hint="a run writes it as soon as training begins"
        ) from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a readable checkpoint ({error})") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            f"{path} is no checkpoint of format {FORMAT}",
            hint="it is of another version of this package: run the problem again",
        )
    return state
