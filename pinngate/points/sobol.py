"""Scrambled Sobol points by number: the sequence that collocation points are drawn from.

Below `sampling`. Point n is the digital shift ⊕ the direction numbers at the ones of n's Gray code,
so that any stretch of the sequence is computed without the points before it. Direction numbers of
Joe & Kuo (SIAM J. Sci. Comput. 30 (2008) 2635), linear matrix scrambling and digital shift of
Matoušek (J. Complexity 14 (1998) 527). Bit for bit the points of `scipy.stats.qmc.Sobol` for the
same generator; own code because importing `scipy.stats` takes as long as a small solve.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 32
# For each axis after the first: degree and inner coefficients of a primitive polynomial over two
# elements, and the odd numbers that its recurrence starts from.
POLYNOMIALS = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
)
MAX_AXES = 1 + len(POLYNOMIALS)

Words = NDArray[np.uint32]


class ScrambledSobol:
    """The sequence in the unit cube of `num_axes` dimensions, of 2³² points.

    Args:
        num_axes: 1 to 8.
        random: a child of this generator draws the scrambling.

    Raises:
        ValueError: more axes than there are direction numbers.
    """

    def __init__(self, num_axes: int, random: np.random.Generator) -> None:
        if not 1 <= num_axes <= MAX_AXES:
            raise ValueError(f"{num_axes} axes: Sobol points are known for 1 to {MAX_AXES}")
        random = random.spawn(1)[0]
        weights = 1 << np.arange(BITS, dtype=np.uint32)
        bits = random.integers(2, size=(num_axes, BITS), dtype=np.uint32)
        self._shift: Words = (bits * weights).sum(axis=1, dtype=np.uint32)
        lower = np.tril(random.integers(2, size=(num_axes, BITS, BITS), dtype=np.uint32), -1)
        lower += np.eye(BITS, dtype=np.uint32)
        directions = np.stack([_directions(axis) for axis in range(num_axes)])
        digits = (directions[:, None, :] >> np.arange(BITS, dtype=np.uint32)[::-1, None]) & 1
        scrambled = (lower @ digits) & 1  # (axes, digits from the highest, directions)
        self._directions: Words = (scrambled * weights[::-1, None]).sum(axis=1, dtype=np.uint32)

    def points(self, start: int, count: int) -> NDArray[np.float64]:
        """Return points number `start` to `start + count` − 1, (count, axes) in [0, 1).

        Raises:
            ValueError: the sequence ends before.
        """
        if start + count > 1 << BITS:
            raise ValueError(f"a Sobol sequence has 2^{BITS} points")
        numbers = np.arange(start, start + count, dtype=np.uint64)
        gray = numbers ^ (numbers >> np.uint64(1))
        words = np.repeat(self._shift[None, :], count, axis=0)
        for digit in range((start + count - 1).bit_length()):
            is_set = (gray >> np.uint64(digit) & np.uint64(1)).astype(bool)
            words[is_set] ^= self._directions[:, digit]
        return np.asarray(words * 2.0**-BITS, dtype=np.float64)


def _directions(axis: int) -> Words:
    """Return the direction numbers (BITS,) of an axis, as fractions of 2³²."""
    if axis == 0:
        numbers = [1] * BITS
    else:
        degree, inner, start = POLYNOMIALS[axis - 1]
        numbers = list(start)
        for k in range(degree, BITS):
            value = numbers[k - degree] ^ (numbers[k - degree] << degree)
            for i in range(1, degree):
                if inner >> (degree - 1 - i) & 1:
                    value ^= numbers[k - i] << i
            numbers.append(value)
    return np.array([m << (BITS - 1 - k) for k, m in enumerate(numbers)], dtype=np.uint32)
