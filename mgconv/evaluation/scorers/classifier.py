"""The scorer that is trained here: a small CNN on the labeled training images."""

import hashlib
import zlib
from pathlib import Path

import keras
import numpy as np

from mgconv.datasets.batches import batches
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.evaluation.metrics import Predictions
from mgconv.evaluation.scorers.keras_application import compile_network
from mgconv.io.files import replacing
from mgconv.io.images import check_images
from mgconv.layers import standard_keras


class Classifier:
    """A small CNN trained with `fit` on the labeled training images of a data set.

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

    @standard_keras()
    def __init__(self, images: ImageSet, folder: Path, seed: int = 0, epochs: int | None = None):
        keras.utils.set_random_seed(seed)
        # 40 passes teach digits; of 50,000 images of 32 x 32 they take 2 cores 25 minutes
        epochs = epochs or max(4, min(40, 100_000 // len(images)))
        size, channels = images.pixels.shape[1], images.pixels.shape[3]
        self._network = _network(size, channels, len(images.class_names))
        key = zlib.crc32(np.ascontiguousarray(images.pixels).data) ^ zlib.crc32(
            images.labels.tobytes()
        )
        path = Path(folder) / f"classifier-{seed}-{epochs}-{key:08x}.weights.h5"
        if path.exists():
            self._network.load_weights(path)
        else:
            self._learn(images, seed, epochs)
            with replacing(path) as draft:
                self._network.save_weights(draft)
        outputs = [self._network.layers[-2].output, *self._network.outputs]
        self._predict = compile_network(keras.Model(self._network.inputs, outputs))
        self._shape = [size, size, channels]
        weights = hashlib.sha256(b"".join(w.tobytes() for w in self._network.get_weights()))
        self.identity = f"classifier {self._shape} {weights.hexdigest()}"

    def predict(self, images: np.ndarray) -> Predictions:
        check_images(images)
        if list(images.shape[1:]) != self._shape:
            remedy = f"Give images of {self._shape}, as those it was trained on."
            raise UserError("The classifier cannot score", list(images.shape[1:]), remedy)
        return self._predict(images)

    def _learn(self, images, seed, epochs):
        """`fit`, image by image from where they lie."""
        batch_size = min(64, len(images))
        every = list(range(len(images.class_names)))
        stream = batches(images, batch_size, seed, 0, labels=every)
        self._network.compile("adam", "sparse_categorical_crossentropy")
        budget = {"steps_per_epoch": len(images) // batch_size, "epochs": epochs}
        self._network.fit(stream, **budget, shuffle=False, verbose=0)


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
