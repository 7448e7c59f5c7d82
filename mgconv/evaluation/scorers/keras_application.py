"""The scorer whose weights are those of a Keras application."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mgconv.errors import UserError, brief
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.scorers.weights import MOBILENET
from mgconv.io.images import check_images
from mgconv.layers import standard_keras

NAME = re.compile(r"mobilenet_(?:v1_(\d+\.\d+)|(1_0|7_5|5_0|2_5))_(\d+)(?!\d).*\.(npz|h5)$")
ALPHAS = {"1_0": 1.0, "7_5": 0.75, "5_0": 0.5, "2_5": 0.25}  # in the names of Keras's own files


class KerasApplication:
    """A Keras application with ImageNet weights from a file; now MobileNet (Howard et al. 2017).

    Features are its global average pool, probabilities its softmax of 1000 classes.

    Args:
        path: Keras's own mobilenet_7_5_224_tf.h5, say, or a mobilenet_v1_ALPHA_SIZE*.npz with one
            array `layer__weight` for every weight; the name says which MobileNet it is.
        sha256: expected of the weights, whichever file they are in; None takes any.

    Raises:
        UserError: no such file, another name or sum, or weights that are not this network's.
    """

    name = "MobileNet"
    score_name = "MobileNet score"
    distance_name = "MobileNet Frechet distance"

    @standard_keras()
    def __init__(self, path: str | os.PathLike | None, sha256: str | None = None):
        path = MOBILENET.find(path)
        match = NAME.match(path.name)
        if not match:
            expected = "mobilenet_v1_ALPHA_SIZE*.npz, say mobilenet_v1_0.75_224.npz"
            raise UserError(
                "The file's name tells no application", path.name, f"Name it {expected}."
            )
        alpha, size = float(match[1] or ALPHAS[match[2]]), int(match[3])
        network = _mobilenet(path, (size, size, 3), alpha)
        found = hashlib.sha256(b"".join(w.tobytes() for w in network.get_weights())).hexdigest()
        self.identity = f"MobileNet {alpha} {size} {MOBILENET.check(path, found, sha256)}"
        pools = [x for x in network.layers if isinstance(x, keras.layers.GlobalAveragePooling2D)]
        network = keras.Model(network.inputs, [pools[-1].output, network.output])
        self._predict = compile_network(network, resize_to=size)

    def predict(self, images: np.ndarray) -> Predictions:
        check_images(images)
        return self._predict(images)


def to_color(images: np.ndarray) -> np.ndarray:
    """Gray [B, S, S, 1] as [B, S, S, 3]; color as it is."""
    return images.repeat(3, axis=3) if images.shape[3] == 1 else images


def compile_network(
    network: keras.Model, resize_to: int | None = None
) -> Callable[[np.ndarray], Predictions]:
    """A function of uint8 [B, S, S, C] that runs a network with outputs (features, probabilities).

    Its weights are constants, so that TensorFlow folds batch normalization into the convolutions:
    a fifth faster on a CPU. The largest batch yet decides the shape, and smaller ones are padded
    to it, so that a last batch is no new shape to trace.

    Args:
        network: takes [-1, 1]; one with `resize_to` takes color, others as many channels as given.
        resize_to: side to which images are resized first.
    """
    trained = [np.asarray(v) for v in network.trainable_variables]
    others = [np.asarray(v) for v in network.non_trainable_variables]

    @tf.function
    def run(images):
        x = tf.cast(images, tf.float32)
        if resize_to:
            x = tf.image.resize(x, [resize_to, resize_to])
            x = tf.image.grayscale_to_rgb(x) if x.shape[3] == 1 else x
        weights = ([tf.constant(v) for v in values] for values in (trained, others))
        outputs, _ = network.stateless_call(*weights, x / 127.5 - 1, training=False)
        return [tf.reshape(rows, [images.shape[0], -1]) for rows in outputs]

    batch_size = 0

    def run_padded(images):
        nonlocal batch_size
        batch_size = max(batch_size, len(images))
        padding = [[0, batch_size - len(images)], [0, 0], [0, 0], [0, 0]]
        outputs = run(tf.constant(np.pad(images, padding)))
        return Predictions(*(rows.numpy()[: len(images)] for rows in outputs))

    return run_padded


def _mobilenet(path: Path, shape: tuple[int, int, int], alpha: float) -> keras.Model:
    """The network with the weights of a file."""
    try:
        if path.suffix == ".h5":
            return keras.applications.MobileNet(shape, alpha=alpha, weights=str(path))
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        network = keras.applications.MobileNet(shape, alpha=alpha, weights=None)
        network.set_weights([arrays[name] for name in _names(network)])
        return network
    except Exception as error:  # h5py, zipfile, zlib and NumPy raise nearly anything
        remedy = "Give Keras's own .h5, or an .npz with one array `layer__weight` for each weight."
        raise UserError(f"Cannot read the weights in {path}", brief(error), remedy) from None


def _names(network: keras.Model) -> Iterator[str]:
    """`layer__weight` of every weight, in the network's order."""
    for layer in network.layers:
        for weight in layer.weights:
            # Keras 3 calls it "kernel"; the published files keep the name that it had before
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            yield f"{layer.name}__{'depthwise_kernel' if depthwise else weight.name}"
