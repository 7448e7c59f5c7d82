"""Pictures ranked by the energy that a model gives them."""

import json

import numpy as np
import pytest
from PIL import Image
from programs import call, refusal

import mgconv
from mgconv.cli.score import ranked
from mgconv.datasets.table import load_split


@pytest.fixture(scope="module")
def judged(finished, tmp_path_factory):
    """A folder of three training images and one of noise, and what is said of them."""
    folder = tmp_path_factory.mktemp("judged")
    images = load_split(mgconv.load(finished).config).pixels
    for row in (3, 50, 100):
        Image.fromarray(images[row, ..., 0]).save(folder / f"{row}.png")
    noise = np.random.default_rng(0).integers(0, 256, [8, 8], np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "broken.png").write_bytes(b"no image")
    out = folder / "said.json"
    call("score", f"--run={finished}", f"--images={folder}", f"--out={out}")
    return folder, json.loads(out.read_text())


def test_every_whole_picture_has_the_energy_that_the_model_gives_it(judged, finished):
    folder, said = judged
    model = mgconv.load(finished)
    assert {row["picture"] for row in said["pictures"]} == {
        "3.png", "50.png", "100.png", "noise.png",
    }  # fmt: skip
    for row in said["pictures"]:
        pixels = np.asarray(Image.open(folder / row["picture"]))[np.newaxis, ..., np.newaxis]
        assert row["energy"] == pytest.approx(float(model.energy(pixels)[0]), rel=1e-4)


def test_a_training_image_has_its_own_place_among_the_training_images(judged, finished):
    model = mgconv.load(finished)
    images = load_split(model.config).pixels
    energies = model.energy(images)
    assert judged[1]["training_images"] == len(images)
    ranks = {row["picture"]: row["rank"] for row in judged[1]["pictures"]}
    for row in (3, 50, 100):
        place = 1 + int((energies < energies[row]).sum())
        assert abs(ranks[f"{row}.png"] - place) <= 1  # the last bit of U, in another batch


def test_outliers_come_first_and_ranks_are_places_among_the_known():
    known = np.array([3.0, 1.0, 2.0], np.float32)
    rows = ranked(["in", "far", "best", "tie"], [1.5, 9.0, -1.0, 2.0], known)
    assert [(row["picture"], row["rank"]) for row in rows] == [
        ("far", 4), ("tie", 2), ("in", 2), ("best", 1),
    ]  # fmt: skip


def test_another_grid_has_an_energy_of_its_own(finished, judged, capsys):
    call("score", f"--run={finished}", f"--images={judged[0]}", "--size=4")
    said = capsys.readouterr().out
    assert "U of the 4 x 4 grid" in said
    assert "broken.png is left out" in said
    top = {row["picture"]: f"{row['energy']:.4g}" for row in judged[1]["pictures"]}
    assert f"{top['noise.png']} " not in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "--images is missing"),
        (("--images={folder}", "--size=5"), "4, 8"),
        (("--images={folder}/none",), "No such"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(flags, words, finished, judged):
    given = [flag.format(folder=judged[0]) for flag in flags]
    assert words in refusal("score", f"--run={finished}", *given)


def test_pictures_that_are_all_too_small_are_refused(finished, tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "small.png")
    line = refusal("score", f"--run={finished}", f"--images={tmp_path}")
    assert "8 x 8 pixels or more" in line
