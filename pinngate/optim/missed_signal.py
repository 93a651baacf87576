"""Whether leave-one-out errors still have a pattern, which a richer class would find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from pinngate.data.observation_set import ObservationSet
from pinngate.inference.series import correlation


def is_missing_signal(sets: Sequence[ObservationSet], errors: Tensor) -> bool:
    """Whether errors (n,) of neighbouring values of a set are correlated beyond chance."""
    points = np.concatenate([o.points for o in sets])
    if len(points) != len(errors):
        return False
    labels = np.repeat(np.arange(len(sets)), [len(o.points) for o in sets])
    kind, time = ("series", 0) if points.shape[1] == 1 else ("blocks", None)
    found = correlation(points, errors.numpy(), labels, labels, kind, time)
    return found is not None and found.is_clear
