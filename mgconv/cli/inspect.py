"""Show a data set before training: sizes, classes, colors, 64 images at each grid.

mgconv inspect --dataset=digits
mgconv inspect --image_dir=photos.zip --grids=1,4,16,32
"""

from pathlib import Path

from mgconv.cli.checks import check_data
from mgconv.cli.flags import config_for, define_config_flags, given_settings
from mgconv.cli.program import main, start_tensorflow

FIELDS = ("dataset", "data_dir", "image_dir", "cache_dir", "split", "crop", "grids", "out")


def define_flags(values) -> None:
    """Flags of this program."""
    define_config_flags(values, FIELDS)
    values["out"].help = "folder of the picture [default runs/inspect]"


def run(values) -> None:
    """Prints facts of a split and writes DATASET-SPLIT.png."""
    import numpy as np

    from mgconv.datasets.table import load_split
    from mgconv.io.images import save_png, to_float, to_uint8

    config = config_for(**given_settings(values))
    check_data(config)
    start_tensorflow()
    from mgconv.grids import downsample
    from mgconv.reporting.pictures import labeled_strips

    images = load_split(config)  # reports what was skipped
    sample = to_float(images.some(64))
    counts = np.bincount(images.labels, minlength=len(images.class_names))
    colors = images.colors
    print(f"{config.dataset} {config.split}: {len(images)} images at {config.size} x {config.size}")
    print("classes: " + ", ".join(f"{n} {c}" for n, c in zip(images.class_names, counts)))
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


if __name__ == "__main__":
    main(run, define_flags, __doc__)
