"""The page: valid, self-contained, holds the numbers, lets no value through as markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pinngate.errors import InputError
from pinngate.report import RunArchive, read, render, write
from pinngate.statement.options import NetworkOptions
from pinngate.statement.problem import changed
from tests.report.conftest import MAKERS

Make = Callable[[str], RunArchive]
SVG = '<svg width="504pt" height="216pt" viewBox="0 0 504 216" xmlns="http://www.w3.org/2000/svg">{}</svg>'
PICTURES = {name: SVG.format(name) for name in ("solution", "fit_2", "novel")}
VOID = {"meta", "input", "mspace", "wbr", "br"}


class Page(HTMLParser):
    """Collects tags and text; fails on a tag that is closed out of order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        joined = " ".join(self.words).replace("\N{NO-BREAK SPACE}", " ")
        return re.sub(r"\s+", " ", joined)


@pytest.mark.parametrize("name", MAKERS)
def test_every_run_gives_a_well_formed_page_that_needs_nothing(
    make_archive: Make, name: str
) -> None:
    source = render(make_archive(name), PICTURES)
    page = Page(source)
    assert page.open == []
    assert source.startswith("<!DOCTYPE html>")
    names = {tag for tag, _ in page.tags}
    assert {"h1", "math", "figure", "details"} <= names
    assert not names & {"script", "link", "iframe", "object", "b"}
    for _, attributes in page.tags:
        assert not {"onload", "onerror", "onclick"} & set(attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "url(" not in source
    assert "@import" not in source
    assert "None" not in page.text
    assert "nan" not in page.text.split()


def test_the_numbers_are_there(make_archive: Make) -> None:
    text = Page(render(make_archive("heat"), {})).text
    for part in (
        "Heat on a rod whose initial temperature was measured with noise",
        "0 ≤ x ≤ 1, 0 ≤ t ≤ 1",
        "fixed value, Dirichlet",
        "200 noisy values of u at t = 0, at random points, made from the truth; "
        "Gaussian noise, standard deviation 0.3",
        "relative L2 error 2.8 % 3.3 % 2.1 % 1.31",
        "smoothing spline + finite differences",
        "0.298 (stated: 0.3)",
        "0.0912 = 0.302²",
        "population-risk-gauss-newton",
        "the leave-one-out risk stopped falling",
        "2,241",
        "1,000 collocation, 200 conditions, 200 observations",
        "3.1 s (setup 0.6 s, solve 1.9 s, evaluate 0.6 s)",
        "packages: torch 2.6.0",
    ):
        assert part in text, part


def test_coefficients_have_their_interval_and_truth(make_archive: Make) -> None:
    text = Page(render(make_archive("decay"), {})).text
    assert "0.720 ± 0.021 [0.679, 0.761] 0.7 2.9 % inside" in text
    assert "25 measured values of u from decay.csv" in text
    assert "starting from 0.3, kept positive" in text


def test_the_race_is_a_table_with_its_winner_first(make_archive: Make) -> None:
    archive = make_archive("heat")
    assert archive.problem.solve.network is None
    page = Page(render(archive, {}))
    for part in (
        "iterations 72 of 3 networks together",
        "hidden layers 128 sines of bandwidth 4 points",
        "sine-4 – chosen 128 sines of bandwidth 4 0.09220 – 32 "
        "sine-2 128 sines of bandwidth 2 0.09540 +3.5 % 20 tanh 3 layers of 32 tanh – – 20",
    ):
        assert part in page.text, part
    assert [a for tag, a in page.tags if tag == "tr" and a] == [{"class": "chosen"}]
    assert "The race" not in Page(render(make_archive("decay"), {})).text


def test_a_mean_of_networks_is_told_with_their_shares(make_archive: Make) -> None:
    archive = make_archive("heat")
    race = [dict(e) for e in archive.metrics["race"]]
    for entry in race:
        entry["share"] = {"sine-4": 0.75, "sine-2": 0.25}.get(entry["network"], 0.0)
    told = replace(archive, metrics={**archive.metrics, "race": race})
    page = Page(render(told, {}))
    for part in (
        "answer the mean of 2 networks that the data do not tell apart",
        "128 sines of bandwidth 4 (the largest share)",
        "sine-4 – least risk 128 sines of bandwidth 4 0.09220 – 32 75 %",
        "+3.5 % 20 25 %",
        "tanh 3 layers of 32 tanh – – 20 –",
    ):
        assert part in page.text, part
    assert "share" not in Page(render(archive, {})).text


def test_a_stated_network_is_in_words(make_archive: Make) -> None:
    archive = make_archive("decay")
    stated = NetworkOptions(width=64, depth=3, activation="tanh", features=2.0)
    solve = replace(archive.problem.solve, network=stated)
    told = replace(archive, problem=changed(archive.problem, solve=solve))
    words = "hidden layers 64 sines of bandwidth 2, then 2 layers of 64 tanh"
    assert words in Page(render(told, {})).text
    assert "hidden layers" not in Page(render(archive, {})).text


def test_the_kinds_of_conditions_are_named(make_archive: Make) -> None:
    assert "mixed, Robin" in Page(render(make_archive("membrane"), {})).text
    bare = Page(render(make_archive("bare"), {})).text
    assert "initial value" in bare
    assert "every field is periodic in x" in bare
    assert "No true field is known" in bare
    assert "No observations" in bare


def test_pictures_are_inside_in_order_with_captions(make_archive: Make) -> None:
    source = render(make_archive("heat"), PICTURES)
    page = Page(source)
    assert [a["id"] for tag, a in page.tags if tag == "figure"] == list(PICTURES)
    assert [tag for tag, _ in page.tags if tag == "svg"] == ["svg"] * 3
    assert "about 95 % should lie in the band" in page.text
    assert "The fit to the data (set 2)" in page.text


def test_values_are_escaped_wherever_they_come_from(make_archive: Make) -> None:
    evil = '<script>alert("1")</script>'
    archive = make_archive("heat")
    archive = replace(
        archive,
        problem=changed(archive.problem, title=evil, description=evil, source=evil),
        metrics=archive.metrics
        | {
            "status": evil,
            "reason": evil,
            "optimizer": evil,
            "classical": {"u": {"relative_l2": 0.1, "method": evil}},
            "coefficients": {evil: {"estimate": 1.0}},
            "points": {evil: 3},
            "network": {"depth": 2, "width": evil, "activation": evil},
            "race": [{"network": evil, "risk": evil, "iterations": evil, "is_winner": evil}] * 2,
        },
        environment={evil: {evil: [evil]}},
    )
    (archive.folder / "problem.yaml").write_text(evil, encoding="utf-8")
    source = render(archive, {'"><script>': SVG.format('<g id="a"/>')})
    assert "<script" not in source
    assert Page(source).text.count("alert(") >= 12


def test_the_exact_problem_file_is_quoted(make_archive: Make) -> None:
    archive = make_archive("heat")
    page = Page(render(archive, {}))
    assert (archive.folder / "problem.yaml").read_text() in "".join(page.words)
    (archive.folder / "problem.yaml").unlink()
    assert "details" not in [tag for tag, _ in Page(render(archive, {})).tags]


def test_write_makes_the_files_and_can_be_repeated(run_folder: Path) -> None:
    kept = {p.name: p.read_bytes() for p in run_folder.iterdir()}
    page = write(run_folder)
    assert page == run_folder / "report.html"
    names = ["solution", "slices", "film", "error", "fit", "residuals", "calibration"]
    names += ["training", "risk"]
    expected = {f"{n}.svg" for n in names} | {f"{n}.png" for n in names if n != "film"}
    assert {p.name for p in (run_folder / "figures").iterdir()} == expected
    first = page.read_bytes()
    write(run_folder)
    assert page.read_bytes() == first
    left = {p.name: p.read_bytes() for p in run_folder.iterdir() if p.is_file() and p != page}
    assert left == kept  # the run itself is untouched and no temporary file stays
    text = Page(page.read_text(encoding="utf-8")).text
    assert read(run_folder).problem.title in text
    assert "Solved: the field u is within 2.8 %" in text


def test_a_failed_write_leaves_the_old_page(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_folder / "report.html"
    page.write_text("the old page", encoding="utf-8")

    def full_disk(source: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("pinngate.writing.os.replace", full_disk)
    with pytest.raises(OSError, match="no space"):
        write(run_folder)
    assert page.read_text(encoding="utf-8") == "the old page"
    assert not list(run_folder.rglob("*.part"))


def test_write_refuses_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a finished run"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_field_is_under_the_verdict_and_training_in_a_fold(make_archive: Make) -> None:
    made = dict.fromkeys(("solution", "fit", "training", "risk"), SVG)
    source = render(make_archive("heat"), made)
    places = [source.index(f'id="{name}"') for name in ("solution", "fit", "training", "risk")]
    assert places == sorted(places)
    assert places[0] < source.index("<h2>The problem</h2>") < places[1]
    assert places[1] < source.index("<summary>Training</summary>") < places[2]


def test_every_figure_says_in_words_what_is_seen(run_folder: Path) -> None:
    page = Page(write(run_folder).read_text(encoding="utf-8"))
    names = [a["id"] for tag, a in page.tags if tag == "figure"]
    spoken = [a["aria-label"] or "" for tag, a in page.tags if tag == "svg" and "role" in a]
    told = dict(zip(names, spoken, strict=True))
    for name, words in {
        "solution": "u over x and t, from",
        "slices": "its standard deviation is",
        "film": "24 pictures of u, from",
        "error": "2.8\u00a0% in relative L2",
        "fit": "200 values; the residuals have mean",
        "residuals": "along x the mean of neighbours is farthest from zero",
        "calibration": "the 50 % intervals hold",
        "risk": "the leave-one-out risk goes from",
    }.items():
        assert words in told[name], (name, told[name])
    assert not any("$" in words or "nan" in words for words in told.values())


def test_a_caption_stands_once(make_archive: Make) -> None:
    text = Page(render(make_archive("heat"), dict.fromkeys(("fit_1", "fit_2"), SVG))).text
    assert text.count("about 95 % should lie in the band") == 1


def test_real_data_have_no_empty_columns(make_archive: Make) -> None:
    archive = make_archive("decay")
    entries = {
        name: entry | {"truth": None, "relative_error": None}
        for name, entry in archive.section("coefficients").items()
    }
    units = dict.fromkeys(entries, "1/s")
    problem = changed(archive.problem, units=units)
    told = replace(archive, problem=problem, metrics={**archive.metrics, "coefficients": entries})
    page = Page(render(told, {}))
    assert "truth in interval" not in page.text
    assert "(0.720 ± 0.021) 1/s [0.679, 0.761] 1/s" in page.text
    assert "truth in interval" in Page(render(archive, {})).text


def test_the_files_of_a_run_are_linked(run_folder: Path) -> None:
    page = Page(render(read(run_folder), {}))
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert "solution.npz" in links
    assert all((run_folder / name).is_file() for name in links if name)
    again = Page(write(run_folder).read_text(encoding="utf-8"))
    drawn = [a["href"] or "" for tag, a in again.tags if tag == "a"]
    assert "figures/solution.svg" in drawn
    assert all((run_folder / name).is_file() for name in drawn)


def test_data_that_were_brought_are_linked(run_folder: Path) -> None:
    (run_folder / "data").mkdir()
    (run_folder / "data" / "rod.csv").write_text("x,t,u\n")
    page = Page(render(read(run_folder), {}))
    assert "data/rod.csv" in [a["href"] for tag, a in page.tags if tag == "a"]


def test_the_page_knows_the_dark() -> None:
    source = Path(write.__globals__["__file__"]).with_name("page.html.j2").read_text()
    assert "prefers-color-scheme: dark" in source
