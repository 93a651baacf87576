"""Whether a data file that a problem file names is there; its content is read by `observations`."""

from __future__ import annotations

from pathlib import Path

from pinngate.errors import DataError, Span, nearest
from pinngate.reading import what_it_is

SUFFIXES = (".csv", ".npz", ".txt", ".tsv", ".dat", ".parquet", ".nc")


def data_file(name: str, folder: Path, span: Span) -> Path:
    """Return the absolute path of a file named relative to `folder`.

    Raises:
        DataError: it does not exist, cannot be read, is empty or is neither CSV nor NPZ.
    """
    try:
        stated = folder / name
        path = stated.resolve()
        kind = "a link" if stated.is_symlink() else ""
        if Path(name).suffix.lower() not in SUFFIXES:
            raise DataError(
                f"'{name}' is no data file by its ending",
                span=span,
                expected=f"one of {', '.join(SUFFIXES)}",
            )
        if path.exists() and (kind := kind or what_it_is(path)):
            hint = f"name the file itself: {path}" if kind == "a link" else ""
            raise DataError(f"'{name}' is {kind}", span=span, expected="a regular file", hint=hint)
        if not path.is_file():
            beside = path.parent.iterdir() if path.parent.is_dir() else ()
            raise DataError(
                f"there is no file '{name}'",
                span=span,
                expected=f"a data file in {path.parent}",
                hint=nearest(path.name, [p.name for p in beside if p.suffix in SUFFIXES]),
            )
        if path.stat().st_size == 0:
            raise DataError(
                f"the file '{name}' is empty", span=span, expected="a header and values"
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"the file '{name}' cannot be read ({error})", span=span) from None
    return path
