"""Noise of one set of observations: drawn where it is synthetic, and how it wants to be fitted.

Between `observation_set` and `observations`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pinngate.data.censoring import Censoring
from pinngate.data.noise_law import NoiseLaw
from pinngate.data.observation_set import Array, ObservationSet
from pinngate.data.whitening import Whitening
from pinngate.errors import DataError
from pinngate.expression import Call
from pinngate.statement.problem import Noise

STUDENT_T_DOF = 3  # heavy tails, and still a finite standard deviation to scale to


def memory_of(noise: Noise | None, axes: Sequence[str]) -> Whitening | None:
    """Return the memory of errors that are correlated over one of the axes, else None."""
    if noise is None or noise.correlated is None:
        return None
    return Whitening(list(axes).index(noise.correlated.over), noise.correlated.length)


def noisy(
    noise: Noise,
    clean: Array,
    random: np.random.Generator,
    name: str,
    errors: Array | None = None,
) -> tuple[Array, str]:
    """Return values (n,) that scatter about clean ones, and the noise in words.

    Args:
        noise: what is stated.
        clean: (n,).
        random: the stream of the noise.
        name: of the set.
        errors: of standard deviation one, (n,); they are drawn where none are given.

    Raises:
        DataError: counts of a negative mean, or factors on what is not positive.
    """
    if noise.kind in ("poisson", "log-normal"):
        _refuse_not_positive(clean, noise.kind, name)
    if noise.kind == "poisson":
        return random.poisson(clean).astype(np.float64), "counts"
    errors = standard_errors(noise, len(clean), random) if errors is None else errors
    if noise.kind == "log-normal":
        factor = noise.factor or 1.0
        return clean * factor**errors, f"log-normal noise of factor {factor:.4g}"
    if noise.kind == "proportional":
        share = noise.relative or 0.0
        return clean * (1 + share * errors), f"noise of {share:.4g} of each value"
    std = noise.std if noise.std is not None else (noise.relative or 0.0) * float(np.std(clean))
    words = f"{noise.kind} noise of standard deviation {std:.4g}{noise.details}"
    return clean + std * errors, words


def _refuse_not_positive(values: Array, kind: str, name: str) -> None:
    least = float(values.min())
    if least < 0 or (least == 0 and kind == "log-normal"):
        raise DataError(
            f"{name}: the least value is {least:g}",
            expected="counts of 0 or more" if kind == "poisson" else "values above 0",
            hint=f"noise of the kind {kind} is that of such values",
        )


def under_noise(made: ObservationSet, noise: Noise | None, axes: Sequence[str]) -> ObservationSet:
    """Return a set as its noise wants it to be fitted.

    Values with log-normal noise are fitted by their logarithms, whose noise is Gaussian; noise
    that follows the values gets its law, censored values their bounds, correlated errors their
    memory.

    Raises:
        DataError: values are not positive where they have to be, or none lies between its bounds,
            or two of one series are at one place.
    """
    if noise is None:
        return made
    if noise.kind == "censored":
        return _censored(made, Censoring(noise.below, noise.above))
    if noise.correlated is not None:
        return _remembering(made, memory_of(noise, axes), noise.correlated.over)
    return _following(made, noise)


def _censored(made: ObservationSet, censoring: Censoring) -> ObservationSet:
    """Return a set whose values beyond a bound are that bound, and say so."""
    found = replace(made, values=censoring.bounded(made.values), censoring=censoring)
    count = int(found.is_measured.sum())
    if not count:
        raise DataError(
            f"{made.name}: all values are at a bound of the censored noise or beyond",
            expected="values between the bounds, too",
        )
    note = f"{len(made.values) - count:,} of {len(made.values):,} values are bounds"
    return replace(found, notes=(*made.notes, note))


def _remembering(made: ObservationSet, memory: Whitening | None, over: str) -> ObservationSet:
    """Return a set whose errors remember."""
    row = None if memory is None else memory.repeated(made.points)
    if row is not None:
        raise DataError(
            f"{made.name}: two values of one series are at one {over}, {made.values[row]:g} one of "
            f"them, and errors correlated over {over} would be equal there",
            expected=f"one value of a series at each {over}",
            hint="state the values of two instruments as two sets of observations",
        )
    return replace(made, memory=memory)


def _following(made: ObservationSet, noise: Noise) -> ObservationSet:
    """Return a set whose noise follows its values, as its logarithms or with a law."""
    if noise.kind not in ("log-normal", "proportional", "poisson"):
        return made
    if noise.kind != "proportional":
        _refuse_not_positive(made.values, noise.kind, made.name)
    if noise.kind == "log-normal":
        return _logarithm_of(made, noise.factor)
    known = None if made.clean is not None else noise.relative
    return replace(made, std=None, law=NoiseLaw.of(noise.kind, made.values, known))


def _logarithm_of(made: ObservationSet, factor: float | None) -> ObservationSet:
    """Return a set of logarithms; the size of synthetic noise is not told."""
    if made.mean is not None:
        raise DataError(
            f"{made.name}: the noise of a mean is log-normal",
            expected="noise of the kind proportional, which is alike where it is small",
        )
    is_told = made.clean is None and factor is not None
    return replace(
        made,
        of=f"log({made.of})",
        values=np.log(made.values),
        clean=None if made.clean is None else np.log(made.clean),
        std=np.full(len(made.values), math.log(factor or 1.0)) if is_told else None,
        quantity=Call("log", made.expression),
        before_log=made,
    )


def standard_errors(noise: Noise, count: int, random: np.random.Generator) -> Array:
    """Return errors of the stated kind in units of the stated standard deviation, (count,).

    ``student-t``: three degrees of freedom, divided by their standard deviation √3. ``outliers``:
    gaussian, and a random `fraction` of them drawn anew with `scale` standard deviations.
    """
    if noise.kind == "student-t":
        spread = math.sqrt(STUDENT_T_DOF / (STUDENT_T_DOF - 2))
        return random.standard_t(STUDENT_T_DOF, count) / spread
    errors = random.standard_normal(count)
    if noise.kind == "outliers":
        struck = random.random(count) < noise.fraction
        errors[struck] = noise.scale * random.standard_normal(int(struck.sum()))
    return errors


__all__ = ["memory_of", "noisy", "standard_errors", "under_noise"]
