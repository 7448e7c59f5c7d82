"""Show a data set before training: images at each grid; or a trained model's layers.

mgconv inspect --dataset=digits
mgconv inspect --image_dir=photos.zip --grids=1,4,16,32
mgconv inspect --run=runs/digits-all-multigrid-modern-0
mgconv inspect --run=runs/digits-all-multigrid-modern-0 --density

Of a data set it shows sizes, classes, colors, 64 images at each grid. Of a run, what training has
made of each layer: scale, dead and saturated units, effective rank, and how well it tells the
classes apart, where the run's images have classes. With --density whether its chains sample the
density exp(-U / T) of each grid's energy: some minutes.
"""

import dataclasses
from pathlib import Path

from absl import flags

from mgconv.cli.shared.checks import check_data, check_energies, check_run
from mgconv.cli.shared.flags import config_for, define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError

FIELDS = (
    "dataset", "data_dir", "image_dir", "cache_dir", "split", "classes", "crop", "grids", "out",
)  # fmt: skip

PLACES = ("data_dir", "image_dir", "cache_dir")  # that may differ from a run's own

MOST_CLASSES = 30  # in the printed line


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run, whose layers are shown",
                flag_values=values)  # fmt: skip
    flags.DEFINE_bool("density", False, "show a run's temperature, acceptance of adjusted steps, "
                      "R-hat and log Z in place of its layers", flag_values=values)  # fmt: skip
    define_config_flags(values, FIELDS)
    values["out"].help = "folder of what is shown [default runs/inspect, or RUN/inspect]"


def run(values) -> None:
    """Prints facts of a split and what is left out of it; writes DATASET-SPLIT.png.

    Of a run it prints tables of its layers, or of its density, and writes a page with them.
    """
    folder, given = values["run"].value, given_settings(values)
    if values["density"].value:
        _show_density(folder, given)
    elif folder:
        _show_layers(folder, given)
    else:
        _show_data(values)


def _show_data(values) -> None:
    from mgconv.datasets.table import load_split
    from mgconv.io.images import save_png, to_float, to_uint8

    given = given_settings(values)
    source = check_data(config_for(**given))
    start_tensorflow()
    config = config_for(**_grids_of_train(given, source) | given)
    from mgconv.grids import downsample
    from mgconv.reporting.pictures import labeled_strips

    images = load_split(config)  # reports what is left out
    sample = to_float(images.some(64))
    colors = images.colors
    print(f"{config.dataset} {config.split}: {len(images)} images at {config.size} x {config.size}")
    print(f"classes: {_classes(images)}")
    print(
        f"values: {sample.min():.2f} .. {sample.max():.2f}, standard deviation {sample.std():.2f}"
    )
    print(f"mean color: {' '.join(f'{c:.2f}' for c in colors.mean((0, 1, 2)))} of -1 .. 1")
    print(f"spread of colors between images: {colors.std(0).mean():.2f}")
    strips = {
        f"{size} x {size}": to_uint8(downsample(sample, size)) for size in reversed(config.grids)
    }
    name = f"{config.dataset.replace('/', '-')}-{config.split}.png"
    path = Path(config.out or "runs/inspect") / name
    save_png(path, labeled_strips(strips, 16, 48))
    print(f"{len(sample)} of them at each grid: {path}")


def _show_layers(folder: str, given: dict) -> None:
    out = _place(folder, given, PLACES)
    config = dataclasses.replace(check_run(folder, "features")[0], **given)
    if config.split == "all":  # its test images must not choose anything
        config = dataclasses.replace(config, split="train")
    check_data(config)
    start_tensorflow()
    from mgconv.datasets.table import load_split
    from mgconv.evaluation.layer_facts import compare_layers
    from mgconv.reporting.inspection import layer_table, write_page

    table = layer_table(compare_layers(Path(folder), config, load_split(config)))
    print(table.markdown())
    page = write_page(out, f"Layers of {Path(folder).name}", table)
    print(f"Before -> after training; the same with a picture: {page}")


def _show_density(folder: str, given: dict) -> None:
    check_energies(folder)
    out = _place(folder, given, ())
    start_tensorflow()
    import mgconv
    from mgconv.evaluation.density.grids import WHOLE, grid_densities
    from mgconv.reporting.density import write_density

    title = f"Density of {Path(folder).name}"
    densities = grid_densities(mgconv.load(folder), WHOLE, seed=0)
    print(write_density(out, title, densities))
    print(f"The same as a page and as JSON: {out}")


def _place(folder: str, given: dict, read: tuple[str, ...]) -> Path:
    """Where a run is shown.

    Raises:
        UserError: a setting is given that is not read.
    """
    out = Path(given.pop("out", None) or Path(folder) / "inspect")
    strange = [f"--{name}" for name in given if name not in read]
    if strange:
        found = ", ".join(strange)
        raise UserError("--run says what its data are, and does not read", found, "Leave it out.")
    return out


def _grids_of_train(given: dict, source) -> dict:
    """The grids that `mgconv train` chooses for a person's own images; says which and why."""
    from mgconv.models.suggest import announced, num_gpus, suggest_nets

    if "grids" in given or given.get("dataset") != "image_dir":
        return {}
    suggested = suggest_nets(source, num_gpus(), given.get("crop"))
    return announced({"grids": suggested["grids"]})


def _classes(images) -> str:
    """Names and counts of the classes that have images, the last ones of many as a number."""
    import numpy as np

    labels, counts = np.unique(images.labels, return_counts=True)
    named = [f"{images.class_names[c]} {n}" for c, n in zip(labels, counts)]
    rest = len(named) - MOST_CLASSES
    return ", ".join(named[:MOST_CLASSES]) + (f" and {rest} others" if rest > 0 else "")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
