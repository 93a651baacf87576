"""How to solve: what the `solve` section of a problem may say, and which optimizer reads what.

`SolveOptions` is a statement: it holds what was stated and None elsewhere. Each optimizer declares
in a dataclass of its own, under its name in `DECLARATIONS`, the options that it reads, with type
and default; the registry of `pinngate.optim` builds every optimizer from its declaration. Stating
what an optimizer does not read is an error, raised when the problem is read and before it is
solved: an option that changes nothing misleads whoever set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pinngate.errors import InputError, nearest

Race = Literal["race"]
RACE: Race = "race"
"""In place of a network: several of them compete, and the data choose."""

AUTO = "auto"
DEFAULT_OPTIMIZER = "population-risk-gauss-newton"
OWN_OPTIMIZER = "own"
"""Stands for an optimizer that is given in Python, `pinngate.solve(problem, optimizer=…)`."""


@dataclass(frozen=True)
class NetworkOptions:
    """A fully connected network.

    `features` is the bandwidth of a sine first layer (standard deviation of its weights on inputs
    scaled to [−1, 1]); None means a plain first layer with `activation`.
    """

    width: int = 64
    depth: int = 3
    activation: Literal["tanh", "sin"] = "tanh"
    features: float | None = 2.0

    def num_weights(self, num_inputs: int, num_outputs: int) -> int:
        """Return the number of weights and biases between so many inputs and outputs."""
        widths = [num_inputs, *[self.width] * self.depth, num_outputs]
        return sum((a + 1) * b for a, b in pairwise(widths))


def _option(meaning: str, default: Any = None) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class SolveOptions:
    """How to solve, as stated. None stands for the default of the optimizer that is used.

    `max_memory` is in bytes. Every field carries its meaning, one line for the documentation.
    """

    optimizer: str = _option("name of an optimizer, or `auto`", AUTO)
    network: NetworkOptions | Race | None = _option(  # noqa: RUF009 - it makes a field
        "the network, see below, or `race`"
    )
    own_network: str | None = _option(
        "class of a network of one's own, which only Python can give: "
        "`pinngate.solve(problem, network=...)`"
    )
    collocation: int | None = _option("points at which the equations are enforced")
    iterations: int | None = _option("at most so many iterations")
    learning_rate: float | None = _option("largest step size of the schedule")
    gate: Literal["hard", "soft", "snr", "none"] | None = _option(
        "how a coordinate without signal is held back"
    )
    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] | None = _option(
        "how per-point gradient statistics are computed"
    )
    gated_terms: Literal["all", "data"] | None = _option("which terms of the loss the gate judges")
    strictness: float | None = _option(
        "how much signal the gate asks for, in units of the variance of the averaged gradient"
    )
    basis: Literal["weights", "layers"] | None = _option(
        "coordinates of first-order steps: the weights' own, or the eigenbasis of each layer's "
        "gradient"
    )
    polish: Literal["auto", "none"] | None = _option(
        "fits through a numerical solver, first of all or from another answer: `auto` where one "
        "runs the problem, or `none`"
    )
    weights: dict[str, float] = field(
        default_factory=dict, metadata={"meaning": "weights of the loss terms, see below"}
    )
    seed: int = _option("seed of every random stream", 0)
    precision: Literal["float32", "float64"] | None = _option(
        "floating-point numbers of the computation"
    )
    device: str = _option("`auto`, `cpu` or `cuda`", "auto")
    max_memory: int | None = _option(
        "most memory that the solver may use beside the program itself; decides whether the "
        "Jacobian is formed"
    )


MEANINGS: Mapping[str, str] = MappingProxyType(
    {key.name: key.metadata["meaning"] for key in fields(SolveOptions)}
)


@dataclass(frozen=True)
class PhysicsWeights:
    """Weights of what is exact against the data, which count once."""

    equations: float
    conditions: float


@dataclass(frozen=True)
class LossWeights(PhysicsWeights):
    """Weights of all terms of a loss."""

    observations: float = 1.0


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """What every optimizer reads, complete: no value is left open.

    Attributes:
        network: the network, or `RACE`.
        own_network: class of a network of the caller's own in its place, None without one.
        collocation: points at which the equations are enforced. The default holds for two axes:
            on a line fewer are as dense, in a volume more are needed (`completion`).
        iterations: at most so many.
        weights: of the terms of the loss.
        seed: of every random stream.
        precision: of the computation.
        device: ``cpu`` or ``cuda``; ``auto`` until the machine is known.
        max_memory: bytes, None for half of what is free when the run starts.
    """

    network: NetworkOptions | Race
    own_network: str | None = None
    collocation: int = 256
    iterations: int
    weights: PhysicsWeights
    seed: int = 0
    precision: Literal["float32", "float64"]
    device: str = "auto"
    max_memory: int | None = None

    nonlinear_collocation: ClassVar[int] = 256
    """Default of `collocation` where an equation is nonlinear."""
    inverse_collocation: ClassVar[int] = 256
    """Default of `collocation` where coefficients are estimated."""
    facts: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What is not read but true: stating it is no error, as files of earlier versions do."""

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the options, in the order of `SolveOptions`."""
        return [key.name for key in fields(SolveOptions) if key.name in cls.__dataclass_fields__]

    @classmethod
    def default(cls, name: str) -> Any:
        """Return the default of an option."""
        return cls.__dataclass_fields__[name].default

    @classmethod
    def weight_names(cls) -> list[str]:
        """Return the kinds of terms that have a weight."""
        return [key.name for key in fields(cls.default("weights"))]

    @classmethod
    def paths(cls) -> list[str]:
        """Return every option with its path in `solve`, such as ``weights.equations``."""
        plain = [name for name in cls.names() if name != "weights"]
        return plain + [f"weights.{kind}" for kind in cls.weight_names()]

    @classmethod
    def of(cls, stated: SolveOptions) -> Self:
        """Return what is stated, with defaults where nothing is.

        Raises:
            InputError: something is stated that is not read.
        """
        for _, fault in unread(stated):
            raise fault
        given: dict[str, Any] = {
            name: getattr(stated, name)
            for name in cls.names()
            if name != "weights" and getattr(stated, name) is not None
        }
        if stated.own_network is not None and "basis" in cls.names():
            given.setdefault("basis", "weights")  # the layers of such a network are not known
        own = {name: stated.weights[name] for name in cls.weight_names() if name in stated.weights}
        return cls(weights=replace(cls.default("weights"), **own), **given)

    def stated(self, optimizer: str) -> SolveOptions:
        """Return the statement of all of them, and of the optimizer's name."""
        values = {name: getattr(self, name) for name in self.names()}
        if self.own_network is not None:
            del values["network"]  # it stands in its place
        return SolveOptions(optimizer, **values | {"weights": asdict(self.weights)})


