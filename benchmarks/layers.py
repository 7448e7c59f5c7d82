"""What binds a chain: each layer's time against what its FLOPs or its bytes would take at least.

python -m benchmarks.layers --recipes=paper --grids=1,64

A layer is timed alone, forward and input gradient. The least time of a convolution is that of its
FLOPs at the rate of a square matrix product, or of reading and writing its maps at the rate of a
copy if that is more; of all else, that of its maps (forward two, gradient three).
A call from Python costs about a quarter of a millisecond: look at layers that take far longer.
"""

import statistics

from benchmarks import turns
from benchmarks.langevin import (
    PRODUCT,
    about,
    chain,
    configs_of,
    define_recipes,
    make_net,
    matrix_product,
    multiply_adds,
    start,
)
from mgconv.cli.shared.program import main, start_tensorflow

COPIED = 2**24  # floats
CHANNELS = 3


def define_flags(values) -> None:
    """Flags of this program."""
    define_recipes(values)


def run(values) -> None:
    """Prints a table: milliseconds of each layer, its rate, the least time that it could take."""
    configs = configs_of(values)
    start_tensorflow()
    tasks, work, steps = {"matrix product": matrix_product(), "copy": _copy()}, {}, {}
    for config in configs:
        for size in config.learned_sizes:
            grid = f"{config.recipe}, grid {size}"
            work[grid] = {}
            for name, (task, *amounts) in _layers(config, size).items():
                tasks[f"{grid}, {name}"], work[grid][f"{grid}, {name}"] = task, amounts
            tasks[grid], steps[grid] = chain(config, size, CHANNELS), config.num_langevin_steps
    seconds = turns.measure(tasks, values["rounds"].value)
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    peak, bandwidth = 2 * PRODUCT**3 / middle["matrix product"], 8 * COPIED / middle["copy"]
    rows = [
        ["matrix product", _ms(middle["matrix product"]), _flop_rate(peak), "-"],
        ["copy", _ms(middle["copy"]), _byte_rate(bandwidth), "-"],
    ]
    for grid, layers in work.items():
        total = 0.0
        for name, (flops, moved) in layers.items():
            least = max(flops / peak, moved / bandwidth)
            took = middle[name]
            rate = _flop_rate(flops / took) if flops else _byte_rate(moved / took)
            rows.append([name, _ms(took), rate, _ms(least)])
            total += least
        rows.append([f"{grid}: a Langevin step", _ms(middle[grid] / steps[grid]), "-", _ms(total)])
    turns.report(
        values["out"].value,
        "layers",
        f"Layers, {about(configs[0])}; forward and input gradient",
        ["layer", "milliseconds", "rate", "at least"],
        rows,
        seconds=seconds,
    )


def _ms(seconds):
    return f"{1000 * seconds:.3g}"


def _flop_rate(rate):
    return f"{rate / 1e9:.0f} GFLOP/s"


def _byte_rate(rate):
    return f"{rate / 1e9:.1f} GB/s"


def _layers(config, size):
    """(task, FLOPs, bytes read and written) of each layer that a chain runs."""
    net, x = make_net(config, size, CHANNELS), start(config, size, CHANNELS)
    found = {}
    convolved = multiply_adds(net.spec, CHANNELS)[1]
    for index, conv in enumerate(net.spec.convs):
        norm, activate = net.norms[index], net.activations[index]
        layer = net.convolutions[index].fixed(norm.fold)
        y = layer(x)
        flops = 2 * 2 * config.batch_size * convolved[index]
        moved = 4 * 2 * (x.shape.num_elements() + y.shape.num_elements())
        name = f"layer {index + 1}: {conv.filters} x {conv.kernel}/{conv.stride}"
        found[name] = _forward_and_gradient(layer, x), flops, moved
        passes = 4 * 5 * y.shape.num_elements()
        if config.normalization == "batch":
            found[f"norm {index + 1}"] = _forward_and_gradient(norm, y), 0, passes
            y = norm(y)
        found[f"activation {index + 1}"] = _forward_and_gradient(activate, y), 0, passes
        x = activate(y)
    return found


def _forward_and_gradient(layer, x):
    import tensorflow as tf

    @tf.function(autograph=False)
    def both():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = layer(x)
        # of a gradient that does not depend on y TensorFlow would leave y out
        return tape.gradient(y, x, output_gradients=y)[0, 0, 0]

    return lambda: both().numpy()


def _copy():
    import tensorflow as tf

    x = tf.Variable(tf.zeros([COPIED]))

    @tf.function(autograph=False)
    def copy():
        return x.assign(-x)[0]

    return lambda: copy().numpy()


if __name__ == "__main__":
    main(run, define_flags, __doc__)
