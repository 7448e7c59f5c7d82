"""Several models to compare: each is trained, or reused where it is there."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgconv.config import Config
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError

BEGIN = 60.0  # seconds that a process waits for others to write down a run of many models


@dataclass(frozen=True)
class Entry:
    """One system of a comparison: a run folder and the model trained in it."""

    config: Config
    folder: Path
    classes: tuple[str, ...] | None = None  # with a model a class: the ones to train


def train_or_reuse(entry: Entry, images) -> dict[str, dict]:
    """Trains what is not trained yet; returns updates, seconds, parameters of each model by class.

    A method that diverged is a row as well: {"failed": {"failed": what happened}}.
    """
    from mgconv.training.fit import learn, report
    from mgconv.training.guard import DivergenceError

    print(f"{entry.folder}: training or reusing", flush=True)
    try:
        if entry.config.is_by_class:
            return learn_each(entry.config, images, entry.folder, entry.classes)
        config, shown = _conditional(entry, images)
        learner, seconds = learn(config, shown, entry.folder)
        return {"all": report(entry.folder, learner, seconds)}
    except DivergenceError as error:
        print(error, flush=True)
        return {"failed": {"failed": str(error)}}


def parts_of(entry: Entry, images: ImageSet) -> dict[str, Entry]:
    """What of an entry can be trained at once, by the name of its folder in the entry's.

    Raises:
        UserError: a batch is larger than a class, or no class can be trained.
    """
    if not entry.config.is_by_class:
        return {"": entry}
    classes = without_tiny_classes(entry, images).classes or ()
    return {name: dataclasses.replace(entry, classes=(name,)) for name in classes}


def _conditional(entry: Entry, images: ImageSet) -> tuple[Config, ImageSet]:
    """Config and images of one net for all classes: it gets the budget of a model for each."""
    from mgconv.datasets.table import labels_of

    if entry.config.classes != "each":
        return entry.config, images
    names = entry.classes or images.class_names
    images = images.only(labels_of(names, images.class_names))
    minutes = entry.config.minutes
    whole = dataclasses.replace(
        entry.config,
        num_updates=entry.config.num_updates * len(names),
        minutes=minutes and minutes * len(names),
    )
    return whole, images


def without_tiny_classes(entry: Entry, images: ImageSet) -> Entry:
    """The entry; where it trains a model a class, without classes that have too few images.

    Raises:
        UserError: a batch is larger than a class, or no class can be trained.
    """
    if entry.config.classes != "each":
        return entry
    left = _learnable(images, entry.classes, entry.config.batch_size)
    return dataclasses.replace(entry, classes=tuple(images.class_names[c] for c in left))


def has_failed(facts: dict[str, dict]) -> bool:
    """Whether `train_or_reuse` has no model to show."""
    return "failed" in facts


def _learnable(images: ImageSet, names: tuple[str, ...] | None, batch_size: int) -> list[int]:
    """Those of some classes with two images or more, which a model needs; says which lack them.

    Args:
        images: of all classes.
        names: of classes; None: all.
        batch_size: of each class's model.

    Raises:
        UserError: a batch is larger than one of them, reported before hours of training the others.
    """
    from mgconv.datasets.table import labels_of

    labels = labels_of(names or images.class_names, images.class_names)
    counts = {label: int((images.labels == label).sum()) for label in labels}
    left = [label for label in labels if counts[label] >= 2]
    out = [f"{images.class_names[c]} {counts[c]}" for c in labels if c not in left]
    if not left:
        found, remedy = ", ".join(out), "Give two images or more of each class."
        raise UserError("Too few images to train on", found, remedy)
    if out:
        print(f"left out, with fewer than two images: {', '.join(out)}", flush=True)
    few = [f"{images.class_names[c]} {counts[c]}" for c in left if counts[c] < batch_size]
    if few:
        remedy = f"Give at most --batch_size={min(counts[label] for label in left)}."
        raise UserError("A batch is larger than a class", f"{batch_size}; {', '.join(few)}", remedy)
    return left


def learn_each(config, images, folder: Path, names: tuple[str, ...] | None = None):
    """A model a class in sub-folders of `folder`, all by one learner that is traced once.

    Args:
        config: with classes="each".
        images: of all classes.
        folder: of the run with a model a class.
        names: the classes to train; by default all. One of fewer than two images is left out.

    Returns:
        Results of each class by name, as `report` gives them.

    Raises:
        UserError: a batch is larger than a class, or no class can be trained.
        DivergenceError: of some classes, when all have been trained.
    """
    from mgconv.io.locks import locked
    from mgconv.training.devices import own_folder
    from mgconv.training.fit import describe, learn, report
    from mgconv.training.guard import DivergenceError
    from mgconv.training.run import Run

    chosen = _learnable(images, names, config.batch_size)
    data = describe(images) | {"class_names": list(images.class_names)}
    run = Run(own_folder(folder), config, data)
    with locked(run.folder, patience=BEGIN):  # processes that train other classes begin it, too
        run.begin()
    traced: Any = None
    results: dict[str, dict] = {}
    diverged: dict[str, DivergenceError] = {}
    for label in chosen:
        name, subset = images.class_names[label], images.only([label])
        own = dataclasses.replace(config, classes=name, resume="auto")  # `run` has been asked
        epoch = len(images) // len(images.class_names)  # one learning rate schedule for all
        try:
            traced, seconds = learn(own, subset, folder / name, traced, epoch)
        except DivergenceError as error:  # reported by the run; the other classes are not lost
            diverged[name] = error
        else:
            results[name] = report(folder / name, traced, seconds)
    if diverged:
        seen = "; ".join(f"{name}: {error.seen}" for name, error in diverged.items())
        raise DivergenceError(seen, max(error.update for error in diverged.values()))
    return results
