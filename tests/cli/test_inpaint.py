"""A person's picture, filled."""

import numpy as np
import pytest
from PIL import Image
from programs import TINY, call, image_folder, refusal


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny run of color images."""
    place = tmp_path_factory.mktemp("colors")
    folder = image_folder(place / "images", [20] * 10)
    call("train", f"--image_dir={folder}", "--grids=1,4,16", f"--out={place / 'run'}", *TINY)
    return place / "run"


@pytest.fixture
def fill(run, tmp_path):
    """Fills a picture, arrays of which are given, and returns the pictures that are written."""

    def call_it(photo, mask, *others):
        for name, pixels in (("photo", photo), ("mask", mask)):
            Image.fromarray(np.asarray(pixels, np.uint8)).save(tmp_path / f"{name}.png")
        files = [f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
        call("inpaint", f"--run={run}", *files, f"--out={tmp_path / 'done'}", *others)
        found = sorted((tmp_path / "done").glob("*.png"))
        return {path.name: np.asarray(Image.open(path)) for path in found}

    return call_it


@pytest.fixture
def photo():
    return np.random.default_rng(5).integers(0, 256, [16, 16, 3], np.uint8)


@pytest.fixture
def square():
    mask = np.zeros([16, 16], np.uint8)
    mask[4:8, 4:8] = 255
    return mask


def test_a_color_picture_is_filled_by_a_gray_model_as_a_gray_one(tmp_path):
    run = tmp_path / "run"
    call("train", "--dataset=digits", "--grids=1,4", f"--out={run}", *TINY)
    for name, pixels in (("photo", np.full([9, 7, 3], 100)), ("mask", np.eye(9, 7) * 255)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    given = [f"--run={run}", f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
    call("inpaint", *given, "--num=1", f"--out={tmp_path / 'done'}")
    assert np.asarray(Image.open(tmp_path / "done/photo-filled.png")).shape == (9, 7)
    with pytest.raises(SystemExit, match=r"Cannot read /none\.png"):
        call("inpaint", given[0], "--image=/none.png", given[2])


def test_a_picture_is_filled_and_the_rest_of_it_is_left_alone(fill):
    pixels = np.random.default_rng(5).integers(0, 256, [37, 51, 3], np.uint8)
    mask = np.zeros([37, 51], np.uint8)
    mask[10:25, 20:32] = 255
    done = fill(pixels, mask, "--num=2")
    assert list(done) == ["photo-filled-0.png", "photo-filled-1.png"]
    first, second = done.values()
    np.testing.assert_array_equal(first[mask == 0], pixels[mask == 0])
    assert not np.array_equal(first, second)
    with pytest.raises(SystemExit, match=r"The mask hides: nothing, brightness 0\.\.0, alpha 255"):
        fill(pixels, np.zeros([37, 51]))
    with pytest.raises(SystemExit, match="another size"):
        fill(pixels, mask[:, :40])


@pytest.mark.parametrize("in_alpha", [False, True])
def test_a_mask_of_0_and_1_or_in_alpha_is_read(in_alpha, fill, photo, square):
    mask = np.dstack([square * 0] * 3 + [square]) if in_alpha else square // 255
    [done] = fill(photo, mask, "--num=1").values()
    differs = (done != photo).any(axis=-1)
    assert not differs[square == 0].any()
    assert differs[square > 0].mean() > 0.9


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_of_a_picture_is_kept(mode, fill, run, photo, square, tmp_path):
    clear = np.full([16, 16], 255, np.uint8)
    clear[:2] = 0
    clear[2] = 255 if mode == "P" else 77
    image = Image.fromarray(np.dstack([photo // 128 * 255, clear]))
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "clear.png")
    given = image.convert("RGBA")
    [done] = fill(photo, square, "--num=1", f"--image={tmp_path / 'clear.png'}").values()
    assert done.shape == (16, 16, 4)
    np.testing.assert_array_equal(done[..., 3], clear)
    np.testing.assert_array_equal(done[square == 0], np.asarray(given)[square == 0])


def test_an_opaque_picture_with_alpha_is_filled_as_one_without(fill, photo, square):
    opaque = np.dstack([photo, np.full([16, 16], 255, np.uint8)])
    [done], [same] = (
        fill(opaque, square, "--num=1").values(),
        fill(photo, square, "--num=1").values(),
    )
    np.testing.assert_array_equal(done, same)


@pytest.mark.parametrize(
    ("num", "out", "written"),
    [
        (1, "result.png", ["result.png"]),
        (2, "a.b.PNG", ["a.b-0.png", "a.b-1.png"]),
        (1, "~/filled", ["filled/photo-filled.png"]),
        (1, "~/x.png", ["x.png"]),
        (1, None, ["run/samples/photo-filled.png"]),
    ],
)
def test_results_go_into_a_folder_or_have_the_name_of_a_png(
    num, out, written, run, photo, square, tmp_path, monkeypatch, capsys
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    (home / "run").symlink_to(run)
    for name, pixels in (("photo", photo), ("mask", square)):
        Image.fromarray(pixels).save(home / f"{name}.png")
    place = [f"--out={out}"] if out else []
    call(
        "inpaint", "--run=~/run", "--image=~/photo.png", "--mask=~/mask.png", f"--num={num}", *place
    )
    assert all((home / name).exists() for name in written)
    assert [line.rpartition("home/")[2] for line in capsys.readouterr().out.splitlines()] == written
    assert not (home / "~").exists()
    (run / "samples/photo-filled.png").unlink(missing_ok=True)
    told = refusal("inpaint", "--run=run", "--image=photo.png", "--mask=mask.png", "--out=x.jpg")
    assert told == "--out is no name of a .png: x.jpg. Give one, or a folder."


def test_fillings_of_two_seeds_share_none(fill, photo, square):
    """The second of seed 0 is not the first of seed 1."""
    first, second = fill(photo, square, "--num=2", "--seed=0").values()
    other, last = fill(photo, square, "--num=2", "--seed=1").values()
    names = {x.tobytes() for x in (first, second, other, last)}
    assert len(names) == 4
