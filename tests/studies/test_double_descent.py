"""The double-descent study: what is foretold is exact where the model is linear."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pinngate.studies.double_descent import DescentSettings, Drawn, _feature_rows, _logged
from pinngate.studies.study import run_study
from pinngate.studies.study_settings import read_settings


def test_quick_runs_and_writes(tmp_path: Path) -> None:
    outcome = run_study("double-descent", tmp_path, is_quick=True)
    curves = {row["curve"] for row in outcome.tables["curves"]}
    assert len(curves) == 5
    assert "networks, control" in curves
    assert (tmp_path / "double-descent.png").stat().st_size > 10_000


def test_the_foretold_error_is_the_mean_over_noise_of_features() -> None:
    settings = read_settings(
        DescentSettings,
        "double-descent",
        is_quick=True,
        overrides=["features.widths=[20]", "features.times=[1000.0]"],
    )
    drawn = Drawn(settings, 0)
    (row,) = _feature_rows(settings, drawn, 0)
    foretold = row["missed_signal"] + row["noise_in_channel"] + row["noise_in_reservoir"]
    source = torch.Generator().manual_seed(1)
    errors = []
    for _ in range(400):
        noise = torch.randn(settings.num_data, generator=source, dtype=torch.float64)
        drawn.data = drawn.clean + settings.noise_std * noise
        errors.append(_feature_rows(settings, drawn, 0)[0]["test_error"])
    found = torch.tensor(errors)
    assert float(found.mean()) == pytest.approx(foretold, abs=4 * float(found.std()) / 400**0.5)


def test_logged_steps_end_at_the_last() -> None:
    steps = _logged(3000, 40)
    assert steps[-1] == 3000
    assert steps == sorted(set(steps))
