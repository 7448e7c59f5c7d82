"""Figures and network beside those of torch-fidelity, where that package is installed."""

import numpy as np
import pytest

from mgconv.evaluation.metrics import (
    frechet_distance,
    inception_score,
    kernel_distance,
    precision_recall,
)
from mgconv.evaluation.scorers.table import make_scorer
from mgconv.io.files import sha256_of

torch = pytest.importorskip("torch")
pytest.importorskip("torch_fidelity")
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc  # noqa: E402
from torch_fidelity.feature_extractor_inceptionv3 import (  # noqa: E402
    FeatureExtractorInceptionV3,
)

FEATURES = ["2048", "logits_unbiased"]


@pytest.fixture(scope="module")
def features():
    """Of 120 real and 120 synthesized images, [N, 6]: not Gaussian, of other mean and spread."""
    rng = np.random.default_rng(0)
    real, drawn = rng.gamma(2, size=[2, 120, 6]).astype(np.float32)
    return real, 0.8 * drawn + 0.3 * drawn[:, ::-1]


def test_the_score_is_torch_fidelity_s():
    logits = np.random.default_rng(1).normal(size=[90, 7]) * 3
    odds = np.exp(logits)
    theirs = metric_isc.isc_features_to_metric(torch.from_numpy(logits), splits=1)
    expected = theirs["inception_score_mean"]
    assert inception_score(odds / odds.sum(axis=1, keepdims=True)) == pytest.approx(expected)


def test_the_frechet_distance_is_torch_fidelity_s(features):
    moments = [metric_fid.fid_features_to_statistics(torch.from_numpy(x)) for x in features]
    expected = metric_fid.fid_statistics_to_metric(*moments, False)["frechet_inception_distance"]
    assert frechet_distance(*features) == pytest.approx(expected, rel=1e-4)


def test_the_kernel_distance_of_one_subset_is_torch_fidelity_s(features):
    sizes = {"kid_subsets": 1, "kid_subset_size": 120, "verbose": False}
    theirs = metric_kid.kid_features_to_metric(*map(torch.from_numpy, features), **sizes)
    found, _ = kernel_distance(*features, num_subsets=1, subset_size=120)
    assert found == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)


def test_precision_and_recall_are_torch_fidelity_s(features):
    real, drawn = map(torch.from_numpy, features)
    theirs = metric_prc.prc_features_to_metric(drawn, real, verbose=False)
    precision, recall = precision_recall(*features)
    assert 0 < precision < 1 and 0 < recall < 1
    assert (precision, recall) == pytest.approx((theirs["precision"], theirs["recall"]))


@pytest.fixture
def network(monkeypatch, tmp_path):
    """torch-fidelity's network with random weights, and the file of them."""
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("random", FEATURES, "none")
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    return network, tmp_path / "weights.pth"


def test_the_scorer_says_what_torch_fidelity_s_network_says(network, toy_images):
    network, path = network
    scorer = make_scorer("torch_fidelity", path=path, sha256=sha256_of(path))
    pixels = toy_images(1, 32, 3).pixels
    features, logits = network(torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()))
    found = scorer.predict(pixels)
    assert np.ptp(found.features) > 0
    np.testing.assert_allclose(found.features, features, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.probabilities, logits.softmax(dim=1), rtol=1e-4)
