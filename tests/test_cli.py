"""The command line: answers on standard output, messages on standard error, exit status."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pinngate import __version__
from pinngate.cli import main
from pinngate.config import catalog

QUICK = ["solve.iterations=20", "solve.collocation=32", "solve.network={width: 8, depth: 2}"]
SETTINGS = [part for item in QUICK for part in ("--set", item)]
ADAM = ["--set", "solve.optimizer=population-risk-adam"]


def call(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["pinngate", *arguments])
    try:
        main()
        status = 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def pinngate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    return lambda *arguments: call(*arguments, monkeypatch=monkeypatch, capsys=capsys)


def test_import_prints_and_writes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import pinngate; pinngate.solve"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pinngate.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'scipy', 'matplotlib', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    for command in ("run", "check", "predict", "resume", "spectrum", "list", "new", "cite"):
        assert command in done.stdout


def test_help_shows_defaults_and_extras_in_brackets(pinngate) -> None:
    for command, text in (
        ("run", "[default: results/<name>/<stamp>]"),
        ("predict", "[default: predictions.csv]"),
        ("bench", "'pinngate[bench,deepxde]'"),
    ):
        status, out, _ = pinngate(command, "--help")
        assert status == 0
        assert text in " ".join(out.split())


def test_run_that_meets_its_limit_is_status_1(pinngate, tmp_path: Path) -> None:
    settings = ("--set", "solve.iterations=2", *SETTINGS[2:])
    status, out, _ = pinngate("run", "heat-noisy-ic", "--out", str(tmp_path / "run"), *settings)
    assert status == 1
    assert "heat-noisy-ic: failed" in out
    assert "limit of 2 iterations" in out


def test_version_and_list(pinngate) -> None:
    assert pinngate("--version")[:2] == (0, f"pinngate {__version__}\n")
    status, out, _ = pinngate("list")
    assert status == 0
    for name in ("heat-noisy-ic", "wave-noisy-ic", "burgers-inverse", "heat-sensors"):
        assert name in out


def test_run_predict_json(pinngate, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    status, out, err = pinngate("run", "heat-noisy-ic", "--out", folder, *SETTINGS, *ADAM)
    assert status == 3  # twenty steps of Adam leave the physics unmet
    assert "heat-noisy-ic: doubtful" in out
    assert "unmet" in out
    assert "relative L2 error" in out
    assert "report.html" in out
    assert "iteration 20/20" in err
    at = tmp_path / "points.csv"
    at.write_text("x,t\n0.25,0.5\n0.5,0.5\n")
    predictions = tmp_path / "predictions.csv"
    status, out, _ = pinngate("predict", folder, "--at", str(at), "--out", str(predictions))
    assert status == 0
    lines = predictions.read_text().splitlines()
    assert lines[0] == "x,t,u,u_std"
    assert len(lines) == 3
    arguments = ("run", "heat-noisy-ic", "--out", folder + "2", "--quiet", "--json", "--seed", "3")
    status, out, err = pinngate(*arguments, *SETTINGS, *ADAM)
    assert json.loads(out)["seed"] == 3
    assert err == ""


@pytest.mark.parametrize("name", ["heat-noisy-ic", "advection-noisy-ic", "burgers-inverse"])
def test_check_shows_the_problem(pinngate, name: str) -> None:
    status, out, _ = pinngate("check", name)
    assert status == 0
    assert "channels" in out
    assert "DOES NOT" not in out


def test_memory_that_suffices_for_nothing_is_wrong_input(pinngate, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("run", "heat-noisy-ic", "--out", str(out), *SETTINGS)
    status, _, err = pinngate(*arguments, "--max-memory", "1MB")
    assert status == 2
    assert "1 MB are allowed" in err
    assert "population-risk-adam" in err
    assert not out.exists()
    status, _, err = pinngate(*arguments, "--max-memory", "1 parsec")
    assert status == 2
    assert "1.5GiB" in err
    assert pinngate("check", "heat-noisy-ic", "--set", "solve.max_memory=1MB")[0] == 2


def test_check_shows_the_memory(pinngate) -> None:
    out = pinngate("check", "heat-noisy-ic")[1]
    assert "dense: the Jacobian is formed" in out
    narrow = ["observations.0.count=4000", "solve.max_memory=75MB", "solve.collocation=32"]
    narrow += ["solve.network={width: 12, depth: 2}"]
    settings = [part for item in narrow for part in ("--set", item)]
    assert "matrix-free" in pinngate("check", "heat-noisy-ic", *settings)[1]


def test_spectrum_prints_a_table_or_numbers(pinngate, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    pinngate("run", "heat-noisy-ic", "--out", folder, "--quiet", *SETTINGS)
    status, out, _ = pinngate("spectrum", folder)
    assert status == 0
    assert "signal channel" in out
    assert "reservoir" in out
    status, out, _ = pinngate("spectrum", folder, "--json")
    assert status == 0
    assert json.loads(out)["signal_directions"] > 0
    assert pinngate("spectrum", str(tmp_path))[0] == 2


def test_check_finds_a_wrong_truth(pinngate, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    pinngate("new", str(file), "--from", "heat-noisy-ic")
    file.write_text(file.read_text().replace("exp(-kappa*pi**2*t)", "exp(-kappa*pi*t)"))
    status, out, err = pinngate("check", str(file))
    assert status == 2
    assert "DOES NOT HOLD" in out
    assert "does not satisfy" in err


@pytest.mark.parametrize("source", [(), ("--from", "burgers-inverse")])
def test_new_file_can_be_checked(pinngate, tmp_path: Path, source: tuple[str, ...]) -> None:
    file = tmp_path / "mine.yaml"
    assert pinngate("new", str(file), *source)[0] == 0
    assert "#" in file.read_text()
    assert pinngate("check", str(file))[0] == 0
    status, _, err = pinngate("new", str(file), *source)
    assert status == 2
    assert "exists already" in err


def test_cite(pinngate) -> None:
    status, out, _ = pinngate("cite")
    assert status == 0
    assert "2605.01172" in out
    assert out.count("{") == out.count("}")
    assert pinngate("cite", "adm")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "heat-nosy-ic"), "did you mean 'heat-noisy-ic'?"),
        (("run", "heat-noisy-ic", "--set", "solve.optimizer=adamm"), "did you mean"),
        (("run", "heat-noisy-ic", "--set", "solve.iteratons=3"), "did you mean"),
        (("run", "heat-noisy-ic", "--device", "tpu"), "device"),
        (("resume", "nowhere"), "holds no run"),
        (("predict", "nowhere", "--at", "points.csv"), "holds no run"),
        (("new", "no/such/folder/file.yaml"), "cannot write"),
    ],
)
def test_wrong_input_is_status_2_and_writes_nothing(
    pinngate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = pinngate(*arguments)
    assert status == 2
    assert message in err
    assert out == ""
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


DATA_FAULTS = {
    "missing": (None, "there is no"),
    "empty": ("", "is empty"),
    "no_rows": ("x,t,u\n", "no data"),
    "no_column": ("x,t,v\n0,0,1\n", "no column 'u'"),
    "not_finite": ("x,t,u\n0,0,1\n0.5,0,nan\n", "row 3"),
    "not_a_number": ("x,t,u\n0,0,one\n", "row 2"),
    "outside": ("x,t,u\n0.5,0,1\n1.5,0,1\n", "row 3"),
    "std": ("x,t,u,u_std\n0.5,0,1,0\n", "row 2"),
    "ragged": ("x,t,u\n0.5,0\n", "row 2"),
}


@pytest.mark.parametrize("fault", DATA_FAULTS)
def test_unusable_data_point_to_the_problem_file(pinngate, tmp_path: Path, fault: str) -> None:
    text, message = DATA_FAULTS[fault]
    if text is not None:
        (tmp_path / "data.csv").write_text(text)
    problem = tmp_path / "mine.yaml"
    problem.write_text(
        "pinngate: 1\nname: mine\ndomain: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\n"
        "equations:\n  - u_t = u_xx\nobservations:\n  - {of: u, file: data.csv}\n"
    )
    status, out, err = pinngate("run", str(problem), "--out", str(tmp_path / "run"))
    assert status == 2
    assert message in err
    assert "mine.yaml:8:" in err
    assert "^^^^^^^^" in err
    assert out == ""
    assert not (tmp_path / "run").exists()


def test_internal_error_has_a_traceback_with_debug_only(
    pinngate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the unforeseen")

    monkeypatch.setattr("pinngate.config.load_located", broken)
    status, _, err = pinngate("check", "heat-noisy-ic")
    assert status == 1
    assert "internal error: RuntimeError: the unforeseen" in err
    (command,) = re.findall(r"pinngate report-bug (\S+)", err)
    assert "the unforeseen" in pinngate("report-bug", command)[1]
    assert "Traceback" not in err
    with pytest.raises(RuntimeError, match="the unforeseen"):
        pinngate("--debug", "check", "heat-noisy-ic")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "heat-noisy-ic", "--out", ""), "an empty name"),
        (("run", "heat-noisy-ic", "--seed", "\u0661"), "is no whole number"),
        (("run", "heat-noisy-ic", "--seed", "1_0"), "is no whole number"),
        (("run", "heat-noisy-ic", "--max-memory", "\u0661GB"), "is no amount of memory"),
        (("bench", "quick", "--workers", "0"), "too few"),
        (("resume", ""), "an empty name"),
        (("report", "nowhere"), "holds no run"),
        (("report-bug", "nowhere"), "holds no run"),
        (("check", "/dev/zero"), "is neither a file nor a shipped problem"),
        (("check", "heat-\x1b[2Jnoisy"), "heat-\ufffd[2Jnoisy"),
    ],
)
def test_odd_arguments_are_told_in_words(
    pinngate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = pinngate(*arguments)
    assert status == 2
    assert message in err
    assert "\x1b" not in out + err
    assert not list(tmp_path.iterdir())


def test_escapes_of_a_title_are_not_obeyed(pinngate, tmp_path: Path) -> None:
    problem = tmp_path / "mine.yaml"
    text = catalog.path("heat-noisy-ic").read_text(encoding="utf-8")
    title = 'title: "\\e]0;mine\\a\\e[31mred"'
    problem.write_text(re.sub(r"^title:.*$", lambda _: title, text, flags=re.MULTILINE))
    status, out, _ = pinngate("check", str(problem))
    assert status == 0
    assert "red" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_a_run_is_drawn_anew_predicted_and_reported(pinngate, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    assert pinngate("run", "heat-noisy-ic", "--out", folder, *SETTINGS, *ADAM, "--quiet")[0] == 3
    (tmp_path / "run" / "report.html").unlink()
    status, out, _ = pinngate("report", folder)
    assert status == 0
    assert "report.html" in out
    assert (tmp_path / "run" / "report.html").is_file()
    status, out, _ = pinngate("report-bug", folder)
    assert status == 0
    assert "u_t = kappa*u_xx" in out
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.csv")
    for arguments, message in (
        (("--grid", "x=0:1:10000000000000"), "10,000,000,000,000"),
        (("--grid", "x=0:1:1_0"), "is no part of a grid"),
        (("--at", "/dev/zero"), "is a device"),
        (("--at", str(tmp_path / "zero.csv")), "is a link"),
        (("--at", str(tmp_path / "pipe.csv")), "is a pipe"),
    ):
        status, _, err = pinngate("predict", folder, *arguments, "--out", str(tmp_path / "p.csv"))
        assert status == 2
        assert message in err
    assert not (tmp_path / "p.csv").exists()


def test_check_and_list_as_json(pinngate, tmp_path: Path) -> None:
    status, out, _ = pinngate("list", "--json")
    assert status == 0
    assert {"name", "title"} == set(json.loads(out)[0])
    status, out, _ = pinngate("check", "heat-noisy-ic", "--json")
    found = json.loads(out)
    assert (status, found["name"]) == (0, "heat-noisy-ic")
    assert all(entry["holds"] for entry in found["truth"])
    wrong = ("check", "heat-noisy-ic", "--json", "--set", "truth.u=x")
    status, out, err = pinngate(*wrong)
    assert status == 2
    assert not all(entry["holds"] for entry in json.loads(out)["truth"])
    assert "does not satisfy" in err


def test_schema_is_printed(pinngate) -> None:
    status, out, _ = pinngate("schema")
    assert status == 0
    assert "equations" in json.loads(out)["properties"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], {"run"}),
        (["run", "heat-n"], {"heat-noisy-ic"}),
        (["bench", "--time"], {"--time-limit"}),
    ],
)
def test_bash_completes(pinngate, words: list[str], offered: set[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "complete.sh"
    typed = " ".join(f"'{word}'" for word in ["pinngate", *words])
    asked = f"COMP_WORDS=({typed}) COMP_CWORD={len(words)}\n_pinngate\necho ${{COMPREPLY[*]}}\n"
    script.write_text(pinngate("completion", "bash")[1] + asked)
    done = subprocess.run([bash, str(script)], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered


def test_other_shells_are_told(pinngate) -> None:
    assert pinngate("completion", "zsh")[1].startswith("autoload")
    assert "complete -c pinngate" in pinngate("completion", "fish")[1]
    status, _, err = pinngate("completion", "tcsh")
    assert status == 2
    assert "bash, zsh, fish" in err


def test_a_run_is_cited_with_its_sources(pinngate, tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    pinngate("run", "heat-noisy-ic", "--out", folder, "--quiet", *SETTINGS, *ADAM)
    status, out, _ = pinngate("cite", folder)
    assert status == 0
    for name in ("pinngate", "litman2026", "kingma2014", "vyas2024", "wahba1990", "harris2020"):
        assert name in out
    assert pinngate("cite", str(tmp_path))[0] == 2


def test_resume_that_is_stopped_at_once_says_how_to_go_on(pinngate, monkeypatch) -> None:
    from pinngate import solution
    from pinngate.errors import Interrupted

    def stops(*_: object, **__: object) -> None:
        raise Interrupted("interrupted", status=143)

    monkeypatch.setattr(solution, "resume", stops)
    status, _, err = pinngate("resume", "a folder")
    assert status == 143
    assert err.strip() == "interrupted; go on with: pinngate resume 'a folder'"


def test_a_run_without_a_report_is_drawn_later(pinngate, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _, out, _ = pinngate("run", "heat-scattered", "--out", str(folder), "--no-report", *SETTINGS)
    assert f"folder: {folder}" in out
    assert (folder / "metrics.json").exists()
    assert not (folder / "report.html").exists()
    assert not list(folder.glob("figures/*"))
    pinngate("report", str(folder))
    assert (folder / "report.html").exists()
