"""The figures of a direct fit: one iterate at full physics, and losses in squared data units."""

from __future__ import annotations

import torch

from pinngate.optim.direct_fit.fit_figures import FitFigures

FIGURES = FitFigures(
    unit=10.0, risk=0.02, training_risk=0.01, errors=torch.tensor([0.1, -0.2]), dimension=3.0
)


def test_the_entry_of_the_race_has_its_score_in_units_of_the_fields() -> None:
    best = FIGURES.best(1)
    assert (best["score"], best["risk"], best["iteration"]) == (0.02, 2.0, 1)
    assert torch.equal(best["errors"], FIGURES.errors)


def test_the_row_of_the_log_is_in_data_units_and_names_the_coefficients() -> None:
    row = FIGURES.row(7, {"k": (0.5, 0.1)})
    assert (row["loss"], row["leave_one_out_risk"], row["functions"]) == (1.0, 2.0, 7.0)
    assert (row["coefficient_k"], row["coefficient_k_std"]) == (0.5, 0.1)
