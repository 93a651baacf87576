"""What is known where not every coefficient is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from pinngate.inference.determinacy import known_combinations
from pinngate.inference.posterior import Posterior
from pinngate.model.coefficients import Coefficients
from pinngate.statement.unknown_quantities import Coefficient


def posterior_of(rows: list[list[float]], variance: float = 1e-4) -> Posterior:
    """The posterior of coefficients whose raw numbers are seen through rows, noise 0.01."""
    columns = torch.tensor(rows, dtype=torch.float64)
    nothing = torch.zeros(0, columns.shape[1], dtype=torch.float64)
    information = columns.T @ columns / variance
    covariance = torch.linalg.pinv(information, hermitian=True)
    return Posterior(
        1.0,
        variance,
        1e9,
        leverage=nothing[:, 0],
        directions=nothing,
        remainders=nothing.new_ones(nothing.shape[1]),
        transfer=nothing,
        coefficient_covariance=covariance,
        information=information,
    )


def coefficients(values: dict[str, float], *, is_positive: bool) -> Coefficients:
    low = 0.0 if is_positive else None
    stated = [Coefficient(name=n, initial=v, lower=low) for n, v in values.items()]
    return Coefficients(stated, torch.float64)


def products(rates: Mapping[str, float], is_scaling: bool) -> bool:
    return is_scaling


def sums(rates: Mapping[str, float], is_scaling: bool) -> bool:
    return not is_scaling


def test_a_product_of_powers() -> None:
    found = coefficients({"a": 2.0, "b": 3.0, "c": 4.0}, is_positive=True)
    # d log(a b²/c), seen ten times
    (known,) = known_combinations(posterior_of([[1, 2, -1]] * 10), found, ["a", "b", "c"], products)
    assert (known.text, known.estimate) == ("a*b**2/c", pytest.approx(4.5))
    half = 1.96 * 0.01 / np.sqrt(10)
    assert known.upper / known.lower == pytest.approx(np.exp(2 * half), rel=1e-3)


def test_two_ratios_of_three() -> None:
    found = coefficients({"a": 2.0, "b": 3.0, "c": 6.0}, is_positive=True)
    known = known_combinations(
        posterior_of([[1, 0, -1], [0, 1, -1]]), found, ["a", "b", "c"], products
    )
    texts = [k.text for k in known]
    assert len(texts) == 2
    assert set(texts) <= {"a/b", "a/c", "b/c"}


def test_a_sum() -> None:
    found = coefficients({"a": 2.0, "b": 3.0}, is_positive=False)
    sizes = torch.tensor([2.0, 3.0])  # raw numbers are in units of the initial values
    (known,) = known_combinations(posterior_of([sizes.tolist()]), found, ["a", "b"], sums)
    assert (known.text, known.estimate) == ("a + b", pytest.approx(5.0))


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c", "d", "e"]])
def test_one_alone_and_crowds_are_not_combined(names: list[str]) -> None:
    found = coefficients(dict.fromkeys(names, 1.0), is_positive=True)
    assert known_combinations(posterior_of([[1.0] * len(names)]), found, names, products) == []


def test_what_nothing_tells_is_not_known() -> None:
    found = coefficients({"a": 2.0, "b": 3.0}, is_positive=True)
    assert known_combinations(posterior_of([[0.0, 0.0]]), found, ["a", "b"], products) == []
