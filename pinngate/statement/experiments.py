"""Several experiments as one problem: a field of each, and coefficients that they share.

Every experiment is a problem of its own, checked like any other. Together they are one whose fields
are named ``C__first``, ``C__second``: equations, conditions, events and observations of each, with
constants that differ and coefficients of its own renamed alike. What a coefficient that is shared
is, all data tell together. Above `components`; everything downstream knows one problem.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pinngate.errors import InputError
from pinngate.expression import Expression, Name, names, substitute
from pinngate.statement.axis_bounds import like
from pinngate.statement.components import Derived, Event, Input, Statement, Truth
from pinngate.statement.derivatives import parse_derivative
from pinngate.statement.equations import Condition, Conserved, Equation, Flux
from pinngate.statement.measurement import Table
from pinngate.statement.stated_observations import MeasuredObservations, StatedObservations
from pinngate.statement.unknown_quantities import Coefficient, Spread
from pinngate.tables.in_memory import InMemoryTable

NAME = re.compile(r"[^\W\d]\w*")


def of_experiment(name: str, experiment: str) -> str:
    """Return what something of one experiment is called, ``C__first``."""
    return f"{name}__{experiment}"


@dataclass(frozen=True)
class _Names:
    """What the names of one experiment are in the whole.

    Attributes:
        experiment: its name.
        statement: it alone.
        own: names that become its own: fields, constants that differ, coefficients.
    """

    experiment: str
    statement: Statement
    own: frozenset[str]

    def of(self, name: str) -> str:
        """Return the name of a field, a derivative of one, or anything else."""
        if name in self.own:
            return of_experiment(name, self.experiment)
        fields = self.statement.solved_fields
        found = parse_derivative(name, fields, self.statement.axes)
        if found is None or found.field not in self.own:
            return name
        return of_experiment(found.field, self.experiment) + name[len(found.field) :]

    def text(self, stated: str) -> str:
        """Return the text of a formula in the names of the whole."""
        return NAME.sub(lambda found: self.of(found.group()), stated)

    def renamed(self, expression: Expression) -> Expression:
        """Return an expression in the names of the whole."""
        own = {n: Name(self.of(n), at) for n, at in names(expression).items() if self.of(n) != n}
        return substitute(expression, own) if own else expression

    def amounts(self, stated: Mapping[str, Expression]) -> dict[str, Expression]:
        """Return formulas by field in the names of the whole."""
        return {self.of(name): self.renamed(formula) for name, formula in stated.items()}

    def observations(self, stated: StatedObservations) -> StatedObservations:
        """Return observations in the names of the whole."""
        of, quantity, group = self.of(stated.of), stated.quantity, stated.of
        if quantity is not None:
            of, quantity = self.text(stated.of), self.renamed(quantity)
        if not isinstance(stated, MeasuredObservations):
            return replace(stated, of=of, quantity=quantity, group=group)
        columns = {"value": stated.of, **stated.table.columns}
        table = Table(columns, stated.table.missing, stated.table.max_rows)
        return replace(
            stated,
            of=of,
            quantity=quantity,
            table=table,
            file=self._file(stated.file),
            group=group,
        )

    def input(self, stated: Input) -> Input:
        """Return a table of this experiment under its name in the whole."""
        if stated.name not in self.own:
            return stated
        return replace(stated, name=self.of(stated.name), file=self._file(stated.file))

    def _file(self, file: Path | InMemoryTable) -> Path | InMemoryTable:
        if isinstance(file, InMemoryTable):
            return InMemoryTable(f"{self.experiment}-{file.name}", file.label, file.columns)
        return file


def combined(experiments: Mapping[str, Statement], each: Mapping[str, bool]) -> Statement:
    """Return several experiments as one problem.

    Args:
        experiments: each alone, by name; their equations and unknowns are the same.
        each: the coefficients of which every experiment has its own, and whether these spread about
            a common value with a spread that is estimated.

    Raises:
        InputError: their domains differ in more than where time ends, or their pieces differ.
    """
    first = next(iter(experiments.values()))
    _refuse_other_pieces(first, experiments)
    own = frozenset({*first.solved_fields, *each, *_differing(list(experiments.values()))})
    parts = [_Names(name, statement, own) for name, statement in experiments.items()]
    coefficients, spreads = _coefficients(first, parts, each)
    return replace(
        first,
        domain=_domain(list(experiments.values())),
        unknowns=tuple(part.of(u) for part in parts for u in first.unknowns),
        equations=_of_all(parts, "equations", _equation),
        conditions=_of_all(parts, "conditions", _condition),
        events=_of_all(parts, "events", _event),
        observations=_of_all(parts, "observations", _Names.observations),
        fluxes=_of_all(parts, "fluxes", _flux),
        inputs=tuple(dict.fromkeys(_of_all(parts, "inputs", _Names.input))),
        constants=_mapped(parts, "constants", _same),
        sizes=_mapped(parts, "sizes", _same),
        guesses=_mapped(parts, "guesses", _Names.renamed),
        conserved=_of_all(parts, "conserved", _conserved),
        positive=tuple(part.of(u) for part in parts for u in first.positive),
        coefficients=coefficients,
        spreads=spreads,
        truth=_truth(parts),
        units=_units(first, parts),
        derived=_derived(parts),
        experiments=dict(experiments),
        each=dict(each),
    )


def _refuse_other_pieces(first: Statement, experiments: Mapping[str, Statement]) -> None:
    """Refuse equal cells of time axes that end at different times."""
    for name, one in experiments.items():
        if one.pieces != first.pieces:
            raise InputError(
                f"the pieces of '{first.pieces[0].name}' are others in the experiment '{name}'",
                expected="breakpoints, which are the same in all: pieces: {t: [14, 30]}",
            )


def _differing(statements: Sequence[Statement]) -> set[str]:
    """Return the names of constants and inputs that are not the same in all experiments."""
    first = statements[0]
    constants = {
        name
        for name, value in first.constants.items()
        if any(s.constants.get(name) != value for s in statements)
    }
    tables = {i.name for i in first.inputs if any(i not in s.inputs for s in statements)}
    return constants | tables


def _of_all(parts: Sequence[_Names], kind: str, change: Callable[[_Names, Any], Any]) -> Any:
    """Return what is listed under a key of each experiment, in the names of the whole."""
    return tuple(change(part, item) for part in parts for item in getattr(part.statement, kind))


def _mapped(parts: Sequence[_Names], kind: str, change: Callable[[_Names, Any], Any]) -> Any:
    """Return the same of what is mapped under a key."""
    return {
        part.of(name): change(part, value)
        for part in parts
        for name, value in getattr(part.statement, kind).items()
    }


def _same(_: _Names, value: Any) -> Any:
    return value


def _flux(part: _Names, stated: Flux) -> Flux:
    return Flux(part.of(stated.name), part.renamed(stated.inside))


def _domain(statements: Sequence[Statement]) -> dict[str, tuple[float, float]]:
    """Return the domain that holds all: time may end at different times."""
    first = statements[0].domain
    found = dict(first)
    for statement in statements:
        for axis, (low, high) in statement.domain.items():
            if low != first[axis][0] or (axis != "t" and high != first[axis][1]):
                raise InputError(
                    f"the experiments have different domains along {axis}",
                    expected="one domain, in which time may end at different times",
                )
            found[axis] = like(first[axis], low, max(high, found[axis][1]))
    return found


def _equation(part: _Names, stated: Equation) -> Equation:
    return Equation(part.text(stated.text), part.renamed(stated.residual))


def _condition(part: _Names, stated: Condition) -> Condition:
    return Condition(stated.where, part.text(stated.text), part.renamed(stated.residual))


def _conserved(part: _Names, stated: Conserved) -> Conserved:
    texts = part.text(stated.of), part.text(stated.equals)
    formulas = part.renamed(stated.residual), part.renamed(stated.equal)
    return Conserved(*texts, stated.over, *formulas)


def _event(part: _Names, stated: Event) -> Event:
    return Event(stated.times, part.amounts(stated.add), part.amounts(stated.set))


def _coefficients(
    first: Statement, parts: Sequence[_Names], each: Mapping[str, bool]
) -> tuple[tuple[Coefficient, ...], tuple[Spread, ...]]:
    """Return the coefficients of all experiments, common values of those that spread among them."""
    found: list[Coefficient] = []
    spreads = []
    for stated in first.coefficients:
        if stated.name not in each:
            found.append(stated)
            continue
        own = [_own(part, stated.name, has_spread=each[stated.name]) for part in parts]
        if each[stated.name]:
            members = tuple(c.name for c in own)
            spreads.append(Spread(stated.name, members, is_of_logarithm=stated.is_positive))
            found.append(replace(stated, truth=_middle([c.truth for c in own], stated.is_positive)))
        found += own
    return tuple(found), tuple(spreads)


def _own(part: _Names, name: str, *, has_spread: bool) -> Coefficient:
    """Return the coefficient of one experiment; what spreads has its prior on the common one."""
    own = next(c for c in part.statement.coefficients if c.name == name)
    true = part.statement.true_coefficients().get(name)
    return replace(own, name=part.of(name), truth=true, prior=None if has_spread else own.prior)


def _middle(values: Sequence[float | None], is_positive: bool) -> float | None:
    """Return the mean of true values, of their logarithms where they are positive."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if is_positive:
        return math.exp(sum(map(math.log, known)) / len(known))
    return sum(known) / len(known)


