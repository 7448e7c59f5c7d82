"""Speed of the Langevin chains of each grid against the machine's best matrix product.

python -m benchmarks.langevin --recipes=paper,released,modern --width=1
python -m benchmarks.langevin --variants=float32,jit_compile,bfloat16
python -m benchmarks.langevin --recipes=modern --scale=quick --batch_sizes=4,8,16,32,64
"""

import dataclasses
import itertools
import statistics

from absl import flags

from benchmarks import turns
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import choose
from mgconv.recipes import RECIPES

FIELDS = ("scale", "nets", "grids", "width", "batch_size", "num_langevin_steps")
PRODUCT = 2048  # rows and columns of the matrices
VARIANTS = {
    "float32": {}, "jit_compile": {"jit_compile": True}, "bfloat16": {"mixed_precision": "bfloat16"}
}  # fmt: skip


def define_flags(values) -> None:
    """Flags of this program; the default is the paper's own nets and batch."""
    define_recipes(values)
    flags.DEFINE_integer("channels", 3, "of the images", 1, flag_values=values)
    flags.DEFINE_list("variants", ["float32"], f"of {', '.join(VARIANTS)}", flag_values=values)
    flags.DEFINE_list("batch_sizes", None, "batches to compare instead of variants; writes "
                      "batches.json", flag_values=values)  # fmt: skip


def define_recipes(values) -> None:
    """Flags that say whose chains."""
    define_config_flags(values, FIELDS)
    turns.define_flags(values)
    flags.DEFINE_list("recipes", ["paper"], f"of {', '.join(RECIPES)}", flag_values=values)


def configs_of(values) -> list[Config]:
    """One a recipe, ten Langevin steps where no number is given."""
    given = {"scale": "full", "dataset": "photos", "num_langevin_steps": 10}
    given |= given_settings(values)
    return [config_for(**given | {"recipe": recipe}) for recipe in values["recipes"].value]


def run(values) -> None:
    """Prints a table: seconds a Langevin step, GFLOP/s, share of the matrix product's."""
    configs, channels = configs_of(values), values["channels"].value
    batches = values["batch_sizes"].value or []
    variants = {
        name: VARIANTS[choose("variant", name, VARIANTS)] for name in values["variants"].value
    }
    if batches:
        variants = {f"batch {size}": {"batch_size": int(size)} for size in batches}
    start_tensorflow()
    chains = {
        f"{config.recipe}, grid {size}, {name}": (dataclasses.replace(config, **change), size)
        for config, (name, change) in itertools.product(configs, variants.items())
        for size in config.learned_sizes
    }
    tasks = {name: chain(*of, channels) for name, of in chains.items()}
    seconds = turns.measure(tasks | {"matrix product": matrix_product()}, values["rounds"].value)
    work = {name: flops(*of, channels) for name, of in chains.items()}
    work["matrix product"] = 2 * PRODUCT**3
    rates = {n: [work[n] / s / 1e9 for s in times] for n, times in seconds.items()}
    steps = configs[0].num_langevin_steps
    turns.report(
        values["out"].value,
        "batches" if batches else "langevin",
        f"Chains, {about(configs[0], ', '.join(batches))}, counted as direct convolutions",
        ["chain", "GFLOP/s", "of the matrix product", "seconds a Langevin step"],
        [
            [
                name,
                turns.spread(rate),
                f"{statistics.median(turns.ratios(rate, rates['matrix product'])):.0%}",
                f"{statistics.median(seconds[name]) / steps:.4f}" if name in chains else "-",
            ]
            for name, rate in rates.items()
        ],
        seconds=seconds,
    )


def about(config, batch: str = "") -> str:
    """Settings that all chains of a table share."""
    return (
        f"width {config.width:g}, batch {batch or config.batch_size}, "
        f"{config.num_langevin_steps} Langevin steps"
    )


def chain(config, size: int, channels: int):
    """A chain of one grid as a function without arguments."""
    import tensorflow as tf

    from mgconv.langevin import langevin

    net, x0 = make_net(config, size, channels), start(config, size, channels)
    run_chain = tf.function(langevin, jit_compile=True) if config.jit_compile else langevin

    @tf.function(autograph=False)
    def whole():
        return run_chain(net.fixed(), x0, config.training_dynamics(size), tf.constant([0, 1]))[0]

    return lambda: whole().numpy()


def make_net(config, size: int, channels: int):
    """The net of one grid."""
    from mgconv.energy import EnergyNet

    spec = config.spec(size)
    settings = (config.normalization, config.activation, config.reference_sigma)
    return EnergyNet(spec, channels, 0, *settings, config.mixed_precision)


def start(config, size: int, channels: int):
    """Noise from which chains start, [B, s, s, C]."""
    import tensorflow as tf

    return tf.random.stateless_uniform([config.batch_size, size, size, channels], [1, 2], -1, 1)


def flops(config, size: int, channels: int) -> int:
    """Of a chain: 2 x multiply-adds of f and of its input gradient, as direct convolutions."""
    spec = config.spec(size)
    sides, convolved = multiply_adds(spec, channels)
    connected = sides[-1] ** 2 * spec.convs[-1].filters
    return config.batch_size * config.num_langevin_steps * 2 * 2 * (sum(convolved) + connected)


def multiply_adds(spec, channels: int) -> tuple[list[int], list[int]]:
    """Side of each convolution's map, and its multiply-adds for one image."""
    side, sides, convolved = spec.size, [], []
    for conv in spec.convs:
        sides.append(side := -(-side // conv.stride))
        convolved.append(side**2 * conv.kernel**2 * channels * conv.filters)
        channels = conv.filters
    return sides, convolved


def matrix_product():
    """The square float32 matrix product."""
    import tensorflow as tf

    a = tf.random.stateless_normal([PRODUCT, PRODUCT], [0, 0])
    return lambda: tf.matmul(a, a).numpy()


if __name__ == "__main__":
    main(run, define_flags, __doc__)
