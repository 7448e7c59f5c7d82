"""Say how well pictures fit a trained model: the energy of each, outliers first.

mgconv score --run=runs/photos --images=folder
mgconv score --run=runs/photos --images=pictures.zip --size=16 --out=energies.json

U is the energy of the top grid's network, or of the grid of --size: the lower, the likelier. It has
no scale of its own, so each picture is ranked among the images that the model was trained on: rank
1 is likelier than all of them. The center square of a picture is taken, as in training.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import check_data, check_energies
from mgconv.cli.shared.flags import define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import UserError

PLACES = ("data_dir", "image_dir", "cache_dir")  # where the training images are now
MOST_TRAINING = 5000  # training images that pictures are ranked among, evenly spread
AT_ONCE = 256  # pictures in memory


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    define_path("images", None, "folder or .zip of the pictures", flag_values=values)
    flags.DEFINE_integer("size", None, "pixels a side of the grid whose network is asked; else the "
                         "top one", 1, flag_values=values)  # fmt: skip
    define_config_flags(values, (*PLACES, "devices", "out"))
    values["image_dir"].help = "folder or .zip of the training images, where they were moved"
    values["out"].help = "JSON file of names, energies and ranks"


def run(values) -> None:
    """Prints a line a picture, the least likely first; writes all as JSON to --out."""
    from mgconv.datasets.archives import image_files

    folder, given = values["run"].value, given_settings(values)
    devices, out = given.pop("devices", "auto"), given.pop("out", None)
    config, data = check_energies(folder)
    config = dataclasses.replace(config, **given)
    if values["images"].value is None:
        raise UserError("--images is missing", "no folder", "Give a folder or .zip of pictures.")
    source = image_files(values["images"].value, "all")
    check_data(config)
    start_tensorflow(devices)
    import mgconv
    from mgconv.datasets.table import load_split
    from mgconv.io.files import write_json

    model, size = mgconv.load(folder, devices), values["size"].value
    known = model.energy(load_split(config).some(MOST_TRAINING), size)
    names, energies = [], []
    for some, pixels in pictures(source, config, data["channels"]):
        names += some
        energies += model.energy(pixels, size).tolist()
    rows = ranked(names, energies, known)
    shown = f"{size or config.size} x {size or config.size}"
    print(f"U of the {shown} grid, and its rank among {len(known)} training images")
    print(f"{'U':>12} {'rank':>6}  picture")
    for row in rows:
        print(f"{row['energy']:12.4g} {row['rank']:6}  {row['picture']}")
    if out:
        write_json(Path(out), {"size": size or config.size, "training_images": len(known),
                               "pictures": rows})  # fmt: skip


def ranked(names: list[str], energies: list[float], known) -> list[dict[str, Any]]:
    """A row a picture, the highest energy first; its rank is 1 where none of `known` is lower."""
    import numpy as np

    ranks = 1 + np.searchsorted(np.sort(known), np.asarray(energies, known.dtype))
    rows = [
        {"picture": name, "energy": energy, "rank": int(rank)}
        for name, energy, rank in zip(names, energies, ranks)
    ]
    return sorted(rows, key=lambda row: -row["energy"])


def pictures(source, config: Config, channels: int) -> Iterator[tuple[list[str], Any]]:
    """Names and uint8 pixels [n, S, S, C] of a source's pictures; says which it leaves out.

    Raises:
        UserError: none is left.
    """
    import numpy as np

    from mgconv.datasets.decoding import BadImageError, decode
    from mgconv.datasets.formats import quiet
    from mgconv.datasets.table import DATASETS
    from mgconv.datasets.walking import readable

    crop = config.crop or DATASETS[config.dataset].crop
    names: list[str] = []
    pixels: list[np.ndarray] = []
    num = 0
    with quiet():
        for item, (content, _) in enumerate(source.read(0)):
            name = readable(source.name_of(item))
            try:
                pixels.append(decode(content, config.size, channels, crop))
                names.append(name)
            except BadImageError as error:
                print(f"{name} is left out: {error}", flush=True)
            if len(names) == AT_ONCE:
                yield names, np.stack(pixels)
                num, names, pixels = num + len(names), [], []
    if names:
        yield names, np.stack(pixels)
    elif not num:
        remedy = f"Give pictures of {config.size} x {config.size} pixels or more."
        raise UserError("No picture to score among", f"{source.num_items} files", remedy)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
