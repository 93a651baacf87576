"""Bases on their own: without the solver that would go ahead of them."""

from __future__ import annotations

import pytest

from pinngate.optim import line_up


@pytest.fixture(autouse=True)
def without_a_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_up, "is_for_solver", lambda parts: False)
