"""The paper's figures 1-5 from trained models: each function returns a picture and its caption."""

from pathlib import Path

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.diagnosis import blocks
from mgconv.evaluation.samples import LabeledSamples
from mgconv.io.images import to_uint8
from mgconv.models import PerClassModel
from mgconv.reporting.pictures import Figure, Model, labeled_strips, models, to_picture
from mgconv.reporting.style import HEALTHY
from mgconv.training.records import read_metrics


def methods(training: ImageSet, samples: dict[str, LabeledSamples], seed: int) -> Figure:
    """Figures 2 and 3: observed images beside those of every method, of classes that all know."""
    shared = sorted(set.intersection(*(set(drawn.labels) for drawn in samples.values())))
    rng = np.random.default_rng(seed)
    strips = {}
    for name, (images, labels) in {
        "observed": (training.pixels, training.labels),
        **samples,
    }.items():
        rows = rng.permutation(np.flatnonzero(np.isin(labels, shared)))[:32]
        strips[name] = images[rows]
    caption = (
        "Figures 2 and 3. Observed training images, then what each method synthesizes: the energy-"
        "based ones from up-scaled colors with the same number of Langevin steps, GANs from latent "
        "vectors. Look for: the structure of the observed images, variety from image to image."
    )
    return labeled_strips(strips, 16, 48), caption


def classes(samples: dict[str, np.ndarray]) -> Figure:
    """Figure 4: two rows a class."""
    caption = (
        "Figure 4. Samples of each class, a multi-grid model each. Look for: they look like their "
        "class, no two images alike."
    )
    few = {name: images[:32] for name, images in samples.items()}
    return labeled_strips(few, 16, 40), caption


def diversity(noisy: Model, silent: Model, seed: int, num_blocks: int = 8):
    """Figure 5: blocks of 4 chains from one 1 x 1 image each, with noise and without."""
    conditional = isinstance(noisy, PerClassModel)
    per_model = max(2, num_blocks // len(noisy.labels)) if conditional else num_blocks
    strips, words, facts = {}, [], {}
    for name, system in (("with noise", noisy), ("without noise", silent)):
        found = [blocks(model, per_model, 4, seed) for model in models(system)]
        strips[name] = to_uint8(np.concatenate([x for each in found for x in each.images]))
        within, between = (np.mean([getattr(x, n) for x in found]) for n in ("within", "between"))
        facts[name] = {"within": float(within), "between": float(between)}
        words.append(f"{name} {within:.2f} within a block, {between:.2f} between blocks")
    caption = (
        "Figure 5. Each block of 4 starts from the same 1 x 1 image. Look for: with noise the four "
        "differ; without it they are one image. Mean pairwise distance, of blocks of one model: "
        f"{'; '.join(words)}."
    )
    return labeled_strips(strips, 16), caption, facts


def health(folders: dict[str, Path], pixels: np.ndarray) -> Figure:
    """Curves of each energy-based method's first model, a line a grid, the healthy band shaded.

    Args:
        folders: method -> folder of its run.
        pixels: some of the training images.
    """
    quantities = ("gap", "contrast", "drift_rms", "saturated", "gradient_norm")
    usual = float(np.mean(np.isin(pixels, (0, 255))))
    bands = {"contrast": (0.8, 1.1), "saturated": (0, 2 * usual + 0.02)}

    def plot(axes):
        for index, (method, folder) in enumerate(folders.items()):
            row = axes[index * len(quantities) :][: len(quantities)]
            lines = read_metrics(sorted(folder.rglob("metrics.jsonl"))[0])
            for quantity, axis in zip(quantities, row):
                for key in (key for key in lines[0] if key.startswith(f"{quantity}/")):
                    values = [line[key] for line in lines]
                    axis.plot([line["update"] for line in lines], values, label=key)
                late = values[len(values) // 2 :]  # of the top grid
                own = np.mean(late) - 2 * np.std(late), np.mean(late) + 2 * np.std(late)
                band = own if quantity == "gap" else bands.get(quantity)
                if band:
                    axis.axhspan(*band, **HEALTHY)
                axis.legend()
            row[0].set_ylabel(method)

    caption = (
        "Health. A healthy run: the gap levels off (band: the top grid's mean of the second half "
        "± twice its spread), the contrast (spread of synthesized over observed pixels) comes "
        "into the green band, so does the share of saturated pixels; drift and gradient norm "
        "level off. With a model a class the first one is shown."
    )
    return to_picture(plot, len(folders), len(quantities)), caption
