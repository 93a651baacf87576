"""The forms of a linearisation: its Jacobian formed, its normal equations alone, or neither.

`memory_plan` chooses between them before a solver is built; the solver and everything after it see
`LinearisedSystem` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from pinngate.linear.columns import JacobianColumns
from pinngate.linear.dense import DenseSystem
from pinngate.linear.effort import MatrixFreeOptions
from pinngate.linear.factored import FactoredSystem
from pinngate.linear.jacobian import Batches, jacobian
from pinngate.linear.matrix_free import MatrixFreeSystem
from pinngate.linear.memory_plan import MemoryPlan
from pinngate.linear.normal import NormalSystem, TiledColumns
from pinngate.linear.rows import LinearisedRows
from pinngate.linear.system import LinearisedSystem
from pinngate.model.coefficients import Coefficients
from pinngate.model.networks import Network
from pinngate.model.residuals import ResidualModel
from pinngate.model.row_weights import RowWeights
from pinngate.model.terms import TILE


class Trial(NamedTuple):
    """Residuals as a function of the weights of a network and of unknown coefficients."""

    model: ResidualModel
    network: Network
    coefficients: Coefficients


class Rows(Protocol):
    """Rows linearised at the present weights, which carry the weights of their terms."""

    @property
    def residual(self) -> Tensor:
        """r (N,)."""

    def system(
        self, roots: Tensor, num_unpenalised: int, observed: slice, ridge: float
    ) -> LinearisedSystem:
        """Return the linearised problem of the rows times `roots` (N,).

        Args:
            roots: of the noise. The rows are scaled in place.
            num_unpenalised: K, or 0 to hold the coefficients.
            observed: the rows that are observations.
            ridge: about which ridges it will be asked.
        """


class Form(Protocol):
    """How a linearisation is held in memory."""

    @property
    def is_formed(self) -> bool:
        """Whether a Gram matrix is there: further solves are then cheap beside forming it."""

    @property
    def factored(self) -> Form:
        """The form for variances: J itself is factorised; under weak ridges JᵀJ is rounding."""

    def rows(self, trial: Trial, batches: Batches, weights: RowWeights) -> Rows:
        """Linearise at the present weights."""

    def to_state(self) -> dict[str, Any]:
        """Return plain values, for `form_of`."""


@dataclass(frozen=True)
class DenseForm:
    """J is formed: N·P numbers.

    Attributes:
        is_factored: whether it is factorised itself, for stiff physics; else its Gram matrix.
    """

    is_formed: bool = True
    is_factored: bool = False

    @property
    def factored(self) -> Form:
        """J, which is factorised itself."""
        return DenseForm(is_factored=True)

    def rows(self, trial: Trial, batches: Batches, weights: RowWeights) -> Rows:
        """Return the rows with J."""
        found = jacobian(*trial, batches, weights)
        return DenseRows(*found, trial.network.num_parameters, self.is_factored)

    def to_state(self) -> dict[str, Any]:
        """Return its name, and which of its two kinds it is."""
        return {"form": "factored" if self.is_factored else "dense"}


@dataclass(frozen=True)
class DenseRows:
    """J (N, P + K), r (N,) and P."""

    jacobian: Tensor
    residual: Tensor
    num_weights: int
    is_factored: bool = False

    def system(
        self, roots: Tensor, num_unpenalised: int, observed: slice, ridge: float
    ) -> LinearisedSystem:
        """Return a `DenseSystem`; every ridge is met alike."""
        self.jacobian.mul_(roots[:, None])
        columns = self.jacobian[:, : self.num_weights + num_unpenalised]
        if self.is_factored:
            return FactoredSystem(JacobianColumns(columns, num_unpenalised, observed, "normal"))
        return DenseSystem(columns, num_unpenalised, observed)


@dataclass(frozen=True)
class NormalForm:
    """J is never held: P² numbers, rows made anew in each pass over the points.

    Attributes:
        is_factored: whether the triangle of J is formed, for stiff physics; else JᵀJ.
    """

    is_formed: bool = True
    is_factored: bool = False

    @property
    def factored(self) -> Form:
        """The triangle of J."""
        return NormalForm(is_factored=True)

    def rows(self, trial: Trial, batches: Batches, weights: RowWeights) -> Rows:
        """Return the rows, none of their factors kept."""
        made = LinearisedRows(*trial, batches, weights, cache_bytes=0.0, tile=TILE)
        return NormalRows(made, self.is_factored)

    def to_state(self) -> dict[str, Any]:
        """Return its name, and which of its two kinds it is."""
        return {"form": "normal-factored" if self.is_factored else "normal"}


@dataclass(frozen=True)
class NormalRows:
    """J as an operator."""

    operator: LinearisedRows
    is_factored: bool = False

    @property
    def residual(self) -> Tensor:
        """r (N,)."""
        return self.operator.residual

    def system(
        self, roots: Tensor, num_unpenalised: int, observed: slice, ridge: float
    ) -> LinearisedSystem:
        """Return a system of tiled columns; every ridge is met alike."""
        self.operator.scale_rows(roots)
        if self.is_factored:
            return FactoredSystem(TiledColumns(self.operator, num_unpenalised, observed))
        return NormalSystem(self.operator, num_unpenalised, observed)


@dataclass(frozen=True)
class MatrixFreeForm:
    """J is never formed: products with it take a pass over the points."""

    work: MatrixFreeOptions = field(default_factory=MatrixFreeOptions)
    is_formed: bool = False

    @property
    def factored(self) -> Form:
        """The same: nothing is formed."""
        return self

    def rows(self, trial: Trial, batches: Batches, weights: RowWeights) -> Rows:
        """Return the factors of the rows."""
        made = LinearisedRows(*trial, batches, weights, cache_bytes=self.work.cache_bytes)
        return MatrixFreeRows(made, self.work)

    def to_state(self) -> dict[str, Any]:
        """Return its name, and how much work and memory."""
        return {"form": "matrix-free", **asdict(self.work)}


@dataclass(frozen=True)
class MatrixFreeRows:
    """J as an operator."""

    operator: LinearisedRows
    work: MatrixFreeOptions

    @property
    def residual(self) -> Tensor:
        """r (N,)."""
        return self.operator.residual

    def system(
        self, roots: Tensor, num_unpenalised: int, observed: slice, ridge: float
    ) -> LinearisedSystem:
        """Return a `MatrixFreeSystem` whose basis suits the ridge."""
        self.operator.scale_rows(roots)
        return MatrixFreeSystem(self.operator, num_unpenalised, observed, ridge, self.work)


def form_of(state: Mapping[str, Any] | None) -> Form:
    """Return the form that `to_state` was asked of; earlier versions wrote None for dense."""
    if state is None:
        return DenseForm()
    if "form" not in state:
        return MatrixFreeForm(MatrixFreeOptions(**state))
    work = {key: value for key, value in state.items() if key != "form"}
    if state["form"] == "matrix-free":
        return MatrixFreeForm(MatrixFreeOptions(**work))
    if state["form"] in ("normal", "normal-factored"):
        return NormalForm(is_factored=state["form"] == "normal-factored")
    return DenseForm(is_factored=state["form"] == "factored")


def planned(plan: MemoryPlan) -> Form:
    """Return the form that a plan of memory has chosen."""
    return form_of({"form": plan.form, **({} if plan.work is None else asdict(plan.work))})
