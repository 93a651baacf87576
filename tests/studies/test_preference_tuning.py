"""Preference tuning: pairs, refusals, and with transformers and TRL the study from end to end."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from pinngate.errors import InputError
from pinngate.studies import preference_tuning as tuning
from pinngate.studies.preference_results import _at_loss
from pinngate.studies.preference_task import made_up_pairs
from pinngate.studies.study import run_study
from pinngate.studies.study_settings import read_settings

MISSING = [name for name in tuning.PACKAGES if importlib.util.find_spec(name) is None]
needs_packages = pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} not installed")


def num_wrong(pair: dict[str, str], side: str) -> int:
    perfect = pair["prompt"].split()[-2::-1]
    return sum(a != b for a, b in zip(perfect, pair[side].split(), strict=True))


def test_clean_pairs_prefer_fewer_errors_and_a_share_is_swapped() -> None:
    clean = made_up_pairs(0, "pairs", 200, 0.0)
    assert all(num_wrong(p, "chosen") < num_wrong(p, "rejected") for p in clean)
    swapped = made_up_pairs(0, "pairs", 1000, 0.3)
    share = sum(num_wrong(p, "chosen") > num_wrong(p, "rejected") for p in swapped) / 1000
    assert share == pytest.approx(0.3, abs=0.06)


def test_the_place_of_equal_loss_lies_between_two_looks() -> None:
    course = {"step": [0.0, 10.0, 20.0], "train_loss": [0.7, 0.6, 0.4], "drift": [0.0, 1.0, 3.0]}
    found = _at_loss({"course": course}, 0.5)
    assert found == pytest.approx({"step": 15.0, "train_loss": 0.5, "drift": 2.0})


def test_statistics_of_examples_are_refused() -> None:
    settings = read_settings(
        tuning.PreferenceSettings, "dpo", overrides=["arms.x.gate=snr", "arms.x.learning_rate=1"]
    )
    arm = settings.arms["x"].model_copy(update={"statistics": "pairs"})
    with pytest.raises(InputError, match="statistics=pairs"):
        tuning._check_statistics("x", arm)


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError) as caught:
        run_study("dpo", tmp_path, is_quick=True)
    assert "pinngate[dpo]" in str(caught.value)


@needs_packages
@pytest.mark.filterwarnings("ignore")
def test_quick_runs_and_takes_a_local_model_and_file(tmp_path: Path) -> None:
    outcome = run_study("dpo", tmp_path / "made-up", is_quick=True)
    assert {row["arm"] for row in outcome.tables["summary"]} >= {"adamw", "snr"}
    assert (tmp_path / "made-up" / "dpo.png").stat().st_size > 10_000

    pairs = tmp_path / "pairs.jsonl"
    rows = made_up_pairs(3, "pairs", 80, 0.0)
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = tmp_path / "made-up" / "cells" / "reference"
    settings = [f"model={model}", f"dataset={pairs}"]
    own = run_study("dpo", tmp_path / "own", is_quick=True, overrides=settings)
    assert len(own.tables["courses"]) == len(outcome.tables["courses"])
