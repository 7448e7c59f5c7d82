"""The networks behind the scorers: uint8 images -> features and class probabilities."""

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mgconv.config import UserError
from mgconv.datasets import ImageSet, batches
from mgconv.images import replacing
from mgconv.records import sha256_of


class Judgement(NamedTuple):
    """What a network says of N images."""

    features: np.ndarray  # float32 [N, D]
    probabilities: np.ndarray  # float32 [N, K], each row a distribution


class Classifier:
    """A small CNN learned with `fit` on the labeled training images of a data set.

    Its figures are called after it, never "Inception score" or "FID".

    Args:
        images: labeled training images.
        folder: where its weights are kept and found again.
        seed: of weights and order.
        epochs: passes through the data; None takes 40, or fewer (4 at least) of many images.
    """

    name = "classifier"
    score_name = "classifier score"
    distance_name = "classifier Frechet distance"

    def __init__(self, images: ImageSet, folder: Path, seed: int = 0, epochs: int | None = None):
        keras.utils.set_random_seed(seed)
        # 40 passes teach digits; of 50,000 images of 32 x 32 they take 2 cores 25 minutes
        epochs = epochs or max(4, min(40, 100_000 // len(images)))
        size, channels = images.pixels.shape[1], images.pixels.shape[3]
        self._network = _network(size, channels, len(images.class_names))
        key = zlib.crc32(np.ascontiguousarray(images.pixels)) ^ zlib.crc32(images.labels.tobytes())
        path = Path(folder) / f"classifier-{seed}-{epochs}-{key:08x}.weights.h5"
        if path.exists():
            self._network.load_weights(path)
        else:
            self._learn(images, seed, epochs)
            with replacing(path) as draft:
                self._network.save_weights(draft)
        outputs = [self._network.layers[-2].output, *self._network.outputs]
        self._judge = _compile(keras.Model(self._network.inputs, outputs))
        self._shape = [size, size, channels]
        weights = hashlib.sha256(b"".join(w.tobytes() for w in self._network.get_weights()))
        self.identity = f"classifier {self._shape} {weights.hexdigest()}"

    def judge(self, images: np.ndarray) -> Judgement:
        check_images(images)
        if list(images.shape[1:]) != self._shape:
            remedy = f"Give images of {self._shape}, as those it learned from."
            raise UserError("The classifier cannot judge", list(images.shape[1:]), remedy)
        return self._judge(images)

    def _learn(self, images, seed, epochs):
        """`fit`, image by image from where they lie."""
        batch_size = min(64, len(images))
        every = list(range(len(images.class_names)))
        stream = batches(images, batch_size, seed, 0, labels=every)
        self._network.compile("adam", "sparse_categorical_crossentropy")
        budget = {"steps_per_epoch": len(images) // batch_size, "epochs": epochs}
        self._network.fit(stream, **budget, shuffle=False, verbose=0)


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
        self._judge = _compile(network, resize_to=size)

    def judge(self, images: np.ndarray) -> Judgement:
        check_images(images)
        return self._judge(images)


def check_images(images: np.ndarray) -> None:
    """Raises a UserError unless they are uint8 [1 or more, S, S, 1 or 3]."""
    shape = list(np.shape(images))
    if getattr(images, "dtype", None) != np.uint8:
        found = getattr(images, "dtype", type(images).__name__)
        raise UserError("Images to judge are of another type", found, "Give uint8 0..255.")
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3):
        raise UserError("Images to judge are of another shape", shape, "Give [N, S, S, 1 or 3].")
    if 0 in shape:
        raise UserError("There is no image to judge", shape, "Give one or more.")


def in_batches(
    function: Callable[[np.ndarray], Sequence[np.ndarray]],
    images: np.ndarray,
    about: str,
    batch_size: int,
) -> list[np.ndarray]:
    """Rows that a function gives of any number of images, in bounded memory, with a progress bar.

    Args:
        function: of images [b, ...] to arrays [b, D], [b, K], ...; the last b may be smaller.
        images: [N, ...], in memory or memory-mapped.
        about: what the progress bar says.
        batch_size: images in memory at once.

    Returns:
        Float32 arrays [N, D], [N, K], ...
    """
    from tqdm import tqdm

    whole: list[np.ndarray] = []
    with tqdm(total=len(images), desc=about, unit=" images", disable=None) as bar:
        for start in range(0, len(images), batch_size):
            batch = np.asarray(images[start : start + batch_size])
            parts = function(batch)
            whole = whole or [np.empty([len(images), x.shape[1]], np.float32) for x in parts]
            for all_rows, rows in zip(whole, parts):
                all_rows[start : start + len(batch)] = rows
            bar.update(len(batch))
    return whole


def to_color(images: np.ndarray) -> np.ndarray:
    """Gray [B, S, S, 1] as [B, S, S, 3]; color as it is."""
    return images.repeat(3, axis=3) if images.shape[3] == 1 else images


def _compile(
    network: keras.Model, resize_to: int | None = None
) -> Callable[[np.ndarray], Judgement]:
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
        return Judgement(*(rows.numpy()[: len(images)] for rows in outputs))

    return run_padded


def _network(size: int, channels: int, num_classes: int) -> keras.Model:
    layers = keras.layers
    stages = []
    for filters in (32, 64) if size < 16 else (32, 64, 128):
        stages += [layers.Conv2D(filters, 3, padding="same", activation="relu")]
        stages += [layers.MaxPooling2D()]
    head = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(64, activation="relu")]
    outputs = layers.Dense(num_classes, activation="softmax")
    return keras.Sequential(
        [keras.Input([size, size, channels]), *stages, *head, outputs], name="classifier"
    )


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


def existing_file(path: str | os.PathLike | None, remedy: str) -> Path:
    """The file with a scorer's weights; a UserError with that remedy where it is missing."""
    if path is None or not Path(path).is_file():
        raise UserError("The scorer's weights are missing", path or "no path given", remedy)
    return Path(path)


def check_sha256(path: Path, expected: str | None, remedy: str) -> str:
    """The file's SHA-256, if it is the expected one or any will do; else a UserError with both."""
    found = sha256_of(path)
    if expected is not None and found != expected.lower():
        remedy += f"; or, where you trust this file, --scorer_sha256={found}."
        raise UserError(f"{path} is not the expected file", f"SHA-256 {found}", remedy)
    return found
