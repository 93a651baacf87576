"""PopulationRiskAdam against torch's AdamW, a slow transcription, and the noise it should see."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pinngate.optim.gates import averaging_factor
from pinngate.optim.population_risk_adam import NoiseEstimate, PopulationRiskAdam

SHAPES = ((3, 4), (5,), (), (2, 1, 3))
GATE_NAMES = ("hard", "soft", "snr")


def start(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.nn.Parameter(torch.randn(s, generator=generator, dtype=torch.float64).to(dtype))
        for s in SHAPES
    ]


def gradients(
    num_steps: int, dtype: torch.dtype = torch.float64, scale: float = 1.0, seed: int = 1
) -> Iterator[list[Tensor]]:
    """Yield a fixed signal, of size one, with noise of size one."""
    generator = torch.Generator().manual_seed(seed)
    signal = [torch.randn(s, generator=generator, dtype=torch.float64) for s in SHAPES]
    for _ in range(num_steps):
        yield [
            ((mu + torch.randn(mu.shape, generator=generator, dtype=torch.float64)) * scale).to(
                dtype
            )
            for mu in signal
        ]


def feed(optimizer: torch.optim.Optimizer, grads: list[Tensor]) -> None:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad.clone()
    optimizer.step()


def run(optimizer: torch.optim.Optimizer, steps: Iterator[list[Tensor]]) -> None:
    for grads in steps:
        feed(optimizer, grads)


def assert_identical(first: list[Any], second: list[Any]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.detach(), other.detach())


# --- with the gate off it is AdamW -------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_without_gate_is_adamw_to_the_last_bit(
    dtype: torch.dtype, foreach: bool, maximize: bool, weight_decay: float
) -> None:
    options: dict[str, Any] = {
        "lr": 3e-2,
        "betas": (0.87, 0.995),
        "eps": 1e-6,
        "weight_decay": weight_decay,
        "maximize": maximize,
        "foreach": foreach,
    }
    ours, theirs = start(dtype), start(dtype)
    optimizer = PopulationRiskAdam(ours, gate=None, **options)
    reference = torch.optim.AdamW(theirs, **options)
    for grads in gradients(25, dtype):
        feed(optimizer, grads)
        feed(reference, grads)
        assert_identical(ours, theirs)
    assert any(not torch.equal(p, q) for p, q in zip(ours, start(dtype), strict=True))


def test_without_gate_is_adamw_with_a_tensor_learning_rate() -> None:
    ours, theirs = start(), start()
    rate = torch.tensor([1e-2])
    optimizer = PopulationRiskAdam(ours, lr=rate.clone(), weight_decay=0.1, gate=None)
    reference = torch.optim.AdamW(theirs, lr=rate.clone(), weight_decay=0.1)
    for grads in gradients(20):
        feed(optimizer, grads)
        feed(reference, grads)
        for group in (*optimizer.param_groups, *reference.param_groups):
            group["lr"].mul_(0.9)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("foreach", [False, True])
def test_open_gate_is_adamw_to_the_last_bit(foreach: bool) -> None:
    ours, theirs = start(), start()
    optimizer = PopulationRiskAdam(
        ours, lr=1e-2, weight_decay=0.1, gate="snr", strength=0.0, foreach=foreach
    )
    reference = torch.optim.AdamW(theirs, lr=1e-2, weight_decay=0.1)
    for grads in gradients(30):
        feed(optimizer, grads)
        feed(reference, grads)
    assert_identical(ours, theirs)
    assert optimizer.gate_statistics()["mean"] == 1.0


def test_continues_from_the_state_of_adamw() -> None:
    ours, theirs = start(), start()
    reference = torch.optim.AdamW(theirs, lr=1e-2)
    steps = list(gradients(20))
    run(reference, iter(steps[:10]))
    with torch.no_grad():
        for one, other in zip(ours, theirs, strict=True):
            one.copy_(other)
    optimizer = PopulationRiskAdam(ours, gate="snr", strength=0.0)
    optimizer.load_state_dict(copy.deepcopy(reference.state_dict()))
    assert optimizer.param_groups[0]["gate"] == "snr"
    run(optimizer, iter(steps[10:]))
    run(reference, iter(steps[10:]))
    assert_identical(ours, theirs)


# --- a slow twin --------------------------------------------------------------------------------


class SlowTwin:
    """The algorithm one number at a time, in Python floats, as written in the paper."""

    def __init__(self, w: list[float], options: dict[str, Any]) -> None:
        self.w, self.options, self.t = list(w), options, 0
        self.m, self.v = [0.0] * len(w), [0.0] * len(w)
        self.s, self.gate_m, self.num_gate_means = [0.0] * len(w), [0.0] * len(w), 0

    def step(
        self, g: list[float], variance: list[float] | None, mean: list[float] | None
    ) -> list[float]:
        o, (beta1, beta2) = self.options, self.options["betas"]
        alpha, rho = o["threshold"], o["rho"]
        lam = o["strength"] if o["strength"] is not None else (1 - beta1) / (1 + beta1)
        self.t += 1
        if mean is not None:
            self.num_gate_means += 1
        m2, s = [], []
        for k in range(len(g)):
            gk = -g[k] if o["maximize"] else g[k]
            new = (gk - self.m[k]) ** 2 if variance is None else max(variance[k], 0.0)
            self.s[k] = rho * self.s[k] + (1 - rho) * new
            self.m[k] = beta1 * self.m[k] + (1 - beta1) * gk
            self.v[k] = beta2 * self.v[k] + (1 - beta2) * gk**2
            s.append(self.s[k] / (1 - rho**self.t))
            if mean is None:
                m2.append((self.m[k] / (1 - beta1**self.t)) ** 2)
            else:
                self.gate_m[k] = beta1 * self.gate_m[k] + (1 - beta1) * mean[k]
                m2.append((self.gate_m[k] / (1 - beta1**self.num_gate_means)) ** 2)
        if o["granularity"] == "tensor":
            m2 = [sum(m2) / len(m2)] * len(g)
            s = [sum(s) / len(s)] * len(g)
        q = []
        for k in range(len(g)):
            # Equality, as at the first streaming step, must not be decided by rounding.
            d = max(m2[k] - alpha * s[k], 0.0) if m2[k] > alpha * s[k] * (1 + 1e-12) else 0.0
            if o["gate"] == "hard":
                q.append(1.0 if d > 0 else 0.0)
            elif o["gate"] == "soft":
                q.append(d / (d + lam * s[k]) if d > 0 else 0.0)
            else:
                q.append(m2[k] / (m2[k] + lam * s[k]))
            m_hat = self.m[k] / (1 - beta1**self.t)
            v_hat = self.v[k] / (1 - beta2**self.t)
            self.w[k] -= (
                o["lr"] * q[k] * m_hat / (math.sqrt(v_hat) + o["eps"])
                + o["lr"] * o["weight_decay"] * self.w[k]
            )
        return q


@pytest.mark.parametrize("gate", GATE_NAMES)
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
@pytest.mark.parametrize("source", ["streaming", "variance", "mean and variance", "mixed"])
@pytest.mark.parametrize("foreach", [False, True])
def test_equals_the_slow_twin(gate: str, granularity: str, source: str, foreach: bool) -> None:
    options: dict[str, Any] = {
        "lr": 1e-2,
        "betas": (0.9, 0.99),
        "eps": 1e-8,
        "weight_decay": 0.05,
        "gate": gate,
        "rho": 0.97,
        # Means over a tensor vary less than coordinates: only a higher bar divides them.
        "threshold": 0.2 if granularity == "parameter" else 0.6,
        "strength": None if source == "streaming" else 0.3,
        "granularity": granularity,
        "maximize": source == "mixed",
    }
    params = start()
    twins = [SlowTwin(p.detach().reshape(-1).tolist(), options) for p in params]
    optimizer = PopulationRiskAdam(
        params,
        variance="streaming" if source == "streaming" else "per-point",
        foreach=foreach,
        **options,
    )
    rng = np.random.default_rng(5)
    fractions = []
    for index, grads in enumerate(gradients(20)):
        # In the mixed run the three forms take turns, and tensors differ in what they are given.
        kinds = [
            ("streaming", "variance", "mean and variance")[(index // 3 + i) % 3]
            if source == "mixed"
            else source
            for i in range(len(params))
        ]
        variances = {
            p: torch.tensor(rng.gamma(1.0, 1.0, tuple(p.shape)) - 0.05)
            for p, kind in zip(params, kinds, strict=True)
            if "variance" in kind
        }
        means = {
            p: g + torch.tensor(rng.normal(size=tuple(p.shape)))
            for p, g, kind in zip(params, grads, kinds, strict=True)
            if "mean" in kind
        }
        if variances:
            optimizer.attach_statistics(variances=variances, means=means or None)
        feed(optimizer, grads)
        qs = []
        for param, twin, grad in zip(params, twins, grads, strict=True):
            given = [
                table[param].reshape(-1).tolist() if param in table else None
                for table in (variances, means)
            ]
            qs.append(twin.step(grad.reshape(-1).tolist(), *given))
            # Twenty steps of rounding in float64.
            np.testing.assert_allclose(
                param.detach().reshape(-1).numpy(), twin.w, rtol=1e-11, atol=1e-13
            )
        flat = np.concatenate(qs)
        per_tensor = [float(np.mean(q)) for q in qs]
        statistics = optimizer.gate_statistics()
        # The statistics are averaged in float32.
        assert statistics["mean"] == pytest.approx(flat.mean(), rel=1e-6, abs=1e-7)
        assert statistics["fraction_above_half"] == pytest.approx((flat > 0.5).mean(), rel=1e-6)
        assert statistics["tensor_min"] == pytest.approx(min(per_tensor), rel=1e-6, abs=1e-7)
        assert statistics["tensor_median"] == pytest.approx(
            float(np.median(per_tensor)), rel=1e-6, abs=1e-7
        )
        fractions.append(flat.mean())
    assert 0.05 < np.mean(fractions[5:]) < 0.95


@pytest.mark.parametrize("gate", [None, *GATE_NAMES])
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_foreach_equals_single_tensor_to_the_last_bit(
    gate: str | None, granularity: str, dtype: torch.dtype
) -> None:
    runs = []
    for foreach in (False, True):
        params = [*start(dtype), *start(torch.float32, seed=9)]
        optimizer = PopulationRiskAdam(
            params,
            lr=1e-2,
            weight_decay=0.1,
            eps=0.0,
            gate=gate,
            threshold=0.1,
            granularity=granularity,
            variance="per-point",
            foreach=foreach,
        )
        for index, (one, other) in enumerate(
            zip(gradients(16, dtype), gradients(16, torch.float32, seed=8), strict=True)
        ):
            for param, grad in zip(params, [*one, *other], strict=True):
                param.grad = grad.clone()
            if index % 3 == 0:
                params[index % len(params)].grad = None
            if index % 2:
                optimizer.attach_variance([p.detach().abs() for p in params])
            optimizer.step()
        runs.append((params, optimizer.gate_statistics()))
    assert_identical(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]


# --- what the gate makes of noise and of scale --------------------------------------------------


def test_streaming_estimates_have_the_stated_variances() -> None:
    beta1, sigma, num_coordinates = 0.9, 2.0, 4_000
    param = torch.nn.Parameter(torch.zeros(num_coordinates, dtype=torch.float64))
    optimizer = PopulationRiskAdam([param], gate="hard", betas=(beta1, 0.999))
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        feed(
            optimizer,
            [sigma * torch.randn(num_coordinates, generator=generator, dtype=torch.float64)],
        )
    state = optimizer.state[param]
    # Relative standard error of a variance from n normal numbers: √(2/n) = 2.2 %; four of them.
    assert state["exp_avg"].var().item() == pytest.approx(
        averaging_factor(beta1) * sigma**2, rel=0.09
    )
    s_hat = state["variance"] / (1 - 0.99**300)
    assert s_hat.mean().item() == pytest.approx((1 + averaging_factor(beta1)) * sigma**2, rel=0.01)
    # At α = 1 noise is refused at 4.5 standard deviations: seven in a million, and ŝ varies.
    assert optimizer.gate_statistics()["mean"] < 1e-3


def test_calibrated_threshold_is_a_test_at_one_standard_deviation() -> None:
    num_coordinates = 4_000
    param = torch.nn.Parameter(torch.zeros(num_coordinates, dtype=torch.float64))
    optimizer = PopulationRiskAdam([param], gate="hard", threshold=averaging_factor(0.9))
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        feed(optimizer, [torch.randn(num_coordinates, generator=generator, dtype=torch.float64)])
    # P(|z| > √1.053) = 0.305, to 0.007 for the share, and ŝ uncertain by 10 %.
    assert optimizer.gate_statistics()["mean"] == pytest.approx(0.305, abs=0.03)


def test_default_strength_is_calibrated_and_follows_beta() -> None:
    for beta1 in (0.5, 0.9):
        runs = []
        for strength in (None, averaging_factor(beta1)):
            params = start()
            optimizer = PopulationRiskAdam(params, betas=(beta1, 0.999), strength=strength)
            run(optimizer, gradients(10))
            runs.append(params)
        assert_identical(*runs)


@pytest.mark.parametrize("gate", GATE_NAMES)
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float64, 1e-12), (torch.float64, 1e12), (torch.float32, 2.0**-40)],
)
def test_gate_and_path_are_free_of_the_scale_of_the_loss(
    gate: str, granularity: str, dtype: torch.dtype, scale: float
) -> None:
    # In float32 the power of two leaves every rounding as it was.
    tolerance = 0.0 if dtype == torch.float32 else 1e-9
    plain, scaled = start(dtype), start(dtype)
    options: dict[str, Any] = {
        "lr": 1e-2,
        "eps": 0.0,
        "gate": gate,
        # Means over a tensor vary less than coordinates: only a higher bar divides them.
        "threshold": 0.1 if granularity == "parameter" else 0.6,
        "granularity": granularity,
    }
    first, second = PopulationRiskAdam(plain, **options), PopulationRiskAdam(scaled, **options)
    openness = []
    for grads, small in zip(gradients(20, dtype), gradients(20, dtype, scale), strict=True):
        feed(first, grads)
        feed(second, small)
        openness.append(first.gate_statistics()["mean"])
        assert second.gate_statistics()["mean"] == pytest.approx(
            openness[-1], rel=max(tolerance, 1e-6 * (dtype == torch.float64))
        )
        for one, other in zip(plain, scaled, strict=True):
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    assert 0.05 < np.mean(openness) < 0.98


def test_without_eps_a_coordinate_without_gradient_stays_put() -> None:
    for foreach in (False, True):
        param = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        optimizer = PopulationRiskAdam([param], lr=0.1, eps=0.0, gate="snr", foreach=foreach)
        for _ in range(5):
            feed(optimizer, [torch.tensor([1.0, 0.0, 1e-30])])
        # The last gradient's square underflows: there is nothing to divide by.
        assert param[0] < 1.0
        assert param[1:].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("gate", ["hard", "soft"])
@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_first_streaming_step_is_a_tie_and_closed(
    gate: str, granularity: str, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(4)
    param = torch.nn.Parameter(torch.zeros(20_000, dtype=dtype))
    optimizer = PopulationRiskAdam([param], gate=gate, granularity=granularity)
    feed(optimizer, [torch.randn(20_000, generator=generator, dtype=dtype)])
    assert optimizer.gate_statistics()["mean"] == 0.0
    assert not param.any()


def test_per_point_gate_keeps_signal_that_a_full_batch_hides_from_the_streaming_form() -> None:
    # The same batch at every step: mean gradients 1 and 0.01, standard deviation of each mean 0.1.
    grad, variance = torch.tensor([1.0, 0.01]), torch.tensor([0.01, 0.01])
    moved = {}
    for kind in ("streaming", "per-point"):
        param = torch.nn.Parameter(torch.zeros(2))
        optimizer = PopulationRiskAdam([param], lr=1e-2, gate="hard", variance=kind, rho=0.9)
        for _ in range(400):
            if kind == "per-point":
                optimizer.attach_variance([variance])
            feed(optimizer, [grad])
        moved[kind] = param.detach().abs()
    # Without noise from step to step the streaming form follows the second coordinate too.
    assert moved["streaming"].min() > 1.0
    assert moved["per-point"][0] > 1.0
    assert moved["per-point"][1] == 0.0


# --- attached statistics ------------------------------------------------------------------------


def test_attached_variance_serves_one_step() -> None:
    params, other = start(), start()
    optimizer = PopulationRiskAdam(params, variance="per-point")
    streaming = PopulationRiskAdam(other, variance="streaming")
    steps = list(gradients(3))
    optimizer.attach_variance([torch.full_like(p, 0.5) for p in params])
    feed(optimizer, steps[0])
    for param in params:
        # (1 − ρ) of the variance; 1 − 0.99 is not the double 0.01.
        torch.testing.assert_close(
            optimizer.state[param]["variance"], torch.full_like(param, 0.005), rtol=1e-12, atol=0.0
        )
    feed(streaming, steps[0])
    before = [optimizer.state[p]["variance"].clone() for p in params]
    moments = [optimizer.state[p]["exp_avg"].clone() for p in params]
    feed(optimizer, steps[1])
    for param, s, m, g in zip(params, before, moments, steps[1], strict=True):
        torch.testing.assert_close(
            optimizer.state[param]["variance"], 0.99 * s + 0.01 * (g - m) ** 2, rtol=1e-12, atol=0.0
        )


def test_per_point_with_nothing_attached_is_the_streaming_form() -> None:
    runs = []
    for kind in ("streaming", "per-point"):
        params = start()
        run(PopulationRiskAdam(params, variance=kind), gradients(20))
        runs.append(params)
    assert_identical(*runs)


def test_sequence_and_mapping_attach_alike_and_inside_a_closure() -> None:
    runs = []
    for form in ("sequence", "mapping", "closure"):
        params = start()
        optimizer = PopulationRiskAdam(
            [{"params": params[:2]}, {"params": params[2:]}], variance="per-point", gate="soft"
        )
        for grads in gradients(10):
            variances = [g.abs() for g in grads]
            means = [g * 0.5 for g in grads]
            if form == "mapping":
                optimizer.attach_statistics(
                    variances=dict(zip(params, variances, strict=True)),
                    means=dict(zip(params, means, strict=True)),
                )
            elif form == "sequence":
                optimizer.attach_statistics(variances=variances, means=means)
            for param, grad in zip(params, grads, strict=True):
                param.grad = grad.clone()

            def closure(
                optimizer: PopulationRiskAdam = optimizer,
                variances: list[Tensor] = variances,
                means: list[Tensor] = means,
            ) -> float:
                assert torch.is_grad_enabled()
                optimizer.attach_statistics(variances=variances, means=means)
                return 1.0

            if form == "closure":
                assert optimizer.step(closure) == 1.0
            else:
                optimizer.step()
        runs.append(params)
    assert_identical(runs[0], runs[1])
    assert_identical(runs[0], runs[2])


def test_attaching_refuses_what_does_not_fit() -> None:
    params = start()
    good = [torch.ones_like(p) for p in params]
    optimizer = PopulationRiskAdam(params, variance="per-point")
    with pytest.raises(ValueError, match="got 3 tensors, expected 4"):
        optimizer.attach_variance(good[:3])
    with pytest.raises(ValueError, match=r"got shape \(4, 3\), expected the parameter's, \(3, 4\)"):
        optimizer.attach_variance([good[0].T, *good[1:]])
    with pytest.raises(ValueError, match="no parameter here"):
        optimizer.attach_variance({torch.ones(3): torch.ones(3)})
    with pytest.raises(ValueError, match="without a variance"):
        optimizer.attach_statistics(variances={params[0]: good[0]}, means={params[1]: good[1]})
    with pytest.raises(ValueError, match="means: got 1 tensors"):
        optimizer.attach_statistics(variances=good, means=good[:1])
    with pytest.raises(ValueError, match="variance='streaming'"):
        PopulationRiskAdam(params).attach_variance(good)
    # A refused call leaves nothing behind.
    feed(optimizer, next(gradients(1)))
    other = start()
    feed(PopulationRiskAdam(other), next(gradients(1)))
    assert_identical(params, other)


def test_attaching_to_a_group_without_gate_changes_nothing() -> None:
    params, other = start(), start()
    optimizer, reference = (
        PopulationRiskAdam(params, gate=None),
        torch.optim.AdamW(other, weight_decay=0.0),
    )
    for grads in gradients(5):
        optimizer.attach_variance([g.abs() for g in grads])
        feed(optimizer, grads)
        feed(reference, grads)
    assert_identical(params, other)


def test_attached_tensors_of_another_type_and_with_a_graph_are_read() -> None:
    params = start(torch.float32)
    optimizer = PopulationRiskAdam(params, variance="per-point")
    variances = [torch.ones_like(p, dtype=torch.float64, requires_grad=True) * 2 for p in params]
    optimizer.attach_variance(variances)
    feed(optimizer, next(gradients(1, torch.float32)))
    for param in params:
        s = optimizer.state[param]["variance"]
        assert s.dtype == torch.float32
        assert not s.requires_grad
        torch.testing.assert_close(s, torch.full_like(param, 0.02), rtol=1e-6, atol=0.0)


# --- state, copies, groups ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("way", ["state_dict", "torch.save", "deepcopy", "pickle"])
def test_everything_survives_saving_with_statistics_attached(
    dtype: torch.dtype, foreach: bool, way: str, tmp_path: Any
) -> None:
    def advance(optimizer: PopulationRiskAdam, steps: list[list[Tensor]]) -> None:
        for index, grads in enumerate(steps):
            if index % 3:
                optimizer.attach_statistics(
                    variances=[g.abs() + 0.1 for g in grads],
                    means=[0.7 * g for g in grads] if index % 3 == 2 else None,
                )
            feed(optimizer, grads)

    options: dict[str, Any] = {"lr": 0.3, "variance": "per-point", "gate": "snr", "strength": 1.0}
    # More than 256 steps, which is as far as bfloat16 counts.
    num_before = 270 if dtype == torch.bfloat16 else 11
    steps = list(gradients(num_before + 20, dtype))
    params = start(dtype)
    optimizer = PopulationRiskAdam(params, foreach=foreach, **options)
    advance(optimizer, steps[:num_before])
    if way in ("deepcopy", "pickle"):
        pair = (params, optimizer)
        restored, loaded = (
            copy.deepcopy(pair) if way == "deepcopy" else pickle.loads(pickle.dumps(pair))
        )
    else:
        restored = copy.deepcopy(params)
        loaded = PopulationRiskAdam(restored, lr=1.0, gate="hard")
        saved = optimizer.state_dict()
        if way == "torch.save":
            torch.save(saved, tmp_path / "optimizer.pt")
            saved = torch.load(tmp_path / "optimizer.pt", weights_only=True)
        loaded.load_state_dict(copy.deepcopy(saved))
    for param, other in zip(params, restored, strict=True):
        for name, value in optimizer.state[param].items():
            kept = loaded.state[other][name]
            assert type(kept) is type(value)
            if isinstance(value, Tensor):
                assert_identical([value], [kept])
            else:
                assert value == kept
    advance(optimizer, steps[num_before:])
    advance(loaded, steps[num_before:])
    assert_identical(params, restored)
    assert optimizer.gate_statistics() == loaded.gate_statistics()


def test_groups_have_their_own_gates() -> None:
    params = start()
    groups = [
        {"params": params[:1], "gate": None},
        {"params": params[1:2], "gate": "hard", "threshold": 1e6},
        {"params": params[2:], "gate": "snr", "lr": 1e-2, "granularity": "tensor"},
    ]
    run(optimizer := PopulationRiskAdam(groups, lr=1e-1), gradients(10))
    alone = start()
    run(torch.optim.AdamW(alone[:1], lr=1e-1, weight_decay=0.0), (g[:1] for g in gradients(10)))
    run(
        PopulationRiskAdam(alone[2:], gate="snr", lr=1e-2, granularity="tensor"),
        (g[2:] for g in gradients(10)),
    )
    # The second group's gate never opens.
    assert_identical(params, alone)
    statistics = optimizer.gate_statistics()
    assert statistics["tensor_min"] == 0.0
    assert 12 / 24 <= statistics["mean"] < (24 - 5) / 24


def test_gate_may_be_switched_on_during_a_run() -> None:
    params = start()
    optimizer = PopulationRiskAdam(params, gate=None)
    steps = list(gradients(20))
    run(optimizer, iter(steps[:10]))
    assert optimizer.gate_statistics()["mean"] == 1.0
    optimizer.param_groups[0]["gate"] = "snr"
    optimizer.param_groups[0]["rho"] = 0.5
    run(optimizer, iter(steps[10:11]))
    # One term, corrected for one term, not for eleven: ŝ = (g − m)².
    state = optimizer.state[params[1]]
    m_before = (state["exp_avg"] - 0.1 * steps[10][1]) / 0.9
    torch.testing.assert_close(
        state["variance"] / (1 - 0.5 ** state["num_variances"]),
        (steps[10][1] - m_before) ** 2,
        rtol=1e-9,
        atol=1e-12,
    )


def test_statistics_before_the_first_step_are_refused() -> None:
    optimizer = PopulationRiskAdam(start())
    with pytest.raises(RuntimeError, match="take a step first"):
        optimizer.gate_statistics()
    optimizer.step()
    with pytest.raises(RuntimeError, match="take a step first"):
        optimizer.gate_statistics()


def test_empty_parameters_are_passed_over() -> None:
    for foreach, granularity in itertools.product((False, True), ("parameter", "tensor")):
        params = [torch.nn.Parameter(torch.empty(0, 3)), torch.nn.Parameter(torch.ones(2))]
        optimizer = PopulationRiskAdam(params, granularity=granularity, foreach=foreach)
        feed(optimizer, [torch.empty(0, 3), torch.ones(2)])
        assert params[1].max() < 1.0
        assert 0.0 < optimizer.gate_statistics()["mean"] <= 1.0


def test_noncontiguous_parameters_equal_contiguous_ones() -> None:
    for foreach in (False, True):
        generator = torch.Generator().manual_seed(7)
        plain = torch.nn.Parameter(torch.zeros(4, 6))
        transposed = torch.nn.Parameter(torch.zeros(6, 4).T)
        optimizer = PopulationRiskAdam([plain, transposed], gate="soft", foreach=foreach)
        for _ in range(10):
            grad = torch.randn(4, 6, generator=generator) + 1.0
            plain.grad, transposed.grad = grad, grad.clone()
            optimizer.step()
        assert torch.equal(plain, transposed)
        assert plain.any()


@pytest.mark.parametrize("foreach", [False, True])
def test_sparse_gradients_are_refused(foreach: bool) -> None:
    embedding = torch.nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        PopulationRiskAdam(embedding.parameters(), foreach=foreach).step()


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("lr", [-1e-3, math.nan, torch.tensor([1e-3, 1e-3]), torch.tensor(-1.0)]),
        ("betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9,), (0.9, math.nan)]),
        ("eps", [-1e-8, math.nan]),
        ("weight_decay", [-0.1, math.nan]),
        ("gate", ["Hard", "none", 1]),
        ("rho", [1.0, -0.1, math.nan]),
        ("threshold", [-1.0, math.inf, math.nan]),
        ("strength", [-1.0, math.inf, math.nan]),
        ("granularity", ["layer", None]),
        ("variance", ["per_point", None]),
    ],
)
def test_options_out_of_range_are_refused(option: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=f"^{option}: got "):
            PopulationRiskAdam(start(), **{option: value})
        optimizer = PopulationRiskAdam(start()[:1])
        with pytest.raises(ValueError, match=f"^{option}: got "):
            optimizer.add_param_group({"params": start()[1:], option: value})
        assert len(optimizer.param_groups) == 1


def test_tensor_rate_with_foreach_and_complex_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="foreach"):
        PopulationRiskAdam(start(), lr=torch.tensor(1e-3), foreach=True)
    with pytest.raises(ValueError, match="complex"):
        PopulationRiskAdam([torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))])


def test_noise_estimate_holds_no_state_of_its_own() -> None:
    param = start()[:1]
    optimizer = PopulationRiskAdam(param)
    run(optimizer, (g[:1] for g in gradients(2)))
    state = optimizer.state[param[0]]
    assert set(state) == {"step", "exp_avg", "exp_avg_sq", "variance", "num_variances"}
    assert state["num_variances"] == 2
    assert not hasattr(NoiseEstimate(state["variance"], 1), "__dict__")
