"""The sampler as one compiled program with the weights inside, for programs without this package.

colors float32 [B, 1, 1, C] and seed int32 [2] -> samples of every grid, coarse to fine, float32
[B, s, s, C] in [-1, 1]. B is the model's batch size.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import mgconv
from mgconv.io.files import draft_of, sha256_of, write_json
from mgconv.models.multigrid import MultigridModel

ABOUT, COLORS, PROGRAM = "sampler.json", "colors.npy", "sampler.stablehlo"


def sampler(model: MultigridModel, jit_compile: bool = False) -> Any:
    """A tf.function of colors and a seed, whose weights are constants."""
    weights = [(weight, weight.numpy()) for net in model.nets for weight in net.weights]

    def sample(colors, seed):
        constants = [(weight, tf.constant(value)) for weight, value in weights]
        with keras.StatelessScope(state_mapping=constants):
            return model.learner.run_chains(colors, seed, None, None)

    colors = tf.TensorSpec([model.learner.batch_size, 1, 1, model.shape[-1]], name="colors")
    signature = [colors, tf.TensorSpec([2], tf.int32, name="seed")]
    return tf.function(sample, signature, autograph=False, jit_compile=jit_compile)


def write_stablehlo(model: MultigridModel, folder: Path) -> None:
    """Writes the program as portable StableHLO; XLA's noise is another than TensorFlow's own."""
    function = sampler(model, jit_compile=True)
    arguments = [tf.zeros(spec.shape, spec.dtype) for spec in function.input_signature]
    program = function.experimental_get_compiler_ir(*arguments)(stage="stablehlo_serialized")
    (folder / PROGRAM).write_bytes(program)


def write_saved_model(model: MultigridModel, folder: Path) -> None:
    """Writes a SavedModel: tf.saved_model.load(folder).sample(colors, seed)."""
    module = tf.Module()
    module.sample = sampler(model)
    tf.saved_model.save(module, str(folder), signatures=module.sample)


WRITERS: dict[str, Callable[[MultigridModel, Path], None]] = {
    "stablehlo": write_stablehlo, "savedmodel": write_saved_model,
}  # fmt: skip


def write_program(model: MultigridModel, folder: Path, kind: str) -> None:
    """Writes a folder with the sampler, the colors that chains start from, and what they are.

    Args:
        model: of one class.
        folder: new, or of an earlier export, which it replaces.
        kind: a key of WRITERS.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    with draft_of(folder, ABOUT) as draft:
        WRITERS[kind](model, draft)
        colors = model.learner.colors.numpy()
        np.save(draft / COLORS, colors, allow_pickle=False)
        files = [path for path in sorted(draft.rglob("*")) if path.is_file()]
        batch, channels = model.learner.batch_size, model.shape[-1]
        write_json(draft / ABOUT, {
            "kind": kind, "mgconv": mgconv.__version__,
            "inputs": {"colors": ["float32", [batch, 1, 1, channels]], "seed": ["int32", [2]]},
            "outputs": [["float32", [batch, net.spec.size, net.spec.size, channels]]
                        for net in model.nets],
            "colors": "rows of colors.npy, drawn at random: means of training images",
            "files": {str(path.relative_to(draft)): sha256_of(path) for path in files},
        })  # fmt: skip
