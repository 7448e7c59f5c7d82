"""Figures that ask what chains do, and whether samples are new: a picture, a caption, numbers."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.diagnosis import chain_energies, nearest
from mgconv.io.images import to_float, to_uint8
from mgconv.models import MultigridModel, PerClassModel, load
from mgconv.reporting.pictures import labeled_strips, to_picture

NUM = 16  # chains of a strip
FACTORS = (1, 10, 100)  # of the trained number of Langevin steps


class Subject(NamedTuple):
    """What is diagnosed; of a run with a model a class, the first one."""

    folder: Path
    model: MultigridModel
    images: ImageSet  # that it was trained on
    test: ImageSet | None  # real ones, of any class

    @classmethod
    def of(cls, folder: Path, training: ImageSet, test: ImageSet | None) -> "Subject":
        """The first model of a run that was trained on `training`."""
        system = load(folder)
        if isinstance(system, PerClassModel):
            label = system.labels[0]
            folder, training = folder / system.class_names[label], training.only([label])
            system = system.of_class(label)
        return cls(folder, system, training, test)


def energy(subject: Subject, seed: int):
    """Mean energy along the chains, grid by grid."""
    traces = chain_energies(subject.model, seed)

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


def long_chains(subject: Subject, seed: int):
    """Chains as long as in training, 10 and 100 times longer."""
    strips, facts = {}, {}
    learned = subject.model.config.num_langevin_steps
    contrast = to_float(subject.images.some(1000)).std()
    for factor in FACTORS:
        longer = {"num_langevin_steps": factor * learned}
        model = subject.model if factor == 1 else load(subject.folder, **longer)
        samples = model.chains(model.colors(NUM, seed), seed)[-1]
        strips[f"{model.config.num_langevin_steps} Langevin steps a grid"] = to_uint8(samples)
        facts[factor] = {
            "contrast": float(samples.std() / contrast),
            "saturated": float(np.mean(np.abs(samples) >= 1)),
        }
    words = "; ".join(
        f"x{factor} contrast {row['contrast']:.2f}, saturated {row['saturated']:.0%}"
        for factor, row in facts.items()
    )
    caption = (
        "Chains as long as in training, 10 and 100 times longer, from the same colors. Look for: "
        "they stay images. Where they turn into saturated patterns, the model is a sampler of "
        "finite chains, no equilibrium one. Noise that falls along the chain falls over its whole "
        "length. "
        f"{words}."
    )
    return labeled_strips(strips, NUM, 48), caption, facts


def memory(subject: Subject, seed: int):
    """Samples above the training images nearest to them."""
    _, model, images, test = subject
    samples = to_uint8(model.synthesize(np.zeros(64, int), seed))
    where, distances = nearest(samples, images.pixels)
    if test is None:
        some = np.sort(np.random.default_rng(seed).permutation(len(images))[:64])
        name, usual = "training images and others of them", nearest(
            images.pixels[some], images.pixels, own=some
        )[1]  # fmt: skip
    else:
        new = test.pixels[np.isin(test.labels, np.unique(images.labels))][:64]
        name, usual = "real test images and training images", nearest(new, images.pixels)[1]
    facts = {"samples": float(distances.mean()), "real": float(usual.mean())}
    facts["contrast"] = float(to_float(samples).std() / to_float(images.some(1000)).std())
    strips = {
        "samples": samples[:NUM],
        "the training image nearest to each": images.pixels[where[:NUM]],
    }
    caption = (
        "Memory. Look for: samples that are no copies. Mean distance to the nearest training image "
        f"{facts['samples']:.2f}; between {name} {facts['real']:.2f}. A model that stores images "
        "is far below, but so is one of low contrast, which lies near to everything: here it is "
        f"{facts['contrast']:.2f} of the data's."
    )
    return labeled_strips(strips, NUM, 48), caption, facts


def unseen_colors(subject: Subject, seed: int):
    """Chains from the colors that are farthest from every known one."""
    model, images = subject.model, subject.images
    known = model.learner.colors.read_value().numpy()[:, 0, 0]
    colors, gaps = _farthest(known, 8)
    colors = colors.reshape(-1, 1, 1, images.pixels.shape[-1])
    samples = model.chains(colors, seed)[-1]
    facts = {"distance_to_a_known_color": gaps.tolist()}
    strips = {"start": to_uint8(np.broadcast_to(colors, samples.shape)), "end": to_uint8(samples)}
    caption = (
        f"Colors never seen: chains from starts that are {gaps.min():.2f} or more from the mean "
        f"color of each of the {len(known)} training images that the model keeps. Look for: images "
        "in that color, or a return to usual ones, rather than noise."
    )
    return labeled_strips(strips, len(colors), 48), caption, facts


def _farthest(known: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Colors of a lattice far from the known ones, [N, C], and from each other; their distances."""
    channels = known.shape[1]
    levels = np.linspace(-1, 1, 9 if channels == 3 else 65, dtype=np.float32)
    lattice = np.stack(np.meshgrid(*[levels] * channels), -1).reshape(-1, channels)
    gaps = np.array([np.linalg.norm(known - color, axis=1).min() for color in lattice])
    free, chosen = gaps.copy(), []
    for _ in range(num):
        chosen.append(int(free.argmax()))
        free = np.minimum(free, np.linalg.norm(lattice - lattice[chosen[-1]], axis=1))
    return lattice[chosen], gaps[chosen]


FIGURES = {
    "7-energy": energy,
    "8-long-chains": long_chains,
    "9-memory": memory,
    "10-unseen-colors": unseen_colors,
}
