"""Put the state that `run.py` wrote back into a run folder, which all programs load.

python -m benchmarks.exported.import --exported=exported --out=runs/photos
"""

# ruff: noqa: N999  a word of Python, that `python -m` takes

from pathlib import Path

from mgconv.cli.shared.flags import define_path
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("exported", "runs/exported", "folder that run.py trained in", flag_values=values)
    define_path("out", None, "new folder of the run", flag_values=values)


def run(values) -> None:
    """Writes the run and says where."""
    exported, out = Path(values["exported"].value), values["out"].value
    if out is None:
        raise UserError("--out is missing", "no folder", "Give the folder of the run.")
    start_tensorflow()
    restore(exported, Path(out))
    print(f"Try it: mgconv sample --run={out}")


def restore(exported: Path, folder: Path):
    """The learner of an export with its trained state, saved as a run.

    Raises:
        UserError: the state is not that of this learner.
    """
    import numpy as np

    from benchmarks.exported.export import make, state_of
    from mgconv.datasets.image_set import ImageSet
    from mgconv.training.checkpoints import Checkpoints
    from mgconv.training.records import read_config
    from mgconv.training.run import Run

    config, data = read_config(exported)
    pixels = np.load(exported / "images.npy", mmap_mode="r", allow_pickle=False)
    images = ImageSet(pixels, np.zeros(len(pixels), np.int64), tuple(data["class_names"][:1]))
    learner, _ = make(config, images)
    variables = state_of(learner)
    with np.load(exported / "trained.npz", allow_pickle=False) as saved:
        arrays = [saved[name] for name in sorted(saved.files)]
    if [x.shape for x in arrays] != [tuple(v.shape) for v in variables]:
        remedy = "Export, run and import by one version."
        raise UserError("The state does not fit", exported / "trained.npz", remedy)
    for variable, value in zip(variables, arrays):
        variable.assign(value)
    run = Run(folder, config, data)
    run.begin()
    Checkpoints(learner, run.checkpoints).save()
    return learner


if __name__ == "__main__":
    main(run, define_flags, __doc__)
