"""Gates against the leave-one-out theorem, their formulas in exact arithmetic, and their limits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pinngate.optim.gates import (
    GATES,
    averaging_factor,
    finite_sample_threshold,
    hard,
    snr,
    soft,
)

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
CONSTANTS = {"threshold": 0.7, "strength": 0.3}


def leave_one_out_product(gradients: np.ndarray) -> float:
    """Return (1/b) Σ_i g_i · mean_{j≠i} g_j by its definition, one example at a time."""
    products = [g * np.delete(gradients, i).mean() for i, g in enumerate(gradients)]
    return float(np.mean(products))


@pytest.mark.parametrize("num_examples", [2, 3, 10, 200])
def test_leave_one_out_product_is_squared_mean_less_variance_of_mean(num_examples: int) -> None:
    rng = np.random.default_rng(num_examples)
    for center in (0.0, 0.3, -5.0):
        g = rng.normal(center, 1.0, num_examples)
        identity = g.mean() ** 2 - g.var() / (num_examples - 1)
        # Both sides are sums of b terms of order center² + 1 in float64.
        assert leave_one_out_product(g) == pytest.approx(identity, abs=1e-12)


def test_leave_one_out_product_estimates_the_squared_population_mean() -> None:
    num_batches, num_examples, mu, sigma = 200_000, 8, 0.4, 1.5
    rng = np.random.default_rng(0)
    g = rng.normal(mu, sigma, (num_batches, num_examples))
    products = g.mean(axis=1) ** 2 - g.var(axis=1) / (num_examples - 1)
    standard_error = products.std() / math.sqrt(num_batches)
    assert abs(products.mean() - mu**2) < 4 * standard_error
    # The square of the batch mean alone is off by σ²/b, far outside that error.
    assert abs((g.mean(axis=1) ** 2).mean() - mu**2) > 50 * standard_error


def test_hard_gate_opens_where_the_leave_one_out_product_is_positive() -> None:
    num_coordinates, num_examples = 400, 12
    rng = np.random.default_rng(1)
    g = rng.normal(rng.normal(0.0, 0.4, num_coordinates), 1.0, (num_examples, num_coordinates))
    expected = np.array([leave_one_out_product(column) > 0 for column in g.T])
    mean = torch.from_numpy(g.mean(axis=0))
    variance = torch.from_numpy(g.var(axis=0) / (num_examples - 1))
    assert 0.2 < expected.mean() < 0.8
    np.testing.assert_array_equal(hard(mean, variance, 1.0).numpy(), expected)
    # Dividing by b − 1 a second time is a different test.
    twice = hard(mean, variance / (num_examples - 1), 1.0).numpy()
    assert (twice != expected).mean() > 0.1


def exact(name: str, mean: float, variance: float, alpha: float, lam: float) -> float:
    """Return the gate by its formula in rational arithmetic, 0/0 by the stated convention."""
    m2, s = Fraction(mean) ** 2, Fraction(variance)
    if m2 == 0:
        return 0.0
    if s == 0:
        return 1.0
    excess = max(m2 - Fraction(alpha) * s, Fraction(0))
    if name == "hard":
        return float(excess > 0)
    if name == "soft":
        return float(excess / (excess + Fraction(lam) * s)) if excess else 0.0
    return float(m2 / (m2 + Fraction(lam) * s))


@settings(deadline=None)  # the first example pays for loading kernels
@given(
    mean=st.just(0.0)
    | st.builds(math.copysign, st.floats(1e-100, 1e100), st.sampled_from([1, -1])),
    variance=st.just(0.0) | st.floats(1e-100, 1e100),
    alpha=st.just(0.0) | st.floats(1e-6, 1e6),
    lam=st.just(0.0) | st.floats(1e-6, 1e6),
)
def test_gates_equal_their_formulas(mean: float, variance: float, alpha: float, lam: float) -> None:
    arguments = torch.tensor([mean, variance], dtype=torch.float64).unbind()
    ratio = Fraction(alpha) * Fraction(variance) - Fraction(mean) ** 2
    is_near_tie = abs(ratio) <= Fraction(1, 10**13) * max(Fraction(mean) ** 2, Fraction(0))
    for name, gate in GATES.items():
        q = gate(*arguments, threshold=alpha, strength=lam).item()
        assert 0.0 <= q <= 1.0
        # Within rounding of the threshold the decision, and with small λ the soft gate, is open.
        if name == "snr" or not is_near_tie:
            # Cancellation in m² − αs, relative 1e-13 at the least, against rounding of 1e-16.
            assert q == pytest.approx(exact(name, mean, variance, alpha, lam), rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GATES)
def test_gates_equal_their_formulas_away_from_the_threshold(name: str, dtype: torch.dtype) -> None:
    mean = torch.tensor([0.0, 0.5, -0.5, 1.0, -2.0, 3.0], dtype=dtype)
    variance = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.25], dtype=dtype)
    q = GATES[name](mean, variance, **CONSTANTS)
    expected = [
        exact(name, m, s, CONSTANTS["threshold"], CONSTANTS["strength"])
        for m, s in zip(mean.tolist(), variance.tolist(), strict=True)
    ]
    assert q.dtype == dtype
    # One rounding to the type, and a few in float32.
    torch.testing.assert_close(
        q.double(),
        torch.tensor(expected, dtype=torch.float64),
        rtol=2 * torch.finfo(dtype).eps,
        atol=0.0,
    )


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("exponent", [-120, -60, -40, 0, 40, 60])
def test_gates_are_free_of_scale_to_the_last_bit(name: str, exponent: int) -> None:
    generator = torch.Generator().manual_seed(2)
    mean = torch.randn(500, generator=generator)
    variance = torch.rand(500, generator=generator) + 0.1
    expected = GATES[name](mean, variance, **CONSTANTS)
    # c is 2^(exponent/2): the smallest makes c² = 7.5e-37, the largest c² = 1.2e18.
    c = 2.0 ** (exponent // 2)
    scaled = GATES[name](mean * c, variance * (c * c), **CONSTANTS)
    assert torch.equal(scaled, expected)
    assert 0.05 < expected.mean() < 0.95


@pytest.mark.parametrize("name", GATES)
def test_gates_do_not_square_the_mean(name: str) -> None:
    # The squares of both means, 1e-60, are 0 in float32; the ratios are 10 and 0.01 all the same.
    mean = torch.tensor([1e-21, 1e-22], dtype=torch.float32)
    variance = torch.tensor([1e-43, 1e-42], dtype=torch.float32)
    assert (mean.square() == 0).all() or (mean.square() < 1e-41).all()
    q = GATES[name](mean, variance, threshold=1.0, strength=1.0)
    expected = {"hard": [1.0, 0.0], "soft": [9 / 10, 0.0], "snr": [10 / 11, 0.01 / 1.01]}[name]
    # Variances this small are subnormal, with two significant digits.
    torch.testing.assert_close(q, torch.tensor(expected), rtol=2e-2, atol=0.0)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_gates_at_zero(name: str, dtype: torch.dtype, threshold: float, strength: float) -> None:
    tiny = torch.finfo(dtype).tiny
    mean = torch.tensor([0.0, -0.0, 0.0, 1.0, -1.0, tiny, torch.finfo(dtype).max], dtype=dtype)
    variance = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], dtype=dtype)
    q = GATES[name](mean, variance, threshold=threshold, strength=strength)
    assert q.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]


def test_extreme_ratios_stay_finite() -> None:
    mean = torch.tensor([1e-30, 1e30], dtype=torch.float32)
    variance = torch.tensor([1e30, 1e-30], dtype=torch.float32)
    for gate in GATES.values():
        q = gate(mean, variance, threshold=1.0, strength=10.0)
        torch.testing.assert_close(q, torch.tensor([0.0, 1.0]), rtol=0.0, atol=1e-30)


def test_a_tie_is_closed() -> None:
    mean = torch.linspace(0.1, 3.0, 1001)
    assert hard(mean, mean * mean, 1.0).sum() == 0
    assert soft(mean, mean * mean, 1.0, 0.1).sum() == 0
    assert hard(mean, mean * mean * 0.999, 1.0).sum() == 1001


def test_soft_without_strength_is_hard_and_without_threshold_is_snr() -> None:
    generator = torch.Generator().manual_seed(3)
    mean = torch.randn(300, generator=generator, dtype=torch.float64)
    variance = torch.rand(300, generator=generator, dtype=torch.float64)
    assert torch.equal(soft(mean, variance, 1.0, 0.0), hard(mean, variance, 1.0))
    # 1/(1 + λu) in two orders of operations.
    torch.testing.assert_close(
        soft(mean, variance, 0.0, 0.5), snr(mean, variance, 0.5), rtol=1e-14, atol=0.0
    )


def test_nan_is_not_hidden() -> None:
    mean = torch.tensor([math.nan, 1.0])
    variance = torch.tensor([1.0, math.nan])
    assert snr(mean, variance, 1.0).isnan().all()
    assert soft(mean, variance, 1.0, 1.0).isnan().all()
    assert hard(mean, variance, 1.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", GATES)
def test_inputs_are_not_changed(name: str) -> None:
    mean, variance = torch.randn(7, dtype=torch.float64), torch.rand(7, dtype=torch.float64)
    copies = mean.clone(), variance.clone()
    GATES[name](mean, variance, **CONSTANTS)
    assert torch.equal(mean, copies[0])
    assert torch.equal(variance, copies[1])


def test_averaging_factor_is_the_variance_of_a_moving_average() -> None:
    for beta in (0.5, 0.9, 0.99):
        # The weights (1−β)β^k, squared and summed.
        weights = (1 - beta) * beta ** np.arange(10_000)
        assert averaging_factor(beta) == pytest.approx(float((weights**2).sum()), rel=1e-12)


def test_finite_sample_threshold_asks_for_more_than_the_noise_of_the_rest() -> None:
    assert math.isclose(finite_sample_threshold(512, 2328), 512 / 1816)
    # with the variance of a batch mean, σ²/b, the threshold is that of a mean over the rest
    b, n, variance = 8, 40, 3.0
    assert math.isclose(finite_sample_threshold(b, n) * variance / b, variance / (n - b))


@pytest.mark.parametrize(("batch_size", "num_examples"), [(0, 5), (5, 5), (6, 5), (-1, 5)])
def test_finite_sample_threshold_needs_examples_outside_the_batch(
    batch_size: int, num_examples: int
) -> None:
    with pytest.raises(ValueError, match="less than the number of examples"):
        finite_sample_threshold(batch_size, num_examples)
