"""Train, score and write the models that `mgconv.from_pretrained` knows by name, and their hashes.

python -m tools.make_released --models=digits
python -m tools.make_released --models=cifar10,photos --data_dir=/data/tfds

digits goes into the package, the others into released/. What is trained already is used again.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.flags import config_for, define_path
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import choose

RUNS = "runs/released"
NARROW = {"width": 0.25, "top_width": 1.0}  # a model of 3 MB or less

MODELS: dict[str, dict[str, Any]] = {
    "digits": NARROW | {"dataset": "digits", "classes": "each", "scale": "quick"},
    "cifar10": NARROW | {"dataset": "cifar10", "classes": "each", "scale": "cpu", "minutes": 60.0},
    "photos": {"dataset": "photos", "scale": "cpu", "minutes": 60.0},
}
CLASSES = {"cifar10": ("airplane", "automobile", "bird")}  # of a model a class; else all


def define_flags(values) -> None:
    """Flags of this program."""
    text = f"models to make: {', '.join(MODELS)}"
    flags.DEFINE_list("models", list(MODELS), text, flag_values=values)
    define_path("data_dir", None, "folder of the data sets prepared by tfds", flag_values=values)
    define_path("out", RUNS, "folder of the runs", flag_values=values)


def run(values) -> None:
    """Makes the models one after the other."""
    names = [choose("released model", name, MODELS) for name in values["models"].value]
    start_tensorflow()
    for name in names:
        make(name, Path(values["out"].value) / name, values["data_dir"].value)


def make(name: str, folder: Path, data_dir: str | None) -> None:
    """One model, from its data to its place and its hash."""
    from mgconv.io.files import read_json, sha256_of, write_json
    from mgconv.models.pretrained import CHECKOUT, HASHES, INSIDE

    scores = folder.with_name(f"{name}-scores.json")
    place = (INSIDE if name == "digits" else CHECKOUT) / name
    train(name, folder, data_dir)
    score(name, folder, scores, data_dir)
    command("export", f"--run={folder}", f"--scores={scores}", f"--out={place}")
    known = read_json(HASHES) if HASHES.exists() else {}
    write_json(HASHES, known | {name: sha256_of(place / "config.json")})


def train(name: str, folder: Path, data_dir: str | None) -> None:
    """Trains the model, or what is left of it."""
    from mgconv.datasets.table import load_split
    from mgconv.models.train import learn_all
    from mgconv.training.compare import learn_each

    config = config_for(**MODELS[name], data_dir=data_dir)
    if name in CLASSES:
        learn_each(config, load_split(config), folder, CLASSES[name])
    else:
        learn_all(config, load_split(config), folder)


def score(name: str, folder: Path, scores: Path, data_dir: str | None) -> None:
    """Scores samples of the model beside training images, by the classifier."""
    samples = folder.with_name(f"{name}-samples")
    command("sample", f"--run={folder}", "--num=200", f"--out={samples}.png")
    classes = [f"--classes={','.join(CLASSES[name])}"] if name in CLASSES else []
    data = [f"--data_dir={data_dir}"] if data_dir else []
    given = [f"--dataset={MODELS[name]['dataset']}", *classes, *data, f"--out={scores}"]
    command("evaluate", f"--samples={samples}.npz", *given)


def command(*words: str) -> None:
    """A program of this package, in a process of its own."""
    subprocess.run([sys.executable, "-m", "mgconv", *words], check=True)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
