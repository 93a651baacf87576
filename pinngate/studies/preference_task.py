"""A made-up task with known true preferences, and a small model of Qwen2's architecture for it.

A prompt is a row of letters, the perfect response the same row backwards. Responses have letters
exchanged at random; the one with fewer wrong letters is preferred, pairs with equally many are not
used. Preferences of the training set are swapped with a known share. The model knows the task from
supervised training on responses with errors, as a tuned language model knows its own.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pinngate.streams import generator, torch_seed

LETTERS = string.ascii_lowercase[:16]
PROMPT_LENGTH = 6
ERROR_RATE = 0.3  # of a letter of a response
BEGIN, END, PAD, UNKNOWN = "<s>", "</s>", "<pad>", "<unk>"
ASKING = ">"  # ends the prompt
REFERENCE_RATE = 3e-3  # of supervised training
WARM_UP = 50  # steps of it


Pair = dict[str, str]


def made_up_pairs(seed: int, stream: str, count: int, swapped_share: float) -> list[Pair]:
    """Return pairs with their prompts, a share of them with preferred and rejected exchanged."""
    drawn = generator(seed, stream)
    pairs: list[Pair] = []
    while len(pairs) < count:
        prompt, perfect = _prompt(drawn)
        first, second = (_response(drawn, perfect) for _ in range(2))
        wrong = [sum(a != b for a, b in zip(r, perfect, strict=True)) for r in (first, second)]
        if wrong[0] == wrong[1]:
            continue
        best, worst = (first, second) if wrong[0] < wrong[1] else (second, first)
        if drawn.random() < swapped_share:
            best, worst = worst, best
        pairs.append({"prompt": _words(prompt) + f" {ASKING}", "chosen": " " + _words(best),
                      "rejected": " " + _words(worst)})  # fmt: skip
    return pairs


def _prompt(drawn: np.random.Generator) -> tuple[list[str], list[str]]:
    prompt = [LETTERS[k] for k in drawn.integers(len(LETTERS), size=PROMPT_LENGTH)]
    return prompt, prompt[::-1]


def _response(drawn: np.random.Generator, perfect: list[str]) -> list[str]:
    return [
        LETTERS[drawn.integers(len(LETTERS))] if drawn.random() < ERROR_RATE else letter
        for letter in perfect
    ]


def _words(letters: list[str]) -> str:
    return " ".join(letters)


def small_tokenizer() -> Any:
    """Return a tokenizer whose words are the letters."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = [PAD, BEGIN, END, UNKNOWN, ASKING, *LETTERS]
    model = Tokenizer(WordLevel({word: k for k, word in enumerate(words)}, unk_token=UNKNOWN))
    model.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=model, bos_token=BEGIN, eos_token=END, pad_token=PAD, unk_token=UNKNOWN
    )


def small_model(width: int, num_layers: int, tokenizer: Any) -> Any:
    """Return a model of Qwen2's architecture with random weights and tied embeddings."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=num_layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id,
        )
    )


def train_reference(folder: Path, *, seed: int, width: int, num_layers: int, num_steps: int,
                    batch_size: int, device: str) -> float:  # fmt: skip
    """Train a small model on responses with errors, and save it with its tokenizer.

    Returns:
        The last loss, nats a token.
    """
    torch.manual_seed(torch_seed(seed, "reference"))
    tokenizer = small_tokenizer()
    model = small_model(width, num_layers, tokenizer).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=REFERENCE_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: min(1.0, (k + 1) / WARM_UP) * (1 - k / num_steps)
    )
    drawn = generator(seed, "reference")
    loss = torch.tensor(float("nan"))
    for _ in range(num_steps):
        lines = []
        for _ in range(batch_size):
            prompt, perfect = _prompt(drawn)
            lines.append(f"{_words(prompt)} {ASKING} {_words(_response(drawn, perfect))} {END}")
        words = torch.tensor(tokenizer(lines)["input_ids"], device=device)
        asked = words.clone()
        asked[:, : PROMPT_LENGTH + 1] = -100  # transformers' mark of what is not to be learned
        optimizer.zero_grad()
        loss = model(input_ids=words, labels=asked).loss
        loss.backward()
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return float(loss.detach())
