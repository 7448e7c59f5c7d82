"""The network of the Inception score and the FID: its original graph, and a port to PyTorch."""

import os

import numpy as np
import tensorflow as tf

from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.scorers.keras_application import to_color
from mgconv.evaluation.scorers.weights import INCEPTION, TORCH
from mgconv.io.files import sha256_of
from mgconv.io.images import check_images


class Inception2015:
    """The network of the Inception score (Salimans et al. 2016) and the FID (Heusel et al. 2017).

    The frozen graph takes 0..255 and resizes to 299 x 299 itself. Features are its last pool,
    [2048]; probabilities the softmax of 1008 logits without their bias, as Salimans et al. do.

    It runs in a session. A tf.function would lose the version of the graph, 2015, and with it the
    right to its batch normalization, an operation removed since (tensorflow issue 2164).

    Args:
        path: classify_image_graph_def.pb.
        sha256: expected of the file; checked before it is parsed.

    Raises:
        UserError: no such file, or another than expected.
    """

    name = "Inception"
    score_name = "Inception score"
    distance_name = "FID"

    def __init__(self, path: str | os.PathLike | None, sha256: str = INCEPTION.sha256):
        path = INCEPTION.find(path)
        self.identity = f"Inception 2015 {INCEPTION.check(path, sha256_of(path), sha256)}"
        definition = tf.compat.v1.GraphDef()
        definition.ParseFromString(path.read_bytes())
        graph = tf.Graph()
        with graph.as_default():
            self._images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
            pool, product = tf.graph_util.import_graph_def(
                definition,
                {"ExpandDims:0": self._images},
                ["pool_3:0", "softmax/logits/MatMul"],
                name="",
            )
            weight = product.inputs[1]  # [2048, 1008]
            features = tf.reshape(pool, [-1, weight.shape[0]])  # [B, 2048]
            self._outputs = Predictions(features, tf.nn.softmax(features @ weight))
        self._session = tf.compat.v1.Session(graph=graph)

    def predict(self, images: np.ndarray) -> Predictions:
        check_images(images)
        given = {self._images: to_color(images).astype(np.float32)}
        return Predictions(*self._session.run(list(self._outputs), given))


class TorchFidelity:
    """The port of the 2015 network to PyTorch by torch-fidelity, an optional package.

    Features and probabilities are those of `Inception2015`, but for rounding.

    Args:
        path: the published weights.
        sha256: expected of the file. It is a pickle, so it is checked before it is loaded.

    Raises:
        UserError: no such file, or another than expected.
    """

    name = "torch-fidelity Inception"
    score_name = "torch-fidelity Inception score"
    distance_name = "torch-fidelity Inception Frechet distance"

    def __init__(self, path: str | os.PathLike | None, sha256: str = TORCH.sha256):
        import torch
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        path = TORCH.find(path)
        self.identity = f"torch-fidelity {TORCH.check(path, sha256_of(path), sha256)}"
        self._torch = torch
        self._extract = FeatureExtractorInceptionV3(
            "inception-v3-compat",
            ["2048", "logits_unbiased"],
            feature_extractor_weights_path=str(path),
        )

    def predict(self, images: np.ndarray) -> Predictions:
        check_images(images)
        planes = np.ascontiguousarray(to_color(images).transpose(0, 3, 1, 2))  # [B, 3, S, S]
        with self._torch.no_grad():
            features, logits = self._extract(self._torch.from_numpy(planes))
        logits = np.asarray(logits, np.float32)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Predictions(np.asarray(features, np.float32), odds / odds.sum(axis=1, keepdims=True))
