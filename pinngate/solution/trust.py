"""How far an answer can be trusted: one word, one sentence, and the reasons.

Made from the record of a run alone. The sentence is that of the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pinngate.report.archive import RunArchive
from pinngate.report.misfit_words import contradiction
from pinngate.report.verdict import Tone, verdict

Word = Literal["solved", "doubtful", "not converged"]
WORDS: dict[Tone, Word] = {"good": "solved", "doubtful": "doubtful", "bad": "not converged"}


@dataclass(frozen=True)
class Verdict:
    """What to think of an answer.

    Attributes:
        word: ``solved``; ``doubtful``, converged but with reasons not to trust it; or ``not
            converged``.
        sentence: the same with the figures that it rests on.
        reasons: why the run stopped and, where the data contradict the answer, how.
    """

    word: Word
    sentence: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.word}: {'; '.join(self.reasons)}"


def verdict_of(archive: RunArchive) -> Verdict:
    """Return the verdict on a run."""
    found = verdict(archive)
    reasons = [str(archive.metrics.get("reason") or "no reason is recorded")]
    against = contradiction(archive)
    if against:
        reasons.append(f"the model does not fit the data: {against}")
    return Verdict(WORDS[found.tone], found.sentence, tuple(reasons))