@dataclass(frozen=True, kw_only=True)
class GaussNewtonSolveOptions(OptimizerOptions):
    """What population-risk Gauss–Newton reads.

    Between few points the field can bend to what the data would have forbidden, and the answer pays
    for it: there are more where an equation is nonlinear and where coefficients are estimated.
    """

    network: NetworkOptions | Race = RACE
    # a limit for networks that creep; small sine networks stop after 20 to 40
    iterations: int = 150
    weights: PhysicsWeights = PhysicsWeights(equations=3.0, conditions=5.0)
    precision: Literal["float32", "float64"] = "float64"
    polish: Literal["auto", "none"] = "auto"

    nonlinear_collocation: ClassVar[int] = 512
    inverse_collocation: ClassVar[int] = 1024
    facts: ClassVar[Mapping[str, Any]] = MappingProxyType({"weights.observations": 1.0})


@dataclass(frozen=True, kw_only=True)
class FirstOrderSolveOptions(OptimizerOptions):
    """What every optimizer that steps along gradients reads."""

    # A sine first layer of bandwidth 2 meets wave and advection in some thousand iterations, where
    # a plain tanh network stays at 40 % error (docs/decisions.md).
    network: NetworkOptions = NetworkOptions(width=64, depth=3, activation="tanh", features=2.0)
    iterations: int = 4000
    # The equation's residual is in units of its largest term: weight 1 makes a relative error of
    # the equation count as much as one of the data. Conditions are exact: five times that.
    weights: LossWeights = LossWeights(equations=1.0, conditions=5.0, observations=1.0)
    precision: Literal["float32", "float64"] = "float32"


@dataclass(frozen=True, kw_only=True)
class AdamSolveOptions(FirstOrderSolveOptions):
    """What Adam and AdamW read."""

    learning_rate: float = 3e-3
    basis: Literal["weights", "layers"] = "weights"

    facts: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"gate": "none", "statistics": "streaming", "gated_terms": "all"}
    )


