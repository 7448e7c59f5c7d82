"""A person's picture, filled."""

import numpy as np
import pytest
from PIL import Image
from programs import TINY, call, image_folder


def test_a_color_picture_is_filled_by_a_gray_model_as_a_gray_one(tmp_path):
    run = tmp_path / "run"
    call("train", "--dataset=digits", "--grids=1,4", f"--out={run}", *TINY)
    for name, pixels in (("photo", np.full([9, 7, 3], 100)), ("mask", np.eye(9, 7) * 255)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    given = [f"--run={run}", f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
    call("inpaint", *given, "--num=1", f"--out={tmp_path / 'done'}")
    assert np.asarray(Image.open(tmp_path / "done-0.png")).shape == (9, 7)
    with pytest.raises(SystemExit, match=r"Cannot read /none\.png"):
        call("inpaint", given[0], "--image=/none.png", given[2])


def test_a_picture_is_filled_and_the_rest_of_it_is_left_alone(tmp_path):
    folder = image_folder(tmp_path / "images", [20] * 10)
    run = tmp_path / "run"
    call("train", f"--image_dir={folder}", "--grids=1,4,16", f"--out={run}", *TINY)
    pixels = np.random.default_rng(5).integers(0, 256, [37, 51, 3], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    mask = np.zeros([37, 51], np.uint8)
    mask[10:25, 20:32] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = [f"--run={run}", f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
    call("inpaint", *given, "--num=2", f"--out={tmp_path / 'done'}")
    first, second = (np.asarray(Image.open(tmp_path / f"done-{index}.png")) for index in (0, 1))
    np.testing.assert_array_equal(first[mask == 0], pixels[mask == 0])
    assert not np.array_equal(first, second)
    Image.fromarray(np.zeros([37, 51], np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(SystemExit, match="The mask hides: nothing"):
        call("inpaint", *given)
    Image.fromarray(mask[:, :40]).save(tmp_path / "mask.png")
    with pytest.raises(SystemExit, match="another size"):
        call("inpaint", *given)
