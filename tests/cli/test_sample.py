"""Drawing from a finished run, and looking at data before one."""

import json

import numpy as np
import pytest
from PIL import Image
from programs import call, refusal

import mgconv
from mgconv.io.images import enlarge, tile, to_uint8


def test_samples_are_written_under_the_run(finished):
    call("sample", f"--run={finished}", "--num=5", "--seed=3")
    with np.load(finished / "samples" / "draw-3.npz", allow_pickle=False) as content:
        assert content["images"].shape == (5, 8, 8, 1)
        assert content["images"].dtype == np.uint8
    with Image.open(finished / "samples" / "draw-3.png") as picture:
        assert picture.width > 8
    grids = json.loads((finished / "config.json").read_text())["config"]["grids"]
    with Image.open(finished / "samples" / "draw-3-grids.png") as picture:
        assert picture.height > len(grids) * 64  # the same chains at every grid
        assert picture.width > picture.height


@pytest.mark.parametrize(
    ("out", "stem"), [("~/new", "new/draw-0"), ("mine.png", "mine"), ("a.b.PNG", "a.b")]
)
def test_samples_go_where_a_person_says(out, stem, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    call("sample", f"--run={finished}", "--num=2", f"--out={out}")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*"))
    assert found == [f"{stem}{ending}" for ending in ("-grids.png", ".npz", ".png")]
    assert not (tmp_path / "~").exists()


@pytest.fixture
def coarse(tmp_path):
    """A picture of 4 x 4 pixels, a ramp of gray."""
    pixels = np.arange(0, 256, 16, np.uint8).reshape(4, 4)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    return pixels


def test_a_persons_own_coarse_picture_is_where_all_chains_start(finished, coarse, tmp_path):
    """Chains that do not move leave it as it is, each pixel a block."""
    still = ["--drift=1e-30", "--noise=0"]
    call("sample", f"--run={finished}", f"--from={tmp_path / 'mine.png'}", "--num=3", *still)
    with np.load(finished / "samples" / "mine-0.npz") as content:
        blocks = coarse.repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(content["images"], [blocks[..., np.newaxis]] * 3)
    with Image.open(finished / "samples" / "mine-0-grids.png") as picture:
        assert 2 * 64 < picture.height < 3 * 64  # it, and the grid above it


@pytest.mark.parametrize("size", [(8, 8), (5, 5), (4, 8)])
def test_a_picture_of_no_coarser_grid_is_refused(size, finished, tmp_path):
    Image.new("L", size).save(tmp_path / "other.png")
    line = refusal("sample", f"--run={finished}", f"--from={tmp_path / 'other.png'}")
    assert f"{size[0]} x {size[1]} pixels" in line
    assert "1 x 1 or 4 x 4" in line


def test_the_animation_has_a_picture_for_every_langevin_step_and_ends_where_the_chains_do(
    finished, tmp_path
):
    out = tmp_path / "new.png"
    call("sample", f"--run={finished}", "--num=2", f"--out={out}", "--animate")
    with Image.open(tmp_path / "new.gif") as animation:
        assert animation.n_frames == 1 + 2 + 2  # the colors, then two Langevin steps a grid
        assert animation.info["loop"] == 0
        animation.seek(4)
        last = np.asarray(animation.convert("L"), float)
    model = mgconv.load(finished)
    ends = to_uint8(model.chains(model.colors(8, 0), 0)[-1])
    shown = last[16 : 16 + 64, : 7 * 66 + 64]  # a row below the words
    expected = tile(enlarge(ends, 64), 8, gap=2)[..., 0]
    assert np.abs(shown - expected).max() <= 4  # 128 gray levels
    assert (tmp_path / "new.gif").stat().st_size < 1_500_000


def test_inspection_tells_sizes_and_shows_every_grid(tmp_path, capsys):
    call("inspect", "--dataset=digits", f"--out={tmp_path}")
    told = capsys.readouterr().out
    assert "1257 images at 8 x 8" in told
    assert "classes: 0 122, 1 127" in told
    assert "values: -1.00 .. 1.00" in told
    with Image.open(tmp_path / "digits-train.png") as picture:
        assert picture.height > 3 * 4 * 48  # 64 images at 8, 4 and 1 pixels, 16 a row
