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
        adaptation: where coefficients are estimated, collocation points follow the fields.
        averaging: of a linear problem the answer is a mean over the small networks.
        backing_off: physics that costs the fit to the data goes back one step.
        balance: sets of observations weigh by their noise, found as the physics rises.
        basis: on one or two axes a tensor basis races before the networks.
        foresight: beside the best, candidates go on that foresee to be significantly better.
        following: the weight of the physics waits until the iterate follows.
        one_step: coefficients are the mean of undersmoothed linearised minimisers.
        quiet_points: collocation points are kept twice as long where the last digits count.
        ramp: the weight of the physics rises from a small part of itself.
        redraw: collocation points serve for several iterations; off, for one.
        replicates: other networks are tried where repeated measurements contradict the risk.
        robust: tails of the noise are judged, and outliers lose weight.
        scan_pause: a ridge at rest serves for several iterations.
        smoothness: of initial values that nothing but data tell, a prior for deep networks.
        solver: evolutions in time and at most one space axis are fitted through a solver, too.
        spare: fresh networks, warmed up by Adam, where the others are stuck.
        stiffening: quieter data get stiffer physics.
        strain: other networks are tried where data and physics are not met together.
        undersmoothing: the minimisers of `one_step` are taken at a tenth of the ridge.
    """

    acceleration: bool = True
    adaptation: bool = True
    averaging: bool = True
    backing_off: bool = True
    balance: bool = True
    basis: bool = True
    following: bool = True
    foresight: bool = True
    one_step: bool = True
    quiet_points: bool = True
    ramp: bool = True
    redraw: bool = True
    replicates: bool = True
    robust: bool = True
    scan_pause: bool = True
    smoothness: bool = True
    solver: bool = True
    spare: bool = True
    stiffening: bool = True
    strain: bool = True
    undersmoothing: bool = True

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
