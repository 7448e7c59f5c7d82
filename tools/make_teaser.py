"""Compose the README's first picture of a finished run: chains on the left, samples on the right.

python -m tools.make_teaser --run=runs/photos --out=docs/pictures/teaser.png
"""

from pathlib import Path

import numpy as np
from absl import flags

from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError

CELL, GAP, BETWEEN = 128, 2, 24  # pixels: of an image, around it, between the two halves


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_string("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_string("out", "docs/pictures/teaser.png", "the picture", flag_values=values)
    flags.DEFINE_integer("num", 4, "chains to show; samples a row", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the chains", 0, flag_values=values)


def run(values) -> None:
    """Draws from the model, composes, writes; nothing is selected."""
    if values["run"].value is None:
        raise UserError("--run is missing", "no folder", "Give the folder of a finished run.")
    start_tensorflow()
    import mgconv
    from mgconv.io.images import save_png, to_uint8

    model, num = mgconv.load(values["run"].value), values["num"].value
    colors = model.colors(num, values["seed"].value)
    grids = [to_uint8(grid) for grid in (colors, *model.chains(colors, values["seed"].value))]
    labels = np.zeros(num * len(grids), int)
    samples = to_uint8(model.synthesize(labels, values["seed"].value + 1))
    Path(values["out"].value).parent.mkdir(parents=True, exist_ok=True)
    save_png(values["out"].value, compose(grids, samples))


def compose(grids: list[np.ndarray], samples: np.ndarray) -> np.ndarray:
    """One picture, uint8 [H, W, C]: a row a grid on the left, the samples in as many rows.

    Args:
        grids: of the same N chains, uint8 [N, s, s, C] each, coarse to fine.
        samples: uint8 [rows * columns, S, S, C] with a row for each grid.
    """
    from mgconv.io.images import enlarge, tile

    chains = np.concatenate([enlarge(grid, CELL) for grid in grids])
    left = tile(chains, len(grids[0]), GAP)
    right = tile(enlarge(samples, CELL), len(samples) // len(grids), GAP)
    white = np.full([len(left), BETWEEN, left.shape[-1]], 255, np.uint8)
    return np.concatenate([left, white, right], axis=1)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
