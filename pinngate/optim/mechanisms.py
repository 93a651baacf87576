"""What steers a default solve beside the linear algebra: one switch for each mechanism.

All are on. Each is there because an ablation says what it buys (`pinngate bench ablation`,
`results/ablation`); a switch is for that alone and no key of a problem file. Carried by the options
of the solver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from pinngate.errors import InputError, nearest


@dataclass(frozen=True)
class Mechanisms:
    """Which mechanisms are on.

    Attributes:
        acceleration: steps are corrected for the curvature of the residuals.
        averaging: of a linear problem the answer is a mean over the small networks.
        basis: a tensor basis races, on one or two axes before the networks.
        foresight: beside the best, candidates go on that foresee to be significantly better.
        octaves: in fits through a solver each octave of a function has its part in the ridge.
        ramp: the weight of the physics rises from a small part of itself.
        rehearsal: a race of networks alone is run on a part of very many values.
        robust: tails of the noise are judged, and outliers lose weight.
        solver: evolutions in time and at most one space axis are fitted through a solver, too.
        stiffening: quieter data get stiffer physics.
    """

    acceleration: bool = True
    averaging: bool = True
    basis: bool = True
    foresight: bool = True
    octaves: bool = True
    ramp: bool = True
    rehearsal: bool = True
    robust: bool = True
    solver: bool = True
    stiffening: bool = True

    def without(self, names: Iterable[str]) -> Mechanisms:
        """Return the same with some switched off.

        Raises:
            InputError: there is none of that name.
        """
        known = [field.name for field in fields(self)]
        for name in names:
            if name not in known:
                raise InputError(
                    f"there is no mechanism '{name}'",
                    expected="one of " + ", ".join(known),
                    hint=nearest(name, known),
                )
        return replace(self, **dict.fromkeys(names, False))


ALL = Mechanisms()
