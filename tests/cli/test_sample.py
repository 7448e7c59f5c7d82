"""Drawing from a finished run, and looking at data before one."""

import json

import numpy as np
import pytest
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


def test_inspection_tells_sizes_and_shows_every_grid(tmp_path, capsys):
    call("inspect", "--dataset=digits", f"--out={tmp_path}")
    told = capsys.readouterr().out
    assert "1257 images at 8 x 8" in told
    assert "classes: 0 122, 1 127" in told
    assert "values: -1.00 .. 1.00" in told
    with Image.open(tmp_path / "digits-train.png") as picture:
        assert picture.height > 3 * 4 * 48  # 64 images at 8, 4 and 1 pixels, 16 a row
