"""The points that the candidates of a race share: those of the present iteration, those at the end.

Drawn from the problem's source of batches (`points`) for the iterations of networks. Values stay in
the order in which they were given, so that the errors of two candidates can be told apart in pairs.

Which network follows the data is known long before a million values are seen: a race of networks
alone is run on a random part of every large set, as many values as the posterior takes collocation
points, and its winner goes on with all (a rehearsal).
Below `second_order`, which asks for the points and says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pinngate.model.terms import Batch
from pinngate.points.batches import BatchSource
from pinngate.points.sampling import POSTERIOR_POINTS
from pinngate.streams import torch_seed


class SharedPoints:
    """Draws of one source.

    Args:
        source: of points and data.
        is_rehearsing: whether large sets of values are shown in part at first.

    Attributes:
        shown: rows of the sets that are shown in part, by name; empty once all are.
        batches: the present draw.
    """

    def __init__(self, source: BatchSource, *, is_rehearsing: bool = False) -> None:
        self.source = source
        self.shown = _parts_of(source) if is_rehearsing else {}
        self.draw()

    @property
    def num_observations(self) -> int:
        """Values that are shown."""
        return sum(len(self.batches[name]) for name in self.source.observations)

    def draw(self) -> None:
        """Draw anew."""
        drawn = self.source.draw_in_order()
        parts = {name: drawn[name].take(rows) for name, rows in self.shown.items()}
        self.batches: dict[str, Batch] = drawn | parts

    def show_all(self) -> None:
        """Show every value from now on."""
        self.shown = {}
        self.draw()

    def for_posterior(self) -> dict[str, Batch]:
        """Return more points than an iteration's, the same whenever they are asked for."""
        return self.source.twin("posterior", POSTERIOR_POINTS).draw_in_order()

    def state_dict(self) -> dict[str, Any]:
        """Return the present draw, and where the source stands."""
        return {
            "batches": {name: dict(vars(batch)) for name, batch in self.batches.items()},
            "drawn": self.source.state_dict(),
            "shown": dict(self.shown),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.batches = {name: Batch(**batch) for name, batch in state["batches"].items()}
        self.source.load_state_dict(state["drawn"])
        self.shown = dict(state["shown"])


def _parts_of(source: BatchSource) -> dict[str, Tensor]:
    """Return the rows of every large set that stand for it: at most half of them."""
    count = POSTERIOR_POINTS * source.num_points()["collocation"]
    random = torch.Generator().manual_seed(torch_seed(source.seed, "rehearsal"))
    return {
        name: torch.randperm(len(data), generator=random)[:count].to(source.device)
        for name, data in source.observations.items()
        if len(data) >= 2 * count
    }
