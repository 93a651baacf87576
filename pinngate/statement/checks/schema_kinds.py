"""What values of a problem file may be, in types and in words; the base of its sections.

Below the modules `schema_…`, one for each part of the file.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from pinngate.memory import parse_size
from pinngate.statement.arrays import GivenValues


class Kind(str):
    """What a value should be, in words; stands in the metadata of an annotation."""

    __slots__ = ()


def _number_or_formula(value: Any) -> float | str:
    if isinstance(value, str) or (
        isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    ):
        return value if isinstance(value, str) else float(value)
    raise ValueError("not a finite number or a formula")


def whole(value: Any) -> Any:
    """Take ``1e3`` as the whole number it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def listed(value: Any) -> Any:
    """Take one text as a list of it."""
    if value is None:  # where nothing is meant the key is left out
        raise ValueError("nothing where a list should be")
    return [value] if isinstance(value, str) else value


def cells(value: Any) -> Any:
    """Take one cell as a list of it."""
    return value if isinstance(value, list) else [value]


def _file_or_values(value: Any) -> Any:
    if isinstance(value, GivenValues) or (isinstance(value, str) and value):
        return value
    raise ValueError("no name of a file")


def fraction_or_values(value: Any) -> Any:
    """Take values as they are, and everything else as a number or a formula."""
    return value if isinstance(value, GivenValues) else _number_or_formula(value)


def sensor_places(value: Any) -> Any:
    """Take a file, given values, or a place for each name."""
    if isinstance(value, dict) and value and all(isinstance(own, dict) for own in value.values()):
        return {
            str(name): {axis: _number_or_formula(place) for axis, place in own.items()}
            for name, own in value.items()
        }
    return _file_or_values(value)


NumberOrFormula = Annotated[
    float | str, PlainValidator(_number_or_formula), Kind("a finite number or a formula")
]
Formula = Annotated[float | str, PlainValidator(_number_or_formula), Kind("a formula")]
Text = Annotated[str, Kind("text")]
EquationText = Annotated[str, Kind("an equation as text, `left = right`")]
PlaneText = Annotated[str, Kind("text such as `x = 0`")]
DataFile = Annotated[
    str | GivenValues, PlainValidator(_file_or_values), Kind("the name of a data file")
]
FileName = Annotated[str, Kind("the name of a .csv or .npz file"), Field(min_length=1)]
Name = Annotated[str, Kind("a name")]
Interval = Annotated[
    list[NumberOrFormula],
    Field(min_length=2, max_length=2),
    Kind("a list of two numbers or formulas, [low, high]"),
]
Coordinates = Annotated[
    list[NumberOrFormula],
    Field(min_length=2, max_length=3),
    Kind("a list of coordinates, one for each space axis"),
]
PositiveInteger = Annotated[
    int, BeforeValidator(whole), Field(ge=1), Kind("a whole number, 1 or more")
]
Cells = Annotated[
    int | list[NumberOrFormula],
    BeforeValidator(whole),
    Kind("a whole number of equal cells, or a list of breakpoints"),
]
Observed = Annotated[str, Kind("a field, a derivative or a formula")]
MemorySize = Annotated[
    int, PlainValidator(parse_size), Kind("an amount of memory such as 2GB, 500MB or 1.5GiB")
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), Kind("a positive number")]


class Section(BaseModel):
    """A mapping of the file: nothing beyond its keys, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
