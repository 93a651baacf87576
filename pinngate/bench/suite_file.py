"""Suites of benchmarks as YAML files: shipped ones by name, and anybody's own by path.

Before `suite`, whose objects it makes; every name and option is checked here, with its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinngate.bench.methods import DEFAULT, method
from pinngate.bench.suite import Choice, Setting, Suite, require_known
from pinngate.config import yaml_source
from pinngate.errors import InputError, nearest

SUITES = Path(__file__).parent / "suites"
KEYS = (
    "problems",
    "settings",
    "methods",
    "optimizers",
    "seeds",
    "baseline",
    "levels",
    "drawn",
    "about",
    "best",
    "unanswerable",
)


def suite_names() -> list[str]:
    """Return the names of the shipped suites."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def load_suite(name: str) -> Suite:
    """Read a suite: a shipped one by name, or a YAML file.

    Raises:
        InputError: there is none, it has unknown keys, or it names what does not exist.
    """
    path, stated = _read(name)
    where = str(path)
    problems = _texts(stated["problems"], f"{where}: problems")
    settings = {
        label: _setting(label, given, where, problems)
        for label, given in _or(stated, "settings", {"default": None}).items()
    }
    methods = _methods(stated, where, problems, tuple(settings))
    baseline, best = stated.get("baseline"), stated.get("best")
    for key, label in (("baseline", baseline), ("best", best)):
        if label is not None:
            require_known([label], methods, f"{where}: {key}")
    unanswerable = _texts(_or(stated, "unanswerable", []), f"{where}: unanswerable")
    require_known(unanswerable, problems, f"{where}: unanswerable")
    drawn = _texts(_or(stated, "drawn", []), f"{where}: drawn")
    require_known(drawn, methods, f"{where}: drawn")
    return Suite(
        path.stem,
        problems,
        methods,
        settings,
        *_seeds(stated.get("seeds", 10), f"{where}: seeds", problems),
        baseline,
        tuple(_level(value, f"{where}: levels") for value in _or(stated, "levels", ())),
        drawn,
        str(_or(stated, "about", "")),
        best,
        unanswerable,
    )


def _read(name: str) -> tuple[Path, dict[str, Any]]:
    """Return the path of a suite and its keys, with problems among them."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else SUITES / f"{name}.yaml"
    if not path.is_file():
        raise InputError(
            f"there is no suite '{name}'",
            expected="one of " + ", ".join(suite_names()) + ", or a YAML file",
            hint=nearest(name, suite_names()),
        )
    stated = yaml_source.read(path.read_text(encoding="utf-8"), str(path)).tree
    if not isinstance(stated, dict) or set(stated) - set(KEYS) or not stated.get("problems"):
        raise InputError(f"{path} is no suite", expected="the keys " + ", ".join(KEYS))
    return path, stated


def _or(stated: Mapping[str, Any], key: str, default: Any) -> Any:
    """Return what is stated under a key, the default where that is nothing."""
    return stated.get(key) or default


def _methods(
    stated: Mapping[str, Any], where: str, problems: Sequence[str], settings: Sequence[str]
) -> dict[str, Choice]:
    """Return the methods by label, every option one that its method has."""
    optimizers = _texts(stated.get("optimizers", []), f"{where}: optimizers")
    methods = {name: Choice(name) for name in optimizers}
    methods |= _choices(_or(stated, "methods", {}), where, problems, settings)
    methods = methods or {DEFAULT: Choice(DEFAULT)}
    for label, choice in methods.items():
        method(choice.method).check(choice.options, f"{where}: methods: {label}")
    return methods


def _setting(label: str, given: Any, where: str, problems: Sequence[str]) -> Setting:
    where = f"{where}: settings: {label}"
    if not isinstance(given, dict):
        return Setting(_texts(given or [], where))
    if set(given) - {"set", "problems"}:
        raise InputError(f"{where}: unknown key", expected="set, problems")
    return Setting(_texts(given.get("set") or [], where), _restriction(given, problems, where))


def _choices(
    given: Any, where: str, problems: Sequence[str], settings: Sequence[str]
) -> dict[str, Choice]:
    if isinstance(given, list):
        given = dict.fromkeys(_texts(given, f"{where}: methods"))
    if not isinstance(given, dict):
        raise InputError(f"{where}: methods", expected="labels, each with a method and its options")
    return {
        label: _choice(label, stated, f"{where}: methods: {label}", problems, settings)
        for label, stated in given.items()
    }


def _choice(
    label: str, stated: Any, where: str, problems: Sequence[str], settings: Sequence[str]
) -> Choice:
    if stated is not None and not isinstance(stated, dict):
        raise InputError(f"{where}: got {stated!r}", expected="method: NAME and its options")
    options = dict(stated or {})
    name = str(options.pop("method", label))
    limited = _restriction(options, problems, where)
    within = _restriction(options, settings, where, "settings")
    seeds = options.pop("seeds", None)
    options.pop("problems", None)
    options.pop("settings", None)
    num_seeds = None if seeds is None else _count(seeds, f"{where}: seeds")
    return Choice(name, options, limited, within, num_seeds)


def _restriction(
    given: Mapping[str, Any], names: Sequence[str], where: str, key: str = "problems"
) -> tuple[str, ...] | None:
    if given.get(key) is None:
        return None
    chosen = _texts(given[key], f"{where}: {key}")
    require_known(chosen, names, f"{where}: {key}")
    return chosen


def _texts(given: Any, where: str) -> tuple[str, ...]:
    items = given if isinstance(given, list) else [given]
    if not all(isinstance(item, str) for item in items):
        raise InputError(f"{where}: got {given!r}", expected="a list of texts")
    return tuple(items)


def _seeds(given: Any, where: str, problems: Sequence[str]) -> tuple[int, dict[str, int]]:
    if not isinstance(given, dict):
        return _count(given, where), {}
    counts = {name: _count(count, f"{where}: {name}") for name, count in given.items()}
    default = counts.pop("default", 10)
    require_known(list(counts), problems, where)
    return default, counts


def _count(given: Any, where: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InputError(f"{where}: got {given!r}", expected="a whole number of at least 1")
    return given


def _level(given: Any, where: str) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not given > 0:
        raise InputError(f"{where}: got {given!r}", expected="positive numbers")
    return float(given)
