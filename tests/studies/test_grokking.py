"""The grokking study from end to end, small: resumed it gives the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from pinngate.studies import cells as cells_module
from pinngate.studies.cells import CELLS, Place
from pinngate.studies.division_task import Answerer, division_table
from pinngate.studies.grokking import GrokkingSettings, cells, measure
from pinngate.studies.study import run_study
from pinngate.studies.study_settings import read_settings


def test_the_table_is_that_of_division() -> None:
    words, answers = division_table(13)
    assert words.shape == (13 * 12, 3)
    a, b = words[:, 0], words[:, 1]
    assert torch.equal(answers * b % 13, a)
    assert set(words[:, 2].tolist()) == {13}


def test_the_model_treats_its_words_one_by_one() -> None:
    torch.manual_seed(0)
    model = Answerer(13, 16, 2)
    words = division_table(13)[0][:6]
    torch.testing.assert_close(model(words)[2:4], model(words[2:4]))
    assert model(words).shape == (6, 13)


def test_quick_runs_resumes_and_writes(tmp_path: Path) -> None:
    told: list[str] = []
    outcome = run_study(
        "grokking", tmp_path, is_quick=True, command="the command", tell=told.append
    )
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "the command" in page
    assert "torch" in page
    for name in ("runs", "summary", "factors", "courses", "gate", "gate-by-tensor", "sweep"):
        assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8").count("\n") > 1
    assert (tmp_path / "grokking.png").stat().st_size > 10_000
    assert told[0].startswith("0 of")

    told.clear()
    again = run_study("grokking", tmp_path, is_quick=True, tell=told.append)
    assert len(told) == 1  # nothing was run
    assert again.tables == outcome.tables


def test_what_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(GrokkingSettings, "grokking", is_quick=True)
    cell = next(c for c in cells(settings) if c.name == "arm-snr-0")
    (tmp_path / CELLS).mkdir()
    whole = measure(settings, Place(tmp_path, cell))

    monkeypatch.setattr(cells_module, "KEPT_EVERY", 0.0)
    kept = Place.keep_state

    def interrupted(place: Place, make, **options) -> None:  # type: ignore[no-untyped-def]
        kept(place, make, **options)
        if make()["training"]["num_steps"] >= 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(Place, "keep_state", interrupted)
    with pytest.raises(KeyboardInterrupt):
        measure(settings, Place(tmp_path, cell))
    monkeypatch.setattr(Place, "keep_state", kept)
    place = Place(tmp_path, cell)
    assert place.left_state() is not None
    resumed = measure(settings, place)
    for name in ("course", "looks", "gates", "mean_gate", "num_steps"):
        assert json.dumps(resumed[name]) == json.dumps(whole[name])
