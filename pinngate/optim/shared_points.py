"""The points that the candidates of a race share: those of the present iteration, those at the end.

Drawn from the problem's source of batches (`points`) for the iterations of networks. Below
`second_order`, which asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pinngate.model.terms import Batch
from pinngate.points.batches import BatchSource
from pinngate.points.sampling import POSTERIOR_POINTS


class SharedPoints:
    """Draws of one source.

    Args:
        source: of points and data.

    Attributes:
        batches: the present draw.
    """

    def __init__(self, source: BatchSource) -> None:
        self.source = source
        self.batches: dict[str, Batch] = source.draw()

    def draw(self) -> None:
        """Draw anew."""
        self.batches = self.source.draw()

    def for_posterior(self) -> dict[str, Batch]:
        """Return more points than an iteration's, the same whenever they are asked for."""
        return self.source.twin("posterior", POSTERIOR_POINTS).draw_in_order()

    def state_dict(self) -> dict[str, Any]:
        """Return the present draw, and where the source stands."""
        return {
            "batches": {name: dict(vars(batch)) for name, batch in self.batches.items()},
            "drawn": self.source.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.batches = {name: Batch(**batch) for name, batch in state["batches"].items()}
        self.source.load_state_dict(state["drawn"])
