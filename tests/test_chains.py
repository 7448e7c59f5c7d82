"""Starts of training chains: one contract for all, and what each does by itself."""

import numpy as np
import pytest
import tensorflow as tf

from mgconv.chains import ChainStart, FromCoarser, FromData, Persistent

SHAPE = (4, 4, 4, 2)  # B, s, s, C
STARTS = {
    FromCoarser: FromCoarser,
    FromData: FromData,
    Persistent: lambda: Persistent(3 * SHAPE[0], SHAPE),
}


def images(seed, shape=SHAPE):
    return tf.random.stateless_uniform(shape, [0, seed], -1, 1)


def test_every_chain_start_is_held_to_the_contract():
    kinds = {kind for kind in ChainStart.__subclasses__() if kind.__module__ == "mgconv.chains"}
    assert kinds == set(STARTS)


@pytest.mark.parametrize("make", STARTS.values(), ids=[kind.__name__ for kind in STARTS])
class TestContract:
    """What the learner relies on, of any chain start."""

    def test_a_start_is_a_float32_batch_in_the_box(self, make):
        start = make()
        for visit in range(8):
            for coarser in (images(visit, (4, 1, 1, 2)), images(visit, (4, 2, 2, 2))):
                x0 = start.begin(images(visit), coarser)
                assert x0.shape == SHAPE
                assert x0.dtype == tf.float32
                assert float(tf.reduce_max(tf.abs(x0))) <= 1
                assert start.end(images(100 + visit)) is None

    def test_beginning_changes_nothing(self, make):
        start = make()
        start.end(images(7))
        arguments = images(0), images(1, (4, 2, 2, 2))
        np.testing.assert_array_equal(start.begin(*arguments), start.begin(*arguments))

    def test_after_a_reset_all_is_as_at_first(self, make):
        start, fresh = make(), make()
        for visit in range(5):
            start.end(images(visit))
        start.reset()
        for visit in range(5):
            arguments = images(10 + visit), images(20 + visit, (4, 2, 2, 2))
            np.testing.assert_array_equal(start.begin(*arguments), fresh.begin(*arguments))
            start.end(images(30 + visit))
            fresh.end(images(30 + visit))

    def test_it_works_inside_a_graph_and_is_traced_once(self, make):
        start, eager = make(), make()

        @tf.function
        def visit(observed, coarser, samples):
            x0 = start.begin(observed, coarser)
            start.end(samples)
            return x0

        for index in range(5):
            observed, coarser = images(index), images(index, (4, 2, 2, 2))
            samples = images(50 + index)
            np.testing.assert_array_equal(
                visit(observed, coarser, samples), eager.begin(observed, coarser)
            )
            eager.end(samples)
        assert visit.experimental_get_tracing_count() == 1

    def test_a_checkpoint_holds_its_state(self, make, tmp_path):
        start, other = make(), make()
        for index in range(4):
            start.end(images(index))
        path = tf.train.Checkpoint(start=start).write(str(tmp_path / "start"))
        tf.train.Checkpoint(start=other).read(path).assert_consumed()
        arguments = images(8), images(9, (4, 2, 2, 2))
        np.testing.assert_array_equal(start.begin(*arguments), other.begin(*arguments))


def test_from_coarser_replicates_the_sample_below_and_ignores_the_images():
    coarser = images(0, (4, 2, 2, 2))
    x0 = FromCoarser().begin(images(1), coarser).numpy()
    np.testing.assert_array_equal(x0[:, ::2, ::2], coarser)
    np.testing.assert_array_equal(x0[:, 1::2, 1::2], coarser)
    colors = images(0, (4, 1, 1, 2))
    x0 = FromCoarser().begin(images(1), colors)
    np.testing.assert_array_equal(x0, np.broadcast_to(colors, SHAPE))


def test_from_data_starts_from_the_images():
    np.testing.assert_array_equal(FromData().begin(images(1), images(0, (4, 2, 2, 2))), images(1))


def test_persistent_starts_from_data_at_first_then_goes_round_its_slots():
    """Three slots: visits 0..2 start from data; visit v >= 3 goes on where visit v - 3 ended."""
    start = STARTS[Persistent]()
    assert start.num_slots == 3
    for visit in range(10):
        x0 = start.begin(images(visit), images(0, (4, 2, 2, 2)))
        expected = images(visit) if visit < 3 else images(100 + visit - 3)
        np.testing.assert_array_equal(x0, expected)
        start.end(images(100 + visit))


def test_persistent_chains_keep_what_is_far_below_a_gray_level():
    start = Persistent(SHAPE[0], SHAPE)
    samples = images(0) + 1e-6
    start.end(samples)
    np.testing.assert_array_equal(start.begin(images(1), images(2, (4, 2, 2, 2))), samples)
    assert start.pool.dtype == tf.float32
    assert not start.pool.trainable
