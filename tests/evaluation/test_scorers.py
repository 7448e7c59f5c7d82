"""Networks that score images: one contract for all; each refuses weights that are not its own."""

import contextlib
import dataclasses
import hashlib
import http.server
import sys
import threading
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import refused

from mgconv.datasets.table import load_images
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.scorers.classifier import Classifier
from mgconv.evaluation.scorers.inception import Inception2015, TorchFidelity
from mgconv.evaluation.scorers.keras_application import KerasApplication
from mgconv.evaluation.scorers.table import SCORERS, make_scorer, predict, predict_real
from mgconv.evaluation.scorers.weights import INCEPTION, MOBILENET, TORCH, Weights

WEIGHTS = Path(__file__).parents[3] / "shared/data/weights"
ARRAYS = WEIGHTS / "mobilenet_v1_0.75_224_keras_imagenet.npz"
needs_mobilenet = pytest.mark.skipif(not ARRAYS.exists(), reason="no weights")


# -- the classifier


@pytest.fixture(scope="module")
def digits():
    return {split: load_images("digits", split, 8) for split in ("train", "test")}


@pytest.fixture(scope="module")
def learned(digits, tmp_path_factory):
    """(classifier, folder of its weights)."""
    folder = tmp_path_factory.mktemp("classifier") / "new"
    return Classifier(digits["train"], folder, epochs=12), folder


def test_the_classifier_recognizes_digits_that_it_has_not_seen(learned, digits):
    probabilities = learned[0].predict(digits["test"].pixels).probabilities
    accuracy = (probabilities.argmax(axis=1) == digits["test"].labels).mean()
    assert accuracy > 0.93


def test_probabilities_are_a_distribution_and_features_one_row_an_image(learned, digits):
    pixels = digits["test"].pixels[:30]
    probabilities = learned[0].predict(pixels).probabilities
    assert probabilities.shape == (30, 10)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    features = learned[0].predict(pixels).features
    assert features.shape == (30, 64)
    assert (features >= 0).all()  # after the activation
    np.testing.assert_allclose(learned[0].predict(pixels[:3]).features, features[:3], atol=1e-4)


def test_judging_has_no_randomness(learned, digits):
    """Dropout is for learning only."""
    pixels = digits["test"].pixels[:50]
    np.testing.assert_array_equal(
        learned[0].predict(pixels).probabilities, learned[0].predict(pixels).probabilities
    )


