"""The programs, called in this process or as a process of their own."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mgconv.__main__ import COMMANDS
from mgconv.cli.shared.program import main
from mgconv.reporting.tables import Table

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ("exp1_synthesis", "exp2_classification", "exp3_inpainting")
PROGRAMS = (*COMMANDS, *EXPERIMENTS, "tables")
TINY = [
    "--width=.03", "--batch_size=8", "--num_langevin_steps=2", "--num_updates=2", "--log_every=1",
]  # fmt: skip


def module_of(name):
    """The module of a program."""
    others = {
        "tables": "tools.render_tables",
        "trials": "experiments.exp1_synthesis.trials",
        "held_share": "experiments.exp3_inpainting.held_share",
    }
    others |= {experiment: f"experiments.{experiment}.__main__" for experiment in EXPERIMENTS}
    return (COMMANDS | others)[name]


def program(name):
    return importlib.import_module(module_of(name))


def call(name, *arguments):
    """A program in this process; SystemExit where the command would exit with an error."""
    module = program(name)
    main(module.run, module.define_flags, module.__doc__, [name, *arguments])


def command(*words, **options):
    """`python -m` and these words, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


def refusal(name, *arguments):
    """The one line that a program exits with, code 1, to stderr."""
    with pytest.raises(SystemExit) as exit_:
        call(name, *arguments)
    message = exit_.value.code
    assert isinstance(message, str)
    assert "\n" not in message
    return message


def image_folder(folder, sizes, broken=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index, size in enumerate(sizes):
        pixels = np.random.default_rng(index).integers(0, 256, [size, size, 3], np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    for index in range(broken):
        (folder / f"broken-{index}.jpg").write_bytes(b"no image")
    return folder


def weights(folder):
    import tensorflow as tf

    from mgconv.training.checkpoints import latest_checkpoint

    reader = tf.train.load_checkpoint(latest_checkpoint(folder / "checkpoints"))
    names = [name for name in reader.get_variable_to_shape_map() if "seconds" not in name]
    return {
        name: reader.get_tensor(name) for name in names if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def diverge_where(monkeypatch, **settings):
    """Runs that have these settings diverge at update 7; all others learn."""
    from mgconv.training import fit as learning
    from mgconv.training import guard

    learn = learning.learn

    def diverge(config, *others):
        if all(getattr(config, name) == value for name, value in settings.items()):
            raise guard.DivergenceError("gap/8 = 1e+09", 7)
        return learn(config, *others)

    monkeypatch.setattr(learning, "learn", diverge)


def cells_of(table):
    """Header and rows, as printed, of a table that results.json keeps."""
    return Table.from_json(table).cells()
