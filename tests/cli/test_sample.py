"""Drawing from a finished run, and looking at data before one."""

import json

import numpy as np
from PIL import Image
from programs import call


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


def test_inspection_tells_sizes_and_shows_every_grid(tmp_path, capsys):
    call("inspect", "--dataset=digits", f"--out={tmp_path}")
    told = capsys.readouterr().out
    assert "1257 images at 8 x 8" in told
    assert "classes: 0 122, 1 127" in told
    assert "values: -1.00 .. 1.00" in told
    with Image.open(tmp_path / "digits-train.png") as picture:
        assert picture.height > 3 * 4 * 48  # 64 images at 8, 4 and 1 pixels, 16 a row
