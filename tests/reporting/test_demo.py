"""What a person does on the page of `mgconv demo` without gradio, and the bounds of the page."""

import numpy as np
import pytest
from conftest import random_pixels, refused
from PIL import Image

from mgconv.errors import UserError
from mgconv.evaluation.inpainting import inpaint_picture
from mgconv.langevin import derived_seed
from mgconv.reporting.demo import playing


def saved(folder, picture, name="mine.png"):
    Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).save(folder / name)
    return str(folder / name)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_opened_as_it_is(channels, tmp_path):
    picture = random_pixels(9, 7, channels)
    np.testing.assert_array_equal(playing.opened(saved(tmp_path, picture), channels), picture)


def test_a_large_picture_is_reduced_and_keeps_its_shape(tmp_path):
    path = saved(tmp_path, random_pixels(500, 2000))
    assert playing.opened(path, 3).shape == (playing.MOST_SIDE // 4, playing.MOST_SIDE, 3)


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr(playing, "read_picture", None)  # which would decode it
    monkeypatch.setattr(playing, "MOST_PIXELS", 100)
    line = refused(playing.opened, saved(tmp_path, random_pixels(11, 10)), 3)
    assert line.startswith("mine.png is too large: 10 x 11 pixels.")


def test_what_is_no_picture_is_named_without_the_servers_folder(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"no picture")
    line = refused(playing.opened, str(tmp_path / "mine.png"), 3)
    assert line == "Cannot read mine.png: broken or no picture. Give a PNG or JPEG."


def strokes(height, width):
    return np.zeros([height, width, 4], np.uint8)


def test_strokes_hide_the_pixels_that_they_cover_by_half():
    """Painted on a picture that is shown five times as large."""
    picture, layer = random_pixels(4, 6), strokes(20, 30)
    layer[5:10, 10:15, 3] = 255  # the whole of pixel (1, 2)
    layer[5:10, 15:17, 3] = 255  # two fifths of the next
    layer[15:20, 0:3, 3] = 255  # three fifths of (3, 0)
    hidden = playing.painted([strokes(20, 30), layer], picture)
    assert hidden.shape == (4, 6, 1)
    assert [*zip(*np.nonzero(hidden[..., 0]))] == [(1, 2), (3, 0)]


@pytest.mark.parametrize(("alpha", "found"), [(0, "nothing"), (255, "everything")])
def test_strokes_that_leave_nothing_to_do_are_refused(alpha, found):
    line = refused(playing.painted, [strokes(8, 8) + np.uint8(alpha)], random_pixels(4, 4))
    assert line == f"The strokes cover: {found}. Paint over a part of the picture."


class Gray:
    """Fills by a gray of the seed's own."""

    def __init__(self, config):
        self.config = config

    def inpaint(self, images, visible, seed):
        return np.where(visible, images, np.float32(seed % 100 / 100))


def test_fillings_change_what_is_hidden_alone_and_are_bounded(tiny):
    model, picture = Gray(tiny()), random_pixels(8, 8)
    hidden = np.zeros([8, 8, 1], bool)
    hidden[2:6, 2:6] = True
    many = list(playing.fillings(model, picture, hidden, 1000, seed=3))
    assert len(many) == playing.MOST_FILLINGS
    for index, filled in enumerate(many):
        expected = inpaint_picture(model, picture, ~hidden, derived_seed(3, index))
        np.testing.assert_array_equal(filled, expected)
        np.testing.assert_array_equal(filled[~hidden[..., 0]], picture[~hidden[..., 0]])
    assert len({filled.tobytes() for filled in many}) == playing.MOST_FILLINGS


def test_a_small_picture_is_shown_in_blocks_of_its_own_pixels():
    picture = random_pixels(8, 4, 1)
    seen = playing.shown(picture)
    assert seen.shape == (playing.LEAST_SIDE, playing.LEAST_SIDE // 2, 3)
    np.testing.assert_array_equal(seen[::48, ::48], picture.repeat(3, axis=-1))


def test_a_class_that_is_chosen_is_the_one_that_draws(monkeypatch):
    """A model a class is asked for that class's; any other is its own."""

    class Each(playing.PerClassModel):
        labels = (4, 7)

        def __init__(self):
            pass

        def of_class(self, label):
            return f"model {label}"

    assert playing.model_of(Each(), 7) == "model 7"
    assert playing.model_of(Each(), None) == "model 4"
    assert playing.model_of("one", None) == "one"


# -- gradio's layer


@pytest.fixture
def page(tiny):
    pytest.importorskip("gradio")
    from types import SimpleNamespace

    from mgconv.reporting.demo.page import build

    return build(SimpleNamespace(config=tiny(), class_names=["3", "8"], labels=[0, 1]))


def test_the_page_works_on_one_request_at_a_time_and_offers_no_interface_to_programs(page):
    handlers = [function for function in page.fns.values() if function.fn]
    assert handlers
    assert {function.api_visibility for function in handlers} == {"private"}
    queued = [function for function in handlers if function.queue]
    assert {function.concurrency_id for function in queued} == {"model"}
    assert page._queue.max_size


def test_a_mistake_is_a_message_whose_names_are_no_markup():
    gr = pytest.importorskip("gradio")
    from mgconv.reporting.demo.page import _on_the_page

    with pytest.raises(gr.Error) as shown, _on_the_page():
        raise UserError("Cannot read <img>", "broken", "Give another.")
    assert shown.value.message == "Cannot read &lt;img&gt;: broken. Give another."
    assert not shown.value.print_exception
