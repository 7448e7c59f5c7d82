"""Draw images from a finished run: a picture and a uint8 .npz under the run's folder.

python -m experiments.sample --run=runs/digits-3-multigrid-modern-0 --num=64
"""

import dataclasses
from pathlib import Path

from absl import flags

from experiments.common import define_config_flags, given_settings, main, start_tensorflow
from mgconv.config import Dynamics

DYNAMICS = tuple(field.name for field in dataclasses.fields(Dynamics))


def define_flags(values) -> None:
    """Flags of this program; the dynamics are the run's own unless given."""
    flags.DEFINE_string("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_integer("num", 64, "images to draw, of each class", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the draw", 0, flag_values=values)
    define_config_flags(values, DYNAMICS)


def run(values) -> None:
    """Draws, writes samples/draw-SEED.png and .npz."""
    import io

    import numpy as np

    import mgconv
    from mgconv.config import UserError
    from mgconv.images import enlarge, replace_file, save_png, tile, to_uint8

    if values["run"].value is None:
        raise UserError("--run is missing", "no folder", "Give the folder of a finished run.")
    folder, num = Path(values["run"].value), values["num"].value
    start_tensorflow()
    given = given_settings(values)
    system = mgconv.load(folder, **{name: given[name] for name in DYNAMICS if name in given})
    classes = getattr(system, "labels", [0])
    labels = np.repeat(classes, num)
    images = to_uint8(system.synthesize(labels, values["seed"].value))
    stem = folder / "samples" / f"draw-{values['seed'].value}"
    columns = num if len(classes) > 1 and num <= 16 else int(np.ceil(len(images) ** 0.5))
    save_png(f"{stem}.png", tile(enlarge(images, 32), columns))
    content = io.BytesIO()
    names = np.array(system.class_names)
    np.savez_compressed(content, images=images, labels=labels, class_names=names)
    replace_file(f"{stem}.npz", content.getvalue())
    print(f"{len(images)} images: {stem}.png and {stem}.npz")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
