"""Features of a trained model, written for other programs."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from programs import TINY, call, refusal

import mgconv
from mgconv.evaluation.features import pooled
from mgconv.io.files import write_json
from mgconv.io.images import to_float


def read(path):
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five gray pictures of two classes, one of them broken; the number is the gray level."""
    place = tmp_path_factory.mktemp("own")
    for index in range(4):
        path = place / ("a", "b")[index % 2] / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, [8, 8, 3], np.uint8)
        Image.fromarray(pixels).save(path)
    (place / "a" / "1.jpg").write_bytes(b"broken")
    return place


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    flags = [f"--image_dir={folder}", "--grids=1,4,8", f"--out={out}", *TINY]
    call("train", *flags, "--batch_size=2")
    return out


def test_each_image_has_its_maps_its_file_and_its_class(run, folder, capsys):
    call("features", f"--run={run}")
    path = run / "features" / f"{folder.stem}-train.npz"
    found = read(path)
    said = f"4 images, {found['features'].shape[1]} features each: {path}"
    assert said in capsys.readouterr().out
    assert found["names"].tolist() == ["a/0.png", "a/2.png", "b/1.png", "b/3.png"]
    assert found["class_names"][found["labels"]].tolist() == ["a", "a", "b", "b"]
    pixels = [np.asarray(Image.open(folder / name)) for name in found["names"]]
    expected = pooled(mgconv.load(run).features(to_float(np.stack(pixels))))
    assert found["features"].dtype == np.float32
    np.testing.assert_allclose(found["features"], expected, rtol=1e-4, atol=1e-5)


def test_what_is_read_is_chosen_by_flags(run, tmp_path):
    widths = {}
    for flags in (["--read_grids=top"], ["--read_grids=all"], ["--layers=1"], ["--layers=2,3"]):
        call("features", f"--run={run}", *flags, f"--out={tmp_path / 'x.npz'}")
        widths[flags[0]] = read(tmp_path / "x.npz")["features"].shape[1]
    assert widths["--read_grids=all"] > widths["--read_grids=top"] > widths["--layers=1"]
    assert "No such layer" in refusal("features", f"--run={run}", "--layers=9")
    assert "no list of numbers" in refusal("features", f"--run={run}", "--layers=first")


def test_other_images_can_be_read_of_as_many_channels(run, tmp_path, folder):
    call("features", f"--run={run}", f"--image_dir={folder / 'b'}", f"--out={tmp_path}")
    assert read(tmp_path / "b-train.npz")["names"].tolist() == ["1.png", "3.png"]
    told = refusal("features", f"--run={run}", "--dataset=digits")
    assert told == (
        "Images of another number of channels: 1 in digits, 3 in the run. Give other images."
    )


def test_statistics_of_batches_are_those_of_the_runs_own_images(tmp_path):
    """So that features of two sets of images can be compared, and an image's are its own."""
    read_by_gans = [flag for flag in TINY if "langevin" not in flag]
    flags = ["--dataset=digits", "--method=dcgan", f"--out={tmp_path / 'run'}", *read_by_gans]
    call("train", *flags)
    found = {}
    for name, wanted in (("some", ["--classes=3"]), ("all", [])):
        out = tmp_path / f"{name}.npz"
        call("features", f"--run={tmp_path / 'run'}", "--split=test", f"--out={out}", *wanted)
        found[name] = read(out)
    assert found["all"]["features"].shape[0] == len(found["all"]["labels"]) == 540
    threes = found["all"]["labels"] == 3
    np.testing.assert_array_equal(found["all"]["names"][threes], found["some"]["names"])
    np.testing.assert_allclose(
        found["all"]["features"][threes], found["some"]["features"], rtol=1e-4, atol=1e-4
    )


def test_a_model_without_features_is_refused(tmp_path, tiny):
    write_json(tmp_path / "config.json", {
        "config": dataclasses.asdict(tiny(method="context_encoder")),
        "data": {"num_images": 9, "channels": 1, "class_names": ["one"]},
    })  # fmt: skip
    assert "cannot features" in refusal("features", f"--run={tmp_path}")
