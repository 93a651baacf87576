"""What a problem that is stated in Python is made of, beside text and numbers.

`Unknown` is an entry of `estimate`, `Observations` one of `observations`, `Input` one of `inputs`;
each says what a mapping with the keys of a problem file says, and may hold its values.
`problem.Problem` takes them, `checks` checks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pinngate.errors import InputError
from pinngate.statement.arrays import GivenValues

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Number = float | str  # a number, or a formula in constants


@runtime_checkable
class OwnNoise(Protocol):
    """A noise model of the caller's own, as `pinngate.NoiseModel` makes it from a density."""

    def log_density(self, residuals: Any) -> Any:
        """Return log p of each residual."""


@dataclass(frozen=True)
class Unknown:
    """A coefficient to infer with the fields: a number, with `over` or `pieces` a function.

    Attributes:
        initial: where the search starts.
        positive: search among positive values only, through the logarithm.
        lower: lower bound.
        upper: upper bound.
        over: the axis or axes with which the coefficient varies; or an unknown, or a derivative of
            one, of which it is a function; or two of these, or one and an axis.
        pieces: axes with the number of equal cells along each, ``{"x": 8, "y": 8}``, or the places
            where cells end, ``{"t": [14, 30]}``: the coefficient is constant on each of them.
        range: of that unknown, where no data tell it, ``(0, 2)``; of two, ``{"u": (0, 2)}``.
        knots: how many places a function of unknowns has along each of them, 12 or 8 by default.
        truth: the true value, used only to report the error; of a field, a formula in its axes.
        prior: what is known beforehand of a number or of each piece, ``{"mean": 2, "std": 0.3}``
            or, of a positive number, ``{"median": 2, "factor": 1.5}``.
        each: whether every experiment has a value of its own; ``{"spread": True}`` lets them
            scatter about a common one.
    """

    initial: Number
    positive: bool = False
    lower: Number | None = None
    upper: Number | None = None
    over: str | Sequence[str] | None = None
    truth: Number | None = None
    prior: Mapping[str, Number] | None = None
    each: bool | Mapping[str, bool] | None = None
    range: Sequence[Number] | Mapping[str, Sequence[Number]] | None = None
    pieces: Mapping[str, int | Sequence[Number]] | None = None
    knots: int | Sequence[int] | None = None

    def keys_given(self) -> dict[str, Any]:
        """Return the mapping that says the same in a problem file."""
        return {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}


