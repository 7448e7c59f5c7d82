"""Run by test_devices.py in processes of their own: TensorFlow takes its devices once only.

python tests/two_devices.py replicas|worker|deterministic FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np

from mgconv.cli.shared.program import start_tensorflow
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.models import load
from mgconv.training.fit import learn
from mgconv.training.records import read_metrics

READOUT_LIMIT = 0.5  # below the norm that every net begins with
QUIET = {
    "noise": 0.0, "data_noise": 0.0, "curvature_penalty": 0.0, "normalization": "none",
    "readout_limit": READOUT_LIMIT, "batch_size": 6, "num_updates": 5,
}  # fmt: skip


def images() -> ImageSet:
    """Noise, 4 x 4."""
    pixels = np.random.default_rng(0).integers(0, 256, [24, 4, 4, 3], np.uint8)
    return ImageSet(pixels, np.zeros(24, np.int64), ("all",))


def weights(learner) -> list[float]:
    """All that learns and is averaged, as one vector."""
    nets = [net for grid in learner.grids for net in (grid.net, grid.averaged) if net is not None]
    return np.concatenate([np.ravel(x) for net in nets for x in net.get_weights()]).tolist()


def readouts(learner) -> list[list[float]]:
    """Norms of the readout of every net that learns, on each replica."""
    kernels = [grid.net.scalar.kernel.value for grid in learner.grids]
    return [[float(np.linalg.norm(x)) for x in getattr(k, "values", [k])] for k in kernels]


def worker(folder: Path, make_config) -> dict:
    """One of two processes that TF_CONFIG joins."""
    try:
        return {"weights": weights(learn(make_config(**QUIET), images(), folder)[0])}
    except UserError as error:
        return {"refused": str(error)}


def replicas(folder: Path, make_config) -> dict:
    """Learns on one and on two logical devices of this process."""
    found = {}
    author = QUIET | {"author_gradients": True}
    for name, devices, settings in (
        ("two", "cpu:2", QUIET),
        ("one", "cpu:1", QUIET),
        ("author two", "cpu:2", author),
        ("author one", "cpu:1", author),
        ("noisy", "cpu:2", {"batch_size": 6, "num_updates": 1}),
    ):
        config = make_config(devices=devices, **settings)
        learner, _ = learn(config, images(), folder / name)
        found[name], found[f"readouts {name}"] = weights(learner), readouts(learner)
        lines = read_metrics(folder / name / "metrics.jsonl")
        norms = [[line[f"gradient_norm/{size}"] for size in (2, 4)] for line in lines]
        found[f"norms {name}"] = norms
    colors = np.zeros([6, 1, 1, 3], np.float32)
    for name, run, devices in (("2 on 2", "two", "cpu:2"), ("2 on 1", "two", "cpu:1"),
                               ("noisy samples", "noisy", "cpu:2")):  # fmt: skip
        found[name] = load(folder / run, devices).chains(colors, 0)[-1].tolist()
    more = make_config(devices="cpu:1", **QUIET | {"num_updates": 7})
    found["further"] = int(learn(more, images(), folder / "two")[0].update_count)
    found["refused"] = []
    for settings in ({"method": "pcd"}, {"batch_size": 5}, {"method": "dcgan"}):
        config = make_config(**{"devices": "cpu:2", "batch_size": 6} | settings)
        try:
            learn(config, images(), folder / "refused")
        except UserError as error:
            found["refused"].append(str(error))
    return found


def deterministic(folder: Path, make_config) -> dict:
    """Learns the same twice where TensorFlow refuses every operation that is not deterministic."""
    config = make_config(recipe="paper", deterministic=True, batch_size=6, num_updates=3)
    names = ("first", "second")
    return {name: weights(learn(config, images(), folder / name)[0]) for name in names}


def used_before(devices: str) -> None:
    """A program that reads its data by tfds has TensorFlow compute ahead of learning."""
    start_tensorflow(devices)
    import tensorflow as tf

    tf.data.Dataset.range(3).cardinality().numpy()


if __name__ == "__main__":
    from conftest import tiny_config

    used_before("cpu:2" if sys.argv[1] == "replicas" else "auto")
    programs = {"replicas": replicas, "worker": worker, "deterministic": deterministic}
    program = programs[sys.argv[1]]
    print(json.dumps(program(Path(sys.argv[2]), tiny_config)))
