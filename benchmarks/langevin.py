"""Speed of the Langevin chains of each grid against the machine's best matrix product.

python -m benchmarks.langevin --recipe=paper --width=1
"""

import statistics
import time

from absl import flags

from experiments.common import (
    config_for,
    define_config_flags,
    given_settings,
    main,
    start_tensorflow,
)

FIELDS = ("recipe", "nets", "grids", "width", "batch_size", "num_langevin_steps")


def define_flags(values) -> None:
    """Flags of this program; the default is the paper's own nets and batch."""
    define_config_flags(values, FIELDS)
    flags.DEFINE_integer("rounds", 5, "measurements of each, in turn", 1, flag_values=values)
    flags.DEFINE_integer("channels", 3, "of the images", 1, flag_values=values)


def run(values) -> None:
    """Prints a table: seconds a Langevin step, GFLOP/s, share of the matrix product's."""
    settings = {"recipe": "paper", "scale": "full", "dataset": "photos"} | given_settings(values)
    config = config_for(**{"num_langevin_steps": 5} | settings)
    start_tensorflow()
    channels, rounds = values["channels"].value, values["rounds"].value
    tasks = {size: _chain(config, size, channels) for size in config.learned_sizes}
    tasks["product"] = _product()
    for task, _ in tasks.values():
        task()  # traces, warms up
    seconds: dict = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (task, _) in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    rates = {n: [tasks[n][1] / s / 1e9 for s in times] for n, times in seconds.items()}
    peak = statistics.median(rates["product"])
    print(f"recipe {config.recipe}, width {config.width}, batch {config.batch_size}")
    print("grid      GFLOP/s (min .. max)   of the product   s a Langevin step")
    for name, rate in rates.items():
        middle = statistics.median(rate)
        step = statistics.median(seconds[name]) / config.num_langevin_steps
        shown = f"{step:.4f}" if name != "product" else "-"
        spread = f"({min(rate):.0f} .. {max(rate):.0f})"
        print(f"{name!s:8} {middle:8.1f} {spread:>14} {middle / peak:14.0%} {shown:>19}")


def _chain(config, size: int, channels: int):
    """A chain of one grid as a function, and its floating-point operations."""
    import tensorflow as tf

    from mgconv.config import grid_spec
    from mgconv.energy import EnergyNet
    from mgconv.langevin import langevin

    spec = grid_spec(config.nets, size, config.width)
    net = EnergyNet(spec, channels, 0, config.normalization, config.activation)
    x0 = tf.random.stateless_uniform([config.batch_size, size, size, channels], [1, 2], -1, 1)

    @tf.function(autograph=False)
    def chain():
        return langevin(net, x0, config.training, tf.constant([0, 1]))[0]

    flops = config.batch_size * _flops(spec, channels) * config.num_langevin_steps
    return lambda: chain().numpy(), flops


def _flops(spec, channels: int) -> int:
    """2 x multiply-adds of f and of its input gradient for one image, as direct convolutions."""
    side, total = spec.size, 0
    for conv in spec.convs:
        side = -(-side // conv.stride)
        total += side * side * conv.kernel**2 * channels * conv.filters
        channels = conv.filters
    return 2 * 2 * (total + side * side * channels)


def _product(size: int = 2048):
    """The square float32 matrix product, and its floating-point operations."""
    import tensorflow as tf

    a = tf.random.stateless_normal([size, size], [0, 0])
    return lambda: tf.matmul(a, a).numpy(), 2 * size**3


if __name__ == "__main__":
    main(run, define_flags, __doc__)
