"""Mean and variance of per-example gradients of the user's own ``loss.backward()``, by hooks.

A forward hook keeps what a layer saw, a hook on its output receives the adjoints, and a hook on
each parameter, which torch calls when its whole gradient of a backward pass is known, joins what
the examples contributed and adds it to running sums. Nothing of the size N × P is formed, no loop
or model has to be rewritten, and `param.grad` is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from types import TracebackType
from typing import Any, get_args

import torch
from torch import Tensor, nn

from pinngate.errors import InputError, nearest
from pinngate.torch.attention import OpenAttention
from pinngate.torch.contributions import Contribution, Joined
from pinngate.torch.covered_parameters import layers_of, watched_parameters
from pinngate.torch.example_moments import (
    ExampleMoments,
    Mode,
    PassSums,
    Reduction,
    sums_of_pass,
)
from pinngate.torch.layer_contributions import Rule, precise, rule_of

NUM_GROUPS = 32  # 25 % relative standard deviation a step, 2 % after averaging with rho = 0.99

# Part of a gradient, in units of the sum of the examples' gradient norms, from which on it counts
# as one that no layer explains. Half precision leaves 4e-3.
UNEXPLAINED = 1e-2


class PerExample:
    """Per-example gradient statistics of a model, gathered while it is trained.

    Examples are those along the batch axis. Statistics add up over backward passes, as gradients
    do, until they are taken::

        examples = PerExample(model)
        loss(model(x), y).backward()
        optimizer.attach_variance(examples.take().variance_of_gradient)
        optimizer.step()

    Understood are `nn.Linear`, `nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`, `nn.Embedding`,
    `nn.LayerNorm`, `nn.RMSNorm`, `nn.GroupNorm` and `nn.MultiheadAttention`, layers without
    parameters, and models of these; weights may be tied and layers used repeatedly. The model must
    treat every example by itself and call its layers as modules.

    ``grouped`` takes the sample variance of sums over random groups of examples: unbiased, with a
    relative standard deviation √(2/(groups−1)). ``pairs`` is exact. ``loop`` is exact and writes
    every gradient down, one after the other, to check the others.

    Usable as a context, at whose end the hooks are removed. Attention runs by an equal forward of
    this package while it is watched.

    Args:
        model: the model.
        mode: how.
        num_groups: of one backward pass, for ``grouped``; at least 2.
        reduction: whether the loss is the mean or the sum of the losses of the examples. Only
            `mean` and `variance` of what is taken depend on it.
        batch_axis: the axis of examples in inputs of linear, embedding and normalising layers.
            Convolutions have it first, attention by its own ``batch_first``.
        without: names of parameters to leave out, as in `model.named_parameters()`: for them the
            optimizer estimates the noise from successive gradients.
        generator: of the CPU, draws the groups; None takes consecutive examples, whose order must
            be random.
        has_penalty: whether the loss has parts that belong to no example, such as a penalty on
            weights. The sum over examples is then formed apart. Otherwise it is the gradient
            itself, and the first one of every parameter is checked to be that sum.

    Raises:
        InputError: an argument is out of its range, a layer mixes examples, or a parameter belongs
            to no layer that is understood; at a backward pass, if a gradient has a part that no
            layer explains or uses of one parameter have different numbers of examples.

    Cost in time, over a plain step: ``grouped`` forms every weight's gradient once more, a third of
    the products of a step. In memory: two tensors of the size of the parameters, and the adjoints
    of layers until their parameters' gradients are known.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        mode: Mode = "grouped",
        num_groups: int = NUM_GROUPS,
        reduction: Reduction = "mean",
        batch_axis: int = 0,
        without: Collection[str] = (),
        generator: torch.Generator | None = None,
        has_penalty: bool = False,
    ) -> None:
        _check_choice("mode", mode, get_args(Mode))
        _check_choice("reduction", reduction, get_args(Reduction))
        if num_groups < 2:
            raise InputError(f"num_groups: got {num_groups}", expected="expected at least 2")
        self.mode = mode
        self.num_groups = num_groups
        self.reduction = reduction
        self.batch_axis = batch_axis
        self.generator = generator
        self.has_penalty = has_penalty
        self._names = watched_parameters(model, without)
        self._pending: dict[Tensor, list[Contribution]] = {}
        self._pass = -1  # torch's number of the backward pass that `_pending` belongs to
        self._sums: dict[Tensor, PassSums] = {}
        self._checked: set[Tensor] = set()
        self._opened: list[nn.MultiheadAttention] = []
        self._handles: list[Any] = [
            parameter.register_hook(partial(self._finish, parameter)) for parameter in self._names
        ]
        for layer in layers_of(model):
            self._watch_layer(layer)

    def __enter__(self) -> PerExample:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove all hooks; what was gathered can still be taken."""
        for handle in self._handles:
            handle.remove()
        for layer in self._opened:
            layer.__dict__.pop("forward", None)
        self._handles, self._opened = [], []

    def take(self, *, scale: float = 1.0) -> ExampleMoments:
        """Return the statistics of all backward passes since the last call, and start anew.

        Args:
            scale: what the loss was multiplied with besides its reduction, such as
                ``scaler.get_scale()`` of a GradScaler; the statistics are those of the loss itself.

        Raises:
            InputError: there was no backward pass, there are fewer than two examples or groups, or
                parameters saw different numbers of examples.
        """
        sums, self._sums = self._sums, {}
        if not sums:
            raise InputError(
                "take: got no gradients", hint="call it after loss.backward(), once for each step"
            )
        self._check_counts(sums)
        return ExampleMoments(sums, self.reduction, scale)

    def _watch_layer(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.MultiheadAttention):
            layer.__dict__["forward"] = OpenAttention(layer, self._watch)
            self._opened.append(layer)
            return
        rule = rule_of(layer)
        if rule is not None and any(p in self._names for p in layer.parameters(recurse=False)):
            hook = partial(self._after_forward, rule)
            self._handles.append(layer.register_forward_hook(hook, with_kwargs=True))

    def _after_forward(
        self, rule: Rule, layer: nn.Module, args: tuple[Any, ...], kwargs: Any, output: Tensor
    ) -> None:
        inputs = args[0] if args else next(iter(kwargs.values()))
        self._watch(output, lambda d: rule(layer, inputs.detach(), d, self.batch_axis))

    def _watch(self, output: Tensor, rule: Any) -> None:
        # On the output and not on the module: a full backward hook comes after the gradients of
        # the parameters, and forbids that the output be modified in place.
        if output.requires_grad:
            output.register_hook(partial(self._record, rule))

    @torch.no_grad()
    def _record(self, rule: Any, adjoints: Tensor) -> None:
        if not self._handles:
            return
        if (this_pass := torch._C._current_graph_task_id()) != self._pass:
            # what gradients by inputs alone have left: no parameter has come to take it
            self._pending, self._pass = {}, this_pass
        with torch.autocast(adjoints.device.type, enabled=False):
            for parameter, contribution in rule(adjoints):
                if parameter in self._names and parameter.requires_grad:
                    self._pending.setdefault(parameter, []).append(contribution)

    @torch.no_grad()
    def _finish(self, parameter: Tensor, gradient: Tensor) -> None:
        """Add one backward pass to the sums of a parameter; `gradient` is that of the pass."""
        uses = self._pending.pop(parameter, [])
        if not uses:
            raise self._unexplained(parameter)
        sizes = {use.num_examples for use in uses}
        if len(sizes) > 1:
            raise InputError(
                f"{self._names[parameter]}: used for {sorted(sizes)} examples in one pass",
                expected="expected the same examples in every use of a parameter",
                hint=_BATCH_HINT,
            )
        whole = uses[0] if len(uses) == 1 else Joined(uses)
        if self.generator is not None:
            order = torch.randperm(whole.num_examples, generator=self.generator)
            whole = whole.part(order.to(gradient.device))
        with torch.autocast(gradient.device.type, enabled=False):
            total = whole.total() if self.has_penalty else precise(gradient.clone(), parameter)
            sums = sums_of_pass(whole, total, self.mode, self.num_groups)
            if not self.has_penalty and parameter not in self._checked:
                self._checked.add(parameter)
                self._check_gradient(parameter, whole.total() - gradient, sums)
        known = self._sums.get(parameter)
        self._sums[parameter] = sums if known is None else known + sums

    def _check_gradient(self, parameter: Tensor, unexplained: Tensor, sums: PassSums) -> None:
        # (Σ_k s_k)² ≤ N Σ_k s_k²/N_k; what is not finite is for the user's own loop to see
        bound = (sums.num_examples * sums.second.sum()).sqrt()
        if bool(unexplained.norm() > UNEXPLAINED * bound):
            raise self._unexplained(parameter)

    def _unexplained(self, parameter: Tensor) -> InputError:
        return InputError(
            f"{self._names[parameter]}: got a gradient that the examples in its layer do not add "
            "up to",
            expected="expected parameters to act through calls of their layers alone",
            hint="call the layer itself where its weight is used directly; pass has_penalty=True "
            "where the loss has a penalty on weights, or name the parameter in `without`",
        )

    def _check_counts(self, sums: dict[Tensor, PassSums]) -> None:
        num_examples = max(s.num_examples for s in sums.values())
        few = min(s.num_groups for s in sums.values())
        others = [p for p, s in sums.items() if s.num_examples != num_examples]
        if others:
            listed = ", ".join(
                f"{self._names[p]} ({sums[p].num_examples} examples)" for p in others
            )
            raise InputError(
                f"take: other parameters have {num_examples} examples, but {listed}",
                expected="expected every parameter to see the same examples",
                hint=_BATCH_HINT,
            )
        if few < 2:
            raise InputError(
                "take: got a single example, which has no variance",
                hint="leave the last, smaller batch out: DataLoader(…, drop_last=True)",
            )


_BATCH_HINT = (
    "give each layer the batch along its own axis (`batch_axis`), tokens along others: positions "
    "that are shared by a batch are positions.expand(batch_size, -1)"
)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(
            f"{name}: got {value!r}",
            expected=f"expected one of {', '.join(choices)}",
            hint=nearest(value, choices),
        )
