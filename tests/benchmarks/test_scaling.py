"""How an update grows: which points are measured, on what, and how they are shown."""

import json
import types

import numpy as np
import pytest
from PIL import Image

from benchmarks import scaling
from mgconv.cli.shared.program import main
from mgconv.io.files import read_json


@pytest.fixture
def asked(monkeypatch):
    """The points that processes were started for; one takes a second a step and a MiB an image."""
    points = []

    def run(command, **options):
        point = json.loads(command[-1].removeprefix("--point="))
        points.append(point)
        found = {"seconds": [point["num_langevin_steps"]] * 3, "peak": point["num_images"]}
        return types.SimpleNamespace(returncode=0, stdout=f"a line\n{json.dumps(found)}\n")

    monkeypatch.setattr(scaling, "subprocess", types.SimpleNamespace(run=run))
    return points


def test_one_thing_grows_at_a_time_and_the_base_is_measured_once(asked, tmp_path, capsys):
    main(scaling.run, scaling.define_flags, "", ["scaling", f"--out={tmp_path}"])
    base = asked[[p["batch_size"] for p in asked].index(16)]
    differing = [sum(point[name] != base[name] for name in base) for point in asked]
    assert sorted(differing) == [0] + [1] * (len(asked) - 1)
    assert len(asked) == 1 + sum(len(values) - 1 for values in scaling.AXES.values())
    told = capsys.readouterr().out
    assert "| Langevin steps | 90 | 90 (90 .. 90) | 1000 |" in told
    assert "| training images | 1e+06 | 5 (5 .. 5) | 1000000 |" in told
    assert read_json(tmp_path / "scaling.json")["found"]["width"]["0.5"]["seconds"] == [5, 5, 5]
    with Image.open(tmp_path / "scaling.png") as picture:
        assert picture.width > picture.height  # a column an axis


def test_synthetic_images_repeat_a_block_and_end_where_they_are_asked_to(tmp_path):
    images = scaling.synthetic(tmp_path / "pixels", 2 * scaling.BLOCK + 5, 2)
    assert images.pixels.shape == (2005, 2, 2, 3)
    np.testing.assert_array_equal(images.pixels[-5:], images.pixels[:5])
    assert np.unique(images.pixels[: scaling.BLOCK], axis=0).shape[0] == scaling.BLOCK
