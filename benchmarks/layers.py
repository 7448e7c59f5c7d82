"""What binds a chain: each layer's time against what its FLOPs and its bytes would take at least.

python -m benchmarks.layers --recipe=paper --grids=1,64

A layer is timed alone, forward and input gradient. The least time of a convolution is that of its
FLOPs at the rate of a square matrix product; of all else, that of reading and writing its maps once
(forward 2 maps, gradient 3) at the rate of a copy.
"""

import statistics

from absl import flags

from benchmarks import turns
from benchmarks.langevin import FIELDS, PRODUCT, chain, make_net, matrix_product, start
from experiments.common import (
    config_for,
    define_config_flags,
    given_settings,
    main,
    start_tensorflow,
)

COPIED = 2**24  # floats


def define_flags(values) -> None:
    """Flags of this program; the default is the paper's own nets and batch."""
    define_config_flags(values, ("recipe", *FIELDS))
    turns.define_flags(values)
    flags.DEFINE_integer("channels", 3, "of the images", 1, flag_values=values)


def run(values) -> None:
    """Prints a table: milliseconds of each layer, rates, least time, share of a Langevin step."""
    given = {"scale": "full", "dataset": "photos", "recipe": "paper", "num_langevin_steps": 10}
    config, channels = config_for(**given | given_settings(values)), values["channels"].value
    start_tensorflow()
    work, tasks = {}, {"matrix product": matrix_product(), "copy": _copy()}
    for size in config.learned_sizes:
        for name, (task, flops, floats) in _layers(config, size, channels).items():
            tasks[f"grid {size}, {name}"] = task
            work[f"grid {size}, {name}"] = flops, 4 * floats
        tasks[f"grid {size}: a Langevin step"] = chain(config, size, channels)
    seconds = turns.measure(tasks, values["rounds"].value)
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    peak, bandwidth = 2 * PRODUCT**3 / middle["matrix product"], 8 * COPIED / middle["copy"]
    rows = [
        ["matrix product", _ms(middle["matrix product"]), f"{peak / 1e9:.0f} GFLOP/s", "-"],
        ["copy", _ms(middle["copy"]), f"{bandwidth / 1e9:.1f} GB/s", "-"],
    ]
    for size in config.learned_sizes:
        names = [name for name in work if name.startswith(f"grid {size},")]
        least = {name: max(work[name][0] / peak, work[name][1] / bandwidth) for name in names}
        for name in names:
            flops, size_ = work[name]
            rate = f"{flops / middle[name] / 1e9:.0f} GFLOP/s"
            rate = rate if flops else f"{size_ / middle[name] / 1e9:.1f} GB/s"
            rows.append([name, _ms(middle[name]), rate, _ms(least[name])])
        step = middle[f"grid {size}: a Langevin step"] / config.num_langevin_steps
        rows.append([f"grid {size}: a Langevin step", _ms(step), "-", _ms(sum(least.values()))])
    turns.report(
        values["out"].value,
        "layers",
        f"Layers of recipe {config.recipe}, width {config.width:g}, batch {config.batch_size}, "
        "forward and input gradient",
        ["layer", "milliseconds", "rate", "at least"],
        rows,
        seconds=seconds,
    )


def _ms(seconds):
    return f"{1000 * seconds:.3g}"


def _layers(config, size, channels):
    """(task, FLOPs, floats read and written) of each layer; FLOPs are 0 but for convolutions."""
    net, x, found = make_net(config, size, channels), start(config, size, channels), {}
    for index, conv in enumerate(net.spec.convs):
        convolve = net.convolutions[index]
        about = f"layer {index + 1}: {conv.filters} x {conv.kernel}/{conv.stride}"
        y = convolve(x)
        multiply_adds = y.shape.num_elements() * conv.kernel**2 * x.shape[-1]
        floats = 2 * (x.shape.num_elements() + y.shape.num_elements())
        task = _forward_and_gradient(convolve, x)
        found[about] = task, 4 * multiply_adds, floats
        for name, layer in (("norm", net.norms[index]), ("activation", net.activations[index])):
            if config.normalization != "none" or name != "norm":
                floats = 5 * y.shape.num_elements()
                found[f"{name} {index + 1}"] = _forward_and_gradient(layer, y), 0, floats
        x = net.activations[index](net.norms[index](y))
    return found


def _forward_and_gradient(layer, x):
    import tensorflow as tf

    @tf.function(autograph=False)
    def both():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, x, output_gradients=tf.ones_like(y))[0, 0, 0]

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
