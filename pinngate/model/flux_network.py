"""A network of the caller's own beside one of the fluxes, which the caller knows nothing of.

Fluxes (`statement.brackets`) are fields that are solved for: the unit of all residuals is the size
of both together, as it is where one network of ours gives them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinngate.model.networks import JointNetwork, Network


class FluxNetwork(JointNetwork):
    """The network of the unknowns, that of the fluxes, then one for each coefficient field.

    Args:
        parts: in this order.
    """

    @property
    def unit(self) -> float:
        """Size of unknowns and fluxes, the root mean square of their scales."""
        unknowns, fluxes, *_ = self.networks
        square = sum(float(part.output_scale.square().sum()) for part in (unknowns, fluxes))
        return (square / (unknowns.num_outputs + fluxes.num_outputs)) ** 0.5


def joined(parts: Sequence[Network], *, has_fluxes: bool) -> Network:
    """Return the parts as one network; with `has_fluxes` the second one gives the fluxes."""
    if len(parts) == 1:
        return parts[0]
    return FluxNetwork(parts) if has_fluxes else JointNetwork(parts)