class Observations:
    """Noisy values that were measured, one set of them, or of several quantities at once.

        Observations("u", points, values, std=0.1)
        Observations("u", frame)                      # columns x, t, u and perhaps u_std
        Observations("-k*u_x", frame, "flux")
        Observations(["u", "v"], frame)
        Observations.synthetic("u", count=200, noise={"std": 0.3}, where="t = 0")

    Args:
        of: the observed field, or what the sensor sees of the fields, ``u_x``, ``-k*u_x``; a list
            stands for one set of observations of each.
        points: numbers of shape (n, axes) in the order of the domain, (n,) of a single axis; or a
            table with a column for each axis: a mapping, a data frame or an xarray object, whose
            coordinates are the points. Arrays of every library are taken, and lists.
        values: numbers (n,), (n, k) for a list of k quantities; or names of columns. By default
            the columns called as in `of`. NaN stands for a value that was not measured.
        std: the known standard deviation of every value, one number or as `values`. By default
            the column ``<column of the values>_std``, where there is one.
        noise: what is assumed of the noise, as in a problem file: ``{"relative": 0.05}``; or a
            model of one's own, a `pinngate.NoiseModel`.
        mean: ``{"over": "x"}`` or ``{"over": "x", "width": 0.1}``: the values are means along x.
            Over the whole extent, points have no such axis.
        holdout: what is never fitted and judges the fit: a fraction, a file or other observations
            of the same.
        max_rows: most values that are fitted; of more, a subset is drawn.
        at: where the sensor is, ``{"x": 3}``, along axes that points have no column of.
        sensors: of a wide table with a column for each sensor: the place of each,
            ``{"S1": {"x": 0.5}}``, or a file of them.

    Raises:
        InputError: arguments exclude each other. Shapes and values are judged by `Problem`, which
            knows the axes.
    """

    def __init__(
        self,
        of: str | Sequence[str],
        points: ArrayLike | Mapping[str, ArrayLike] | Any,
        values: ArrayLike | Mapping[str, ArrayLike] | Any = None,
        *,
        std: ArrayLike | Mapping[str, ArrayLike] | Any = None,
        noise: Mapping[str, object] | OwnNoise | None = None,
        mean: Mapping[str, object] | None = None,
        holdout: Number | Observations | None = None,
        max_rows: int | None = None,
        at: Mapping[str, Number] | None = None,
        sensors: Mapping[str, Mapping[str, Number]] | str | None = None,
    ) -> None:
        if _is_number(std):
            if noise is not None:
                raise InputError(
                    "observations have both 'std' and 'noise'",
                    expected="one of the two; std=0.1 is noise={'std': 0.1}",
                )
            std, noise = None, {"std": std}
        if isinstance(holdout, Observations) and (holdout.of != of or holdout.given is None):
            raise InputError(
                f"{holdout!r} cannot judge observations of {of}",
                expected="measured observations of the same, a fraction or the name of a file",
            )
        model = None
        if isinstance(noise, type):
            raise InputError(
                f"noise is the class {noise.__name__}", expected=f"a model, {noise.__name__}(1.0)"
            )
        if isinstance(noise, OwnNoise):
            model, noise = noise, None
        self._say(of, noise=noise, mean=mean, holdout=holdout, max_rows=max_rows)
        self.keys |= {k: v for k, v in {"at": at, "sensors": sensors}.items() if v is not None}
        self.given: GivenValues | None = GivenValues(points, values, std, model)

    @classmethod
    def synthetic(
        cls,
        of: str | Sequence[str],
        *,
        noise: Mapping[str, object],
        count: int | None = None,
        where: str | None = None,
        layout: str | Mapping[str, int] | None = None,
        mean: Mapping[str, object] | None = None,
        holdout: Number | None = None,
    ) -> Observations:
        """Return observations that are made from the truth.

        Args:
            of: as of measured ones.
            noise: what is added, ``{"std": 0.3}`` or ``{"relative": 0.05}``; a `kind` other than
                gaussian is ``student-t`` or ``outliers``.
            count: how many points.
            where: the plane on which they lie, ``t = 0``; the whole domain by default.
            layout: ``random``, ``grid``, or the number of points along each axis.
            mean: as of measured ones.
            holdout: the fraction that is never fitted.
        """
        made = cls.__new__(cls)
        made._say(
            of, where=where, count=count, layout=layout, noise=noise, mean=mean, holdout=holdout
        )
        made.given = None
        return made

    def _say(self, of: str | Sequence[str], **keys: Any) -> None:
        self.of = of
        self.keys = {"of": of} | {key: v for key, v in keys.items() if v is not None}

    def keys_given(self) -> dict[str, Any]:
        """Return the mapping that says the same in a problem file, values in place of a file."""
        keys = dict(self.keys)
        if self.given is not None:
            keys["file"] = self.given
        if isinstance(keys.get("holdout"), Observations):
            keys["holdout"] = keys["holdout"].given
        return keys

    def __repr__(self) -> str:
        kind = "synthetic" if self.given is None else "measured"
        return f"<{kind} observations of {self.of}>"


class Input:
    """A known function given as a table: an entry of `inputs`.

        Input(t=times, values=temperatures)
        Input(x=places, t=times, values=matrix)       # of the shape (len(places), len(times))
        Input(frame, "To_C", interpolation="step")    # a column for each axis, and To_C
        Input("log.csv", "To_C")                      # a file

    Args:
        table: of named columns: a mapping, a data frame, an xarray object whose coordinates are the
            axes, or the name of a file. The function varies with those axes that it has.
        values: the name of the column of the values, by default that of the input itself; or, with
            the axes by their names, numbers on their grid.
        interpolation: ``linear``, ``step`` (a value is held until the next) or ``smooth`` (a cubic
            spline).
        axes: places along each axis, increasing, in place of a table.

    Raises:
        InputError: a table and axes at once, or neither. Shapes and values are judged by `Problem`,
            which knows the axes.
    """

    def __init__(
        self,
        table: Mapping[str, ArrayLike] | str | Any = None,
        values: ArrayLike | str | Any = None,
        *,
        interpolation: str = "linear",
        **axes: ArrayLike,
    ) -> None:
        if (table is None) == (not axes):
            raise InputError(
                "an input has both a table and axes" if axes else "an input has no table",
                expected="Input(t=..., values=...), or Input(table, 'name of a column')",
            )
        self.interpolation = interpolation
        self.given = GivenValues(table if table is not None else axes, values, is_grid=bool(axes))

    def keys_given(self) -> dict[str, Any]:
        """Return the mapping that says the same in a problem file, values in place of a file."""
        table = self.given.points
        if isinstance(table, str | PathLike):
            column = {} if self.given.values is None else {"column": self.given.values}
            return {"file": table, **column, "interpolation": self.interpolation}
        return {"file": self.given, "interpolation": self.interpolation}

    def __repr__(self) -> str:
        return f"<input, {self.interpolation}>"


def _is_number(value: Any) -> bool:
    """Whether a value is one number, of any library, and no array of them."""
    if isinstance(value, (int, float)):
        return True
    return getattr(value, "ndim", None) == 0


__all__ = ["Input", "Number", "Observations", "Unknown"]
