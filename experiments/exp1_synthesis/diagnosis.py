"""Figures that ask what chains do, and whether samples are new: a picture, a caption, numbers."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgconv.chains import Persistent
from mgconv.datasets.image_set import ImageSet
from mgconv.evaluation.diagnosis import chain_energies, nearest
from mgconv.io.images import to_float, to_uint8
from mgconv.models import MultigridModel, PerClassModel, load
from mgconv.reporting.pictures import labeled_strips, to_picture

NUM = 16  # chains of a strip
NUM_COMPARED = 64  # images whose nearest training images are looked for
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
            axis.plot(trace - trace[0])
            axis.set_title(f"{size} x {size}")
            axis.set_xlabel("Langevin step")

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
    samples = to_uint8(subject.model.synthesize(NUM_COMPARED, seed))
    picture, words, facts = _beside_nearest("samples", samples, subject, seed)
    return picture, f"Memory. Look for: samples that are no copies. {words}", facts


def persistent_chains(subject: Subject, seed: int):
    """The pool of persistent CD above the training images nearest to its chains."""
    start = subject.model.learner.grids[-1].start
    assert isinstance(start, Persistent)
    visits = int(start.num_visits)
    pool = start.pool[: min(visits, start.num_slots)].numpy()  # no slot without a chain
    chains = pool.reshape(-1, *pool.shape[2:])
    rows = np.random.default_rng(seed).permutation(len(chains))[:NUM_COMPARED]
    picture, words, facts = _beside_nearest("pool", to_uint8(chains[rows]), subject, seed)
    facts["visits"] = visits / start.num_slots
    caption = (
        "Persistent CD's pool: chains that started from training images and were visited "
        f"{facts['visits']:.1f} times each. Look for: whether they still are those images. {words}"
    )
    return picture, caption, facts


def _beside_nearest(name: str, shown: np.ndarray, subject: Subject, seed: int):
    """Images, uint8 [N, S, S, C], above the training images nearest to them; words; numbers."""
    images, test = subject.images, subject.test
    if test is None:
        own = np.sort(np.random.default_rng(seed).permutation(len(images))[:NUM_COMPARED])
        real, others = images.pixels[own], "training images and others of them"
    else:
        own, others = None, "real test images and training images"
        real = test.pixels[np.isin(test.labels, np.unique(images.labels))][:NUM_COMPARED]
    where, distances = nearest(shown, images.pixels)
    _, second = nearest(shown, images.pixels, own=where)
    facts = {
        name: float(distances.mean()),
        "real": float(nearest(real, images.pixels, own=own)[1].mean()),
        "nearest over second": float(np.mean(distances / np.maximum(second, 1e-6))),
        "contrast": float(to_float(shown).std() / to_float(images.some(1000)).std()),
    }
    strips = {name: shown[:NUM], "the training image nearest to each": images.pixels[where[:NUM]]}
    words = (
        f"Mean distance to the nearest training image {facts[name]:.2f}, "
        f"{facts['nearest over second']:.2f} of that to the second nearest; between {others} "
        f"{facts['real']:.2f}. Stored images are far below in both, but so is one of low contrast "
        f"in the first, which lies near to everything: here it is {facts['contrast']:.2f} of the "
        "data's."
    )
    return labeled_strips(strips, NUM, 48), words, facts


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


FIGURES = {  # name -> method, its figure
    "7-energy": ("multigrid", energy),
    "8-long-chains": ("multigrid", long_chains),
    "9-memory": ("multigrid", memory),
    "10-unseen-colors": ("multigrid", unseen_colors),
    "11-persistent-chains": ("pcd", persistent_chains),
}
DIAGNOSED = ("multigrid", "pcd")
