"""Drawing in bounded memory, interrupted and not; the parts of a score."""

import numpy as np
import pytest

from mgconv.evaluation import synthesis
from mgconv.evaluation.metrics import Predictions, inception_score_splits, num_score_parts
from mgconv.evaluation.samples import LabeledSamples
from mgconv.evaluation.synthesis import draw, score_samples, weights_key
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


@pytest.mark.parametrize(
    ("num_images", "num_classes", "parts"),
    [
        (50_000, 1008, 10),  # as published
        (5000, 1008, 1),
        (9999, 1000, 1),
        (10_000, 1000, 2),
        (540, 10, 1),  # the test digits
        (5000, 10, 10),
        (1499, 10, 2),
        (3, 10, 1),
    ],
)
def test_every_part_of_a_score_has_enough_images(num_images, num_classes, parts):
    assert num_score_parts(num_images, num_classes) == parts


def test_the_score_of_few_certain_predictions_is_not_low():
    """140 images, 14 of each of 10 classes: the score is 10, and 6 as a mean over 10 parts."""
    labels = np.arange(140) % 10
    sure = np.eye(10)[labels]
    assert inception_score_splits(sure)[0] < 8
    pixels = np.random.default_rng(0).integers(0, 256, [140, 2, 2, 1], np.uint8)
    real = LabeledSamples(pixels, labels)
    read = Predictions(pixels.reshape(140, 4).astype(np.float32), sure)
    scores = score_samples(real, real, read, read, reads_classes=True)
    assert (scores.score, scores.score_parts) == (pytest.approx(10), 1)
    assert np.isnan(scores.score_std)


@pytest.mark.parametrize(("num_images", "num_classes"), [(500, 10), (5000, 10), (1000, 20)])
def test_parts_of_random_labels_miss_the_score_by_one_percent_at_most(num_images, num_classes):
    labels = np.random.default_rng(0).integers(0, num_classes, num_images)
    parts = num_score_parts(num_images, num_classes)
    score, _ = inception_score_splits(np.eye(num_classes)[labels], parts)
    assert score == pytest.approx(num_classes, rel=0.011)
