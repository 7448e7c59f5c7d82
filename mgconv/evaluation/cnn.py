"""The two-layer CNN on maps of all grids, and its supervised twin (paper: experiment 2)."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mgconv.energy import BatchStatistics, EnergyNet
from mgconv.evaluation.features import Maps, freeze
from mgconv.grids import downsample, upsample
from mgconv.images import to_float

FILTERS = 64  # of both layers; ours, the paper's are not known
SHIFT = 1 / 16  # of the image's side, either way: the augmentation
MAX_EPOCHS, PATIENCE = 100, 10
VALIDATION = 0.2  # share of the labeled subset by which learning stops


class CnnResult(NamedTuple):
    """How one classifier did."""

    predictions: np.ndarray  # int [M], of the test images
    validation_error: float
    epochs: int


def joined(maps: list[tf.Tensor], side: int) -> tf.Tensor:
    """All maps at `side` x `side`, by block means or replication, along their channels."""
    same = [downsample(x, side) if x.shape[1] >= side else upsample(x, side) for x in maps]
    return tf.concat(same, axis=-1)


class GridClassifier(keras.Model):
    """Augmentation, maps, and the CNN on them; `nets` are those that learn, too."""

    def __init__(self, maps: Maps, side: int, num_classes: int, seed: int, nets=()):
        super().__init__()
        self.maps, self.side, self.nets = maps, side, list(nets)
        layers = keras.layers
        self.augment = layers.RandomTranslation(SHIFT, SHIFT, "nearest", seed=seed)
        self.head = keras.Sequential(
            [
                layers.Conv2D(FILTERS, 3, padding="same", activation="relu"),
                layers.MaxPooling2D(padding="same"),
                layers.Conv2D(FILTERS, 3, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dropout(0.5, seed=seed),
                layers.Dense(num_classes, activation="softmax"),
            ]
        )

    def call(self, images, training=False):
        maps = joined(self.maps(self.augment(images, training=training)), self.side)
        return self.head(maps if self.nets else tf.stop_gradient(maps), training=training)


def classify(
    maps: Maps,
    side: int,
    images: np.ndarray,
    labels: np.ndarray,
    test: np.ndarray,
    num_classes: int,
    seed: int,
    nets: list[EnergyNet] = (),
) -> CnnResult:
    """Learns the CNN from a labeled subset, stops by a part of it, and reads the test images.

    Args:
        maps: features, frozen; or those of `nets`, which then learn as well.
        side: to which all maps are brought.
        images: uint8 [N, S, S, C], the labeled subset.
        labels: int [N].
        test: uint8 [M, S, S, C].
        num_classes: of the labels.
        seed: of the validation part, the order, the weights, the augmentation.
        nets: learned end to end from these labels alone; their statistics are frozen at the end.
    """
    keras.utils.set_random_seed(seed)
    held = _held_out(labels, seed)
    model = GridClassifier(maps, side, num_classes, seed, nets)
    for net in nets:
        net.scalar.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", patience=PATIENCE, mode="max", restore_best_weights=True
    )
    history = model.fit(
        to_float(images[~held]), labels[~held], batch_size=50, epochs=MAX_EPOCHS, verbose=0,
        validation_data=(to_float(images[held]), labels[held]), callbacks=[stop],
    ).history  # fmt: skip
    if nets:
        norms = [norm for net in nets for norm in net.norms if isinstance(norm, BatchStatistics)]
        freeze(maps, norms, images[~held])
        model.make_predict_function(force=True)
    predictions = model.predict(to_float(test), batch_size=50, verbose=0).argmax(axis=1)
    error = 1 - max(history["val_accuracy"])
    return CnnResult(predictions, float(error), len(history["val_accuracy"]))


def _held_out(labels: np.ndarray, seed: int) -> np.ndarray:
    """Which of the labeled images stop the learning: a share of every class, bool [N]."""
    rng = np.random.default_rng([seed, 2])
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held[rows[: max(1, round(VALIDATION * len(rows)))]] = True
    return held
