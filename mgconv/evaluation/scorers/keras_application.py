"""The scorer whose weights are those of a Keras application."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from mgconv.errors import UserError
from mgconv.evaluation.metrics import Predictions
from mgconv.io.files import check_sha256, existing_file
from mgconv.io.images import check_images
from mgconv.layers import standard_keras


class KerasApplication:
    """A Keras application with ImageNet weights from a file; now MobileNet (Howard et al. 2017).

    Features are its global average pool, probabilities its softmax of 1000 classes.

    Args:
        path: mobilenet_v1_ALPHA_SIZE*.npz with one array `layer__weight` for every weight; the
            name says which MobileNet it is.
        sha256: expected of the file; None takes any.

    Raises:
        UserError: no such file, another name or sum, or arrays that are not this network's.
    """

    name = "MobileNet"
    score_name = "MobileNet score"
    distance_name = "MobileNet Frechet distance"

    @standard_keras()
    def __init__(self, path: str | os.PathLike | None, sha256: str | None = None):
        remedy = "Give the .npz of a MobileNet's weights by --scorer_path."
        path = existing_file(path, remedy)
        match = re.match(r"mobilenet_v1_(\d+\.\d+)_(\d+)(?!\d).*\.npz$", path.name)
        if not match:
            expected = "mobilenet_v1_ALPHA_SIZE*.npz, say mobilenet_v1_0.75_224.npz"
            raise UserError(
                "The file's name tells no application", path.name, f"Name it {expected}."
            )
        alpha, size = float(match[1]), int(match[2])
        self.identity = f"MobileNet {alpha} {size} {check_sha256(path, sha256, remedy)}"
        network = keras.applications.MobileNet((size, size, 3), alpha=alpha, weights=None)
        _load_arrays(network, path)
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


def _load_arrays(network: keras.Model, path: Path) -> None:
    """Gives every variable of the network the array `layer__weight` of a .npz; all must match."""
    remedy = "Give one array `layer__weight` for every weight of the network."
    variables = {}
    for layer in network.layers:
        for variable in layer.weights:
            # Keras 3 calls it "kernel"; the published files keep the name that it had before
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            name = "depthwise_kernel" if depthwise else variable.name
            variables[f"{layer.name}__{name}"] = variable
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in arrays.files}
    except Exception:  # zipfile, zlib and NumPy raise nearly anything on a broken file
        raise UserError(f"Cannot read {path}", "no .npz of plain arrays", remedy) from None
    shapes = {key: tuple(variable.shape) for key, variable in variables.items()}
    wrong = [
        key for key in shapes.keys() | found.keys() if not _fits(found.get(key), shapes.get(key))
    ]
    if wrong:
        names = ", ".join(sorted(wrong)[:3])
        what = f"{path} is not of this network"
        raise UserError(what, f"{len(wrong)} missing, unknown or of another shape: {names}", remedy)
    for key, variable in variables.items():
        variable.assign(found[key])


def _fits(array: np.ndarray | None, shape: tuple[int, ...] | None) -> bool:
    return array is not None and array.shape == shape and array.dtype.kind == "f"
