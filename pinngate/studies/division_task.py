"""Division modulo a prime: the table, and a transformer of one layer that learns it.

The word ``a b =`` is answered by c with c·b ≡ a. Only the last place is read, so the one layer
computes queries and what follows there alone; keys and values at all places.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LENGTH = 3  # places of the word "a b ="
INITIAL_STD = 0.02  # of embeddings, as in GPT-2


class Answerer(nn.Module):
    """Scores of all answers: words (N, 3) → (N, modulus).

    One layer, normalised before attention and before the two linear maps, four times the width
    between these. Cost: about 40·width² products an example and pass.
    """

    def __init__(self, modulus: int, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.words = nn.Embedding(modulus + 1, width)
        self.places = nn.Embedding(LENGTH, width)
        self.norm_in = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.mix = nn.Linear(width, width)
        self.norm_middle = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.norm_out = nn.LayerNorm(width)
        self.head = nn.Linear(width, modulus, bias=False)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=INITIAL_STD)

    def forward(self, words: Tensor) -> Tensor:
        """Return the scores (N, modulus)."""
        places = torch.arange(LENGTH, device=words.device).expand(words.shape)
        x = self.words(words) + self.places(places)
        y = x[:, -1] + self.mix(self._attended(self.norm_in(x)))
        y = y + self.down(functional.relu(self.up(self.norm_middle(y))))
        return self.head(self.norm_out(y))

    def _attended(self, x: Tensor) -> Tensor:
        count, heads = len(x), self.num_heads
        query = self.query(x[:, -1]).view(count, heads, 1, -1)
        both = self.key_value(x).view(count, LENGTH, 2, heads, -1)
        keys, values = both.permute(2, 0, 3, 1, 4)
        scores = query @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])
        return (scores.softmax(-1) @ values).reshape(count, -1)


def division_table(modulus: int) -> tuple[Tensor, Tensor]:
    """Return all words a, b, = with b ≠ 0, (p(p−1), 3), and their answers a·b⁻¹ mod p."""
    a, b = torch.meshgrid(torch.arange(modulus), torch.arange(1, modulus), indexing="ij")
    a, b = a.flatten(), b.flatten()
    inverse = torch.tensor([0, *(pow(n, -1, modulus) for n in range(1, modulus))])
    words = torch.stack([a, b, torch.full_like(a, modulus)], 1)
    return words, a * inverse[b] % modulus