@dataclass(frozen=True, kw_only=True)
class PopulationRiskAdamOptions(FirstOrderSolveOptions):
    """What PopulationRiskAdam reads.

    In the layers' eigenbases a gate that asks for five times the calibrated signal keeps their
    speed and drops the overfitting that comes with it (results/paper). It judges the data alone:
    that equations differ from point to point is no noise.
    """

    learning_rate: float = 1e-2
    gate: Literal["hard", "soft", "snr", "none"] = "hard"
    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] = "grouped"
    gated_terms: Literal["all", "data"] = "data"
    strictness: float = 5.0
    basis: Literal["weights", "layers"] = "layers"


@dataclass(frozen=True, kw_only=True)
class OwnOptimizerOptions(FirstOrderSolveOptions):
    """What is read beside an optimizer that is given in Python, which brings its own rate.

    `statistics` and `gated_terms` count where that optimizer takes statistics.
    """

    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] = "grouped"
    gated_terms: Literal["all", "data"] = "data"


DECLARATIONS: Mapping[str, type[OptimizerOptions]] = MappingProxyType(
    {
        DEFAULT_OPTIMIZER: GaussNewtonSolveOptions,
        "population-risk-adam": PopulationRiskAdamOptions,
        "adam": AdamSolveOptions,
        "adamw": AdamSolveOptions,
        OWN_OPTIMIZER: OwnOptimizerOptions,
    }
)
"""What each optimizer reads, by its name."""

NAMED = tuple(name for name in DECLARATIONS if name != OWN_OPTIMIZER)
"""The optimizers that a problem file may ask for."""


def optimizer_name(name: str) -> str:
    """Return the name of an optimizer; ``auto`` is the package's choice.

    Raises:
        InputError: there is none of that name.
    """
    chosen = DEFAULT_OPTIMIZER if name == AUTO else name
    if chosen not in DECLARATIONS:
        raise InputError(
            f"unknown optimizer '{name}'",
            expected=f"the optimizers are {AUTO}, " + ", ".join(NAMED),
            hint=nearest(name, NAMED),
        )
    return chosen


def declared(name: str) -> type[OptimizerOptions]:
    """Return what an optimizer reads.

    Raises:
        InputError: there is none of that name.
    """
    return DECLARATIONS[optimizer_name(name)]


def unread(stated: SolveOptions) -> list[tuple[str, InputError]]:
    """Return what is stated and not read: the path of its key in `solve`, and the error to raise.

    Raises:
        InputError: there is no such optimizer.
    """
    name = optimizer_name(stated.optimizer)
    reads = DECLARATIONS[name]
    known = reads.paths()
    faults = [
        (path, _not_read(name, path, is_default=stated.optimizer == AUTO))
        for path, value in _given(stated).items()
        if path not in known and reads.facts.get(path) != value
    ]
    if stated.network == RACE and reads.default("network") != RACE:
        faults.append(("network", _no_race(name)))
    return faults


def _given(stated: SolveOptions) -> dict[str, Any]:
    """Return what is stated beside the optimizer, by paths such as ``weights.equations``."""
    given = {key.name: getattr(stated, key.name) for key in fields(SolveOptions)}
    del given["optimizer"], given["weights"]
    given |= {f"weights.{kind}": value for kind, value in stated.weights.items()}
    return {path: value for path, value in given.items() if value is not None}


def _not_read(name: str, path: str, *, is_default: bool) -> InputError:
    reads = DECLARATIONS[name]
    kinds = ", ".join(reads.weight_names())
    stated = [key for key in reads.names() if key != "own_network"]  # which Python alone gives
    listed = ", ".join(f"weights ({kinds})" if key == "weights" else key for key in stated)
    readers = [other for other in NAMED if path in DECLARATIONS[other].paths()]
    is_read = f"{path} is read by {', '.join(readers)}"
    shown = f"{name}, the default," if is_default else name
    return InputError(
        f"the optimizer {shown} does not read '{path}'",
        expected=f"it reads {listed}",
        hint=is_read if readers else nearest(path, reads.paths()),
    )


def _no_race(name: str) -> InputError:
    return InputError(
        f"the optimizer {name} trains one network and lets none race",
        expected="a network such as {width: 64, depth: 3}",
        hint=f"networks race with {DEFAULT_OPTIMIZER}",
    )
