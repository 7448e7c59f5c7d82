"""The two-layer CNN on maps of all grids, and its supervised twin (paper: experiment 2)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mgconv.datasets.few_labels import for_validation
from mgconv.energy import EnergyNet
from mgconv.evaluation.frozen import freeze
from mgconv.io.images import to_float
from mgconv.layers import BatchStatistics, standard_keras

DEPTH = 2  # first layers of every net that are read; this and what follows chosen on SVHN's
# training images, see README
FILTERS = 64  # of both layers
LEARNING_RATE = 2e-3
SHIFT = 1 / 16  # of the image's side, either way: the augmentation
BATCH_SIZE, PATIENCE = 50, 10
MAX_EPOCHS, MAX_UPDATES = 100, 1200  # whichever is reached first
WARM = 1 / 4  # of the epochs, before the first look at validation
MOMENTUM = 0.99  # of averages of statistics and weights; or less: over a tenth of the training
SMOOTHING = 0.1  # of labels
WAIT, SHARE = 200, 0.1  # updates of the head alone; then the rate of nets trained before, in its

GridMaps = Callable[[tf.Tensor], list[list[tf.Tensor]]]  # images -> maps of each grid's layers


class CnnResult(NamedTuple):
    """How one classifier did."""

    predictions: np.ndarray  # int [M], of the test images
    validation_error: float
    epochs: int


def joined(maps: list[list[tf.Tensor]], side: int) -> tf.Tensor:
    """The first maps of every grid at `side` x `side` along their channels, [B, side, side, K].

    Finer ones by their blocks' maximum, others by their nearest pixels.
    """
    read = [x for grid in maps for x in grid[:DEPTH]]
    return tf.concat([_resized(x, side) for x in read], axis=-1)


def _resized(x, side):
    block = max(1, x.shape[1] // side)
    x = tf.nn.max_pool2d(x, block, block, "SAME")
    return x if x.shape[1] == side else tf.image.resize(x, [side, side], "nearest")


class GridClassifier(keras.Model):
    """Augmentation, maps, and the CNN on them; `nets` are trained, too."""

    def __init__(self, maps: GridMaps, side: int, num_classes: int, seed: int, momentum, nets=()):
        super().__init__()
        self.maps, self.side, self.nets = maps, side, list(nets)
        layers = keras.layers
        self.augment = layers.RandomTranslation(SHIFT, SHIFT, "nearest", seed=seed)
        self.head = keras.Sequential(
            [
                layers.BatchNormalization(momentum=momentum),
                *_stage(momentum),
                layers.MaxPooling2D(padding="same"),
                layers.Dropout(0.2, seed=seed),
                *_stage(momentum),
                layers.Flatten(),
                layers.Dropout(0.5, seed=seed + 1),
                layers.Dense(num_classes, activation="softmax"),
            ]
        )

    def call(self, images, training=False):
        maps = joined(self.maps(self.augment(images, training=training)), self.side)
        return self.head(maps if self.nets else tf.stop_gradient(maps), training=training)


def _stage(momentum):
    layers = keras.layers
    convolution = layers.Conv2D(FILTERS, 3, padding="same", use_bias=False)
    return convolution, layers.BatchNormalization(momentum=momentum), layers.Activation("relu")


class HeadFirst(keras.optimizers.Adam):
    """Adam with weights that are known to be good: they stay at first, then move slowly.

    Args:
        slow: those weights; their rate is 0 for a while, then SHARE of the others'.
        wait: number of the first updates without them.
        rate: of the others.
        **options: of Adam.
    """

    def __init__(self, slow: Sequence[keras.Variable], wait: int, rate: float, **options):
        super().__init__(rate, **options)
        self.wait, self._slow = wait, {id(weight.value) for weight in slow}

    def update_step(self, gradient, variable, learning_rate):
        """The update of one weight."""
        if id(variable) in self._slow:
            late = tf.convert_to_tensor(self.iterations) >= self.wait
            learning_rate = tf.where(late, SHARE, 0.0) * tf.convert_to_tensor(learning_rate)
        super().update_step(gradient, variable, learning_rate)


@standard_keras()
def classify(
    maps: GridMaps,
    side: int,
    images: np.ndarray,
    labels: np.ndarray,
    test: np.ndarray,
    num_classes: int,
    seed: int,
    nets: Sequence[EnergyNet] = (),
    fine_tuned: bool = False,
) -> CnnResult:
    """Trains the CNN on a labeled subset, stops by a part of it, and reads the test images.

    Labels are smoothed, and what reads images are averaged weights.

    Args:
        maps: features, frozen; or those of `nets`, which then are trained as well.
        side: to which all maps are brought.
        images: uint8 [N, S, S, C], the labeled subset.
        labels: int [N].
        test: uint8 [M, S, S, C].
        num_classes: of the labels.
        seed: of the validation part, the order, the weights, the augmentation.
        nets: trained on these labels as well; their statistics are frozen at the end.
        fine_tuned: the nets know something already: the head begins alone, and they follow slowly.
    """
    keras.utils.set_random_seed(seed)
    held = for_validation(labels, seed)
    updates = -(-int((~held).sum()) // BATCH_SIZE)  # of an epoch
    epochs = min(MAX_EPOCHS, -(-MAX_UPDATES // updates))
    momentum = min(MOMENTUM, 1 - 10 / max(20, epochs * updates))
    model = GridClassifier(maps, side, num_classes, seed, momentum, nets)
    for net in nets:
        for unread in (*net.convolutions[DEPTH:], *net.norms[DEPTH:], net.scalar):
            unread.trainable = False
    wait = min(WAIT, epochs * updates // 4)
    slow = [weight for net in nets if fine_tuned for weight in net.trainable_variables]
    optimizer = HeadFirst(slow, wait, LEARNING_RATE, use_ema=True, ema_momentum=momentum)
    smoothed = keras.losses.CategoricalCrossentropy(label_smoothing=SMOOTHING)
    model.compile(optimizer, smoothed, metrics=["accuracy"])
    first = int(WARM * epochs) + wait // updates * fine_tuned
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", patience=PATIENCE, mode="max", restore_best_weights=True,
        start_from_epoch=first,
    )  # fmt: skip
    averaged = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)  # before who keeps the best
    known = np.eye(num_classes, dtype=np.float32)[labels]
    history = model.fit(
        to_float(images[~held]), known[~held], batch_size=BATCH_SIZE, verbose=0,
        epochs=epochs,
        validation_data=(to_float(images[held]), known[held]), callbacks=[averaged, stop],
    ).history  # fmt: skip
    if nets:
        norms = [norm for net in nets for norm in net.norms if isinstance(norm, BatchStatistics)]
        freeze(maps, norms, images[~held])
        model.make_predict_function(force=True)
    predictions = model.predict(to_float(test), batch_size=BATCH_SIZE, verbose=0).argmax(axis=1)
    error = 1 - max(history["val_accuracy"][first:])
    return CnnResult(predictions, float(error), len(history["val_accuracy"]))