def _truth(parts: Sequence[_Names]) -> Truth | None:
    """Return the truth of all fields, None where one of the experiments has none."""
    first = parts[0].statement.truth
    if first is None:  # it is stated once, for all
        return None
    fields: dict[str, Expression] = {}
    clean: dict[str, Expression] = {}
    for part in parts:
        own = part.statement.truth or first
        fields |= part.amounts(own.fields)
        clean |= part.amounts(own.clean)
    constants = {n: v for n, v in first.constants.items() if n not in parts[0].own}
    return replace(first, fields=fields, clean=clean, constants=constants)


def _units(first: Statement, parts: Sequence[_Names]) -> dict[str, str]:
    """Return the units of axes, fields and coefficients, each under its names in the whole."""
    units = dict(first.units)
    for part in parts:
        units |= {part.of(name): unit for name, unit in first.units.items()}
    return {n: u for n, u in units.items() if n not in first.unknowns}


def _derived(parts: Sequence[_Names]) -> tuple[Derived, ...]:
    """Return the quantities of each experiment, those that are the same in all once."""
    found: dict[str, Derived] = {}
    for part in parts:
        for stated in part.statement.derived:
            formula = part.renamed(stated.expression)
            is_common = formula == stated.expression
            name = stated.name if is_common else of_experiment(stated.name, part.experiment)
            found[name] = replace(stated, name=name, expression=formula)
    return tuple(found.values())


__all__ = ["combined", "of_experiment"]
