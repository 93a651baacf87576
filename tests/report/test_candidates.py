"""The log of a race is told apart: every row once, each network by its own iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from pinngate.optim.divisions import DIVISIONS
from pinngate.report import RunArchive
from pinngate.report.candidates import courses, network_words, race_rows, winner_of

Make = Callable[[str], RunArchive]


def _race(archive: RunArchive, turns: list[tuple[int, int]], winner: int, every: int) -> RunArchive:
    """A race of these turns, (network, iterations), of which every so many are logged."""
    at_work = np.repeat([n for n, _ in turns], [size for _, size in turns]).astype(float)
    count: dict[float, int] = {}
    own = []
    for number in at_work:
        count[number] = count.get(number, 0) + 1
        own.append(count[number])
    rows = slice(every - 1, None, every)
    names = range(1 + max(n for n, _ in turns))
    history = {
        "iteration": np.arange(1.0, at_work.size + 1)[rows],
        "candidate": at_work[rows],
        "own": np.array(own, dtype=float)[rows],
    }
    race = [{"network": f"net {n}", "is_winner": n == winner} for n in names]
    return replace(archive, history=history, metrics=archive.metrics | {"race": race})


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_own_iterations_are_those_done(make_archive: Make, every: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    turns = [(int(generator.integers(4)), 10 * int(generator.integers(1, 4))) for _ in range(9)]
    turns += [(n, 10) for n in range(4)]
    archive = _race(make_archive("bare"), turns, winner=2, every=every)
    found = courses(archive)
    assert [course.is_winner for course in found] == [False, False, False, True]
    assert found[-1].name == "net 2"
    assert sum(course.columns["own"].size for course in found) == archive.history["own"].size
    for course in found:  # turns are whole multiples of the logging step: exact
        np.testing.assert_array_equal(course.columns["iteration"], course.columns["own"])


def test_turns_that_end_between_two_rows_are_off_by_less_than_a_step(make_archive: Make) -> None:
    archive = _race(make_archive("bare"), [(0, 13), (1, 17), (0, 11)], winner=0, every=4)
    for course in courses(archive):
        off = course.columns["iteration"] - course.columns["own"]
        assert np.abs(off).max() < 4


def test_a_run_without_a_race_is_one_winner(make_archive: Make) -> None:
    archive = make_archive("decay")
    (course,) = courses(archive)
    assert course.is_winner
    assert course.columns == archive.history
    assert race_rows(archive) == []
    assert winner_of(make_archive("bare")).columns["iteration"].size == 0


def test_without_a_recorded_race_the_last_at_work_won(make_archive: Make) -> None:
    archive = _race(make_archive("bare"), [(0, 4), (1, 4), (0, 2)], winner=0, every=1)
    archive.metrics.pop("race")
    np.testing.assert_array_equal(winner_of(archive).columns["own"], np.arange(1, 7))


def test_the_table_is_ranked(make_archive: Make) -> None:
    rows = race_rows(make_archive("heat"))
    assert [row["name"] for row in rows] == ["sine-4", "sine-2", "tanh"]
    assert [row["is_winner"] for row in rows] == [True, False, False]
    assert [row["risk"] for row in rows] == ["0.09220", "0.09540", "–"]
    assert [row["iterations"] for row in rows] == ["32", "20", "20"]


@pytest.mark.parametrize("race", [None, [], "x", [{"network": "tanh"}], {"a": 1}])
def test_no_race_no_table(make_archive: Make, race: Any) -> None:
    archive = make_archive("heat")
    assert race_rows(replace(archive, metrics=archive.metrics | {"race": race})) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"width": 128, "depth": 1, "activation": "sin", "features": 2.0},
            "128 sines of bandwidth 2",
        ),
        (
            {"width": 48, "depth": 2, "activation": "tanh", "features": 0.5},
            "48 sines of bandwidth 0.5, then 48 tanh",
        ),
        (
            {"width": 64, "depth": 4, "activation": "sin", "features": 2.0},
            "64 sines of bandwidth 2, then 3 layers of 64 sines",
        ),
        ({"width": 32, "depth": 3, "activation": "tanh", "features": None}, "3 layers of 32 tanh"),
        ({"width": 32, "depth": 1, "activation": "tanh", "features": None}, "32 tanh"),
        (None, "–"),
        ({}, "–"),
    ],
)
def test_networks_in_words(options: dict[str, Any] | None, words: str) -> None:
    assert network_words(options) == words


def test_the_shipped_candidates_are_told_apart() -> None:
    networks = {network for division in DIVISIONS for network in division.networks.values()}
    words = [network_words(asdict(network)) for network in networks]
    assert len(set(words)) == len(networks)
    assert "–" not in words
