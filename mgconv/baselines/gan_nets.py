"""Generator and critic of Radford et al. 2015, which the WGAN publications take over."""

from collections.abc import Iterator

import keras

from mgconv.layers import EPSILON


def layer_norm():
    """Over a whole map; Gulrajani et al. put it in place of batch normalization."""
    return keras.layers.GroupNormalization(groups=1, epsilon=EPSILON)


def generator(inputs: int, filters: list[int], channels: int, seed: int) -> keras.Model:
    """Vectors [B, inputs] -> images [B, S, S, channels] in [-1, 1], S = 4 * 2^len(filters)."""
    layers, initial = keras.layers, initializers(seed)
    coarsest, *finer = filters[::-1]
    stack = [layers.Dense(16 * coarsest, use_bias=False, kernel_initializer=next(initial))]
    stack += [layers.Reshape([4, 4, coarsest])]
    for number in (*finer, channels):
        stack += [
            layers.BatchNormalization(momentum=0.9, epsilon=EPSILON),
            layers.Activation("relu"),
        ]
        stack += [layers.Conv2DTranspose(number, 5, 2, "same", kernel_initializer=next(initial))]
    return keras.Sequential(
        [keras.Input([inputs]), *stack, layers.Activation("tanh")], name="generator"
    )


def _value(images, features, initial):
    return keras.layers.Dense(1, kernel_initializer=initial)(features)


def critic(
    size: int, channels: int, filters: list[int], make_norm, seed: int, read=_value
) -> keras.Model:
    """A model of every layer's map after its activation, and the value, [B, 1].

    Args:
        size: pixels a side.
        channels: of the images and what stands beside them.
        filters: of each layer, from the image up.
        make_norm: of all but the first.
        seed: of the weights.
        read: makes the value of the images, the last map flattened, and an initializer.
    """
    layers, initial, maps = keras.layers, initializers(seed), []
    x = inputs = keras.Input([size, size, channels])
    for index, number in enumerate(filters):
        x = layers.Conv2D(number, 5, 2, "same", kernel_initializer=next(initial))(x)
        x = make_norm()(x) if index else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        maps.append(x)
    value = read(inputs, layers.Flatten()(x), next(initial))
    return keras.Model(inputs, [*maps, value], name="critic")


def initializers(seed: int) -> Iterator[keras.initializers.Initializer]:
    """Weights from N(0, 0.02), one seed a layer: Keras repeats the numbers of a seed."""
    while True:
        yield keras.initializers.RandomNormal(stddev=0.02, seed=seed)
        seed += 2
