"""The place of the baseline: by pairs of seeds, with rivals that have fewer of them."""

from __future__ import annotations

from typing import Any

import pytest

from pinngate.bench.standing import sentences, standing
from pinngate.bench.suite import Choice, Suite
from pinngate.bench.summaries import make_tables
from tests.bench.tiny import made_row

# errors of ours on eight seeds of growing difficulty, and of rivals in units of ours
OURS = [0.01 * (seed + 1) for seed in range(8)]
SUITE = Suite(
    "made",
    ("p",),
    methods={name: Choice("spline-solver") for name in ("ours", "rival")},
    num_seeds=8,
    baseline="ours",
)


def table(rival: list[float | None]) -> dict[str, Any]:
    rows = [made_row("ours", seed, error) for seed, error in enumerate(OURS)]
    rows += [
        made_row("rival", seed, None if factor is None else factor * OURS[seed])
        for seed, factor in enumerate(rival)
    ]
    return standing(SUITE, make_tables(SUITE, rows))[0]


def test_a_rival_on_easy_seeds_alone_is_not_first() -> None:
    """Its median is below ours, on the same seeds it is above."""
    found = table([1.2, 1.1, 1.3])
    assert found["place"] == 1
    assert found["best_ratio"] == pytest.approx(1.2)
    assert found["better"] == "none"


@pytest.mark.parametrize(
    ("rival", "better"),
    [
        ([0.8] * 8, "rival"),
        ([0.8, 0.9, 0.7], "rival"),
        ([0.8, 1.1, 0.7], "none"),
        ([0.9, 1.2, 0.9, 1.2, 0.9, 1.2, 0.9, 0.9], "none"),
    ],
    ids=["all", "all of few", "most of few", "some"],
)
def test_a_rival_counts_as_better_where_pairs_say_so(rival: list[float], better: str) -> None:
    found = table(rival)
    assert found["place"] == 2
    assert found["better"] == better
    first = sentences(SUITE, [found])[0]
    assert "0 of 1 cells" in first
    assert f"significantly better in {int(better == 'none')} of 1" in first


def test_a_rival_that_fails_is_no_rival() -> None:
    found = table([None] * 8)
    assert found["place"] == 1
    assert found["best_ratio"] is None