def test_kept_weights_are_used_again(learned, digits, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("learned again")

    monkeypatch.setattr(keras.Model, "fit", fail)
    classifier, folder = learned
    again, pixels = Classifier(digits["train"], folder, epochs=12), digits["test"].pixels
    np.testing.assert_array_equal(
        again.predict(pixels).probabilities, classifier.predict(pixels).probabilities
    )
    np.testing.assert_array_equal(
        again.predict(pixels).features, classifier.predict(pixels).features
    )
    with pytest.raises(AssertionError, match="learned again"):
        Classifier(digits["train"], folder, seed=1, epochs=12)


def test_many_images_are_learned_in_fewer_epochs(toy_images, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **options: asked.append(options["epochs"]))
    for num, epochs in ((100, 40), (5000, 20), (40_000, 4)):
        Classifier(toy_images(num, class_names=("a", "b")), tmp_path)
        assert asked.pop() == epochs


def test_a_classifier_with_other_weights_has_another_identity(learned, digits, tmp_path):
    classifier, folder = learned
    assert Classifier(digits["train"], folder, epochs=12).identity == classifier.identity
    other = Classifier(digits["train"], tmp_path, epochs=1)
    assert other.identity != classifier.identity


def test_a_classifier_takes_its_own_size_only(learned, toy_images):
    words = refused(predict, learned[0], toy_images(size=4).pixels)
    assert "[4, 4, 1]" in words and "[8, 8, 1]" in words


# -- stand-ins for the weights that cannot be had here


def frozen_graph():
    """A graph with the nodes of the 2015 network, of its version, with 3 features and 5 classes.

    It has the batch normalization that TensorFlow removed in 2016, as the true one does.
    """
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8

    def add(name, op, *inputs, **attributes):
        node = graph.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(value)

    attr = tf.compat.v1.AttrValue
    floats = {"T": attr(type=tf.float32.as_datatype_enum)}

    def constant(name, value):
        tensor = attr(tensor=tf.make_tensor_proto(value))
        kind = attr(type=tensor.tensor.dtype)
        add(name, "Const", dtype=kind, value=tensor)

    def ints(*values):
        return attr(list=attr.ListValue(i=values))

    rng = np.random.default_rng(0)
    add("DecodeJpeg", "Placeholder", dtype=floats["T"])
    constant("ExpandDims/dim", np.int32(0))
    add("ExpandDims", "ExpandDims", "DecodeJpeg", "ExpandDims/dim", **floats)
    constant("ResizeBilinear/size", np.array([4, 4], np.int32))
    add("ResizeBilinear", "ResizeBilinear", "ExpandDims", "ResizeBilinear/size", **floats)
    moments = {"moving_mean": [100, 128, 140], "moving_variance": [2500] * 3,
               "beta": [0, 0.1, 0.2], "gamma": [1] * 3}  # fmt: skip
    for name, value in moments.items():
        constant(f"conv/batchnorm/{name}", np.array(value, np.float32))
    add("conv/batchnorm", "BatchNormWithGlobalNormalization", "ResizeBilinear",
        *(f"conv/batchnorm/{name}" for name in moments), variance_epsilon=attr(f=1e-3),
        scale_after_normalization=attr(b=False), **floats)  # fmt: skip
    add("pool_3", "AvgPool", "conv/batchnorm", ksize=ints(1, 4, 4, 1), strides=ints(1, 1, 1, 1),
        padding=attr(s=b"VALID"), **floats)  # fmt: skip
    constant("pool_3/_reshape/shape", np.array([1, 3], np.int32))  # the true one takes one image
    add("pool_3/_reshape", "Reshape", "pool_3", "pool_3/_reshape/shape", **floats)
    constant("softmax/weights", rng.normal(size=[3, 5]).astype(np.float32))
    add("softmax/logits/MatMul", "MatMul", "pool_3/_reshape", "softmax/weights", **floats)
    constant("softmax/biases", np.full(5, 100, np.float32) * np.arange(5, dtype=np.float32))
    add("softmax/logits", "BiasAdd", "softmax/logits/MatMul", "softmax/biases", **floats)
    add("softmax", "Softmax", "softmax/logits", **floats)
    weights = tf.make_ndarray(
        next(n for n in graph.node if n.name == "softmax/weights").attr["value"].tensor
    )
    return graph.SerializeToString(), moments, weights


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory):
    """(path of a stand-in for classify_image_graph_def.pb, its SHA-256)."""
    path = tmp_path_factory.mktemp("inception") / "classify_image_graph_def.pb"
    path.write_bytes(frozen_graph()[0])
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def torch_fidelity(monkeypatch):
    """A stub of the package: features are channel means, logits are their differences."""

    class FeatureExtractorInceptionV3:
        def __init__(self, name, features_list, feature_extractor_weights_path=None):
            assert isinstance(name, str)
            assert features_list == ["2048", "logits_unbiased"]
            self.path = feature_extractor_weights_path

        def __call__(self, x):
            assert x.dtype == np.uint8
            assert x.shape[1] == 3
            means = x.mean(axis=(2, 3)) / 10
            return means, means - means[:, :1] + 1000  # a softmax that overflows is no softmax

    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = FeatureExtractorInceptionV3
    torch = types.SimpleNamespace(from_numpy=np.asarray, no_grad=contextlib.nullcontext)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture(scope="session")
