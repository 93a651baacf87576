"""What a benchmark runs: problems × settings × methods × seeds, read from a YAML file.

First step of a benchmark; `pinngate.bench.matrix` runs what is stated here. A *setting* changes the
problem (noise, sample size), a *method* the way to solve it; both may be restricted to some
problems, so that one suite holds cells of different kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pinngate.bench.methods import DEFAULT, method
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
)
LIMIT_FACTORS = (2.0, 1.5, 1.2)  # of the statistical limit, to which iterations and time are told


@dataclass(frozen=True)
class Setting:
    """Overrides as `pinngate run --set` takes them; `problems` None means all."""

    overrides: tuple[str, ...] = ()
    problems: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Choice:
    """A method with its options, under the label that tables show.

    `num_seeds` cuts an expensive method short; `problems` and `settings` None mean all.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] | None = None
    settings: tuple[str, ...] | None = None
    num_seeds: int | None = None


@dataclass(frozen=True)
class Suite:
    """What to run and how to tell it.

    Attributes:
        name: of the suite.
        problems: paths, or names of shipped problems.
        methods: label to method.
        settings: label to setting.
        num_seeds: of every cell.
        problem_seeds: of the cells of single problems, where it is another number.
        baseline: label of the method that all others are compared with; the first where None.
        levels: relative L2 errors to which iterations and time are told.
        drawn: labels whose error against time is drawn; all where empty.
        about: one sentence for the report.
    """

    name: str
    problems: tuple[str, ...]
    methods: Mapping[str, Choice] = field(default_factory=lambda: {DEFAULT: Choice(DEFAULT)})
    settings: Mapping[str, Setting] = field(default_factory=lambda: {"default": Setting()})
    num_seeds: int = 10
    problem_seeds: Mapping[str, int] = field(default_factory=dict)
    baseline: str | None = None
    levels: tuple[float, ...] = ()
    drawn: tuple[str, ...] = ()
    about: str = ""

    @property
    def reference(self) -> str:
        """Label of the method that all others are compared with."""
        return self.baseline or next(iter(self.methods))

    def seeds_of(self, problem: str, choice: Choice) -> int:
        """Return how many seeds a method runs on a problem."""
        return choice.num_seeds or self.problem_seeds.get(problem, self.num_seeds)


@dataclass(frozen=True)
class Run:
    """One cell and seed of a suite."""

    problem: str
    setting: str
    label: str
    choice: Choice
    seed: int
    overrides: tuple[str, ...]


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
    baseline = stated.get("baseline")
    if baseline is not None:
        _known([baseline], methods, f"{where}: baseline")
    drawn = _texts(_or(stated, "drawn", []), f"{where}: drawn")
    _known(drawn, methods, f"{where}: drawn")
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


def runs_of(suite: Suite) -> Iterator[Run]:
    """Yield every run of a suite, seeds outermost: a partial matrix is a smaller sample of all."""
    cells = [
        (problem, title, label)
        for problem in suite.problems
        for title, setting in suite.settings.items()
        if _is_within(problem, setting.problems)
        for label, choice in suite.methods.items()
        if _is_within(problem, choice.problems) and _is_within(title, choice.settings)
    ]
    for seed in range(max(suite.num_seeds, *suite.problem_seeds.values(), 0)):
        for problem, title, label in cells:
            choice = suite.methods[label]
            if seed < suite.seeds_of(problem, choice):
                yield Run(problem, title, label, choice, seed, suite.settings[title].overrides)


def cut(
    suite: Suite,
    *,
    num_seeds: int | None = None,
    methods: Sequence[str] | None = None,
    problems: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> Suite:
    """Return a suite with fewer seeds, methods or problems, or with further overrides.

    Args:
        suite: the whole.
        num_seeds: also of methods that have fewer of their own, never more than they state.
        methods: labels to keep; the baseline always stays.
        problems: names to keep.
        overrides: added to every setting.

    Raises:
        InputError: a label or problem is not in the suite.
    """
    if methods:
        suite = _keeping_methods(suite, methods)
    if problems:
        _known(problems, suite.problems, "--problem")
        suite = replace(suite, problems=tuple(p for p in suite.problems if p in problems))
    if overrides:
        settings = {
            label: replace(given, overrides=(*given.overrides, *overrides))
            for label, given in suite.settings.items()
        }
        suite = replace(suite, settings=settings)
    if num_seeds is not None:
        suite = replace(suite, num_seeds=num_seeds, problem_seeds={})
    return suite


def _keeping_methods(suite: Suite, methods: Sequence[str]) -> Suite:
    _known(methods, suite.methods, "--method")
    kept = {k: v for k, v in suite.methods.items() if k in (*methods, suite.reference)}
    return replace(suite, methods=kept, drawn=())  # what is asked for is drawn


def _is_within(name: str, names: Sequence[str] | None) -> bool:
    return names is None or name in names


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
    _known(chosen, names, f"{where}: {key}")
    return chosen


def _known(chosen: Sequence[Any], names: Sequence[str] | Mapping[str, Any], where: str) -> None:
    for name in chosen:
        if name not in names:
            raise InputError(
                f"{where}: '{name}' is not in this suite",
                expected="one of " + ", ".join(names),
                hint=nearest(str(name), list(names)),
            )


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
    _known(list(counts), problems, where)
    return default, counts


def _count(given: Any, where: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InputError(f"{where}: got {given!r}", expected="a whole number of at least 1")
    return given


def _level(given: Any, where: str) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not given > 0:
        raise InputError(f"{where}: got {given!r}", expected="positive numbers")
    return float(given)
