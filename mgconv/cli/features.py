"""Write features of images by a trained model to an .npz, for scikit-learn or any other program.

mgconv features --run=runs/digits-all-multigrid-modern-0
mgconv features --run=runs/faces --image_dir=photos --out=photos.npz --read_grids=all

The .npz holds `features`, float32 [N, D], a row an image; `labels`, int64 [N], places in
`class_names`; and `names`, the file of each image in its folder, or its number in the data set.
Without --image_dir and --dataset they are the images of the run's own data.
"""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import check_data, check_run, place_of_results
from mgconv.cli.shared.flags import define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import UserError, choose
from mgconv.evaluation.reading import GRIDS, POOLS, Reading

PLACES = ("data_dir", "cache_dir")

OF_DATA = ("dataset", "image_dir", *PLACES, "split", "classes", "crop")


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_enum("read_grids", "top", GRIDS, "networks that are read: of the top grid, or of "
                      "every grid", flag_values=values)  # fmt: skip
    flags.DEFINE_list("layers", [], "layers that are read, from 1 at the image; else all",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_enum("pool", "max", POOLS, "what a map keeps of each of its 4 x 4 blocks",
                      flag_values=values)  # fmt: skip
    flags.DEFINE_float("read_noise", 0.0, "standard deviation of noise on the images; features are "
                       "then the mean of four copies'", 0.0, flag_values=values)  # fmt: skip
    flags.DEFINE_bool("signed_root", False, "take each feature's square root, with its sign",
                      flag_values=values)  # fmt: skip
    define_config_flags(values, (*OF_DATA, "devices", "out"))
    values["out"].help = "name of the .npz, or its folder; else RUN/features/"


def run(values) -> None:
    """Reads the images in bounded memory and writes the .npz."""
    folder, given = values["run"].value, given_settings(values)
    config, data = check_run(folder, "features")
    reading = _reading(values)
    devices, out = given.pop("devices", "auto"), given.pop("out", None)
    of_images = _data(config, data["channels"], given)
    name = Path(of_images.image_dir or of_images.dataset).stem
    stem = place_of_results(out, folder, f"{name}-{of_images.split}", ".npz", "features")
    check_data(of_images)
    start_tensorflow(devices)
    import mgconv
    from mgconv.datasets.table import load_split
    from mgconv.evaluation.features import reader, save_features
    from mgconv.evaluation.frozen import freeze_by_own_images

    model = mgconv.load(folder, devices)
    freeze_by_own_images(model, given.get("data_dir"), given.get("cache_dir"))
    images = load_split(of_images, of_images.split)
    num = save_features(Path(f"{stem}.npz"), reader(model, reading), images)
    print(f"{len(images)} images, {num} features each: {stem}.npz")


def _reading(values) -> Reading:
    texts = values["layers"].value
    try:
        layers = tuple(sorted({int(text) for text in texts}))
    except ValueError:
        raise UserError("--layers is no list of numbers", ",".join(texts), "Give 1,2.") from None
    return Reading(
        values["read_grids"].value, layers, values["pool"].value, values["read_noise"].value,
        values["signed_root"].value,
    )  # fmt: skip


def _data(config: Config, channels: int, given: dict[str, Any]) -> Config:
    """The run's config, its data as a person wants them: other ones, or the run's own."""
    from mgconv.datasets.table import DATASETS

    if {"dataset", "image_dir"} & set(given):
        config = dataclasses.replace(
            config, dataset=Config.dataset, image_dir=None, split="train", classes="all"
        )
    config = dataclasses.replace(config, **given)
    row = DATASETS[choose("data set", config.dataset, DATASETS)]
    if row.channels != channels:
        found = f"{row.channels} in {config.dataset}, {channels} in the run"
        raise UserError("Images of another number of channels", found, "Give other images.")
    return config


if __name__ == "__main__":
    main(run, define_flags, __doc__)
