"""The spectrum of finished runs: files, figures and what is refused."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pinngate import config
from pinngate import solution as runs
from pinngate.errors import InputError
from pinngate.linear.forms import MatrixFreeForm
from pinngate.report.candidates import Course
from pinngate.report.spectrum import FIGURE, TABLE, RunSpectrum, analyse, write
from pinngate.runs.folder import load_session

NETWORK = ["solve.network={width: 10, depth: 2}", "solve.collocation=32"]
SECOND_ORDER = [*NETWORK, "solve.iterations=16"]
FIRST_ORDER = [*NETWORK, "solve.optimizer=population-risk-adam", "solve.iterations=40"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {}
    for name, overrides in (("ridge", SECOND_ORDER), ("gate", FIRST_ORDER)):
        folders[name] = tmp_path_factory.mktemp("runs") / name
        runs.run(config.load(config.resolve("heat-noisy-ic"), overrides=overrides), folders[name])
    return folders


@pytest.mark.parametrize(("name", "logged"), [("ridge", "ridge"), ("gate", "open_fraction")])
def test_spectrum_of_a_run_agrees_with_its_files(
    finished: dict[str, Path], name: str, logged: str
) -> None:
    folder = finished[name]
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    found = analyse(folder)
    write(found, folder)
    assert all((folder / name).read_bytes() == content for name, content in before.items())
    with (folder / TABLE).open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(found.kernel.eigenvalues)
    filters = [float(row["filter"]) for row in rows]
    assert filters == sorted(filters, reverse=True)
    assert sum(filters) == pytest.approx(found.kernel.kernel_dimension)
    assert (folder / FIGURE).read_bytes().startswith(b"\x89PNG")

    with (folder / "observations.csv").open() as stream:
        data = list(csv.DictReader(stream))
    # 1 − h is residual over leave-one-out residual
    ratio = [float(r["residual"]) / float(r["leave_one_out_residual"]) for r in data]
    effective = sum(1 - r for r in ratio)
    assert found.kernel.effective_dimension == pytest.approx(effective, rel=1e-6)
    summary = found.summary()
    assert len(summary["evolution"][logged]) == len(summary["evolution"]["iteration"])
    text = "\n".join(found.lines())
    assert f"{found.kernel.num_signal} of " in text
    assert "iteration" in text


def test_an_unfinished_run_is_refused(finished: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        analyse(tmp_path / "none")
    folder = shutil.copytree(finished["ridge"], tmp_path / "run")
    (folder / "metrics.json").unlink()
    with pytest.raises(InputError, match="resume"):
        analyse(folder)


def test_spectrum_without_the_jacobian_has_the_leading_directions(
    finished: dict[str, Path],
) -> None:
    folder = finished["ridge"]
    exact = analyse(folder).kernel
    session = load_session(folder)
    stepper = session.stepper
    stepper.solvers["given"].form = MatrixFreeForm()
    found = stepper.kernel()
    leading = exact.filters > 0.9
    # the basis comes from all rows, for there are fewer than are sampled
    np.testing.assert_allclose(
        found.eigenvalues[: leading.sum()], exact.eigenvalues[leading], rtol=1e-6
    )
    assert found.signal_share == pytest.approx(exact.signal_share, abs=1e-4)
    assert not found.is_partial
    cut = replace(found, eigenvalues=found.eigenvalues[:3], energy=found.energy[:3])
    assert cut.is_partial
    text = "\n".join(
        RunSpectrum("heat", "free", cut, Course("", True, {"iteration": np.empty(0)})).lines()
    )
    assert "at least 3 of" in text
    assert found.total_energy == pytest.approx(exact.total_energy)