def small_mobilenet(tmp_path_factory):
    """The path of random weights of the smallest MobileNet; beside it, as Keras names its own."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet((32, 32, 3), alpha=0.25, weights=None)
    path = tmp_path_factory.mktemp("mobilenet") / "mobilenet_v1_0.25_32_random.npz"
    np.savez(path, **arrays_of(network))
    network.save(path.with_name("mobilenet_2_5_32_tf.h5"))
    return path


def arrays_of(network):
    arrays = {}
    for layer in network.layers:
        for variable in layer.weights:
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            name = "depthwise_kernel" if depthwise else variable.name
            arrays[f"{layer.name}__{name}"] = np.asarray(variable)
    return arrays


# -- the contract


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    """Where the classifier of the contract is learned once."""
    return tmp_path_factory.mktemp("toy")


@pytest.fixture
def weights_of(request, tmp_path):
    """The path and the SHA-256 of small weights of the scorer of a name."""

    def find(name):
        if name == "inception2015":
            return request.getfixturevalue("inception_file")
        if name == "torch_fidelity":
            request.getfixturevalue("torch_fidelity")
            path = tmp_path / "weights.pth"
            path.write_bytes(b"weights")
            return path, hashlib.sha256(b"weights").hexdigest()
        path = request.getfixturevalue("small_mobilenet")
        with np.load(path) as arrays:
            content = b"".join(arrays[key].tobytes() for key in arrays.files)
        return path, hashlib.sha256(content).hexdigest()

    return find


@pytest.fixture(params=SCORERS)
def scorer(request, toy_images, toy_folder, weights_of):
    """Every scorer, small; the classifier has learned images of 16 x 16 in color."""
    if request.param == "classifier":
        images = toy_images(12, 16, 3, ("a", "b"))
        return make_scorer("classifier", images=images, folder=toy_folder)
    path, sha256 = weights_of(request.param)
    return make_scorer(request.param, path=path, sha256=sha256)


def test_every_scorer_keeps_the_contract(scorer, toy_images):
    """A row of features and a distribution an image; batches, padding and order change nothing."""
    pixels = toy_images(11, 16, 3).pixels
    once = scorer.predict(pixels)
    assert isinstance(once, Predictions)
    for batch_size in (11, 4, 1, 50):
        predictions = predict(scorer, pixels, batch_size=batch_size)
        assert predictions.features.dtype == predictions.probabilities.dtype == np.float32
        assert len(predictions.features) == len(predictions.probabilities) == 11
        assert (predictions.probabilities >= 0).all()
        np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)
        for rows, expected in zip(predictions, once):
            np.testing.assert_allclose(rows, expected, atol=1e-4)
    reverse = predict(scorer, pixels[::-1], batch_size=4)
    np.testing.assert_allclose(reverse.features[::-1], once.features, atol=1e-4)
    assert np.ptp(once.features, axis=0).max() > 0


def test_every_scorer_is_called_after_its_network(scorer):
    the_2015_network = isinstance(scorer, Inception2015)
    assert (scorer.score_name == "Inception score") == the_2015_network
    assert (scorer.distance_name == "FID") == the_2015_network
    if not the_2015_network:
        assert scorer.score_name == f"{scorer.name} score"
        assert scorer.distance_name == f"{scorer.name} Frechet distance"


def test_every_scorer_takes_uint8_only(scorer, toy_images):
    pixels = toy_images(2, 16, 3).pixels
    for wrong in (pixels / 255, pixels.astype(int), pixels / np.float32(127.5) - 1, [[1, 2]]):
        assert "Give uint8 0..255" in refused(scorer.predict, wrong)
        assert "Give uint8 0..255" in refused(predict, scorer, wrong)
    for wrong in (pixels[0], pixels[:, :8], pixels[..., :2], pixels.reshape(2, -1)):
        assert "Give [N, S, S, 1 or 3]" in refused(scorer.predict, wrong)
    assert "no image" in refused(scorer.predict, pixels[:0])


WITH_WEIGHTS = [name for name, row in SCORERS.items() if row.weights]


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_weights_that_are_missing_are_told_and_not_fetched(name, torch_fidelity, tmp_path):
    for path in (None, str(tmp_path / "none.npz"), str(tmp_path)):
        words = refused(make_scorer, name, path=path)
        assert "are missing" in words
        assert "--scorer_path" in words and "--scorer_download" in words
        assert SCORERS[name].weights.url in words


def test_an_unknown_scorer_and_a_classifier_without_classes_are_told(toy_images, tmp_path):
    assert "Did you mean inception2015" in refused(make_scorer, "inception")
    assert "labeled" in refused(make_scorer, "classifier")
    assert "12 of one class" in refused(
        make_scorer, "classifier", images=toy_images(), folder=tmp_path
    )


def test_gray_images_are_judged_as_their_colors(small_mobilenet, inception_file, toy_images):
    gray = toy_images(3, 16, 1).pixels
    for scorer in (KerasApplication(small_mobilenet), Inception2015(*inception_file)):
        for one, three in zip(scorer.predict(gray), scorer.predict(gray.repeat(3, axis=3))):
            np.testing.assert_allclose(one, three, atol=1e-5)


# -- downloads


class Publisher(http.server.BaseHTTPRequestHandler):
    """Serves a file as it is, cut, or another."""

    content, fault = b"", "none"
    asked: list[str] = []  # noqa: RUF012  of all requests

    def do_GET(self):
        self.asked.append(self.path)
        if self.fault == "nowhere":
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        content = self.content[: len(self.content) // 2] if self.fault == "cut" else self.content
        self.wfile.write(content[::-1] if self.fault == "other" else content)

    def log_message(self, *of):
        pass


@pytest.fixture(params=WITH_WEIGHTS)
def published(request, weights_of, monkeypatch):
    """A server of a scorer's weights: the scorer's name, their path, the server's handler."""
    name = request.param
    path, sha256 = weights_of(name)
    file = path.with_name("mobilenet_2_5_32_tf.h5") if name == "keras" else path
    handler = type("Handler", (Publisher,), {"content": file.read_bytes(), "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        weights = Weights(f"http://127.0.0.1:{server.server_port}/of/{file.name}", sha256)
        row = dataclasses.replace(SCORERS[name], weights=weights)
        monkeypatch.setitem(SCORERS, name, row)
        yield name, path, handler
        server.shutdown()


def test_published_weights_are_fetched_once_and_it_is_said(published, toy_images, tmp_path, capfd):
    name, path, handler = published
    url, sha256 = dataclasses.astuple(SCORERS[name].weights)
    pixels = toy_images(4, 32, 3).pixels
    known = make_scorer(name, path=path, sha256=sha256)
    assert not handler.asked
    capfd.readouterr()
    fetched = make_scorer(name, download=tmp_path / "cache")
    assert capfd.readouterr().out == f"Fetching {url}\n"
    again = make_scorer(name, download=tmp_path / "cache")
    assert capfd.readouterr().out == ""
    assert len(handler.asked) == 1
    assert fetched.identity == again.identity == known.identity
    for found, expected in zip(again.predict(pixels), known.predict(pixels)):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_wrong_reply_is_one_line_and_leaves_nothing(published, tmp_path, monkeypatch):
    name, _, handler = published
    other = "Cannot read the weights" if name == "keras" else "is not the expected file"
    for fault, words in (("nowhere", "404"), ("cut", "more expected"), ("other", other)):
        monkeypatch.setattr(handler, "fault", fault)
        assert words in refused(make_scorer, name, download=tmp_path / "cache")
        assert not list((tmp_path / "cache").rglob("*.*"))
    monkeypatch.setattr(handler, "fault", "none")
    strange = refused(make_scorer, name, download=tmp_path / "cache", sha256="0" * 64)
    assert f"--scorer_sha256={SCORERS[name].weights.sha256}" in strange
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_a_server_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    row = dataclasses.replace(SCORERS["keras"], weights=Weights("http://127.0.0.1:9/a.h5", ""))
    monkeypatch.setitem(SCORERS, "keras", row)
    assert "Cannot fetch http" in refused(make_scorer, "keras", download=tmp_path / "cache")
    assert not list(tmp_path.rglob("*.*"))


def test_published_weights_are_known_by_whole_sums_and_fetched_safely():
    for weights in (INCEPTION, MOBILENET, TORCH):
        assert len(bytes.fromhex(weights.sha256)) == 32
        assert weights.url.startswith("https://")
    assert TORCH.sha256[:8] in TORCH.url  # as PyTorch's hub names its files


# -- many images


class Counting:
    """A scorer that counts its calls; features are channel means."""

    name, score_name, distance_name, identity = "c", "c score", "c Frechet distance", "c 1"

    def __init__(self):
        self.batches = []

    def predict(self, images):
        self.batches.append(len(images))
        means = images.mean(axis=(1, 2))
        return Predictions(means, means / means.sum(axis=1, keepdims=True))


def test_a_memory_mapped_set_is_judged_in_batches(toy_images, tmp_path):
    pixels = toy_images(23, 8, 3).pixels
    np.save(tmp_path / "pixels.npy", pixels)
    scorer = Counting()
    predictions = predict(scorer, np.load(tmp_path / "pixels.npy", mmap_mode="r"), batch_size=10)
    assert scorer.batches == [10, 10, 3]
    np.testing.assert_allclose(predictions.features, pixels.mean(axis=(1, 2)), rtol=1e-6)


def test_real_images_are_judged_once_for_a_key_and_a_network(toy_images, tmp_path):
    pixels, scorer = toy_images(5, 8, 3).pixels, Counting()
    key = {"dataset": "toy", "split": "train", "size": 8}
    first = predict_real(scorer, pixels, key, tmp_path / "new" / "cache")
    assert isinstance(first.features, np.memmap)
    again = predict_real(scorer, pixels, dict(reversed(key.items())), tmp_path / "new" / "cache")
    assert scorer.batches == [5]
    for rows, expected in zip(again, scorer.predict(pixels)):
        np.testing.assert_allclose(rows, expected, rtol=1e-6)
    scorer.batches.clear()
    predict_real(scorer, pixels, key | {"split": "test"}, tmp_path / "new" / "cache")
    scorer.identity = "c 2"
    predict_real(scorer, pixels, key, tmp_path / "new" / "cache")
    predict_real(scorer, pixels[:4], key, tmp_path / "new" / "cache")
    assert scorer.batches == [5, 5, 4]


def test_a_broken_or_half_written_cache_is_made_anew(toy_images, tmp_path, monkeypatch):
    pixels, scorer = toy_images(5, 8, 3).pixels, Counting()
    predict_real(scorer, pixels, {}, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [f.suffix for f in files] == [".npy", ".npy"]
    files[0].write_bytes(files[0].read_bytes()[:-1])
    predict_real(scorer, pixels, {}, tmp_path)
    files[1].unlink()
    predict_real(scorer, pixels, {}, tmp_path)
    assert scorer.batches == [5, 5, 5]

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert "No space left" in refused(predict_real, scorer, pixels, {"other": 1}, tmp_path)
    assert sorted(tmp_path.iterdir()) == files  # no draft is left


# -- the 2015 network


def test_the_graph_gives_pooled_features_and_logits_without_their_bias(inception_file):
    _, moments, weights = frozen_graph()
    pixels = np.array([[10, 200, 30], [90, 90, 250]], np.uint8)[:, None, None]
    predictions = Inception2015(*inception_file).predict(pixels.repeat(6, axis=1).repeat(6, axis=2))
    mean, variance, beta, _ = (np.array(value) for value in moments.values())
    features = (pixels[:, 0, 0] - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(predictions.features, features, rtol=1e-5)
    odds = np.exp(features @ weights)
    expected = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(predictions.probabilities, expected, rtol=1e-4)


def test_another_file_than_the_published_is_not_parsed(inception_file, torch_fidelity, monkeypatch):
    path, found = inception_file
    monkeypatch.setattr(tf.compat.v1, "GraphDef", None)
    for scorer in (Inception2015, TorchFidelity):
        words = refused(scorer, path)
        assert f"SHA-256 {found}" in words
        assert f"--scorer_sha256={found}" in words
        assert "http" in words


# -- torch-fidelity


def test_the_optional_package_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert "pip install torch-fidelity" in refused(make_scorer, "torch_fidelity", path="x")


# -- Keras applications


@pytest.mark.parametrize(
    ("damage", "words"), [("missing", "conv_dw_3__depthwise_kernel"), ("shape", "shape")]
)
def test_arrays_that_are_not_of_the_network_are_refused(small_mobilenet, tmp_path, damage, words):
    with np.load(small_mobilenet, allow_pickle=False) as arrays:
        arrays = dict(arrays)
    kernel = arrays.pop("conv_dw_3__depthwise_kernel")
    if damage == "shape":
        arrays["conv_dw_3__depthwise_kernel"] = kernel[:2]
    path = tmp_path / small_mobilenet.name
    np.savez(path, **arrays)
    assert words in refused(KerasApplication, path)


def test_a_file_that_holds_no_arrays_is_refused(tmp_path):
    path, own = tmp_path / "mobilenet_v1_0.25_32.npz", tmp_path / "mobilenet_2_5_32_tf.h5"
    for content in (b"", b"PK\x03\x04", b"nothing"):
        path.write_bytes(content)
        assert "Cannot read" in refused(KerasApplication, path)
    own.write_bytes(content)
    assert "Cannot read" in refused(KerasApplication, own)
    np.savez(path, conv1__kernel=np.array([{}], object))
    assert "Cannot read" in refused(KerasApplication, path)


def test_the_name_of_the_file_tells_the_application(tmp_path):
    for name in (
        "resnet50.npz",
        "mobilenet_v2_0.75_224.npz",
        "mobilenet_v1_224.npz",
        "mobilenet_3_3_224.h5",
    ):
        path = tmp_path / name
        path.write_bytes(b"")
        assert "mobilenet_v1_ALPHA_SIZE" in refused(KerasApplication, path)


def test_folded_constants_compute_what_the_network_does(small_mobilenet, toy_images):
    """With moving averages and scales that are not those of a new network."""
    rng = np.random.default_rng(0)
    network = keras.applications.MobileNet((32, 32, 3), alpha=0.25, weights=None)
    for variable in network.weights:
        variable.assign(variable + 0.1 * rng.uniform(size=variable.shape))
    path = small_mobilenet.with_name("mobilenet_v1_0.25_32_other.npz")
    np.savez(path, **arrays_of(network))
    pixels = toy_images(6, 32, 3).pixels
    predictions = KerasApplication(path).predict(pixels)
    expected = network.predict(pixels / np.float32(127.5) - 1, verbose=0)
    np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-5)
    assert KerasApplication(path).identity != KerasApplication(small_mobilenet).identity


@needs_mobilenet
def test_the_published_mobilenet_recognizes_a_palace_and_a_flower():
    """Scikit-learn's two pictures; ImageNet: 698 palace, 985 daisy.

    The features are those that stood in tables when arrays were assigned one by one.
    """
    from sklearn.datasets import load_sample_images

    pictures = np.stack([image[:420, :420] for image in load_sample_images().images])
    predictions = KerasApplication(ARRAYS, MOBILENET.sha256).predict(pictures)
    assert predictions.features.shape == (2, 768)
    assert predictions.probabilities.shape == (2, 1000)
    palace, flower = predictions.probabilities.argsort(axis=1)[:, ::-1]
    assert palace[0] == 698
    assert 985 in flower[:3]
    some = [[3.48957, 0.271365, 0, 1.024782], [0.002176, 0.758788, 0.167565, 0.309568]]
    np.testing.assert_allclose(predictions.features[:, :384:96], some, atol=1e-4)
    np.testing.assert_allclose(predictions.features.sum(axis=1), [530.820, 338.308], rtol=1e-5)
