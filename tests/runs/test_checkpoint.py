"""Checkpoints: what is damaged, foreign or older is refused in words, whatever the bytes."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
import torch

from pinngate.errors import InputError, StorageError
from pinngate.runs import checkpoint

STATE = {
    "stepper": {"weights": torch.arange(200.0), "iteration": 7, "reason": None, "is_on": True},
    "history": [{"loss": 0.5, "iteration": 1.0}],
    "seconds": 1.5,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "checkpoint.pt", STATE, "mine")
    return tmp_path / "checkpoint.pt"


def test_a_state_comes_back(path: Path) -> None:
    found = checkpoint.load(path, "mine")
    assert torch.equal(found["stepper"].pop("weights"), STATE["stepper"]["weights"])  # type: ignore[index]
    assert found["stepper"] == {"iteration": 7, "reason": None, "is_on": True}
    assert found["history"] == STATE["history"]
    assert torch.load(path, weights_only=True)["format"] == checkpoint.FORMAT


def test_another_problem_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="belongs to another problem"):
        checkpoint.load(path, "yours")


def test_other_files_are_refused(path: Path) -> None:
    for content in (b"", b"text", b"PK\x03\x04", b"\x80\x02}q\x00.", os.urandom(500)):
        path.write_bytes(content)
        with pytest.raises(InputError, match="run the problem again"):
            checkpoint.load(path)
    torch.save({"format": checkpoint.FORMAT, **STATE}, path)
    with pytest.raises(InputError, match="checksum"):
        checkpoint.load(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="is a pipe"):
        checkpoint.load(path)


def test_no_damaged_state_is_taken_for_whole(path: Path) -> None:
    content, random = path.read_bytes(), Random(0)
    for _ in range(200):
        damaged = bytearray(content)
        start, length = random.randrange(len(content)), random.choice([1, 8, 40, 400])
        damaged[start : start + length] = bytes(random.choice([0, 255]) for _ in range(length))
        path.write_bytes(damaged[: random.choice([len(damaged), start])])
        try:
            found = checkpoint.load(path, "mine")
        except InputError:
            continue
        assert checkpoint.checksum(found) == checkpoint.checksum(STATE)


def test_a_disk_that_is_full_leaves_the_one_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pinngate.writing.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        checkpoint.save(path, {"stepper": {}}, "mine")
    assert checkpoint.load(path, "mine")["seconds"] == 1.5
    assert [p.name for p in path.parent.iterdir()] == ["checkpoint.pt"]


def test_every_part_of_a_state_counts() -> None:
    states = [{}, {"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"a": [1]}, {"a": (1,)}, {"b": 1}]
    states += [{"a": torch.ones(2)}, {"a": torch.ones(2, 1)}, {"a": torch.ones(2).double()}]
    assert len({checkpoint.checksum(state) for state in states}) == len(states)
