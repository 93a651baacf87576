"""Settings are read strictly; finished cells are kept, and belong to their settings."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from pinngate.errors import InputError
from pinngate.studies.cells import CELLS, Cell, Place, finished, run_cell
from pinngate.studies.double_descent import DescentSettings
from pinngate.studies.grokking import GrokkingSettings
from pinngate.studies.noisy_image import ImageSettings
from pinngate.studies.preference_tuning import PreferenceSettings
from pinngate.studies.study import MODULES, run_study, study_named
from pinngate.studies.study_settings import read_settings

KINDS = {
    "grokking": GrokkingSettings,
    "noisy-image": ImageSettings,
    "double-descent": DescentSettings,
    "dpo": PreferenceSettings,
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("is_quick", [True, False])
def test_the_files_of_settings_are_right(name: str, is_quick: bool) -> None:
    assert study_named(name).settings is KINDS[name]
    read_settings(KINDS[name], name, is_quick=is_quick)


def test_a_changed_setting_replaces_that_of_the_file() -> None:
    found = read_settings(
        DescentSettings, "double-descent", overrides=["features.seeds=[7]", "noise_std=0.25"]
    )
    assert (found.features.seeds, found.noise_std) == ([7], 0.25)


def test_null_takes_an_arm_away() -> None:
    found = read_settings(DescentSettings, "double-descent", overrides=["networks.arms.adam=null"])
    assert list(found.networks.arms) == ["snr", "control"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("noise_std", "no path=value"),
        ("noise_std=[", "no YAML"),
        ("noise_std=-1", "noise_std: input should be greater"),
        ("nois_std=1", "did you mean 'noise_std'?"),
        ("networks.arms.adam.gate=soff", "networks.arms.adam.gate"),
    ],
)
def test_wrong_settings_are_told(override: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_settings(DescentSettings, "double-descent", overrides=[override])
    assert words in str(caught.value)


def counted(calls: list[str], place: Place) -> dict[str, Any]:
    calls.append(place.cell.name)
    return {"value": 3.0}


def test_a_finished_cell_is_read_and_not_run(tmp_path: Path) -> None:
    (tmp_path / CELLS).mkdir()
    cell, calls = Cell("one", {"rate": 0.1}), []
    assert finished(tmp_path, cell) is None
    run_cell(partial(counted, calls), tmp_path, cell, "cpu", None)
    assert finished(tmp_path, cell) == {"value": 3.0}
    assert calls == ["one"]


def test_a_cell_of_other_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / CELLS).mkdir()
    run_cell(partial(counted, []), tmp_path, Cell("one", {"rate": 0.1}), "cpu", None)
    with pytest.raises(InputError, match="other settings"):
        finished(tmp_path, Cell("one", {"rate": 0.2}))


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    (tmp_path / CELLS).mkdir()
    (tmp_path / CELLS / "one.json").write_text("{")
    with pytest.raises(InputError, match="no record"):
        finished(tmp_path, Cell("one", {}))


def test_a_state_belongs_to_its_cell(tmp_path: Path) -> None:
    (tmp_path / CELLS).mkdir()
    place = Place(tmp_path, Cell("one", {"rate": 0.1}))
    assert place.left_state() is None
    place.keep_state(lambda: {"x": torch.arange(3)}, is_now=True)
    place.keep_state(lambda: {"x": torch.zeros(3)})  # not yet time again
    left = place.left_state()
    assert left is not None
    assert left["x"].tolist() == [0, 1, 2]
    assert Place(tmp_path, Cell("one", {"rate": 0.2})).left_state() is None
    place.checkpoint.write_bytes(b"damaged")
    assert place.left_state() is None


def test_unknown_names_and_devices_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_study("groking", tmp_path)
    assert "did you mean 'grokking'?" in str(caught.value)
    with pytest.raises(InputError, match="device"):
        run_study("grokking", tmp_path, device="abacus")
