"""Grokking: division modulo 97 from a quarter of the table, steps and seconds to 95 % held-out.

A cell trains one arm with one seed until its accuracy on held-out pairs is reached or its steps
are used up. ``sweep`` cells run the grid of rates and decays for every family of arms, and trials
of others; ``arm`` cells the final settings over several seeds. Beside the curves each cell notes
what the gate let through: q by tensor, and the share of the ungated step's descent that it keeps on
the training loss and on the held-out one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from pinngate.streams import torch_seed
from pinngate.studies.arms import Arm, ArmTraining, Rate, check_controls
from pinngate.studies.cells import Cell, Place, Record
from pinngate.studies.division_task import Answerer, division_table
from pinngate.studies.grokking_results import grokking_outcome
from pinngate.studies.step_effects import free_steps
from pinngate.studies.study import Study
from pinngate.studies.study_settings import Settings

COURSE = ("step", "train_accuracy", "held_out_accuracy", "train_loss", "held_out_loss", "mean_gate")
LOOK = ("step", "gate", "kept_on_train", "kept_on_held_out", "kept_norm", "weight_norm")


class Family(Settings):
    """A grid of rates and decays.

    Attributes:
        arm: what is common to all its arms.
        learning_rate, weight_decay: the values.
        max_steps: of each cell.
    """

    arm: dict[str, Any]
    learning_rate: list[float]
    weight_decay: list[float]
    max_steps: int = Field(gt=0)

    def grid(self) -> list[Arm]:
        """Return the arms, decays within rates."""
        return [
            Arm.model_validate({**self.arm, "learning_rate": rate, "weight_decay": decay})
            for rate, decay in product(self.learning_rate, self.weight_decay)
        ]


class Sweep(Settings):
    """Grids of families by name, and trials of single arms beside them."""

    families: dict[str, Family]
    trials: dict[str, Arm]
    trial_steps: int = Field(gt=0)
    seeds: list[int]


@dataclass(frozen=True)
class Swept:
    """A cell of the sweep: its family, or its own name for a trial; its arm and its steps."""

    family: str
    arm: Arm
    max_steps: int


class GrokkingSettings(Settings):
    """Settings of the study; see ``grokking.yaml``."""

    modulus: int = Field(gt=2)
    training_share: float = Field(gt=0, lt=1)
    num_held_out: int = Field(gt=0)
    width: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    batch_size: int = Field(gt=1)
    betas: tuple[float, float]
    num_warm_up: int
    max_steps: int = Field(gt=0)
    check_every: int = Field(gt=0)
    look_every: int = Field(gt=0)
    accuracy: float = Field(gt=0, le=1)
    protocol: str
    sweep: Sweep
    arms: dict[str, Arm]
    seeds: list[int]

    def task(self) -> dict[str, Any]:
        """Return what every cell depends on."""
        return self.model_dump(exclude={"sweep", "arms", "seeds", "protocol"}, mode="json")

    def swept(self) -> dict[str, Swept]:
        """Return the arms of grids and trials by name."""
        sweep = self.sweep
        found = {
            f"{name}-{arm.learning_rate:g}-{arm.weight_decay:g}": Swept(name, arm, family.max_steps)
            for name, family in sweep.families.items()
            for arm in family.grid()
        }
        tried = {name: Swept(name, arm, sweep.trial_steps) for name, arm in sweep.trials.items()}
        return found | tried


def cells(settings: GrokkingSettings) -> list[Cell]:
    """Return all cells: arms by seed, controls after what they control, then the grid."""
    check_controls(settings.arms)
    found = []
    for name, arm in sorted(settings.arms.items(), key=lambda item: item[1].control_of is not None):
        for seed in settings.seeds:
            after = None if arm.control_of is None else f"arm-{arm.control_of}-{seed}"
            found.append(Cell(f"arm-{name}-{seed}", _about(settings, arm, seed), after))
    for name, swept in settings.swept().items():
        for seed in settings.sweep.seeds:
            about = _about(settings, swept.arm, seed)
            about["task"]["max_steps"] = swept.max_steps
            found.append(Cell(f"sweep-{name}-{seed}", about))
    return found


def _about(settings: GrokkingSettings, arm: Arm, seed: int) -> dict[str, Any]:
    return {"task": settings.task(), "arm": arm.model_dump(mode="json"), "seed": seed}


def measure(settings: GrokkingSettings, place: Place) -> Record:
    """Train one arm with one seed."""
    about = place.cell.about
    settings = settings.model_copy(update={"max_steps": about["task"]["max_steps"]})
    run = _Run(settings, Arm.model_validate(about["arm"]), about["seed"], place)
    return run.to_the_end()


class _Run:
    """One model, its pairs, its arm, and what was noted of them so far."""

    def __init__(self, settings: GrokkingSettings, arm: Arm, seed: int, place: Place) -> None:
        self.settings, self.place = settings, place
        self.generator = torch.Generator().manual_seed(torch_seed(seed, "batches"))
        self._split(seed)
        torch.manual_seed(torch_seed(seed, "weights"))
        model = Answerer(settings.modulus, settings.width, settings.num_heads).to(place.device)
        self.training = ArmTraining(
            model,
            arm,
            betas=settings.betas,
            batch_size=settings.batch_size,
            num_examples=len(self.train[1]),
            num_warm_up=settings.num_warm_up,
            mean_rate=_mean_rate(arm, place.earlier, model),
        )
        self.course: dict[str, list[float]] = {name: [] for name in COURSE}
        self.looks: dict[str, list[float]] = {name: [] for name in LOOK}
        self.gates: dict[str, list[float]] = {}
        self.seconds = self.cpu_seconds = 0.0
        self.order = torch.empty(0, dtype=torch.long)
        if (state := place.left_state()) is not None:
            self._restore(state)

    def _split(self, seed: int) -> None:
        words, answers = (x.to(self.place.device) for x in division_table(self.settings.modulus))
        drawn = torch.Generator().manual_seed(torch_seed(seed, "pairs"))
        order = torch.randperm(len(answers), generator=drawn)
        count = int(self.settings.training_share * len(answers))
        held = order[count : count + self.settings.num_held_out]
        self.train = (words[order[:count]], answers[order[:count]])
        self.held_out = (words[held], answers[held])

    def to_the_end(self) -> Record:
        """Train until the accuracy is reached or the steps are used up."""
        settings, training = self.settings, self.training
        reached = None
        while reached is None and training.num_steps < settings.max_steps:
            self._steps(settings.check_every)
            if self._check() >= settings.accuracy:
                reached = training.num_steps
            if training.num_steps % settings.look_every == 0 or reached:
                self._look()
            self.place.keep_state(self._state)
        training.close()
        return {
            "steps": reached,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "num_steps": training.num_steps,
            "mean_gate": training.mean_gate,
            "course": self.course,
            "looks": self.looks,
            "gates": self.gates,
        }

    def _steps(self, count: int) -> None:
        """Take steps; their seconds count, those of looking do not."""
        words, answers = self.train
        size = self.settings.batch_size
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            if len(self.order) < size:
                self.order = torch.randperm(len(answers), generator=self.generator)
            batch, self.order = self.order[:size], self.order[size:]
            batch = batch.to(answers.device)
            scores = self.training.model(words[batch])
            self.training.step(functional.cross_entropy(scores, answers[batch]))
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu

    @torch.no_grad()
    def _check(self) -> float:
        training = self.training
        found = {"step": float(training.num_steps), "mean_gate": training.mean_gate}
        for name, (words, answers) in (("train", self.train), ("held_out", self.held_out)):
            scores = training.model(words)
            found[f"{name}_loss"] = float(functional.cross_entropy(scores, answers))
            found[f"{name}_accuracy"] = float((scores.argmax(1) == answers).float().mean())
        for name, values in self.course.items():
            values.append(found[name])
        return found["held_out_accuracy"]

    def _look(self) -> None:
        """Note what the gate lets through, of the step and of its descent on either loss."""
        training = self.training
        opened = training.gates()
        free = free_steps(training)
        found = {
            "step": float(training.num_steps),
            "gate": sum(float(q.sum()) for q in opened.values()) / _size(opened),
            "kept_norm": _share(_norm({n: opened[n] * free[n] for n in free}), _norm(free)),
            "weight_norm": _norm(dict(training.model.named_parameters())),
        }
        for name, pairs in (("train", self.train), ("held_out", self.held_out)):
            slopes = _gradients(training.model, pairs)
            whole = sum(float((slopes[n] * free[n]).sum()) for n in free)
            kept = sum(float((slopes[n] * opened[n] * free[n]).sum()) for n in free)
            found[f"kept_on_{name}"] = _share(kept, whole)
        for name, values in self.looks.items():
            values.append(found[name])
        for name, q in opened.items():
            self.gates.setdefault(name, []).append(float(q.mean()))

    def _state(self) -> dict[str, Any]:
        return {
            "training": self.training.state_dict(),
            "generator": self.generator.get_state(),
            "order": self.order,
            "noted": [self.course, self.looks, self.gates, self.seconds, self.cpu_seconds],
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.training.load_state_dict(state["training"])
        self.generator.set_state(state["generator"].cpu())
        self.order = state["order"].cpu()
        self.course, self.looks, self.gates, self.seconds, self.cpu_seconds = state["noted"]


def _mean_rate(arm: Arm, earlier: Record | None, model: torch.nn.Module) -> Rate:
    """Return the mean gate of the arm that is controlled, of all weights or by tensor.

    Gates by tensor are known where they were looked at; together they are brought to the mean over
    all steps.
    """
    if earlier is None:
        return 1.0
    mean = float(earlier["mean_gate"])
    if arm.control_by == "whole":
        return mean
    seen = {name: sum(values) / len(values) for name, values in earlier["gates"].items()}
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    whole = sum(seen[name] * size for name, size in sizes.items()) / sum(sizes.values())
    return {name: q * mean / whole for name, q in seen.items()}


def _gradients(model: torch.nn.Module, pairs: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    named = dict(model.named_parameters())
    loss = functional.cross_entropy(model(pairs[0]), pairs[1])
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def _share(part: float, whole: float) -> float:
    """Return the quotient, 0 where nothing moves: weights that decay has brought to nought."""
    return part / whole if whole else 0.0


def _size(tensors: Mapping[str, Tensor]) -> int:
    return sum(t.numel() for t in tensors.values())


def _norm(tensors: Mapping[str, Tensor]) -> float:
    return float(sum(float(t.detach().square().sum()) for t in tensors.values())) ** 0.5


STUDY = Study(
    title="Grokking: division modulo 97 from a quarter of its table",
    settings=GrokkingSettings,
    cells=cells,
    measure=measure,
    outcome=grokking_outcome,
)
