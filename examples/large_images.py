"""Five grids, 1-4-16-64-128: crops of 128 x 128 pixels of scikit-learn's two photographs.

python examples/large_images.py    # writes large_images.png after about ten minutes
"""

import numpy as np
from sklearn.datasets import load_sample_images

import mgconv
from mgconv.io.images import save_png, to_uint8
from mgconv.reporting.pictures import labeled_strips

SIZES = (4, 16, 64, 128)


def crops(stride: int = 8) -> np.ndarray:
    """All crops of the photographs at half their size, uint8 [N, 128, 128, 3]."""
    halves = [x[:424].reshape(212, 2, 320, 2, 3).mean((1, 3)) for x in load_sample_images().images]
    return np.rint([
        half[top : top + 128, left : left + 128]
        for half in halves
        for top in range(0, 212 - 128 + 1, stride)
        for left in range(0, 320 - 128 + 1, stride)
    ]).astype(np.uint8)  # fmt: skip


def chains(num_updates: int, num: int = 5, out: str | None = None) -> list[np.ndarray]:
    """A model's chains at every grid, [num, s, s, 3] each; `out` is the folder of its run."""
    model = mgconv.train(
        crops(), grids=(1, *SIZES), width=0.25, top_width=1.0, batch_size=8,
        num_updates=num_updates, out=out,
    )  # fmt: skip
    return model.chains(model.colors(num, seed=0), seed=0)


if __name__ == "__main__":
    grids = chains(num_updates=400, out="runs/large_images")
    strips = {f"{x.shape[1]} x {x.shape[1]}": to_uint8(x) for x in grids}
    save_png("large_images.png", labeled_strips(strips, columns=5, size=128))
