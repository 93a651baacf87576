"""Every way in which a problem file can be wrong: what is said, and exactly where it points.

The faulty text stands between « and ».
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pinngate.config import load, loads
from pinngate.errors import DataError, InputError

HEAT = """\
pinngate: 1
name: heat
title: Heat
domain: {x: [0, 1], t: [0, 2]}
unknowns: [u]
constants: {kappa: 0.05}
equations:
  - u_t = kappa*u_xx
conditions:
  - {where: x = 0, equation: u = 0}
  - {where: x = 1, equation: u = 0}
observations:
  - {of: u, where: t = 0, count: 200, layout: random, noise: {std: 0.3}}
truth:
  u: exp(-kappa*pi**2*t)*sin(pi*x)
"""


def check_message(marked: str, *said: str, folder: Path = Path()) -> InputError:
    """Load a text with one marked place; compare the place and look for what is said."""
    before, _, rest = marked.partition("«")
    inside, _, after = rest.partition("»")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    with pytest.raises(InputError) as caught:
        loads(before + inside + after, file="problems/heat.yaml", folder=folder)
    message = str(caught.value)
    assert message.startswith(f"problems/heat.yaml:{line}:{column}: "), message
    shown = message.splitlines()[1:3]
    start = shown[1].index("^")
    assert shown[0][start : start + shown[1].count("^")] == inside.replace("\t", " "), message
    for part in said:
        assert part in message, message
    return caught.value


def changed(old: str, new: str) -> str:
    assert HEAT.count(old) >= 1, old
    return HEAT.replace(old, new, 1)


SYNTAX = [
    ("mapping in text", "title: Heat", "title: Heat«:» on a rod", ["does not parse", "in quotes"]),
    ("tab", "u_t = kappa", "u_t =«\t»kappa", ["a tab", "spaces"]),
    ("duplicate", "title: Heat", "«name»: other", ["duplicate key 'name'", "in line 2"]),
    ("duplicate in flow", "{kappa: 0.05}", "{kappa: 1, «kappa»: 2}", ["duplicate key 'kappa'"]),
    ("tag", "title: Heat", "title: «!»!python/object:os.system ls", ["is not allowed"]),
    ("alias", "title: Heat", "title: «*»heat", ["alias"]),
    ("key not text", "title: Heat", "«1»: Heat", ["a key is not text"]),
    ("second document", "title: Heat", "«-»--\na: b", ["a second YAML document"]),
]

SCHEMA = [
    ("unknown key", "title", "«titel»", ["unknown key 'titel'", "did you mean 'title'?"]),
    ("inner unknown key", "count", "«counts»", ["the keys here are of, file", "mean 'count'?"]),
    ("no space", "{where: x = 0", "{«where:x = 0»", ["write a space after ':'"]),
    ("format", "pinngate: 1", "pinngate: «2»", ["cannot be the number 2", "expected 1"]),
    ("format true", "pinngate: 1", "pinngate: «true»", ["cannot be true"]),
    ("name", "name: heat", "name: «my heat»", ["letters, digits, - and _"]),
    ("name number", "name: heat", "name: «1e-3»", ["the number 0.001", "put it in quotes"]),
    ("list for text", "title: Heat", "title: «[a, b]»", ["a list of 2", "expected text"]),
    ("text for list", "[u]", "«u»", ["the text 'u'", "a list of names"]),
    ("number for name", "[u]", "[«3»]", ["'unknowns.0' cannot be the number 3"]),
    ("one bound", "[0, 1]", "«[0]»", ["[low, high]"]),
    ("bound true", "[0, 1]", "[0, «true»]", ["'domain.x.1' cannot be true", "a finite number or"]),
    ("yes is text", "count: 200", "count: «yes»", ["the text 'yes'", "a whole number"]),
    ("infinite", "std: 0.3", "std: «.inf»", ["a finite number"]),
    ("fraction of a point", "count: 200", "count: «1.5»", ["a whole number, 1 or more"]),
    ("no point", "count: 200", "count: «0»", ["a whole number, 1 or more"]),
    ("choice", "random", "«randon»", ["random, grid, or points along", "did you mean 'random'?"]),
    ("mapping for equation", "- u_t = kappa*u_xx", "- «u_t: kappa*u_xx»", ["in quotes"]),
    ("number for text", "title: Heat", "title: «5»", ["put it in quotes"]),
]

MEANING = [
    (
        "spec sample",
        "kappa*u_xx",
        "kappa*«u_xz»",
        [
            "unknown name 'u_xz' in an equation",
            "the domain has the axes x, t",
            "did you mean 'u_xx'?",
        ],
    ),
    ("misspelt constant", "kappa*u", "«kapa»*u", ["unknown name 'kapa'", "mean 'kappa'?"]),
    ("field", "kappa*u_xx", "kappa*«v_xx»", ["unknown name 'v_xx'", "mean 'u_xx'?"]),
    ("axis as name", "kappa*u_xx", "«y»*u_xx", ["the domain has the axes x, t"]),
    ("function as name", "kappa*u_xx", "«sin»*u_xx", ["sin is a function: sin(...)"]),
    ("in condition", "equation: u = 0", "equation: u = «q»", ["unknown name 'q' in a condition"]),
    ("in truth", "sin(pi*x)", "sin(pi*«y»)", ["unknown name 'y' in the truth", "axes x, t"]),
    ("field in truth", "sin(pi*x)", "«u»", ["unknown name 'u' in the truth"]),
    ("in bound", "[0, 1]", "[0, 2*«p»]", ["unknown name 'p' in a bound of x"]),
    ("later constant", "{kappa: 0.05}", "{a: 2*«b», b: 1}", ["unknown name 'b'"]),
    ("order", "kappa*u_xx", "«u_xxxxt»", ["order 5", "up to order 4"]),
    ("call", "kappa*u_xx", "«open(u)»", ["unknown function 'open'", "the functions are sin"]),
    ("near call", "sin(pi*x)", "«sine(x)»", ["did you mean 'sin'?"]),
    ("attribute", "kappa*u_xx", "«u.real»", ["'u.real' is not allowed in an expression"]),
    ("subscript", "kappa*u_xx", "«u[0]»", ["is not allowed in an expression"]),
    ("import", "kappa*u_xx", "«__import__('os')»", ["unknown function '__import__'"]),
    ("choice of values", "kappa*u_xx", "«u if u else 0»", ["is not allowed in an expression"]),
    ("comparison", "kappa*u_xx", "«u < 1»", ["is not allowed in an expression"]),
    ("two equals", "kappa*u_xx", "kappa «=» u", ["more than one '='"]),
    ("caret", "kappa*u_xx", "«u_x^2»", ["write powers with **"]),
    ("greek", "kappa*u_xx", "«π»*u_xx", ["write pi"]),
    ("no field", "- u_t = kappa*u_xx", "- «x = 0»", ["an equation mentions no unknown"]),
    ("unused unknown", "[u]", "[u, «v»]", ["no equation mentions the unknown 'v'"]),
    ("unused coefficient", "title: Heat", "estimate: {«q»: {initial: 1}}", ["coefficient 'q'"]),
    ("axis r", "domain: {x", "domain: {«r»", ["unknown axis 'r'", "the axes are x, y, z"]),
    ("low above high", "[0, 1]", "«[1, 1]»", ["lower bound of x, 1, is not below"]),
    (
        "clash with axis",
        "kappa: 0.05",
        "kappa: 1, «x»: 2",
        ["cannot name a constant: it is an axis"],
    ),
    ("clash with pi", "kappa: 0.05", "kappa: 1, «pi»: 3", ["it is the constant pi"]),
    ("clash with function", "[u]", "[u, «sin»]", ["cannot name an unknown: it is a function"]),
    ("clash with derivative", "kappa: 0.05", "kappa: 1, «u_x»: 2", ["a derivative of 'u'"]),
    ("twice", "[u]", "[u, «u»]", ["cannot name an unknown: it is an unknown"]),
    ("keyword", "kappa: 0.05", "kappa: 1, «lambda»: 2", ["reserved", "write 'lambda_'"]),
    ("key of truth", "[u]", "[u, «file»]", ["it is a key of 'truth'"]),
    ("no plane", "where: x = 0", "where: «x > 0»", ["is not a plane", "x = 0"]),
    ("plane of no axis", "where: x = 0", "where: «y» = 0", ["no axis 'y'", "axes x, t"]),
    ("plane outside", "where: x = 0", "where: x = «1.5»", ["x = 1.5 is outside", "from 0 to 1"]),
    ("plane of field", "where: x = 0", "where: x = «u»", ["unknown name 'u' in 'where'"]),
    ("observed plane", "where: t = 0", "where: t = «-1»", ["t = -1 is outside", "from 0 to 2"]),
    ("periodic axis", "{where: x = 0, equation: u = 0}", "{periodic: «z»}", ["no axis 'z'"]),
    ("observed field", "of: u", "of: «v»", ["unknown field 'v'", "the unknowns are u"]),
    ("observed twice", "of: u", "of: [u, «u»]", ["stands twice"]),
    ("both levels", "noise: {std: 0.3", "«noise»: {std: 0.3, relative: 1", ["both 'std' and"]),
    ("no level", "noise: {std: 0.3", "«noise»: {kind: gaussian", ["neither 'std' nor"]),
    ("negative", "std: 0.3", "std: «-0.3»", ["'std' is -0.3", "0 or more"]),
    ("fraction alone", "std: 0.3", "std: 0.3, «fraction»: 0.2", ["'kind: outliers' only"]),
    (
        "whole fraction",
        "std: 0.3",
        "std: 0.3, kind: outliers, fraction: «1»",
        ["between 0 and 1"],
    ),
    ("truth of another", "  u: exp", "  «w»: exp", ["unknown key 'w'", "the keys here are u"]),
    ("two truths", "truth:", "«truth»:\n  solver: spectral\n  clean: {u: x}", ["in 2 ways"]),
    ("clean alone", "  u: exp(", "  «clean»: {u: x}\n  u: exp(", ["goes with 'solver' only"]),
    (
        "true constant of nothing",
        "  u: exp(",
        "  constants: {«nu»: 1}\n  u: exp(",
        ["no estimated coefficient"],
    ),
    (
        "two values",
        "  u: exp(",
        "  constants: {kappa: «1»}\n  u: exp(",
        ["'kappa' is 1 here and 0.05"],
    ),
    ("no value", "kappa: 0.05", "kappa: «1/0»", ["no finite real value"]),
    ("complex", "kappa: 0.05", "kappa: «(-1)**0.5»", ["no finite real value"]),
    ("complex in function", "kappa: 0.05", "kappa: «sin((-1)**0.5)»", ["no finite real value"]),
]

ESTIMATE = [
    ("start", "{initial: «-1», positive: true}", ["starts at -1, outside its bounds"]),
    ("both", "{initial: 1, positive: true, «lower»: 0.5}", ["both 'positive' and 'lower'"]),
    ("below", "{initial: «1», lower: 1, upper: 2}", ["between 1.0 and 2.0, bounds excluded"]),
]

# Faults that a change in one place cannot make, or whose place is not in what changes.
WHOLE = [
    (
        "unclosed bracket",
        "domain: {x: [0, 1], t: [0, 2\nunknowns«:» [u]\n",
        ["brackets that are not closed"],
    ),
    (
        "no name",
        HEAT.replace("pinngate: 1\nname: heat", "«pinngate: 1»"),
        ["the key 'name' is missing"],
    ),
    (
        "no start",
        HEAT + "estimate:\n  «nu»: {positive: true}\n",
        ["'initial' is missing in 'estimate.nu'"],
    ),
    (
        "huge number",
        HEAT.replace("u_t = kappa*u_xx", "u_t = «1e999»*u_xx"),
        ["the number is too large"],
    ),
    (
        "no axis",
        HEAT.replace("domain: {x: [0, 1], t: [0, 2]}", "«domain»: {}"),
        ["the domain has no axis"],
    ),
    (
        "periodic plane",
        HEAT.replace("{where: x = 0, equation: u = 0}", "«{periodic: x, where: x = 0}»"),
        ["a periodic condition has no 'where'"],
    ),
    (
        "half a condition",
        HEAT.replace("{where: x = 0, equation: u = 0}", "«{where: x = 0}»"),
        ["'equation' is missing"],
    ),
    (
        "no count",
        HEAT.replace("count: 200, ", "").replace("{of", "«{of").replace("0.3}}", "0.3}}»"),
        ["'count' or 'file' is missing"],
    ),
    (
        "no noise",
        HEAT.replace(", noise: {std: 0.3}}", "}»").replace("{of", "«{of"),
        ["'noise' is missing", "{std: 0}"],
    ),
    (
        "no truth",
        HEAT[: HEAT.index("truth")].replace("{of", "«{of").replace("0.3}}", "0.3}}»"),
        ["needs the truth", "'file'"],
    ),
    (
        "half a truth",
        HEAT.replace("[u]", "[u, v]").replace("u_t =", "u_t + v =").replace("truth", "«truth»"),
        ["the truth lacks the unknown 'v'"],
    ),
    ("empty truth", HEAT[: HEAT.index("truth")] + "«truth»: {}\n", ["the truth states nothing"]),
    (
        "empty file",
        "«#» nothing\n",
        ["a problem file is a mapping, found nothing"],
    ),
    ("a list", "«- a»\n- b\n", ["a problem file is a mapping, found a list of 2"]),
]

COMPUTED = [
    ("solver: «spectral»", ["needs the exact initial data"]),
    ("solver: spectral\n  clean: {u: 0, «v»: 1}", ["unknown key 'v'", "initial data"]),
    ("solver: spectral\n  clean: {u: «t»}", ["unknown name 't' in the truth"]),
    ("solver: «spectrum»\n  clean: {u: 0}", ["did you mean 'spectral'?"]),
    ("solver: spectral\n  clean: {«u_t»: 0, u: 1}", ["unknown key 'u_t'"]),
]

CONDITIONS = HEAT[: HEAT.index("observations")]

UNDETERMINED = [
    (
        CONDITIONS.replace("conditions", "«conditions»"),
        ["nothing determines this problem", "no conditions along t", "1 along t at least"],
    ),
    (
        CONDITIONS.replace("conditions", "«conditions»").replace("where: x = 1", "where: t = 0"),
        ["1 condition along x", "2 along x at least", "{periodic: x} counts as all"],
    ),
    (
        CONDITIONS[: CONDITIONS.index("conditions")].replace("equations", "«equations»"),
        ["no conditions along x"],
    ),
    (
        CONDITIONS.replace("[u]", "[u, v]")
        .replace("u_t =", "v + u_t =")
        .replace("conditions", "«conditions»"),
        ["1 equation(s) for 2 unknowns"],
    ),
    (
        CONDITIONS.replace("constants: {kappa: 0.05}", "estimate: {«kappa»: {initial: 1}}")
        + "  - {where: t = 0, equation: u = 1}\n",
        ["nothing from which to infer 'kappa'"],
    ),
]


def cases(*tables: list[tuple[str, str, str, list[str]]]) -> list[object]:
    return [pytest.param(*row[1:], id=row[0]) for table in tables for row in table]


@pytest.mark.parametrize(("old", "new", "said"), cases(SYNTAX, SCHEMA, MEANING))
def test_a_fault_is_named_at_its_place(old: str, new: str, said: list[str]) -> None:
    check_message(changed(old, new), *said)


@pytest.mark.parametrize(("section", "said"), [pytest.param(*r[1:], id=r[0]) for r in ESTIMATE])
def test_faults_of_estimated_coefficients(section: str, said: list[str]) -> None:
    check_message(changed("constants: {kappa: 0.05}", f"estimate: {{kappa: {section}}}"), *said)


@pytest.mark.parametrize(("text", "said"), [pytest.param(*r[1:], id=r[0]) for r in WHOLE])
def test_faults_of_a_whole_section(text: str, said: list[str]) -> None:
    check_message(text, *said)


@pytest.mark.parametrize(("truth", "said"), COMPUTED)
def test_faults_of_a_computed_truth(truth: str, said: list[str]) -> None:
    check_message(changed("u: exp(-kappa*pi**2*t)*sin(pi*x)", truth), *said)


@pytest.mark.parametrize(("text", "said"), UNDETERMINED)
def test_a_problem_that_nothing_determines(text: str, said: list[str]) -> None:
    check_message(text, *said)


def test_a_computed_truth_needs_the_true_coefficients() -> None:
    text = changed("constants: {kappa: 0.05}", "estimate: {kappa: {initial: 1}}")
    check_message(text.replace("exp(-kappa", "exp(-«kappa»"), "'kappa'")
    computed = "«truth»:\n  solver: spectral\n  clean: {u: x}\n"
    check_message(text[: text.index("truth")] + computed, "true value of 'kappa' is not stated")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sensor.csv", ["there is no file 'sensor.csv'", "did you mean 'sensors.csv'?"]),
        ("empty.csv", ["the file 'empty.csv' is empty"]),
        ("sensors.pdf", ["is no data file by its ending", ".csv, .npz, .txt"]),
        ("folder.csv", ["'folder.csv' is a folder"]),
    ],
)
def test_a_data_file_that_cannot_be_used(name: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "sensors.csv").write_text("x,t,u\n0,0,0\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder.csv").mkdir()
    measured = CONDITIONS + f"observations:\n  - {{of: u, file: «{name}»}}\n"
    assert isinstance(check_message(measured, *said, folder=tmp_path), DataError)
    check_message(CONDITIONS + f"truth: {{file: «{name}»}}\n", *said, folder=tmp_path)


@pytest.mark.parametrize("key", ["count: 3", "where: t = 0", "layout: grid"])
def test_measured_observations_have_no_layout(key: str, tmp_path: Path) -> None:
    (tmp_path / "sensors.csv").write_text("x,t,u\n0,0,0\n")
    name, _, value = key.partition(":")
    line = f"  - {{of: u, file: sensors.csv, «{name}»:{value}}}\n"
    check_message(CONDITIONS + "observations:\n" + line, f"have no '{name}'", folder=tmp_path)


def test_assumed_noise_is_positive(tmp_path: Path) -> None:
    (tmp_path / "sensors.csv").write_text("x,t,u\n0,0,0\n")
    line = "  - {of: u, file: sensors.csv, noise: {std: «0»}}\n"
    check_message(CONDITIONS + "observations:\n" + line, "more than 0", folder=tmp_path)


def test_the_first_of_several_faults_is_reported() -> None:
    check_message(changed("title", "«titel»").replace("random", "radnom"), "unknown key 'titel'")


def test_a_fault_in_a_folded_formula_is_found_in_its_line() -> None:
    folded = "- >\n    u_t =\n      kappa*«u_xz»\n"
    check_message(changed("- u_t = kappa*u_xx\n", folded), "unknown name 'u_xz'")
    quoted = "- 'u_t = kappa*«u_xz»'\n"
    check_message(changed("- u_t = kappa*u_xx\n", quoted), "unknown name 'u_xz'")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe", "not text in UTF-8"), (b"\x00", "the character U+0000"), (None, "cannot be")],
)
def test_a_file_that_cannot_be_read(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "problem.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=said.replace("+", "[+]")):
        load(file)
