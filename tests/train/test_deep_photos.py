"""Photos of 8 and 16 bits for runs whose data counts to 4,095: taken as what they mean, or refused with a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netspec.api.run import Run
from netspec.errors import DataError
from tests.train.test_handed import GREY, TRAIN, asked, ended, trained

MOST = 4095
BYTES, SCAN, BRIGHT = Path("bytes.png"), Path("scan.png"), Path("bright.png")


def scans(count: int = 24) -> np.ndarray[Any, Any]:
    """Images of points of 12 bits."""
    return np.random.RandomState(0).randint(40, MOST - 50, (count, 8, 8)).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one = scans(1)[0]
    Image.fromarray((one // 16).astype(np.uint8)).save(tmp_path / BYTES)
    Image.fromarray(one).save(tmp_path / SCAN)
    Image.fromarray(one * 15).save(tmp_path / BRIGHT)
    return tmp_path


def arrays(folder: Path, x: np.ndarray[Any, Any], steps: str = "") -> Run:
    np.savez(folder / "a.npz", x=x[:, None], y=np.arange(len(x)) % 3)
    return Run.read(trained(folder, f"{GREY}data: {{source: npz a.npz{steps}}}\n{TRAIN}"))


@pytest.mark.parametrize(("dtype", "steps"), [("uint16", ", transform: scale 1"), ("float32", "")])
def test_points_of_16_bits_are_the_numbers_that_the_run_has(folder: Path, dtype: str, steps: str) -> None:
    run = arrays(folder, scans().astype(dtype), steps)
    found = run.predict(folder / SCAN)
    assert "taken as the numbers of 16 bits that they are" in found.told[1]
    assert not any("swapped" in line for line in found.told)
    assert np.array_equal(found.first, asked(run.folder, scans(1)[:, None].astype(dtype)).first)


@pytest.mark.parametrize(("dtype", "steps"), [("uint16", ", transform: scale 1"), ("int32", ", transform: scale 1")])
@pytest.mark.parametrize("photo", [BYTES, BRIGHT])
def test_photos_on_another_scale_are_refused_for_whole_numbers_too(
    folder: Path, dtype: str, steps: str, photo: Path
) -> None:
    run = arrays(folder, scans().astype(dtype), steps)
    with pytest.raises(
        DataError, match=r"Give an array on that scale, of images x 1 x 8 x 8, as numpy\.save"
    ) as refused:
        run.predict(folder / photo)
    assert "save x" not in str(refused.value)
    own = np.asarray(Image.open(folder / photo)).astype(np.int64)
    found = asked(run.folder, (own * MOST // own.max())[None, None])  # as advised
    assert found.first.shape == (1, 3)
    assert run.predict(folder / photo, as_is=True).first.shape == (1, 3)


def test_floats_for_a_run_over_whole_numbers_are_held_against_its_scale(folder: Path) -> None:
    run = arrays(folder, scans().astype(np.int64), ", transform: scale 1")
    with pytest.raises(DataError, match=r"save x \* 40\d\d\. ") as refused:
        asked(run.folder, scans(4)[:, None] / MOST)
    assert "e+03" not in str(refused.value)
    assert asked(run.folder, scans(4)[:, None] / MOST * 4044).told == ()


def images(folder: Path, source: str) -> Run:
    for number, scan in enumerate(scans()):
        (folder / "scans" / "abc"[number % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(scan).save(folder / "scans" / "abc"[number % 3] / f"{number}.png")
    return Run.read(trained(folder, f"{GREY}data: {{source: images scans grey{source}}}\n{TRAIN}"))


def test_a_run_over_images_says_which_bits_it_should_be_trained_with(folder: Path) -> None:
    with pytest.raises(DataError, match=r"use 12 of 16 bits. Train it with bits=12") as refused:
        images(folder, "").predict(folder / BYTES)
    assert "save x" not in str(refused.value)
    (folder / "again").mkdir()
    run = images(folder / "again", " bits=12")  # as advised
    given, own = run.predict(folder / BYTES), run.predict(folder / SCAN)
    assert np.allclose(given.first, own.first, atol=0.05)
    assert ended("predict", run.folder, folder / BYTES) == 0


def test_dark_scans_for_a_run_over_bytes_are_stretched(folder: Path) -> None:
    for number, scan in enumerate(scans()):
        (folder / "photos" / "abc"[number % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray((scan // 16).astype(np.uint8)).save(folder / "photos" / "abc"[number % 3] / f"{number}.png")
    run = Run.read(trained(folder, f"{GREY}data: {{source: images photos grey}}\n{TRAIN}"))
    with pytest.raises(DataError, match="Save them so that 65,535 of 16 bits is white, as 255 is of 8"):
        run.predict(folder / SCAN)
    Image.fromarray((scans(1)[0].astype(int) * 65535 // MOST).astype(np.uint16)).save(
        folder / "white.png"
    )  # as advised
    assert np.allclose(run.predict(folder / "white.png").first, run.predict(folder / BYTES).first, atol=0.05)
