"""From data to a finished run: the learner of a method, its data, its folder."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from mgconv.config import Config
from mgconv.datasets.batches import batches
from mgconv.datasets.few_labels import partly_labeled, split_labels
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.io.files import read_json, write_json
from mgconv.io.images import to_float
from mgconv.recipes import METHODS
from mgconv.training.build import Start, build
from mgconv.training.devices import make_strategy, own_folder, place_among_workers, refuse_apart
from mgconv.training.guard import Guard
from mgconv.training.loop import Cadence, Learner, ReusableLearner, num_rollbacks, train
from mgconv.training.provenance import provenance
from mgconv.training.records import refuse_giant
from mgconv.training.run import Run


def report(folder: Path, learner, seconds: float) -> dict:
    """Writes results.json of a trained model: its updates, seconds, and how it was made."""
    path = own_folder(folder) / "results.json"
    facts = {
        "updates": int(learner.update_count),
        "seconds": round(seconds, 1),
        "rollbacks": num_rollbacks(learner),
        "parameters": learner.parameters,
    }
    before = read_json(path) if path.exists() else {}
    if any(before.get(name) != fact for name, fact in facts.items()):
        write_json(path, facts | provenance())
    return facts


def learn(
    config: Config,
    images: ImageSet,
    folder: str | os.PathLike,
    traced: ReusableLearner | None = None,
    num_images: int | None = None,
) -> tuple[Learner, float]:
    """Trains a model of `images` in `folder`, or resumes the one that is there.

    Args:
        config: how. With classes="each" it must be a baseline's: one net
            that gets the class as an input.
        images: all training images of this model.
        folder: of the run.
        traced: the learner of another model of the same config, to be used again.
        num_images: training images that count as an epoch; by default all of `images`.

    Returns:
        The learner and the seconds that its updates took.
    """
    strategy = _devices(config)
    refuse_giant(config, images.pixels.shape[-1])
    data = describe(images) | _classes(config, images)
    stream = _stream(config, images, data.get("labels"))
    stream(0)  # a batch larger than the data is reported before a folder is made
    start = Start(images.colors, reference_images(images, config), images)
    epoch = {"num_images": num_images or len(images)}
    learner = traced or build(config, data | epoch, start, strategy)
    run = Run(own_folder(folder), config, data)
    if traced:
        traced.reset(config.seed, start.colors, start.reference)
    count = learner.update_count
    seconds = train(
        learner,
        stream,
        num_updates=config.num_updates,
        minutes=config.minutes,
        run=run,
        cadence=Cadence(config.log_every, config.checkpoint_every, config.preview_every),
        num_profiled=config.profile,
        guard=Guard(config.on_divergence, config.max_rollbacks, _saturated(start.reference)),
        restored=lambda: refuse_apart(count, strategy),
    )
    return learner, seconds


def _devices(config: Config) -> tf.distribute.Strategy:
    """The devices of a run, set up before anything else is done on them."""
    strategy = make_strategy(config.devices, config.method, config.batch_size)
    if config.minutes and place_among_workers() is not None:  # each would count its own
        found = f"--minutes={config.minutes:g}"
        raise UserError("Workers cannot share a budget of", found, "Give --num_updates.")
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    return strategy


def _classes(config: Config, images: ImageSet) -> dict[str, Any]:
    """What one net of all classes must know of them."""
    if config.classes != "each" and not METHODS[config.method].reads_labels:
        return {}
    return {"class_names": list(images.class_names), "labels": sorted(set(images.labels))}


def _stream(
    config: Config, images: ImageSet, labels: list[int] | None
) -> Callable[[int], Iterable]:
    """From a number of updates done to the batches that follow."""
    if METHODS[config.method].reads_labels:
        return _partly_labeled(config, images)
    masked = config.objective == "conditional" or METHODS[config.method].masked
    return lambda first: batches(
        images, config.batch_size, config.seed, first, config.flip, labels, masked
    )


def _partly_labeled(config: Config, images: ImageSet) -> Callable[[int], Iterable]:
    """The same of images of which some have labels."""
    learned = split_labels(images, config.labels, config.seed).learned
    if config.unlabeled and config.labels == len(images):
        remedy = "Give fewer --labels, or --nounlabeled."
        raise UserError("No image is left without a label", f"--labels={config.labels}", remedy)
    given = (config.batch_size, config.seed)
    return lambda first: partly_labeled(
        images, learned, *given, first, config.flip, config.unlabeled
    )


def _saturated(pixels: np.ndarray) -> float:
    """Share of the observed pixels that lie on a bound of [-1, 1]."""
    return float(np.mean(np.abs(pixels) >= 1))


def reference_images(images: ImageSet, config: Config) -> np.ndarray:
    """A batch of training images drawn by the seed, float32 [B, S, S, C]."""
    rows = np.random.default_rng(config.seed).permutation(len(images))
    return to_float(images.pixels[np.sort(np.resize(rows, config.batch_size))])


def describe(images: ImageSet) -> dict[str, Any]:
    """Facts that tell one training set from another."""
    sample = images.pixels[:: max(1, len(images) // 100)]
    names = [images.class_names[label] for label in np.unique(images.labels)]
    held_out = {"held_out_images": images.held_out} if images.held_out else {}
    return held_out | {
        "num_images": len(images),
        "skipped": images.skipped,
        "channels": int(images.pixels.shape[-1]),
        "class_names": names,
        "mean_pixel": round(float(np.mean(sample)), 6),
    }
