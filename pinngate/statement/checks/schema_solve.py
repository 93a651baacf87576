"""The key `solve` of a problem file: a part of `schema`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidatorFunctionWrapHandler, WrapValidator

from pinngate.statement.checks.schema_kinds import (
    Kind,
    MemorySize,
    Name,
    Positive,
    PositiveInteger,
    Section,
    whole,
)
from pinngate.statement.options import AUTO, MEANINGS, RACE


class NetworkSection(Section):
    """A fully connected network."""

    width: PositiveInteger = Field(64, description="units in each hidden layer")
    depth: PositiveInteger = Field(3, description="hidden layers")
    activation: Literal["tanh", "sin"] = Field("tanh", description="activation function")
    features: Positive | None = Field(
        2.0,
        description="bandwidth of a sine first layer: the standard deviation of its weights on "
        "inputs scaled to [-1, 1]; null is a plain first layer",
    )


class WeightsSection(Section):
    """Weights of the terms of the loss."""

    equations: Positive | None = Field(None, description="weight of the equations")
    conditions: Positive | None = Field(None, description="weight of the conditions")
    observations: Positive | None = Field(None, description="weight of the observations")


def _race(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Take the word of `RACE` as it is, and everything else as a network."""
    return value if value == RACE else read(value)


class SolveSection(Section):
    """How to solve; null stands for the default of the optimizer that is used."""

    optimizer: Name = Field(AUTO, description=MEANINGS["optimizer"])
    network: Annotated[
        NetworkSection | None,
        WrapValidator(_race),
        Kind(f"a mapping, or `{RACE}`"),
    ] = Field(None, description=MEANINGS["network"])
    own_network: Name | None = Field(
        None, description=MEANINGS["own_network"], json_schema_extra={"default": "none"}
    )
    collocation: PositiveInteger | None = Field(None, description=MEANINGS["collocation"])
    iterations: PositiveInteger | None = Field(None, description=MEANINGS["iterations"])
    learning_rate: Positive | None = Field(None, description=MEANINGS["learning_rate"])
    gate: Literal["hard", "soft", "snr", "none"] | None = Field(None, description=MEANINGS["gate"])
    statistics: Literal["pairs", "grouped", "loop", "vmap", "streaming"] | None = Field(
        None, description=MEANINGS["statistics"]
    )
    gated_terms: Literal["all", "data"] | None = Field(None, description=MEANINGS["gated_terms"])
    strictness: Positive | None = Field(None, description=MEANINGS["strictness"])
    basis: Literal["weights", "layers"] | None = Field(None, description=MEANINGS["basis"])
    polish: Literal["auto", "none"] | None = Field(None, description=MEANINGS["polish"])
    weights: WeightsSection | None = Field(None, description=MEANINGS["weights"])
    seed: Annotated[
        int, BeforeValidator(whole), Field(ge=0, lt=2**63), Kind("a whole number, 0 or more")
    ] = Field(0, description=MEANINGS["seed"])
    precision: Literal["float32", "float64"] | None = Field(None, description=MEANINGS["precision"])
    device: Name = Field("auto", description=MEANINGS["device"])
    max_memory: MemorySize | None = Field(
        None,
        description=MEANINGS["max_memory"],
        json_schema_extra={"default": "half of what is free"},
    )
