"""Write training steps, chains and the sampler as StableHLO, for machines without TensorFlow.

python -m benchmarks.exported.export --dataset=photos --scale=full --out=exported
python benchmarks/exported/run.py exported --seconds=480      # anywhere with JAX and NumPy
python -m benchmarks.exported.import --exported=exported --out=runs/photos

The folder has config.json as a run has it; about.json, what the programs take and give; state.npz;
images.npy; colors.npy; and the programs: steps_1 and steps_K, updates in one call; sample; chain_S.
"""

import dataclasses
from pathlib import Path

from absl import flags

from benchmarks.langevin import flops
from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError
from mgconv.recipes import METHODS


def define_flags(values) -> None:
    """Flags of this program."""
    define_config_flags(values)
    values["out"].help = "folder of the programs [default runs/exported]"
    flags.DEFINE_integer("updates_a_call", 10, "updates in one call", 2, flag_values=values)


def run(values) -> None:
    """Exports the learner that the flags describe, unlearned."""
    config = config_for(**given_settings(values))
    if not METHODS[config.method].is_energy_based or config.objective != "generative":
        found = f"--method={config.method} --objective={config.objective}"
        raise UserError("Only energies of whole images are exported", found, "Leave it out.")
    check_data(config)
    start_tensorflow(config.devices)
    from mgconv.datasets.table import load_split

    folder = Path(config.out or "runs/exported")
    write(config, load_split(config), folder, values["updates_a_call"].value)
    print(f"{folder}: python benchmarks/exported/run.py {folder}")


def write(config, images, folder: Path, updates_a_call: int) -> None:
    """All of the folder.

    Args:
        config: of the run to be.
        images: its training images.
        folder: made where it is not there.
        updates_a_call: of the larger program.
    """
    import numpy as np
    import tensorflow as tf

    from mgconv.io.files import write_json
    from mgconv.training.records import CONFIG_FILE, FORMAT

    learner, data = make(config, images)
    batch = [config.batch_size, *images.pixels.shape[1:]]
    variables = state_of(learner)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG_FILE, {"format": FORMAT, "config": dataclasses.asdict(config),
                                      "data": data})  # fmt: skip
    np.savez(folder / "state.npz", **{f"{i:04d}": v.numpy() for i, v in enumerate(variables)})
    np.save(folder / "images.npy", images.pixels)
    np.save(folder / "colors.npy", images.colors)
    pixels = [tf.TensorSpec([n, *batch], tf.uint8) for n in (1, updates_a_call)]
    colors = tf.TensorSpec([batch[0], 1, 1, batch[-1]])
    programs = {f"steps_{spec.shape[0]}": (updates(learner), spec) for spec in pixels}
    programs["sample"] = (sampler(learner), colors, tf.TensorSpec([2], tf.int32))
    about = {
        name: write_program(folder / f"{name}.stablehlo", of[0], variables, of[1:])
        for name, of in programs.items()
    }
    about |= {
        f"chain_{grid.size}": write_chain(folder, config, grid, batch[-1]) for grid in learner.grids
    }
    traced = learner.train_step.get_concrete_function(tf.TensorSpec(batch))
    write_json(folder / "about.json", {
        "programs": about, "scalars": sorted(traced.structured_outputs),
        "updates_a_call": updates_a_call, "batch_size": batch[0], "seed": config.seed,
        "flip": config.flip,
        "state": [[v.name, v.dtype.name, v.shape.as_list()] for v in variables],
    })  # fmt: skip


def make(config, images):
    """The learner, unlearned, and the facts of its data."""
    from mgconv.training.build import Start, build
    from mgconv.training.fit import describe, reference_images

    data = describe(images)
    return build(config, data, Start(images.colors, reference_images(images, config))), data


def state_of(learner) -> list:
    """The variables that an update reads or writes, in an order that does not change."""
    import tensorflow as tf

    traced = learner.train_step.get_concrete_function(tf.TensorSpec(learner.reference.shape))
    known = {id(variable.handle): variable for variable in traced.variables}
    return [known[id(handle)] for handle in traced.captured_inputs if id(handle) in known]


def updates(learner):
    """(images uint8 [k, B, S, S, C]) -> scalars of the last of k updates."""
    import tensorflow as tf

    from mgconv.config import PIXEL

    def one(images):
        scalars = learner.train_step(tf.cast(images, tf.float32) * PIXEL - 1.0)
        return [scalars[name] for name in sorted(scalars)]

    def several(images):
        scalars = one(images[0])
        if images.shape[0] == 1:
            return scalars
        return tf.while_loop(
            lambda index, *_: index < images.shape[0],
            lambda index, *_: (index + 1, *one(images[index])),
            [tf.constant(1), *scalars],
        )[1:]

    return several


def sampler(learner):
    """(colors, seed) -> samples of the top grid."""

    def sample(colors, seed):
        return learner.run_chains(colors, seed, None, None)[-1:]

    return sample


def write_program(path: Path, function, variables: list, specs) -> dict:
    """Writes (state, *arguments) -> (new state, *results) as portable StableHLO.

    The state is assigned to the variables, and they are read again at the end. XLA takes the
    variables as further arguments, whose values do not matter, and gives them as further results.
    """
    import tensorflow as tf

    def pure(state, *arguments):
        for variable, value in zip(variables, state):
            variable.assign(value)
        results = function(*arguments)
        return [variable.read_value() for variable in variables], results

    state = [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables]
    compiled = tf.function(pure, input_signature=[state, *specs], autograph=False, jit_compile=True)
    zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), [state, *specs])
    program = compiled.experimental_get_compiler_ir(*zeros)(stage="stablehlo_serialized")
    path.write_bytes(program)
    traced = compiled.get_concrete_function()
    places = {id(variable.handle): index for index, variable in enumerate(variables)}
    further = [places[id(handle)] for handle in traced.captured_inputs]
    num = len(tf.nest.flatten(traced.structured_outputs)) - len(variables)
    return {"state": len(variables), "results": num, "further": further}


def write_chain(folder: Path, config, grid, channels: int) -> dict:
    """Writes (x0, seed) -> the end of a training chain, with the weights inside."""
    import keras
    import tensorflow as tf

    weights = [(weight, weight.numpy()) for weight in grid.net.weights]
    dynamics = grid.training_dynamics

    def chain(x0, seed):
        constants = [(weight, tf.constant(value)) for weight, value in weights]
        with keras.StatelessScope(state_mapping=constants):
            return grid.langevin(grid.net.fixed(), x0, dynamics, seed)[0]

    shape = [config.batch_size, grid.size, grid.size, channels]
    signature = [tf.TensorSpec(shape), tf.TensorSpec([2], tf.int32)]
    compiled = tf.function(chain, signature, autograph=False, jit_compile=True)
    zeros = [tf.zeros(spec.shape, spec.dtype) for spec in signature]
    program = compiled.experimental_get_compiler_ir(*zeros)(stage="stablehlo_serialized")
    (folder / f"chain_{grid.size}.stablehlo").write_bytes(program)
    gigaflop = flops(config, grid.size, channels) / 1e9
    return {"shape": shape, "gigaflop": gigaflop, "state": 0, "results": 1, "further": []}


if __name__ == "__main__":
    main(run, define_flags, __doc__)
