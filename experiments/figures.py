"""The paper's figures 1-5 from learned systems: each function returns a picture and its caption."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.report import labeled_strips
from mgconv.datasets import ImageSet
from mgconv.evaluation.metrics import mean_pairwise_distance
from mgconv.evaluation.synthesis import LabeledSamples
from mgconv.images import to_uint8
from mgconv.systems import ClassConditionalSystem, MultigridSystem
from mgconv.tracking import read_metrics

Figure = tuple[np.ndarray, str]
System = MultigridSystem | ClassConditionalSystem


def models(system: System) -> Iterator[MultigridSystem]:
    """The model of each class in turn, or the only one."""
    if isinstance(system, ClassConditionalSystem):
        yield from map(system.of_class, system.labels)
    else:
        yield system


def grids(system: System, seed: int) -> Figure:
    """Figure 1: the same chains at every grid."""
    count = 1 if isinstance(system, ClassConditionalSystem) else 10
    stages: list[list[np.ndarray]] = []
    for model in models(system):
        colors = model.colors(count, seed)
        stages.append([colors, *model.chains(colors, seed)])
    strips = {}
    for grid in zip(*stages):
        size = grid[0].shape[1]
        strips[f"{size} x {size}"] = to_uint8(np.concatenate(grid))
    columns = len(next(iter(strips.values())))
    caption = (
        "Figure 1. The same chains at every grid: each column starts from one 1 x 1 color, each "
        "grid from the sample above it. Look for: layout first, detail added, the layout kept."
    )
    return labeled_strips(strips, columns), caption


def methods(training: ImageSet, samples: dict[str, LabeledSamples], seed: int) -> Figure:
    """Figures 2 and 3: observed images beside what every method made, of classes all learned."""
    shared = set.intersection(*(set(drawn.labels) for drawn in samples.values()))
    observed = LabeledSamples(training.pixels, training.labels).of(sorted(shared))
    rng = np.random.default_rng(seed)
    strips = {
        name: drawn.images[rng.permutation(len(drawn.labels))[:32]]
        for name, drawn in ({"observed": observed} | samples).items()
        for drawn in [drawn.of(sorted(shared))]
    }
    caption = (
        "Figures 2 and 3. Observed training images, then what each method synthesizes from "
        "up-scaled colors with the same number of Langevin steps. Look for: the structure of the "
        "observed images, and variety from image to image."
    )
    return labeled_strips(strips, 16, 48), caption


def classes(samples: dict[str, np.ndarray]) -> Figure:
    """Figure 4: a row a class."""
    columns = min(len(images) for images in samples.values())
    caption = (
        "Figure 4. A row a class, a multi-grid model each. Look for: every row reads as its class, "
        "no two images of a row alike."
    )
    return labeled_strips(samples, min(columns, 16), 40), caption


def diversity(noisy: System, silent: System, seed: int, num_blocks: int = 8) -> Figure:
    """Figure 5: blocks of 4 chains from one 1 x 1 image each, with noise and without."""
    per_model = 1 if isinstance(noisy, ClassConditionalSystem) else num_blocks
    strips, words = {}, []
    for name, system in (("with noise", noisy), ("without noise", silent)):
        blocks = [block for model in models(system) for block in _blocks(model, per_model, seed)]
        blocks = blocks[:num_blocks]
        strips[name] = to_uint8(np.concatenate(blocks))
        within = np.mean([mean_pairwise_distance(block) for block in blocks])
        between = mean_pairwise_distance(np.stack([block[0] for block in blocks]))
        words.append(f"{name} {within:.2f} within a block, {between:.2f} between blocks")
    caption = (
        "Figure 5. Each block of 4 starts from the same 1 x 1 image. Look for: with noise the four "
        f"differ; without it they are one image. Mean pairwise distance: {'; '.join(words)}."
    )
    return labeled_strips(strips, 16), caption


def _blocks(model: MultigridSystem, count: int, seed: int) -> list[np.ndarray]:
    colors = model.colors(count, seed)
    samples = model.chains(colors.repeat(4, axis=0), seed)[-1]
    return list(samples.reshape(count, 4, *samples.shape[1:]))


def health(folders: dict[str, Path]) -> Figure:
    """Curves of gap, contrast, drift, saturation of each method's first model, a line a grid."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    quantities = ("gap", "contrast", "drift_rms", "saturated")
    drawing, axes = pyplot.subplots(
        len(folders), len(quantities), figsize=(12, 2.2 * len(folders)), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    for (method, folder), row in zip(folders.items(), axes):
        lines = read_metrics(sorted(folder.rglob("metrics.jsonl"))[0])
        for quantity, axis in zip(quantities, row):
            for key in (key for key in lines[0] if key.startswith(f"{quantity}/")):
                values = [line[key] for line in lines]
                axis.plot([line["update"] for line in lines], values, lw=1, label=key)
            axis.legend(fontsize=6)
        row[0].set_ylabel(method)
    drawing.canvas.draw()
    picture = np.asarray(drawing.canvas.buffer_rgba())[..., :3].copy()
    pyplot.close(drawing)
    caption = (
        "Health. A healthy run: the gap swings around 0, the contrast (spread of synthesized over "
        "observed pixels) comes to 1, drift and saturation level off."
    )
    return picture, caption
