"""A few of the runs that the nightly mode kills and interrupts, and of its failing disks."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from random import Random

import pytest

from tests.reliability import disk, interruptions, soak
from tests.reliability.small import SETTINGS

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are forked, and disks mounted"
)
COUNT = 5


@pytest.fixture(scope="module", params=list(SETTINGS))
def whole(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, float]:
    from tests.reliability.children import load_everything

    load_everything()
    folder = tmp_path_factory.mktemp("whole") / "run"
    return request.param, folder, interruptions.duration(request.param, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", interruptions.SIGNALS)
def test_interrupted_at_random_moments_it_ends_the_same(
    name: str, whole: tuple[str, Path, float], tmp_path: Path
) -> None:
    optimizer, folder, seconds = whole
    rng, number = Random(f"{name} {optimizer}"), interruptions.SIGNALS[name]
    has_report = number == signal.SIGKILL
    told = [
        interruptions.interrupted(
            optimizer,
            number,
            folder,
            seconds if has_report else 0.5 * seconds,
            tmp_path / str(k),
            rng,
            has_report=has_report,
        )
        for k in range(COUNT)
    ]
    assert told == [None] * COUNT


def test_disks_that_fail(whole: tuple[str, Path, float], tmp_path: Path) -> None:
    optimizer, folder, seconds = whole
    try:
        for kilobytes in disk.moments(Random(0), 3, folder):
            assert disk.full_after(optimizer, kilobytes, folder, tmp_path / "disk") is None
        assert disk.read_only_after(optimizer, 0.4 * seconds, folder, tmp_path / "disk") is None
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_solving_again_and_again_leaves_nothing_behind() -> None:
    found = soak.soak(0.0)
    assert found.descriptors[1] <= found.descriptors[0]
    assert found.threads[1] <= found.threads[0]
