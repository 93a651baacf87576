"""Direct preference optimisation with swapped preferences, by TRL's own trainer.

A cell tunes one model with one arm and one seed on pairs of which a share is swapped, and looks
at it every so many steps: reward accuracy on clean held-out pairs; drift, the mean over response
tokens of those pairs of KL(π ‖ reference), in nats; loss on training pairs as they were given. The
model and the pairs are made up here (`preference_task`), or any causal model of `transformers` and
any file or hub data set with the columns prompt, chosen and rejected.

Source: R. Rafailov et al., arXiv 2305.18290.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from pinngate.errors import InputError
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.streams import generator, torch_seed
from pinngate.studies.arms import Arm, ArmSettings, arm_optimizer, check_controls
from pinngate.studies.cells import CELLS, Cell, Place, Record
from pinngate.studies.preference_results import preference_outcome
from pinngate.studies.preference_task import Pair, made_up_pairs, train_reference
from pinngate.studies.study import Study
from pinngate.studies.study_settings import Settings

MADE_UP = "made-up"
REFERENCE = "reference"
COURSE = ("step", "accuracy", "margin", "drift", "train_loss", "gate")
PACKAGES = ("transformers", "trl", "datasets")


class ReferenceSettings(Settings):
    """The small model that is trained here and then tuned."""

    width: int = Field(gt=0)
    num_layers: int = Field(gt=0)
    num_steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    seed: int = Field(ge=0)


class PreferenceSettings(ArmSettings):
    """Settings of the study; see ``dpo.yaml``."""

    model: str
    dataset: str
    dataset_split: str
    reference: ReferenceSettings
    num_train: int = Field(gt=1)
    num_held_out: int = Field(gt=0)
    num_train_looked_at: int = Field(gt=0)
    swapped_share: float = Field(ge=0, le=1)
    beta: float = Field(gt=0)
    max_length: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    num_accumulated: int = Field(gt=0)
    look_batch_size: int = Field(gt=0)
    betas: tuple[float, float]
    num_warm_up: int = Field(ge=0)
    num_steps: int = Field(gt=0)
    check_every: int = Field(gt=0)
    save_every: int = Field(gt=0)


def cells(settings: PreferenceSettings) -> list[Cell]:
    """Return all cells: the small model first where it is tuned, controls after their arms.

    Raises:
        InputError: transformers or TRL is missing, or an arm wants statistics of single examples.
    """
    _require_packages()
    task, found, first = settings.task(), [], None
    if settings.model == MADE_UP:
        first = REFERENCE
        found.append(Cell(REFERENCE, {"reference": task["reference"]}))
    for kind, arms, seeds in (
        ("arm", settings.arms, settings.seeds),
        ("sweep", settings.sweep_arms, settings.sweep_seeds),
    ):
        check_controls(arms)
        for name, arm in sorted(arms.items(), key=lambda item: item[1].control_of is not None):
            _check_statistics(name, arm)
            for seed in seeds:
                after = first if arm.control_of is None else f"{kind}-{arm.control_of}-{seed}"
                about = {"task": task, "arm": arm.model_dump(mode="json"), "seed": seed}
                found.append(Cell(f"{kind}-{name}-{seed}", about, after))
    return found


def _require_packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"study dpo needs {', '.join(missing)}", hint="pip install 'pinngate[dpo]'"
        )


def _check_statistics(name: str, arm: Arm) -> None:
    if arm.is_gated and arm.statistics != "streaming":
        raise InputError(
            f"arm {name}: statistics={arm.statistics}",
            expected="streaming: TRL's trainer steps the optimizer itself",
        )


def measure(settings: PreferenceSettings, place: Place) -> Record:
    """Train the small model, or tune one arm with one seed."""
    if place.cell.name == REFERENCE:
        stated = settings.reference.model_dump()
        loss = train_reference(place.folder / CELLS / REFERENCE, device=place.device, **stated)
        return {"loss": loss}
    about = place.cell.about
    arm = Arm.model_validate(about["arm"])
    return _Tuning(settings, arm, about["seed"], place).to_the_end()


class _Tuning:
    """One model, its frozen reference, its pairs, and what was noted so far."""

    def __init__(self, settings: PreferenceSettings, arm: Arm, seed: int, place: Place) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.settings, self.seed, self.place = settings, seed, place
        source = settings.model
        if source == MADE_UP:
            source = str(place.folder / CELLS / REFERENCE)
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(source)
            self.model, self.reference = (
                AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).to(place.device)
                for _ in range(2)
            )
        except (OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            raise InputError(f"model '{settings.model}' cannot be loaded: {told}") from None
        self.reference.eval().requires_grad_(False)
        self.train, self.held_out = pairs_of(settings, seed, self.tokenizer)
        earlier = place.earlier or {}
        self.optimizer = arm_optimizer(
            self.model,
            arm,
            betas=settings.betas,
            batch_size=settings.batch_size * settings.num_accumulated,
            num_examples=len(self.train),
            mean_rate=earlier.get("mean_gate", 1.0),
        )
        self.course: dict[str, list[float]] = {name: [] for name in COURSE}
        self.gate_sum, self.num_steps = 0.0, 0

    def to_the_end(self) -> Record:
        """Tune by TRL's trainer."""
        left = self.place.left_state()
        folder = self.place.checkpoint.with_suffix(".trainer")
        resumed = None
        if left is not None and (folder / f"checkpoint-{left['step']}").is_dir():
            resumed = str(folder / f"checkpoint-{left['step']}")
            self.course, self.gate_sum = left["course"], left["gate_sum"]
            self.num_steps = left["step"]
        else:
            self.look()
        self._trainer(folder).train(resume_from_checkpoint=resumed)
        _remove(folder)
        return {"mean_gate": self.mean_gate, "course": self.course}

    @property
    def mean_gate(self) -> float:
        """Mean over all steps so far of the mean gate; 1 without a gate."""
        return self.gate_sum / self.num_steps if self.num_steps else 1.0

    def _trainer(self, folder: Path) -> Any:
        from datasets import Dataset
        from trl import DPOConfig, DPOTrainer

        from pinngate.studies.trainer_looks import Looks

        stated = self.settings
        options = DPOConfig(
            output_dir=str(folder),
            beta=stated.beta,
            max_length=stated.max_length,
            max_steps=stated.num_steps,
            per_device_train_batch_size=stated.batch_size,
            gradient_accumulation_steps=stated.num_accumulated,
            max_grad_norm=0.0,  # clipping would be a second rule beside the gate
            precompute_ref_log_probs=True,
            save_strategy="steps",
            save_steps=stated.save_every,
            save_total_limit=1,
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=self.place.device == "cpu",
            seed=torch_seed(self.seed, "batches") % 2**31,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda k: min(1.0, (k + 1) / max(1, stated.num_warm_up))
        )
        return DPOTrainer(
            model=self.model,
            ref_model=self.reference,
            args=options,
            train_dataset=Dataset.from_list(self.train),
            processing_class=self.tokenizer,
            optimizers=(self.optimizer, schedule),
            callbacks=[Looks(self)],
        )

    def after_step(self, step: int) -> None:
        """Note the gate, and look where it is time."""
        self.num_steps = step
        opened = 1.0
        if isinstance(self.optimizer, PopulationRiskAdam):
            opened = self.optimizer.gate_statistics()["mean"]
        self.gate_sum += opened
        if step % self.settings.check_every == 0:
            self.look()

    def after_saving(self, step: int) -> None:
        """Keep what was noted beside the trainer's checkpoint."""
        state = {"step": step, "course": self.course, "gate_sum": self.gate_sum}
        self.place.keep_state(lambda: state, is_now=True)

    @torch.no_grad()
    def look(self) -> None:
        """Note accuracy and drift on held-out pairs, and the loss on training pairs."""
        was_training = self.model.training
        self.model.eval()
        margins, drift = self._compared(self.held_out)
        seen, _ = self._compared(self.train[: self.settings.num_train_looked_at])
        self.model.train(was_training)
        found = {
            "step": float(self.num_steps),
            "accuracy": float((margins > 0).float().mean() + 0.5 * (margins == 0).float().mean()),
            "margin": float(margins.mean()),
            "drift": drift,
            "train_loss": float(-functional.logsigmoid(seen).mean()),
            "gate": self.mean_gate,
        }
        for name, values in self.course.items():
            values.append(found[name])

    def _compared(self, pairs: Sequence[Pair]) -> tuple[Tensor, float]:
        """Return reward margins (N,) and the drift in nats a token."""
        rewards: dict[str, list[Tensor]] = {"chosen": [], "rejected": []}
        total = count = 0.0
        size = self.settings.look_batch_size
        for side, found in rewards.items():
            for start in range(0, len(pairs), size):
                batch = self._tokens(pairs[start : start + size], side)
                gained, apart, mask = _rewards(self.model, self.reference, *batch)
                found.append(gained)
                total += float(apart)
                count += float(mask)
        margins = torch.cat(rewards["chosen"]) - torch.cat(rewards["rejected"])
        return self.settings.beta * margins, total / count

    def _tokens(self, pairs: Sequence[Pair], side: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return padded words, which are real, and which belong to responses, all (N, T)."""
        end = self.tokenizer.eos_token or ""
        rows, starts = [], []
        for pair in pairs:
            prompt = self.tokenizer(pair["prompt"])["input_ids"]
            whole = self.tokenizer(pair["prompt"] + pair[side].removesuffix(end) + end)["input_ids"]
            rows.append(whole[: self.settings.max_length])
            starts.append(len(prompt))
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        words = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        place = torch.arange(longest)
        real = place < torch.tensor([[len(row)] for row in rows])
        said = real & (place >= torch.tensor(starts)[:, None])
        device = self.place.device
        return words.to(device), real.to(device), said.to(device)


def _rewards(
    model: Any, reference: Any, words: Tensor, real: Tensor, said: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log π − log reference of responses (N,), the sum of KL over tokens, their number."""
    own, frozen = (
        one(input_ids=words, attention_mask=real.long()).logits[:, :-1].float().log_softmax(-1)
        for one in (model, reference)
    )
    mask, following = said[:, 1:].float(), words[:, 1:, None]
    gained = (own - frozen).gather(-1, following).squeeze(-1)
    apart = (own.exp() * (own - frozen)).sum(-1)
    return (gained * mask).sum(1), (apart * mask).sum(), mask.sum()


def pairs_of(
    settings: PreferenceSettings, seed: int, tokenizer: Any
) -> tuple[list[Pair], list[Pair]]:
    """Return training pairs, a share of them swapped, and clean held-out pairs, as plain text.

    Raises:
        InputError: the data set cannot be read, lacks a column or is too small.
    """
    count, held = settings.num_train, settings.num_held_out
    if settings.dataset == MADE_UP:
        train = made_up_pairs(seed, "training pairs", count, settings.swapped_share)
        return train, made_up_pairs(seed, "held-out pairs", held, 0.0)
    rows = _read_rows(settings)
    if len(rows) < count + held:
        raise InputError(
            f"data set '{settings.dataset}': {len(rows)} pairs", expected=f"{count + held} or more"
        )
    order = generator(seed, "pairs").permutation(len(rows))[: count + held]
    pairs = [plain_pair(rows[int(k)], tokenizer) for k in order]
    is_swapped = generator(seed, "swaps").random(count) < settings.swapped_share
    train = [
        pair | {"chosen": pair["rejected"], "rejected": pair["chosen"]} if swap else pair
        for pair, swap in zip(pairs[:count], is_swapped, strict=True)
    ]
    return train, pairs[count:]


def _read_rows(settings: PreferenceSettings) -> Any:
    from datasets import load_dataset

    name = settings.dataset
    try:
        if Path(name).suffix in (".json", ".jsonl"):
            rows = load_dataset("json", data_files=name, split="train")
        else:
            rows = load_dataset(name, split=settings.dataset_split)
    except Exception as error:  # the hub, the network and the readers raise whatever they can
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"data set '{name}' cannot be loaded: {told}") from None
    missing = {"prompt", "chosen", "rejected"} - set(rows.column_names)
    if missing:
        raise InputError(f"data set '{name}' lacks the columns {', '.join(sorted(missing))}")
    return rows


def plain_pair(row: dict[str, Any], tokenizer: Any) -> Pair:
    """Return a row as text; conversations go through the model's own template."""
    if isinstance(row["chosen"], str):
        return {name: row[name] for name in ("prompt", "chosen", "rejected")}
    asked = row["chosen"][:-1] or [{"role": "user", "content": row["prompt"]}]
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    return {"prompt": prompt} | {side: row[side][-1]["content"] for side in ("chosen", "rejected")}


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    if folder.is_dir():
        folder.rmdir()


STUDY = Study(
    title="Preference tuning (DPO) with swapped preferences",
    settings=PreferenceSettings,
    cells=cells,
    measure=measure,
    outcome=preference_outcome,
    packages=PACKAGES,
)
