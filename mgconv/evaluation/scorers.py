"""Networks that judge images: uint8 images -> features and class probabilities."""

import zlib
from pathlib import Path

import keras
import numpy as np

from mgconv.datasets import ImageSet
from mgconv.images import to_float


class Classifier:
    """A small CNN learned with `fit` on the labeled training images of a data set.

    Its figures are called after it, never "Inception score" or "FID".

    Args:
        images: labeled training images.
        folder: where its weights are kept and found again.
        seed: of weights and order.
        epochs: passes through the data.
    """

    def __init__(self, images: ImageSet, folder: Path, seed: int = 0, epochs: int = 40):
        keras.utils.set_random_seed(seed)
        size, channels = images.pixels.shape[1], images.pixels.shape[3]
        self._network = _network(size, channels, len(images.class_names))
        self._features = keras.Model(self._network.inputs, self._network.layers[-2].output)
        key = zlib.crc32(np.ascontiguousarray(images.pixels)) ^ zlib.crc32(images.labels.tobytes())
        path = Path(folder) / f"classifier-{seed}-{epochs}-{key:08x}.weights.h5"
        if path.exists():
            self._network.load_weights(path)
        else:
            self._network.compile("adam", "sparse_categorical_crossentropy")
            self._network.fit(to_float(images.pixels), images.labels, 64, epochs, verbose=0)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._network.save_weights(path)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities [N, K] of uint8 images [N, S, S, C]."""
        return self._network.predict(to_float(images), verbose=0)

    def features(self, images: np.ndarray) -> np.ndarray:
        """Activations [N, D] of the last hidden layer for uint8 images [N, S, S, C]."""
        return self._features.predict(to_float(images), verbose=0)


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
