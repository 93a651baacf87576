"""What per-example statistics cost: steps with and without them, side by side in one run.

    python -m pinngate.torch.cost --out results/theory/per-example-cost.csv

The model is the transformer that learns division modulo 97: four tokens ``a ∘ b =``, two layers of
width 128 with four heads, batches of 512, cross-entropy at the last place. A step is gradients to
zero, forward, backward, statistics if there are any, and the optimizer. The ways take turns within
each repetition, so that whatever else the machine does falls on all of them; a ratio is taken
within its repetition, and medians and quartiles over the repetitions.
"""

from __future__ import annotations

import argparse
import csv
import io
import platform
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.torch.per_example import PerExample

MODULUS = 97
NUM_WORDS = MODULUS + 2  # the operation and the sign of equality
LENGTH = 4
WIDTH = 128
NUM_HEADS = 4
NUM_LAYERS = 2
BATCH_SIZE = 512
LEARNING_RATE = 1e-3
NUM_REPETITIONS = 25
NUM_WARM_UP = 2
QUARTILES = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)

WAYS = ("plain AdamW", "streaming", "grouped", "pairs")
COLUMNS = (
    "way", "milliseconds", "milliseconds_q1", "milliseconds_q3", "ratio", "ratio_q1", "ratio_q3",
    "repetitions", "threads", "device", "torch", "python", "date", "command",
)  # fmt: skip


class DivisionTransformer(nn.Module):
    """Scores for c in a ∘ b = c: words (N, 4) → (N, 99)."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(NUM_WORDS, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, NUM_HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(NUM_LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, NUM_WORDS, bias=False)

    def forward(self, words: Tensor) -> Tensor:
        """Return the scores at the last place."""
        length = words.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool, device=words.device).triu(1)
        places = torch.arange(length, device=words.device).expand(words.shape)
        x = self.words(words) + self.places(places)
        for block in self.blocks:
            x = block(x, src_mask=mask, is_causal=True)
        return self.head(self.norm(x[:, -1]))


def division_batch(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return words (size, 4) and answers a·b⁻¹ mod 97, (size,), of random pairs with b ≠ 0."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randint(0, MODULUS, (size,), generator=generator)
    b = torch.randint(1, MODULUS, (size,), generator=generator)
    words = torch.stack([a, torch.full_like(a, MODULUS), b, torch.full_like(a, MODULUS + 1)], 1)
    inverse = torch.tensor([pow(n, -1, MODULUS) if n else 0 for n in range(MODULUS)])
    return words, a * inverse[b] % MODULUS


def step_of(way: str, device: str, batch_size: int) -> Callable[[], None]:
    """Return a training step in one of the `WAYS`, with a model and an optimizer of its own."""
    torch.manual_seed(0)
    model = DivisionTransformer().to(device)
    words, answers = (x.to(device) for x in division_batch(batch_size))
    examples = None
    optimizer: torch.optim.Optimizer
    if way == "plain AdamW":
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    else:
        variance = "streaming" if way == "streaming" else "per-point"
        optimizer = PopulationRiskAdam(model.parameters(), lr=LEARNING_RATE, variance=variance)
        if way == "grouped":
            examples = PerExample(model, mode="grouped")
        elif way == "pairs":
            examples = PerExample(model, mode="pairs")

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(words), answers).backward()
        if examples is not None and isinstance(optimizer, PopulationRiskAdam):
            optimizer.attach_variance(examples.take().variance_of_gradient)
        optimizer.step()

    return step


def seconds_of(steps: Sequence[Callable[[], None]], device: str, num_repetitions: int) -> Tensor:
    """Return the seconds of every step in turn, (repetitions, steps)."""
    seconds = torch.empty(num_repetitions, len(steps), dtype=torch.float64)
    for repetition in range(-NUM_WARM_UP, num_repetitions):
        for k, step in enumerate(steps):
            start = time.perf_counter()
            step()
            if device != "cpu":
                torch.cuda.synchronize()
            if repetition >= 0:
                seconds[repetition, k] = time.perf_counter() - start
    return seconds


def table(seconds: Tensor, device: str) -> list[dict[str, object]]:
    """Return a row for each way: quartiles of milliseconds and of the ratio to the plain step."""
    times = (1e3 * seconds).quantile(QUARTILES, dim=0)
    ratios = (seconds / seconds[:, :1]).quantile(QUARTILES, dim=0)
    about = {
        "repetitions": seconds.shape[0],
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device != "cpu" else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python -m pinngate.torch.cost", *sys.argv[1:]]),
    }
    rows: list[dict[str, object]] = []
    for k, way in enumerate(WAYS):
        row: dict[str, object] = {"way": way}
        for name, values in (("milliseconds", times), ("ratio", ratios)):
            low, middle, high = (f"{v:.4g}" for v in values[:, k].tolist())
            row |= {name: middle, f"{name}_q1": low, f"{name}_q3": high}
        rows.append(row | about)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Time all ways and write the table, as CSV."""
    parser = argparse.ArgumentParser(prog="python -m pinngate.torch.cost", description=__doc__)
    parser.add_argument("--out", type=Path, help="the table; standard output without it")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repetitions", type=int, default=NUM_REPETITIONS)
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    given = parser.parse_args(arguments)
    steps = [step_of(way, given.device, given.batch_size) for way in WAYS]
    rows = table(seconds_of(steps, given.device, given.repetitions), given.device)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    if given.out is None:
        sys.stdout.write(text.getvalue())
    else:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
