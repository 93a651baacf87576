"""What TRL's trainer calls between steps. Imported only where transformers is installed."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback


class Looks(TrainerCallback):
    """Tells a tuning of every step and of every checkpoint."""

    def __init__(self, tuning: Any) -> None:
        self.tuning = tuning

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell of a step."""
        self.tuning.after_step(state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell of a checkpoint."""
        self.tuning.after_saving(state.global_step)
