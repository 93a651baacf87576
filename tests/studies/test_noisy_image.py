"""The image study from end to end on a drawn picture, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pinngate.errors import InputError
from pinngate.studies.pictures import denoised, picture
from pinngate.studies.study import run_study


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    line = np.linspace(0, 1, 48)
    waves = 0.5 + 0.4 * np.sin(9 * line)[:, None] * np.cos(7 * line)
    path = tmp_path / "waves.png"
    Image.fromarray((255 * waves).astype(np.uint8)).save(path)
    return path


def test_quick_runs_resumes_and_writes(drawn: Path, tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "study"
    settings = [f"image={drawn}"]
    outcome = run_study("noisy-image", folder, is_quick=True, overrides=settings)
    assert {row["arm"] for row in outcome.tables["stopping"]} >= {"adamw", "snr"}
    assert (folder / "noisy-image.png").stat().st_size > 10_000
    again = run_study("noisy-image", folder, is_quick=True, overrides=settings, tell=told.append)
    assert len(told) == 1
    assert again.tables == outcome.tables


def test_a_picture_is_averaged_to_its_size(drawn: Path) -> None:
    found = picture(str(drawn), 24)
    whole = np.asarray(Image.open(drawn)) / 255
    assert found.shape == (24, 24)
    assert found[3, 5] == pytest.approx(whole[6:8, 10:12].mean())


def test_classical_denoisers_denoise(drawn: Path) -> None:
    clean = picture(str(drawn), 48)
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    for answers in denoised(noisy, 0.1).values():
        assert min(((a - clean) ** 2).mean() for a in answers.values()) < 0.5 * 0.1**2


@pytest.mark.skipif(
    importlib.util.find_spec("skimage") is None, reason="scikit-image is not installed"
)
def test_shipped_pictures() -> None:
    assert picture("camera", 32).shape == (32, 32)
    with pytest.raises(InputError, match="no picture"):
        picture("camra", 32)


def test_wrong_pictures_are_told(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="48 pixels"):
        picture(str(drawn), 96)
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(InputError, match="cannot be read"):
        picture(str(tmp_path / "no.png"), 8)


def test_a_shipped_picture_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="scikit-image"):
        picture("camera", 32)
