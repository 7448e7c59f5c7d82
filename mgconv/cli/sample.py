"""Draw images from a trained model: pictures and an .npz, in the folder of its run or in --out.

mgconv sample --run=runs/digits-3-multigrid-modern-0 --num=64
mgconv sample --run=runs/digits-3-multigrid-modern-0 --out=threes.png
"""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import check_run, place_of_results
from mgconv.cli.shared.flags import CONFIG_FIELDS, define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Dynamics
from mgconv.recipes import METHODS

DYNAMICS = tuple(field.name for field in dataclasses.fields(Dynamics))
NUM_SHOWN = 256  # of each class


def define_flags(values) -> None:
    """Flags of this program; the dynamics are the run's own unless given."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_integer("num", 64, "images to draw, of each class", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the draw", 0, flag_values=values)
    define_config_flags(values, (*DYNAMICS, "devices", "out"))
    values["out"].help = "folder of the pictures, or a name that ends in .png; else the run's own"
    for name in DYNAMICS:
        values[name].help = f"{CONFIG_FIELDS[name].metadata['help']}; else the run's own"


def run(values) -> None:
    """Draws, writes samples/draw-SEED.png and .npz, or what --out names.

    An interrupted draw resumes. draw-SEED-grids.png has the chains of a few images at every grid.
    """
    import numpy as np

    import mgconv
    from mgconv.io.files import replacing
    from mgconv.io.images import enlarge, save_png, tile

    check_run(values["run"].value, "synthesize")
    folder, num, seed = Path(values["run"].value), values["num"].value, values["seed"].value
    stem = place_of_results(values["out"].value, values["run"].value, f"draw-{seed}")
    given = given_settings(values)
    devices = given.get("devices", "auto")
    dynamics = {name: given[name] for name in DYNAMICS if name in given}
    start_tensorflow(devices)
    from mgconv.evaluation.synthesis import draw, weights_key
    from mgconv.reporting import pictures

    system = mgconv.load(folder, devices, **dynamics)
    classes = system.labels or [0]
    labels = np.repeat(classes, num)
    words = [weights_key(folder), seed, num, *(f"{n}={v:g}" for n, v in sorted(dynamics.items()))]
    path = folder / "drawn" / f"{'-'.join(map(str, words))}.npy"
    images = draw(system, labels, seed, path)
    shown = np.concatenate([images[labels == c][:NUM_SHOWN] for c in classes])
    columns = num if len(classes) > 1 and num <= 16 else int(np.ceil(len(shown) ** 0.5))
    save_png(f"{stem}.png", tile(enlarge(shown, 32), columns))
    content: dict[str, Any] = {"images": images}
    if system.labels:  # a model of several classes together has no label to give
        content |= {"labels": labels, "class_names": np.array(system.class_names)}
    with replacing(f"{stem}.npz") as draft, draft.open("wb") as file:
        np.savez_compressed(file, **content)
    path.unlink(missing_ok=True)
    print(f"{len(images)} images: {stem}.png and {stem}.npz")
    if METHODS[system.config.method].is_energy_based:
        save_png(f"{stem}-grids.png", pictures.grids(system, seed)[0])
        print(f"The same chains at every grid: {stem}-grids.png")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
