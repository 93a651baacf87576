"""An implicit network on a noisy image: error against the clean one, and when to stop.

The network maps places to grey values and sees every pixel with noise. A cell trains one arm with
one seed and, in the same batches, a twin on data moved by ±ε pixel by pixel. Three estimates of the
error on new readings go along, none of which sees the clean image:

- held-out pixels: mean square error on pixels left out of training;
- accumulated product: the training error plus what each pixel did to itself at every step,
  (1/n) Σ_k D_k E g_k², D the rate over √v̂ times the gate, as the leave-one-out rule counts it;
- twin: the training error over (1 − d/n)², d = Σ_i z_i (f_i(y + εz) − f_i(y))/ε the number of
  pixels that were in effect fitted freely (generalised cross-validation with a drawn trace).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from pinngate.streams import generator, torch_seed
from pinngate.studies.arms import Arm, ArmSettings, ArmTraining, check_controls
from pinngate.studies.cells import Cell, Place, Record
from pinngate.studies.noisy_image_results import image_outcome
from pinngate.studies.pictures import picture
from pinngate.studies.step_effects import second_moments, step_metric
from pinngate.studies.study import Study

COURSE = ("step", "error", "train", "held_out", "accumulated", "twin", "freedom", "gate")


class ImageSettings(ArmSettings):
    """Settings of the study; see ``noisy-image.yaml``."""

    image: str
    size: int = Field(gt=3)
    noise_std: float = Field(gt=0)
    held_out_share: float = Field(gt=0, lt=1)
    num_frequencies: int = Field(gt=0)
    largest_frequency: float = Field(gt=0)
    width: int = Field(gt=0)
    depth: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    betas: tuple[float, float]
    num_steps: int = Field(gt=0)
    check_every: int = Field(gt=0)


def cells(settings: ImageSettings) -> list[Cell]:
    """Return all cells, controls after what they control."""
    check_controls(settings.arms)
    task = settings.task()
    found = []
    for kind, arms, seeds in (
        ("arm", settings.arms, settings.seeds),
        ("sweep", settings.sweep_arms, settings.sweep_seeds),
    ):
        for name, arm in sorted(arms.items(), key=lambda item: item[1].control_of is not None):
            for seed in seeds:
                about = {"task": task, "arm": arm.model_dump(mode="json"), "seed": seed}
                after = None if arm.control_of is None else f"{kind}-{arm.control_of}-{seed}"
                found.append(Cell(f"{kind}-{name}-{seed}", about, after))
    return found


class ImplicitImage(nn.Module):
    """Places (N, 2) in [−1, 1]² → grey values (N,): random Fourier features and sines between."""

    frequencies: Tensor

    def __init__(self, settings: ImageSettings) -> None:
        super().__init__()
        drawn = torch.randn(2, settings.num_frequencies) * settings.largest_frequency / 2
        self.register_buffer("frequencies", drawn)
        widths = [2 * settings.num_frequencies, *[settings.width] * settings.depth]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, places: Tensor) -> Tensor:
        """Return the grey values (N,)."""
        phases = torch.pi * places @ self.frequencies
        x = torch.cat([phases.sin(), phases.cos()], 1)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.last(x).squeeze(1)


class Pixels:
    """The clean image, the noisy one, and which pixels are seen.

    Args:
        settings: of the study.
        seed: of noise and choice.
        device: of the tensors.
    """

    def __init__(self, settings: ImageSettings, seed: int, device: str) -> None:
        clean = picture(settings.image, settings.size)
        noise = generator(seed, "noise").standard_normal(clean.shape)
        self.clean_image = clean
        self.noisy_image = clean + settings.noise_std * noise
        line = (np.arange(settings.size) + 0.5) / settings.size * 2 - 1
        y, x = np.meshgrid(line, line, indexing="ij")
        order = generator(seed, "held out").permutation(clean.size)
        count = max(1, int(settings.held_out_share * clean.size))
        self.places, self.clean, self.noisy = (
            torch.tensor(values, dtype=torch.float32, device=device)
            for values in (
                np.stack([x.ravel(), y.ravel()], 1),
                clean.ravel(),
                self.noisy_image.ravel(),
            )
        )
        self.held_out = torch.as_tensor(order[:count].copy(), device=device)
        self.seen = torch.as_tensor(order[count:].copy(), device=device)
        self.signs = torch.as_tensor(
            generator(seed, "signs").choice([-1.0, 1.0], clean.size),
            dtype=torch.float32,
            device=device,
        )


def measure(settings: ImageSettings, place: Place) -> Record:
    """Train one arm with one seed, beside its twin."""
    about = place.cell.about
    run = _Run(settings, Arm.model_validate(about["arm"]), about["seed"], place)
    return run.to_the_end()


class _Run:
    """A network and its twin, trained in the same batches."""

    def __init__(self, settings: ImageSettings, arm: Arm, seed: int, place: Place) -> None:
        self.settings, self.place = settings, place
        self.pixels = Pixels(settings, seed, place.device)
        self.batches = torch.Generator().manual_seed(torch_seed(seed, "batches"))
        mean_rate = (place.earlier or {}).get("mean_gate", 1.0)
        self.own, self.twin = (
            ArmTraining(
                self._network(seed),
                arm,
                betas=settings.betas,
                batch_size=settings.batch_size,
                num_examples=len(self.pixels.seen),
                mean_rate=mean_rate,
            )
            for _ in range(2)
        )
        # as large as the noise: what two runs do apart from it is then small beside what it does
        self.shift = settings.noise_std
        self.course: dict[str, list[float]] = {name: [] for name in COURSE}
        self.accumulated = 0.0
        self.best, self.best_values = float("inf"), torch.zeros_like(self.pixels.clean)
        if (state := place.left_state()) is not None:
            self._restore(state)

    def _network(self, seed: int) -> ImplicitImage:
        torch.manual_seed(torch_seed(seed, "weights"))
        return ImplicitImage(self.settings).to(self.place.device)

    def to_the_end(self) -> Record:
        """Train all steps."""
        while self.own.num_steps < self.settings.num_steps:
            for _ in range(self.settings.check_every):
                self._step()
            self._check()
            self.place.keep_state(self._state)
        with torch.no_grad():
            last = self.own.model(self.pixels.places)
        for training in (self.own, self.twin):
            training.close()
        return {
            "mean_gate": self.own.mean_gate,
            "course": self.course,
            "best_values": _rounded(self.best_values),
            "last_values": _rounded(last),
        }

    def _step(self) -> None:
        pixels, chosen = self.pixels, self._drawn()
        seen = pixels.noisy[chosen]
        moved = seen + self.shift * pixels.signs[chosen]
        for training, target in ((self.own, seen), (self.twin, moved)):
            errors = training.model(pixels.places[chosen]) - target
            training.step(errors.square().mean())

    def _drawn(self) -> Tensor:
        seen = self.pixels.seen
        drawn = torch.randint(len(seen), (self.settings.batch_size,), generator=self.batches)
        return seen[drawn.to(seen.device)]

    def _check(self) -> None:
        pixels, settings = self.pixels, self.settings
        self.accumulated += settings.check_every * self._own_influence()
        with torch.no_grad():
            values = self.own.model(pixels.places)
            apart = (self.twin.model(pixels.places) - values) / self.shift
        seen = pixels.seen
        train = float((values - pixels.noisy)[seen].square().mean())
        error = float((values - pixels.clean).square().mean())
        freedom = float((apart * pixels.signs)[seen].sum())
        found = {
            "step": self.own.num_steps,
            "error": error,
            "train": train,
            "held_out": float((values - pixels.noisy)[pixels.held_out].square().mean()),
            "accumulated": train + self.accumulated,
            "twin": train / (1 - freedom / len(seen)) ** 2,
            "freedom": freedom,
            "gate": self.own.mean_gate,
        }
        for name, series in self.course.items():
            series.append(found[name])
        if error < self.best:
            self.best, self.best_values = error, values

    def _own_influence(self) -> float:
        """Return (1/n) Σ_k D_k E g_k² of one more batch, its gradient dropped."""
        pixels, training = self.pixels, self.own
        chosen = self._drawn()
        squares = second_moments(training, pixels.places[chosen], pixels.noisy[chosen])
        metric = step_metric(training)
        total = sum(float((metric[name] * squares[name]).sum()) for name in squares)
        return total / len(pixels.seen)

    def _state(self) -> dict[str, Any]:
        return {
            "own": self.own.state_dict(),
            "twin": self.twin.state_dict(),
            "batches": self.batches.get_state(),
            "noted": [self.course, self.accumulated, self.best],
            "best_values": self.best_values,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.own.load_state_dict(state["own"])
        self.twin.load_state_dict(state["twin"])
        self.batches.set_state(state["batches"].cpu())
        self.course, self.accumulated, self.best = state["noted"]
        self.best_values = state["best_values"]


def _rounded(values: Tensor) -> list[float]:
    return [round(v, 4) for v in values.tolist()]


STUDY = Study(
    title="A noisy image, fitted by an implicit network",
    settings=ImageSettings,
    cells=cells,
    measure=measure,
    outcome=image_outcome,
    packages=("scikit-image", "scipy"),
)
