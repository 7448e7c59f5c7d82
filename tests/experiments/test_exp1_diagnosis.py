"""Whether persistent chains are the training images: on pools with known answers."""

import numpy as np
import pytest

from experiments.exp1_synthesis.diagnosis import NUM_COMPARED, Subject, persistent_chains
from mgconv.io.images import to_float
from mgconv.models import MultigridModel
from mgconv.training.build import build_learner


@pytest.fixture
def pool_of(tiny, toy_images):
    """The figure's numbers for a pool of given chains, of which some slots were visited."""
    images = toy_images(40)
    config = tiny(method="pcd", pool_size=16)
    reference = to_float(images.pixels[:4])
    learner = build_learner(config, images.colors, reference, len(images))
    model = MultigridModel(learner, config, {"class_names": ["toy"]})

    def facts(chains, num_visits):
        start = learner.grids[-1].start
        start.pool.assign(np.resize(chains, start.pool.shape))
        start.num_visits.assign(num_visits)
        return persistent_chains(Subject(None, model, images, toy_images(20, seed=1)), seed=0)

    return images, facts


def test_a_pool_that_holds_training_images_is_told_from_new_ones(pool_of, toy_images):
    images, facts = pool_of
    _, caption, stored = facts(to_float(images.pixels[:16]), 40)
    assert stored["pool"] < 0.01
    assert stored["nearest over second"] < 0.01
    assert "visited 10.0 times each" in caption
    picture, _, new = facts(to_float(toy_images(16, seed=2).pixels), 40)
    assert new["pool"] == pytest.approx(new["real"], rel=0.1)
    assert new["nearest over second"] > 0.8
    assert picture.dtype == np.uint8


def test_a_slot_without_a_chain_is_no_gray_image_of_the_pool(pool_of):
    images, facts = pool_of
    chains = np.zeros([16, 4, 4, 1], np.float32)
    chains[:8] = to_float(images.pixels[:8])  # two of four slots were visited
    assert NUM_COMPARED > 16
    assert facts(chains, 2)[2]["pool"] < 0.01
    assert facts(chains, 4)[2]["pool"] > 0.5
