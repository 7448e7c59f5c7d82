"""Drawing in bounded memory, interrupted and not; comparable draws of real images."""

import numpy as np
import pytest

from mgconv.evaluation import synthesis
from mgconv.evaluation.synthesis import draw, weights_key
from mgconv.io.images import to_float
from mgconv.training.fit import learn


class Counter:
    """A system whose images tell their label, and that counts what it was asked for."""

    def __init__(self, fail_at=None):
        self.asked, self.fail_at = [], fail_at

    def synthesize(self, labels, seed):
        if len(self.asked) == self.fail_at:
            raise KeyboardInterrupt
        self.asked.append(len(labels))
        pixels = np.zeros([len(labels), 2, 2, 1], np.uint8) + labels[:, None, None, None]
        pixels[:, 0, 0, 0] = seed % 200
        return to_float(pixels.astype(np.uint8))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(synthesis, "CHUNK", 10)


def test_images_are_drawn_chunk_by_chunk_in_the_order_of_their_labels(tmp_path):
    labels, system = np.arange(37) % 5, Counter()
    images = draw(system, labels, 3, tmp_path / "x.npy")
    assert system.asked == [10, 10, 10, 7]
    np.testing.assert_array_equal(images[:, 1, 1, 0], labels)
    assert len(np.unique(images[:, 0, 0, 0])) == 4  # a seed a chunk
    assert isinstance(images, np.memmap)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def test_an_interrupted_draw_goes_on_and_ends_as_the_uninterrupted_one(tmp_path):
    labels = np.arange(37) % 5
    whole = draw(Counter(), labels, 3, tmp_path / "whole.npy")
    with pytest.raises(KeyboardInterrupt):
        draw(Counter(fail_at=2), labels, 3, tmp_path / "x.npy")
    assert not (tmp_path / "x.npy").exists()
    system = Counter()
    np.testing.assert_array_equal(draw(system, labels, 3, tmp_path / "x.npy"), whole)
    assert system.asked == [10, 7]
    again = Counter()
    np.testing.assert_array_equal(draw(again, labels, 3, tmp_path / "x.npy"), whole)
    assert not again.asked


def test_the_key_of_the_weights_changes_when_learning_goes_on(tiny, toy_images, tmp_path):
    config = tiny(method="cd1", grids=(1, 4))
    learn(config, toy_images(), tmp_path / "run")
    key = weights_key(tmp_path / "run")
    assert weights_key(tmp_path / "run") == key
    learn(tiny(method="cd1", grids=(1, 4), num_updates=6), toy_images(), tmp_path / "run")
    assert weights_key(tmp_path / "run") != key


def test_a_draft_that_was_killed_is_no_part(tmp_path):
    labels = np.arange(25) % 5
    (tmp_path / "x.parts").mkdir()
    (tmp_path / "x.parts" / ".7.000001.npy").write_bytes(b"half")
    images = draw(Counter(), labels, 3, tmp_path / "x.npy")
    np.testing.assert_array_equal(images[:, 1, 1, 0], labels)
