"""A model a class: whose noise is whose."""

import itertools

import numpy as np

from mgconv.langevin import derived_seed
from mgconv.models import PerClassModel


class Noise:
    """The model of a class whose samples are noise of the seed that it is given."""

    def synthesize(self, num, seed):
        return np.random.default_rng(seed).normal(size=[num, 2, 2, 1])


def test_no_class_has_the_noise_of_another_class_at_another_seed():
    names = {"class_names": list("abc")}
    model = PerClassModel(None, names, lambda: [0, 1, 2], lambda label, before: Noise())
    drawn = {
        (seed, label): model.synthesize([label, label], seed)
        for seed, label in itertools.product(range(3), range(3))
    }
    for (_, one), (_, other) in itertools.combinations(drawn.items(), 2):
        assert not np.isclose(one, other).any()
    np.testing.assert_array_equal(model.synthesize([1, 1], 2), drawn[2, 1])
    both = model.synthesize([2, 1, 2, 1], 2)  # a class's images do not depend on the others
    np.testing.assert_array_equal(both[1::2], drawn[2, 1])


def test_every_pair_of_seed_and_index_has_a_seed_of_its_own():
    pairs = itertools.product(range(100), range(100))
    assert len({derived_seed(*pair) for pair in pairs}) == 100**2
