"""What a benchmark runs: problems × settings × methods × seeds.

First step of a benchmark, read from a YAML file by `suite_file`; `pinngate.bench.matrix` runs what
is stated here. A *setting* changes the problem (noise, sample size), a *method* the way to solve
it; both may be restricted to some problems, so that one suite holds cells of different kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pinngate.bench.methods import DEFAULT
from pinngate.errors import InputError, nearest

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
        best: label of the method whose answers are the best that data and model allow, see
            `honesty`.
        unanswerable: problems to which no answer is right.
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
    best: str | None = None
    unanswerable: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Label of the method that all others are compared with."""
        return self.baseline or next(iter(self.methods))

    @property
    def is_ablation(self) -> bool:
        """Whether its methods leave out one mechanism each."""
        return any("without" in choice.options for choice in self.methods.values())

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
        require_known(problems, suite.problems, "--problem")
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
    require_known(methods, suite.methods, "--method")
    kept = {k: v for k, v in suite.methods.items() if k in (*methods, suite.reference, suite.best)}
    return replace(suite, methods=kept, drawn=())  # what is asked for is drawn


def _is_within(name: str, names: Sequence[str] | None) -> bool:
    return names is None or name in names


def require_known(
    chosen: Sequence[Any], names: Sequence[str] | Mapping[str, Any], where: str
) -> None:
    """Refuse a name that is not among a suite's own."""
    for name in chosen:
        if name not in names:
            raise InputError(
                f"{where}: '{name}' is not in this suite",
                expected="one of " + ", ".join(names),
                hint=nearest(str(name), list(names)),
            )
