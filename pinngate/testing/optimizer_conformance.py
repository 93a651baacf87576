"""Conformance of optimizers: what one must do to work in this package, as checks anyone can run.

A third party's optimizer is tested by the same suite as the package's own, after the example of
scikit-learn's ``check_estimator``. `check_optimizer` runs the whole suite;
`optimizer_checks` lists it, to be given to a test runner one check at a time.

An optimizer enters as a *factory*, a callable ``factory(params, **options)`` that returns it; an
optimizer class is one. The suite gives the option ``lr`` and, for the features it is told are
supported, ``maximize`` and ``foreach``.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from pinngate.testing.objectives import (
    NUM_DESCENT_STEPS,
    OptimizerFactory,
    feed,
    lowest,
    noisy_gradients,
    quadratic,
    rosenbrock,
    starting_point,
)

OptimizerCheck = Callable[[OptimizerFactory], None]

FEATURES = frozenset({"maximize", "foreach", "bfloat16"})
"""What an optimizer need not have, and is checked for only where it says so."""

# The large ones suit sign-like steps, the small one plain gradient descent: one of them must do.
_LEARNING_RATES = (1e-1, 1e-2, 1e-3)


def _require(is_met: bool, message: str) -> None:
    if not is_met:
        raise AssertionError(message)


def _is_same(first: Tensor, second: Tensor) -> bool:
    """Return whether type, shape and every bit of the values agree; NaN equals NaN."""
    return (
        first.dtype == second.dtype
        and first.shape == second.shape
        and bool(torch.equal(first.nan_to_num(nan=12345.0), second.nan_to_num(nan=12345.0)))
    )


def _check_minimizes(factory: OptimizerFactory) -> None:
    for name, function, start, fraction in (
        ("a quadratic", quadratic, starting_point(), 0.05),
        (
            "Rosenbrock's least squares",
            rosenbrock,
            [torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))],
            0.25,
        ),
    ):
        target = fraction * function(start).item()
        best = min(lowest(factory, function, start, lr, target) for lr in _LEARNING_RATES)
        _require(
            best < target,
            f"{name} fell to {best:.3g} at best in {NUM_DESCENT_STEPS} steps at learning rates "
            f"{_LEARNING_RATES}; expected below {target:.3g}",
        )


def _check_is_deterministic(factory: OptimizerFactory) -> None:
    runs = []
    for _ in range(2):
        params = starting_point()
        feed(factory(params, lr=1e-2), params, noisy_gradients(params, 10))
        runs.append(params)
    for first, second in zip(*runs, strict=True):
        _require(_is_same(first, second), "two runs from the same start and gradients differ")


def _continued_after(
    factory: OptimizerFactory,
    dtype: torch.dtype,
    *,
    num_before: int,
    num_after: int = 5,
    lr: float = 1e-2,
) -> tuple[list[torch.nn.Parameter], list[torch.nn.Parameter]]:
    """Return parameters stepped on directly, and through a saved and loaded state."""
    params = starting_point(dtype)
    gradients = list(noisy_gradients(params, num_before + num_after))
    optimizer = factory(params, lr=lr)
    feed(optimizer, params, iter(gradients[:num_before]))

    restored = copy.deepcopy(params)
    # Another learning rate at construction: the saved one has to come back with the state.
    loaded = factory(restored, lr=0.5)
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    feed(optimizer, params, iter(gradients[num_before:]))
    feed(loaded, restored, iter(gradients[num_before:]))
    return params, restored


def _check_state_dict_round_trip(factory: OptimizerFactory) -> None:
    for dtype in (torch.float64, torch.float32):
        for num_before in (0, 1, 7):
            params, restored = _continued_after(factory, dtype, num_before=num_before)
            for first, second in zip(params, restored, strict=True):
                _require(
                    _is_same(first, second),
                    f"{dtype}: after state_dict and load_state_dict at step {num_before} the "
                    "run does not continue to the last bit",
                )


def _check_bfloat16(factory: OptimizerFactory) -> None:
    # load_state_dict casts all floating state but `step` to the parameter's type: state kept in
    # float32 beside bfloat16 parameters comes back rounded, and this is where it shows.
    # Steps as large as the parameters, or their own rounding hides it.
    params, restored = _continued_after(factory, torch.bfloat16, num_before=7, num_after=30, lr=1.0)
    for first, second in zip(params, restored, strict=True):
        _require(second.dtype == torch.bfloat16, f"bfloat16 parameters became {second.dtype}")
        _require(bool(second.isfinite().all()), "bfloat16 parameters became infinite or NaN")
        _require(
            _is_same(first, second),
            "bfloat16: after state_dict and load_state_dict the run does not continue to the "
            "last bit",
        )


def _check_copies_are_independent(factory: OptimizerFactory) -> None:
    for name, duplicate in (
        ("deepcopy", copy.deepcopy),
        ("pickle", lambda pair: pickle.loads(pickle.dumps(pair))),
    ):
        params = starting_point()
        gradients = list(noisy_gradients(params, 10))
        optimizer = factory(params, lr=1e-2)
        feed(optimizer, params, iter(gradients[:5]))
        at_copy = copy.deepcopy(params)

        copied_params, copied = duplicate((params, optimizer))
        feed(optimizer, params, iter(gradients[5:]))
        for first, second in zip(at_copy, copied_params, strict=True):
            _require(_is_same(first, second), f"{name}: stepping the original moved the copy")
        feed(copied, copied_params, iter(gradients[5:]))
        for first, second in zip(params, copied_params, strict=True):
            _require(_is_same(first, second), f"{name}: the copy continues differently")


def _check_parameter_groups(factory: OptimizerFactory) -> None:
    params, alone = starting_point(), starting_point()
    optimizer = factory([{"params": params[:1]}, {"params": params[1:2], "lr": 0.0}], lr=1e-2)
    optimizer.add_param_group({"params": params[2:], "lr": 5e-2})
    _require(len(optimizer.param_groups) == 3, "add_param_group did not add a group")
    feed(optimizer, params, noisy_gradients(params, 10))
    _require(
        _is_same(params[1], alone[1]), "a group with lr=0 moved: a group's own lr is not obeyed"
    )
    reference = starting_point()
    for index, lr in ((0, 1e-2), (2, 5e-2)):
        single = factory([alone[index]], lr=lr)
        gradients = (grads[index : index + 1] for grads in noisy_gradients(reference, 10))
        feed(single, [alone[index]], gradients)
        # Parameters of separate groups do not see each other, so only rounding may differ.
        _require(
            torch.allclose(params[index], alone[index], rtol=1e-9, atol=1e-12),
            f"a parameter in a group with lr={lr} moves differently from one on its own",
        )


def _check_closure(factory: OptimizerFactory) -> None:
    params, reference = starting_point(), starting_point()
    optimizer, without = factory(params, lr=1e-2), factory(reference, lr=1e-2)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = quadratic(params)
        loss.backward()
        return loss

    for _ in range(5):
        expected = quadratic(params).item()
        returned: Any = optimizer.step(closure)
        _require(returned is not None, "step(closure) returned None, expected the closure's loss")
        value = returned.item() if isinstance(returned, Tensor) else returned
        _require(
            value == expected,
            f"step(closure) returned {value}, expected the closure's loss {expected}",
        )
        without.zero_grad()
        quadratic(reference).backward()
        without.step()
    for first, second in zip(params, reference, strict=True):
        _require(_is_same(first, second), "step(closure) and step() move differently")


def _check_leaves_others_alone(factory: OptimizerFactory) -> None:
    params, start = starting_point(), starting_point()
    optimizer = factory(params, lr=1e-2)
    optimizer.step()
    for first, second in zip(params, start, strict=True):
        _require(_is_same(first, second), "a step without any gradient moved a parameter")
    for grads in noisy_gradients(params, 5):
        optimizer.zero_grad(set_to_none=True)
        _require(all(p.grad is None for p in params), "zero_grad left a gradient")
        params[0].grad = grads[0].clone()
        optimizer.step()
        _require(
            params[0].grad is not None and _is_same(params[0].grad, grads[0]),
            "step changed a gradient",
        )
    _require(_is_same(params[1], start[1]), "a parameter without a gradient moved")
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer.zero_grad(set_to_none=False)
    _require(
        all(p.grad is not None and not p.grad.any() for p in params),
        "zero_grad(set_to_none=False) left a gradient that is not 0",
    )


def _check_preserves_types(factory: OptimizerFactory) -> None:
    for dtype in (torch.float32, torch.float64):
        params = starting_point(dtype)
        addresses = [param.data_ptr() for param in params]
        shapes = [param.shape for param in params]
        feed(factory(params, lr=1e-2), params, noisy_gradients(params, 3))
        for param, shape, address in zip(params, shapes, addresses, strict=True):
            _require(param.dtype == dtype, f"a parameter of {dtype} became {param.dtype}")
            _require(param.shape == shape, f"a parameter of shape {shape} became {param.shape}")
            _require(param.data_ptr() == address, "a parameter was moved to other memory")
            _require(param.requires_grad, "a parameter lost requires_grad")
            _require(bool(param.isfinite().all()), f"{dtype}: a parameter became infinite or NaN")


def _check_obeys_schedulers(factory: OptimizerFactory) -> None:
    params, reference = starting_point(), starting_point()
    optimizer, switched = factory(params, lr=1e-2), factory(reference, lr=1e-2)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5, 8], gamma=0.1)
    gradients = list(noisy_gradients(params, 10))
    for index, grads in enumerate(gradients):
        feed(optimizer, params, iter([grads]))
        scheduler.step()
        switched.param_groups[0]["lr"] = 1e-2 * 0.1 ** ((index >= 5) + (index >= 8))
        feed(switched, reference, iter([grads]))
    for first, second in zip(params, reference, strict=True):
        _require(
            torch.allclose(first, second, rtol=1e-12, atol=1e-14),
            "a learning-rate scheduler and the same rates set by hand differ",
        )
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(params)
    feed(optimizer, params, iter(gradients))
    for first, second in zip(params, before, strict=True):
        _require(_is_same(first, second), "a learning rate set to 0 after construction is ignored")


def _check_refuses_bad_options(factory: OptimizerFactory) -> None:
    for params, lr, what in (
        (starting_point(), -1.0, "lr=-1"),
        ([], 1e-2, "an empty list of parameters"),
    ):
        try:
            factory(params, lr=lr)
        except ValueError:
            continue
        raise AssertionError(f"{what} was accepted, expected a ValueError")


def _check_maximizes(factory: OptimizerFactory) -> None:
    params, mirrored = starting_point(), starting_point()
    feed(factory(params, lr=1e-2, maximize=True), params, noisy_gradients(params, 10))
    negated = ([-grad for grad in grads] for grads in noisy_gradients(mirrored, 10))
    feed(factory(mirrored, lr=1e-2), mirrored, negated)
    for first, second in zip(params, mirrored, strict=True):
        _require(
            torch.allclose(first, second, rtol=1e-12, atol=1e-14),
            "maximize=True and the negated gradients move differently",
        )


def _check_foreach_agrees(factory: OptimizerFactory) -> None:
    runs = []
    for foreach in (False, True):
        params = starting_point()
        feed(factory(params, lr=1e-2, foreach=foreach), params, noisy_gradients(params, 20))
        runs.append(params)
    for first, second in zip(*runs, strict=True):
        # The same arithmetic in another order: twenty steps leave float64 eleven digits at least.
        _require(
            torch.allclose(first, second, rtol=1e-11, atol=1e-13),
            "foreach=True and foreach=False move differently",
        )


_OPTIMIZER_CHECKS: Mapping[str, OptimizerCheck] = {
    "minimizes": _check_minimizes,
    "is deterministic": _check_is_deterministic,
    "state_dict round trip": _check_state_dict_round_trip,
    "copies are independent": _check_copies_are_independent,
    "parameter groups": _check_parameter_groups,
    "closure": _check_closure,
    "leaves others alone": _check_leaves_others_alone,
    "preserves types": _check_preserves_types,
    "obeys schedulers": _check_obeys_schedulers,
    "refuses bad options": _check_refuses_bad_options,
}
_OPTIMIZER_FEATURE_CHECKS: Mapping[str, OptimizerCheck] = {
    "maximize": _check_maximizes,
    "foreach": _check_foreach_agrees,
    "bfloat16": _check_bfloat16,
}


def optimizer_checks(supports: Collection[str] = ()) -> dict[str, OptimizerCheck]:
    """Return the checks of an optimizer by name, each a function of its factory.

    Args:
        supports: those of `FEATURES` to check besides what every optimizer must do.

    Raises:
        ValueError: a name in `supports` is not in `FEATURES`.
    """
    unknown = set(supports) - FEATURES
    if unknown:
        raise ValueError(f"supports: got {sorted(unknown)}, expected some of {sorted(FEATURES)}")
    chosen = {name: _OPTIMIZER_FEATURE_CHECKS[name] for name in sorted(supports)}
    return {**_OPTIMIZER_CHECKS, **chosen}


def check_optimizer(factory: OptimizerFactory, *, supports: Collection[str] = ()) -> None:
    """Raise unless an optimizer behaves as the training loop expects of one.

    It must: lower a quadratic and Rosenbrock's least squares; repeat itself to the last bit;
    continue to the last bit from its `state_dict`, and as a deep copy or pickle that shares nothing
    with the original; obey each group's learning rate, at construction and as changed later by a
    scheduler; return the loss of a closure; leave parameters without a gradient, and all gradients,
    as they are; update in place and keep types; refuse a negative learning rate and an empty list
    of parameters with ValueError. What `supports` names is checked as well: "maximize",
    "foreach" (agreement of both versions) and "bfloat16" (a state that survives loading).

    Args:
        factory: ``factory(params, **options)`` returns the optimizer, where params is a list of
            parameters or of groups and the options are ``lr`` and, if supported, ``maximize`` and
            ``foreach``. An optimizer class is a factory. For optimizers of first order, that take
            one gradient a step.
        supports: those of `FEATURES` the optimizer has.

    Raises:
        AssertionError: a check fails or breaks off; the message names it and says what was
            expected.
        ValueError: a name in `supports` is not in `FEATURES`.

    Cost: some 2,000 steps on 18 parameters, a second or two.
    """
    for name, check in optimizer_checks(supports).items():
        try:
            check(factory)
        except AssertionError as error:
            raise AssertionError(f"check_optimizer, {name}: {error}") from error
        except Exception as error:
            raise AssertionError(
                f"check_optimizer, {name}: broke off with {type(error).__name__}: {error}"
            ) from error
