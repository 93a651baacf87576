"""The problems that are shipped, by name.

They are the files ``problems/*.yaml``: beside the package in a checkout, inside it in a wheel.
"""

from __future__ import annotations

from pathlib import Path

import pinngate
from pinngate.config.yaml_source import read
from pinngate.errors import InputError, nearest


def folder() -> Path:
    """Return the folder of the shipped problems."""
    package = Path(pinngate.__file__).resolve().parent
    inside = package / "problems"
    return inside if inside.is_dir() else package.parent / "problems"


def names() -> list[str]:
    """Return the names of all shipped problems, sorted."""
    return sorted(file.stem for file in folder().glob("*.yaml"))


def path(name: str) -> Path:
    """Return the file of a shipped problem.

    Raises:
        InputError: there is no such problem.
    """
    known = names()
    if name not in known:
        raise InputError(
            f"there is no shipped problem '{name}'",
            expected=f"the shipped problems are {', '.join(known)}",
            hint=nearest(name, known),
        )
    return folder() / f"{name}.yaml"


def describe() -> dict[str, str]:
    """Return the title of each shipped problem by name."""
    titles = {}
    for name in names():
        file = folder() / f"{name}.yaml"
        tree = read(file.read_text(encoding="utf-8"), str(file)).tree
        titles[name] = str(tree.get("title", "")) if isinstance(tree, dict) else ""
    return titles


def resolve(text: str) -> Path:
    """Return the problem file that a path or the name of a shipped problem stands for.

    Raises:
        InputError: neither exists.
    """
    file = Path(text)
    try:
        if file.is_file():
            return file
        found = "a folder" if file.is_dir() else "neither a file nor a shipped problem"
    except (OSError, ValueError):  # too long for a path, or a zero byte in it
        found = "no path"
    known = names()
    if text in known:
        return path(text)
    raise InputError(
        f"'{text}' is {found}",
        expected=f"a problem file, or one of {', '.join(known)}",
        hint=nearest(file.stem, known),
    )
