"""Anybody's samples, as programs and people keep them."""

import re
import zipfile

import numpy as np
import pytest
from conftest import refused
from PIL import Image

from mgconv.evaluation.samples import read_samples

PIXELS = np.random.default_rng(0).integers(0, 256, [24, 8, 8, 3], np.uint8)
PIXELS.flat[:2] = 0, 255  # so that both ends of a range are there


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (PIXELS, ""),
        ((PIXELS / 255).astype(np.float32), "float32 0..1 is read as 0..1"),
        ((PIXELS / 255).astype(np.float16), "float16 0..1 is read as 0..1"),
        ((PIXELS / 127.5 - 1).astype(np.float32), "float32 -1..1 is read as -1..1"),
        (PIXELS / 127.5 - 1.003, "is read as -1..1"),
        (PIXELS.astype(np.float64), "float64 0..255 is read as 0..255"),
        (PIXELS.astype(np.int64), "int64 0..255 is read as 0..255"),
        (PIXELS.transpose(0, 3, 1, 2), "[24, 3, 8, 8] is read as [N, C, S, S]"),
        ((PIXELS / 255).transpose(0, 3, 1, 2), "[24, 3, 8, 8] is read as [N, C, S, S]"),
    ],
)
@pytest.mark.parametrize("name", ["images", "arr_0", None])
def test_arrays_are_read_as_they_are_meant(images, said, name, tmp_path, capsys):
    path = tmp_path / ("x.npz" if name else "x.npy")
    np.savez(path, **{name: images}) if name else np.save(path, images)
    found, labels, names = read_samples(str(path))
    assert found.dtype == np.uint8
    assert labels is names is None
    np.testing.assert_allclose(found.astype(int), PIXELS, atol=1 if "float16" in said else 0.5)
    printed = capsys.readouterr().out
    assert said in printed
    assert bool(printed) == bool(said)


def pictures(folder, arrays, names):
    for name, array in zip(names, arrays):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / name)
    return folder


def test_a_folder_or_zip_of_pictures_is_samples(tmp_path):
    folder = pictures(tmp_path / "x", PIXELS, [f"{i:03}.png" for i in range(24)])
    (folder / "readme.txt").write_text("mine")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    for place in (folder, tmp_path / "x.zip"):
        images, labels, names = read_samples(str(place))
        np.testing.assert_array_equal(images, PIXELS)
        assert labels is names is None
    gray, *_ = read_samples(str(folder), channels=1)
    assert gray.shape == (24, 8, 8, 1)


def test_folders_of_pictures_are_classes(tmp_path):
    names = [f"{'cat' if i < 10 else 'dog'}/{i:03}.png" for i in range(24)]
    images, labels, known = read_samples(str(pictures(tmp_path / "x", PIXELS, names)))
    np.testing.assert_array_equal(images, PIXELS)
    assert known[labels].tolist() == ["cat"] * 10 + ["dog"] * 14


def test_pictures_that_are_no_samples_are_named(tmp_path):
    folder = pictures(tmp_path / "x", PIXELS, [f"{i:03}.png" for i in range(24)])
    for array, said in (
        (PIXELS[0, :4, :4], "Not 8 x 8 as others are: 050.png"),
        (PIXELS[0, :4], "050.png in .* is not square: 8 x 4"),
        (np.zeros([1025, 1025], np.uint8), "050.png in .* is no sample: 1025 x 1025"),
    ):
        pictures(folder, [array], ["050.png"])
        assert re.match(said, refused(read_samples, str(folder)))
    (folder / "050.png").write_bytes((folder / "000.png").read_bytes()[:60])
    assert "Cannot read 050.png" in refused(read_samples, str(folder))
    (tmp_path / "empty").mkdir()
    assert "No image in" in refused(read_samples, str(tmp_path / "empty"))
