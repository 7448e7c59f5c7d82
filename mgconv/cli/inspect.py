"""Show a data set before training: sizes, classes, colors, 64 images at each grid.

mgconv inspect --dataset=digits
mgconv inspect --image_dir=photos.zip --grids=1,4,16,32
"""

from pathlib import Path

from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import main, start_tensorflow

FIELDS = (
    "dataset", "data_dir", "image_dir", "cache_dir", "split", "classes", "crop", "grids", "out",
)  # fmt: skip

MOST_CLASSES = 30  # in the printed line


def define_flags(values) -> None:
    """Flags of this program."""
    define_config_flags(values, FIELDS)
    values["out"].help = "folder of the picture [default runs/inspect]"


def run(values) -> None:
    """Prints facts of a split and what is left out of it; writes DATASET-SPLIT.png."""
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
