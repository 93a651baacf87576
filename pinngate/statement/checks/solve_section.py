"""The `solve` section: how to solve, with nothing in it that the optimizer does not read.

Which options an optimizer reads is declared in `pinngate.statement.options`; this module gives the
faults their place.
"""

from __future__ import annotations

from pinngate.errors import InputError
from pinngate.statement.checks.schema import NetworkSection, SolveSection
from pinngate.statement.checks.source import Source
from pinngate.statement.options import NetworkOptions, SolveOptions, optimizer_name, unread


def build_solve(source: Source, section: SolveSection | None) -> SolveOptions:
    """Return what `solve` states.

    Raises:
        InputError: there is no such optimizer, or it does not read an option that is stated; the
            place is that of the name or of the option's key.
    """
    if section is None:
        return SolveOptions()
    values = {key: getattr(section, key) for key in SolveSection.model_fields}
    if isinstance(section.network, NetworkSection):
        values["network"] = NetworkOptions(**section.network.model_dump())
    values["weights"] = section.weights.model_dump(exclude_none=True) if section.weights else {}
    stated = SolveOptions(**values)
    try:
        optimizer_name(stated.optimizer)
    except InputError as error:
        raise error.at(source.span(("solve", "optimizer"))) from None
    for path, fault in unread(stated):
        raise fault.at(source.key(("solve", *path.split("."))))
    return stated
