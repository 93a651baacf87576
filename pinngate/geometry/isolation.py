"""DeepXDE without its side effects.

On import DeepXDE prints, makes the GPU torch's default device, draws random numbers, sets
environment variables and, without ``DDE_BACKEND``, writes a file into the home directory; its
sampling prints, warns and draws from numpy's global generator. Everything of it runs inside
`isolated`, which prevents or undoes all of that.
"""

from __future__ import annotations

import io
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np

from pinngate.errors import InputError

EXTRA = "geometry"


def is_available() -> bool:
    """Return whether DeepXDE is installed."""
    return find_spec("deepxde") is not None


@contextmanager
def isolated(seed: int = 0) -> Iterator[Any]:
    """Yield the module ``deepxde.geometry`` in double precision; leave everything else as it was.

    Args:
        seed: of numpy's global generator inside the block.

    Raises:
        InputError: DeepXDE is not installed.

    Cost: about three seconds the first time, then a third of a millisecond.
    """
    is_loaded = "deepxde" in sys.modules
    if not is_loaded and not is_available():
        raise InputError(
            "a problem with a geometry needs the package deepxde, which is not installed",
            hint=f"install it with: pip install 'pinngate[{EXTRA}]'",
        )
    state, numpy_state = random.getstate(), np.random.get_state()
    with ExitStack() as stack:
        stack.callback(random.setstate, state)
        stack.callback(np.random.set_state, numpy_state)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(redirect_stderr(io.StringIO()))
        if not is_loaded:
            import torch

            for setter in ("set_default_device", "set_default_dtype"):
                stack.enter_context(mock.patch.object(torch, setter))
            stack.enter_context(mock.patch.dict(os.environ, {"DDE_BACKEND": "pytorch"}))
        from deepxde import geometry
        from deepxde.config import real

        for name in ("precision", "reals"):
            stack.callback(setattr, real, name, getattr(real, name))
        real.set_float64()
        np.random.seed(seed)
        yield geometry
