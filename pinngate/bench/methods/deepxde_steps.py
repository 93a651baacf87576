"""The child process that takes single training steps with DeepXDE, one for each line it is sent.

`pinngate.bench.speed` times them in turn with ours; nothing else may import this. It answers with
the seconds of the step.
"""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path
from typing import Any

import deepxde as dde
import torch

from pinngate.bench.methods.deepxde_child import Translation


def step_of(request: dict[str, Any]) -> Any:
    """Return a function that takes one plain Adam step on a request's problem."""
    problem, options = request["problem"], request["options"]
    dde.config.set_default_float(options["precision"])
    dde.config.set_random_seed(problem.solve.seed)
    translation = Translation(problem, options)
    layers = [len(problem.axes)] + [options["width"]] * options["depth"] + [len(problem.unknowns)]
    model = dde.Model(
        translation.data(request["observations"]), dde.nn.FNN(layers, "tanh", "Glorot normal")
    )
    model.compile("adam", lr=options["learning_rate"])
    data = model.data.train_next_batch(None)
    model.train_state.set_data_train(*data)
    state = model.train_state

    def step() -> None:
        model.train_step(state.X_train, state.y_train, state.train_aux_vars)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def main() -> None:
    """Answer every line with the seconds of one step, until there are no more."""
    step = step_of(pickle.loads(Path(sys.argv[1]).read_bytes()))
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        sys.__stdout__.write(f"step {time.perf_counter() - began}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
