"""What a config makes of a method's learner."""

import numpy as np
import pytest

from mgconv.recipes import METHODS
from mgconv.training.build import build

DATA = {"channels": 1, "num_images": 20, "class_names": ["a", "b"], "labels": [0, 1]}


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if name != "vat_entropy"])
def test_the_factor_multiplies_every_rate_of_a_baseline_and_none_of_ours(method, tiny):
    def rates(**given):
        config = tiny(method=method, grids=(1, 8), batch_size=4, width=0.05, **given)
        return np.array([float(rate) for rate in build(config, DATA).rates])

    factor = 1 if METHODS[method].is_energy_based else 3
    np.testing.assert_allclose(rates(rate_factor=3.0), factor * rates(), rtol=1e-6)
