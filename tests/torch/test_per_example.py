"""Per-example statistics by hooks against one backward pass for every example."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pinngate.errors import InputError
from pinngate.torch import ExampleMoments, PerExample, PopulationRiskAdam
from tests.torch.models import (
    CASES,
    NUM_EXAMPLES,
    NUM_WORDS,
    Case,
    SmallTransformer,
    Tied,
    case,
    gradients,
)

EXACT = ("loop", "pairs")


def taken(of: Case, *, reduction: str = "mean", **options: object) -> ExampleMoments:
    """Statistics of one backward pass over the whole batch."""
    of.model.zero_grad()
    with PerExample(of.model, reduction=reduction, **options) as examples:
        losses = of.losses(of.inputs)
        (losses.mean() if reduction == "mean" else losses.sum()).backward()
        return examples.take()


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """To 1e-10 of the largest entry."""
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * scale + 1e-300)


def variance_from_groups(rows: Tensor, num_groups: int) -> Tensor:
    """The (biased) variance of rows (N, …) by the sums of consecutive groups."""
    groups = rows.split(-(-len(rows) // num_groups))
    mean = rows.mean(0)
    spread = sum(len(g) * (g.mean(0) - mean) ** 2 for g in groups) / (len(groups) - 1)
    return spread * (len(rows) - 1) / len(rows)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("mode", EXACT)
@pytest.mark.parametrize("name", CASES)
def test_exact_modes_equal_one_backward_pass_for_each_example(
    name: str, mode: str, reduction: str
) -> None:
    of = case(name)
    truth = gradients(of)
    found = taken(of, mode=mode, reduction=reduction)
    weight = 1 if reduction == "mean" else NUM_EXAMPLES
    assert found.num_examples == NUM_EXAMPLES
    for key, parameter in of.model.named_parameters():
        variance = truth[key].var(0, correction=0)
        assert_equal(found.mean[parameter], truth[key].mean(0))
        assert_equal(found.mean[parameter] * weight, parameter.grad)
        assert_equal(found.variance[parameter], variance)
        expected = weight**2 * variance / (NUM_EXAMPLES - 1)
        assert_equal(found.variance_of_gradient[parameter], expected)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("num_groups", [2, 4, 100])
@pytest.mark.parametrize("name", CASES)
def test_grouped_is_the_variance_of_sums_of_groups(name: str, num_groups: int) -> None:
    of = case(name)
    truth = gradients(of)
    found = taken(of, mode="grouped", num_groups=num_groups)
    for key, parameter in of.model.named_parameters():
        assert_equal(found.mean[parameter], parameter.grad)
        assert_equal(found.variance[parameter], variance_from_groups(truth[key], num_groups))


def test_grouped_over_random_groups_is_unbiased() -> None:
    of = case("tied")
    exact = taken(of, mode="pairs").variance
    generator = torch.Generator().manual_seed(1)
    drawn = [taken(of, num_groups=4, generator=generator).variance for _ in range(400)]
    for parameter, variance in exact.items():
        values = torch.stack([d[parameter] for d in drawn])
        error = values.std(0) / 20
        assert bool(((values.mean(0) - variance).abs() <= 5 * error + 1e-12).all())


@pytest.mark.parametrize("mode", ["loop", "pairs", "grouped"])
def test_micro_batches_add_up_to_the_batch(mode: str) -> None:
    of = case("transformer")
    whole = taken(of, mode=mode, num_groups=NUM_EXAMPLES)
    of.model.zero_grad()
    with PerExample(of.model, mode=mode, num_groups=NUM_EXAMPLES) as examples:
        for part in of.inputs.split(4):  # 4, 4 and 3
            (of.losses(part).sum() / NUM_EXAMPLES).backward()
        parts = examples.take()
    assert parts.num_examples == NUM_EXAMPLES
    for parameter in of.model.parameters():
        assert_equal(parts.mean[parameter], parameter.grad)
        assert_equal(parts.variance[parameter], whole.variance[parameter])


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e5), seed=st.integers(0, 100))
def test_a_scaled_loss_has_the_statistics_of_the_loss(scale: float, seed: int) -> None:
    of = case("linear, 3 tokens", seed)
    plain = taken(of, mode="pairs")
    with PerExample(of.model, mode="pairs") as examples:
        (scale * of.losses(of.inputs).mean()).backward()
        scaled = examples.take(scale=scale)
    for parameter in of.model.parameters():
        torch.testing.assert_close(scaled.mean[parameter], plain.mean[parameter])
        torch.testing.assert_close(scaled.variance[parameter], plain.variance[parameter])


def test_gradients_stay_as_they_were() -> None:
    for name in ("linear", "conv2d", "tied"):
        of = case(name)
        of.losses(of.inputs).mean().backward()
        plain = [p.grad.clone() for p in of.model.parameters()]
        taken(of)
        assert all(map(torch.equal, plain, (p.grad for p in of.model.parameters())))


def test_a_penalty_is_no_part_of_the_statistics() -> None:
    of = case("linear")
    plain = taken(of, mode="pairs")
    of.model.zero_grad()
    with PerExample(of.model, mode="pairs", has_penalty=True) as examples:
        penalty = sum(p.square().sum() for p in of.model.parameters())
        (of.losses(of.inputs).mean() + penalty).backward()
        found = examples.take()
    for parameter in of.model.parameters():
        assert_equal(found.mean[parameter], plain.mean[parameter])
        assert_equal(found.variance[parameter], plain.variance[parameter])
        assert not torch.allclose(parameter.grad, plain.mean[parameter])


@pytest.mark.parametrize("mode", ["grouped", "pairs"])
def test_bfloat16_autocast_loses_its_own_rounding_only(mode: str) -> None:
    of = case("transformer")
    of.model.float()
    plain = taken(of, mode=mode)
    of.model.zero_grad()
    with PerExample(of.model, mode=mode) as examples:
        with torch.autocast("cpu", torch.bfloat16):
            loss = of.losses(of.inputs).mean()
            loss.backward()  # inside as well as outside
        found = examples.take()
    for parameter in of.model.parameters():
        assert found.variance[parameter].dtype == torch.float32
        error = (found.variance[parameter] - plain.variance[parameter]).norm()
        assert error < 0.1 * plain.variance[parameter].norm()


def test_a_model_in_bfloat16_gives_statistics_in_float32() -> None:
    of = case("linear, 3 tokens")
    plain = taken(of)
    low = Case(of.model.bfloat16(), of.inputs.bfloat16())
    for parameter, variance in taken(low).variance.items():
        assert variance.dtype == torch.float32
        assert (variance - plain.variance[parameter]).norm() < 0.1 * variance.norm()


def test_the_batch_may_lie_along_the_second_axis() -> None:
    model = nn.Sequential(nn.Embedding(NUM_WORDS, 4), nn.LayerNorm(4), nn.Linear(4, 3)).double()
    words = torch.randint(0, NUM_WORDS, (NUM_EXAMPLES, 5))
    first = taken(Case(model, words), mode="pairs")
    model.zero_grad()
    with PerExample(model, mode="pairs", batch_axis=1) as examples:
        outputs = model(words.T).transpose(0, 1)
        weights = torch.linspace(0.5, 1.5, outputs[0].numel(), dtype=outputs.dtype)
        (weights * outputs.flatten(1).sin()).sum(1).mean().backward()
        second = examples.take()
    for parameter in model.parameters():
        assert_equal(second.variance[parameter], first.variance[parameter])


def test_frozen_parameters_and_those_left_out_have_no_statistics() -> None:
    of = case("tied")
    of.model.mix.bias.requires_grad_(False)
    found = taken(of, without=["table.weight"])
    assert set(found.variance) == {of.model.mix.weight}


def test_recomputed_activations_change_nothing() -> None:
    of = case("tied")
    plain = taken(of, mode="pairs")

    class Recomputing(Tied):
        def forward(self, words: Tensor) -> Tensor:
            return checkpoint(super().forward, words, use_reentrant=False)

    model = Recomputing().double()
    model.load_state_dict(of.model.state_dict())
    found = taken(Case(model, of.inputs), mode="pairs")
    for first, second in zip(of.model.parameters(), model.parameters(), strict=True):
        assert_equal(found.variance[second], plain.variance[first])


def test_gradients_by_inputs_leave_nothing_behind() -> None:
    of = case("linear")
    plain = taken(of, mode="pairs")
    with PerExample(of.model, mode="pairs") as examples:
        inputs = of.inputs.clone().requires_grad_()
        torch.autograd.grad(of.losses(inputs).sum(), inputs)
        of.losses(of.inputs).mean().backward()
        found = examples.take()
    for parameter in of.model.parameters():
        assert_equal(found.variance[parameter], plain.variance[parameter])


def test_evaluation_and_copies_in_between_do_not_count() -> None:
    of = case("transformer")
    plain = taken(of, mode="pairs")
    with PerExample(of.model, mode="pairs") as examples:
        with torch.no_grad():
            of.losses(of.inputs[:3])
        of.losses(of.inputs[:3])
        copied = copy.deepcopy(of.model)
        Case(copied, of.inputs).losses(of.inputs).mean().backward()
        of.losses(of.inputs).mean().backward()
        found = examples.take()
    for parameter in of.model.parameters():
        assert_equal(found.variance[parameter], plain.variance[parameter])


def test_hooks_end_with_the_context() -> None:
    of = case("transformer")
    examples = PerExample(of.model)
    of.losses(of.inputs).mean().backward()
    examples.remove()
    of.losses(of.inputs[:5]).mean().backward()
    assert examples.take().num_examples == NUM_EXAMPLES
    assert not any("forward" in vars(layer) for layer in of.model.modules())
    assert not any(layer._forward_hooks for layer in of.model.modules())


@pytest.mark.parametrize("granularity", ["parameter", "tensor"])
@pytest.mark.parametrize("gate", ["hard", "soft", "snr"])
def test_the_optimizer_takes_them(gate: str, granularity: str) -> None:
    torch.manual_seed(0)
    model = SmallTransformer(dropout=0.1)
    words = torch.randint(0, NUM_WORDS, (64, 5))
    optimizer = PopulationRiskAdam(
        model.parameters(),
        lr=1e-2,
        variance="per-point",
        gate=gate,
        granularity=granularity,
        threshold=0.05,
    )
    losses = []
    with PerExample(model) as examples:
        for _ in range(30):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(words), words[:, 0])
            loss.backward()
            optimizer.attach_variance(examples.take().variance_of_gradient)
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert 0 < optimizer.gate_statistics()["mean"] < 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("mode", ["grouped", "pairs"])
@pytest.mark.parametrize("name", ["linear", "linear, 2 x 4 tokens", "conv2d", "attention", "tied"])
def test_a_device_gives_what_the_processor_gives(name: str, mode: str) -> None:
    of = case(name)
    expected = list(taken(of, mode=mode).variance.values())
    there = Case(copy.deepcopy(of.model).cuda(), of.inputs.cuda())
    found = taken(there, mode=mode).variance
    for variance, parameter in zip(expected, there.model.parameters(), strict=True):
        assert_equal(found[parameter].cpu(), variance)


class Direct(Tied):
    """Uses the table in a product of its own in place of the head."""

    def forward(self, words: Tensor) -> Tensor:
        x = self.table(words)
        x = x + self.mix(x)
        return x @ self.table.weight.T


class SharedPlaces(nn.Module):
    """Looks positions up once for the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(NUM_WORDS, 3), nn.Embedding(5, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.words(words) + self.places(torch.arange(words.shape[1]))


class OwnParameter(nn.Module):
    """Holds a parameter that is in no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(NUM_WORDS, 3)
        self.shift = nn.Parameter(torch.ones(3))

    def forward(self, words: Tensor) -> Tensor:
        return self.words(words) + self.shift


def one_step(model: nn.Module, num_examples: int = NUM_EXAMPLES) -> None:
    words = torch.randint(1, NUM_WORDS, (num_examples, 5))
    taken(Case(model.double(), words))


def with_a_frozen_norm() -> None:
    PerExample(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, affine=False)))


def without_a_batch() -> None:
    layer = nn.Linear(4, 2)
    with PerExample(layer):
        layer(torch.ones(4)).sum().backward()


def parametrized() -> None:
    PerExample(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda: PerExample(nn.Linear(2, 2), mode="pair"), "did you mean 'pairs'"),
        (lambda: PerExample(nn.Linear(2, 2), reduction="none"), "reduction: got 'none'"),
        (lambda: PerExample(nn.Linear(2, 2), num_groups=1), "num_groups: got 1"),
        (lambda: PerExample(nn.Linear(2, 2), without=["wight"]), "did you mean 'weight'"),
        (with_a_frozen_norm, "1: BatchNorm1d normalises over the batch"),
        (lambda: PerExample(nn.Embedding(3, 2, sparse=True)), "sparse gradients"),
        (lambda: PerExample(nn.Embedding(3, 2, scale_grad_by_freq=True)), "mixes examples"),
        (lambda: PerExample(OwnParameter()), r"no layer that is understood: shift"),
        (lambda: PerExample(nn.LSTM(2, 2)), "weight_ih_l0, weight_hh_l0"),
        (parametrized, "parametrizations.weight"),
        (lambda: PerExample(nn.Linear(2, 2)).take(), "after loss.backward"),
        (lambda: one_step(Direct()), r"table.weight: got a gradient that the examples"),
        (lambda: one_step(SharedPlaces()), r"places.weight \(5 examples\)"),
        (lambda: one_step(Tied(), 1), "drop_last=True"),
        (without_a_batch, r"shape \(4,\), in which no axis is one of examples"),
    ],
)
def test_faults_are_named(fault: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fault()


def test_uses_of_different_batches_are_named() -> None:
    model = nn.Linear(3, 2)
    with PerExample(model), pytest.raises(InputError, match=r"used for \[2, 5\] examples"):
        (model(torch.ones(5, 3)).sum() + model(torch.ones(2, 3)).sum()).backward()
