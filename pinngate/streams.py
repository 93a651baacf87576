"""One seed, many independent random streams.

Every place that draws random numbers (noise, positions of observations, collocation points,
initial weights, batches) asks here for its own generator by name. Streams are independent of one
another and of the order in which they are asked for, so that changing one leaves the others as
they were. Source: numpy's `SeedSequence` (M. E. O'Neill's seed_seq design).
"""

from __future__ import annotations

import zlib

import numpy as np

from pinngate.errors import InputError


def _sequence(seed: int, stream: str) -> np.random.SeedSequence:
    if seed < 0:
        raise InputError(f"the seed is {seed}", expected="a whole number, zero or more")
    return np.random.SeedSequence([seed, zlib.crc32(stream.encode())])


def generator(seed: int, stream: str) -> np.random.Generator:
    """Return the generator of one named stream; equal arguments give equal numbers.

    Raises:
        InputError: the seed is negative.
    """
    return np.random.default_rng(_sequence(seed, stream))


def torch_seed(seed: int, stream: str) -> int:
    """Return a 63-bit seed for `torch.Generator.manual_seed`, independent between streams.

    Raises:
        InputError: the seed is negative.
    """
    return int(_sequence(seed, stream).generate_state(1, np.uint64)[0] >> np.uint64(1))
