"""Figures that ask what chains do, and whether samples are new: a picture, a caption, numbers."""

from pathlib import Path

import numpy as np

from experiments.figures import first_model, to_picture
from experiments.report import labeled_strips
from mgconv.datasets import ImageSet
from mgconv.evaluation.diagnosis import chain_energies, nearest
from mgconv.images import to_float, to_uint8

NUM = 16  # chains of a strip
FACTORS = (1, 10, 100)  # of the learned number of Langevin steps


def energy(folder: Path, training: ImageSet, seed: int):
    """Mean energy along the chains, grid by grid."""
    model, _ = first_model(folder)
    traces = chain_energies(model, seed)

    def plot(axes):
        for axis, (size, trace) in zip(axes, traces.items()):
            axis.plot(trace - trace[0], lw=1)
            axis.set_title(f"{size} x {size}", fontsize=8)
            axis.set_xlabel("Langevin step", fontsize=7)

    picture = to_picture(plot, 1, len(traces))
    facts = {size: float(trace[-1] - trace[0]) for size, trace in traces.items()}
    words = ", ".join(f"{size} x {size} {change:.3g}" for size, change in facts.items())
    caption = (
        "Energy along the chains, from its start, mean of a batch. Look for: it falls and levels "
        f"off; one still falling steeply at the end was cut short. Change over the chain: {words}."
    )
    return picture, caption, facts


def long_chains(folder: Path, training: ImageSet, seed: int):
    """Chains of the learned length, 10 and 100 times longer."""
    strips, facts = {}, {}
    for factor in FACTORS:
        model, images = first_model(folder, training, factor=factor)
        samples = model.chains(model.colors(NUM, seed), seed)[-1]
        strips[f"{model.config.num_langevin_steps} Langevin steps a grid"] = to_uint8(samples)
        facts[factor] = {
            "contrast": float(samples.std() / to_float(images.pixels[:1000]).std()),
            "saturated": float(np.mean(np.abs(samples) >= 1)),
        }
    words = "; ".join(
        f"x{factor} contrast {row['contrast']:.2f}, saturated {row['saturated']:.0%}"
        for factor, row in facts.items()
    )
    caption = (
        "Chains as long as learned, 10 and 100 times longer, from the same colors. Look for: they "
        "stay images. Where they turn into saturated patterns, the model is a sampler of finite "
        f"chains, no equilibrium one. {words}."
    )
    return labeled_strips(strips, NUM, 48), caption, facts


def memory(folder: Path, training: ImageSet, seed: int):
    """Samples above the training images nearest to them."""
    model, images = first_model(folder, training)
    samples = to_uint8(model.synthesize(np.zeros(64, int), seed))
    where, distances = nearest(samples, images.pixels)
    some = np.sort(np.random.default_rng(seed).permutation(len(images))[:64])
    _, usual = nearest(images.pixels[some], images.pixels, own=some)
    facts = {"samples": float(distances.mean()), "training": float(usual.mean())}
    strips = {
        "samples": samples[:NUM],
        "the training image nearest to each": images.pixels[where[:NUM]],
    }
    caption = (
        "Memory. Look for: samples that are no copies. Mean distance to the nearest training image "
        f"{facts['samples']:.2f}; between training images it is {facts['training']:.2f}. A model "
        "that stores images would be far below."
    )
    return labeled_strips(strips, NUM, 48), caption, facts


def unseen_colors(folder: Path, training: ImageSet, seed: int):
    """Chains from corners of the color cube."""
    model, images = first_model(folder, training)
    axes = [[-0.9, 0.9]] * 3 if images.pixels.shape[-1] == 3 else [np.linspace(-1, 1, 8)]
    colors = np.stack(np.meshgrid(*axes), -1).reshape(-1, 1, 1, len(axes)).astype(np.float32)
    known = model.learner.colors.read_value().numpy()[:, 0, 0]
    gaps = [np.linalg.norm(known - color[0, 0], axis=1).min() for color in colors]
    samples = model.chains(colors, seed)[-1]
    facts = {"nearest_training_color": [round(float(gap), 3) for gap in gaps]}
    strips = {"start": to_uint8(np.broadcast_to(colors, samples.shape)), "end": to_uint8(samples)}
    caption = (
        "Colors never seen: chains from corners of the color cube, each at least "
        f"{min(gaps):.2f} from every training image's mean color. Look for: images in that color, "
        "or a return to usual ones, rather than noise."
    )
    return labeled_strips(strips, len(colors), 48), caption, facts


FIGURES = {
    "7-energy": energy,
    "8-long-chains": long_chains,
    "9-memory": memory,
    "10-unseen-colors": unseen_colors,
}
