"""What is printed of a data set before training: what is left out, merged, empty."""

from pathlib import Path

import numpy as np

from mgconv.datasets.cache import OTHERS_FILE, SKIPPED_FILE
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.sources import Source
from mgconv.datasets.walking import Names, first_names, most_frequent


def notes_on(images: ImageSet, source: Source, first: Names, folder: Path) -> tuple[str, ...]:
    """A sentence for each thing that the images alone do not show.

    Args:
        images: decoded.
        source: they were read from.
        first: names of some of the skipped images, by reason.
        folder: where they are kept, and all that was left out is listed.
    """
    skipped = most_frequent(images.skipped)
    others = most_frequent({kind: len(names) for kind, names in source.others.items()})
    notes = [f"skipped {n} images: {_named(why, n, first)}" for why, n in skipped.items()]
    if others:
        parts = [f"{n} {_named(kind, n, source.others)}" for kind, n in others.items()]
        notes.append(f"files that are not read: {', '.join(parts)}")
    lists = [str(folder / name) for name in (SKIPPED_FILE, OTHERS_FILE)]
    lists = [path for path in lists if Path(path).exists()]
    if (skipped or others) and lists:
        notes.append(f"all that is left out is listed in {' and '.join(lists)}")
    return (*notes, *source.notes, *_empty(images, source), *_one_color(images))


def _named(what: str, num: int, names: Names) -> str:
    return f"{what} ({first_names(names[what], num)})" if names.get(what) else what


def _empty(images: ImageSet, source: Source) -> list[str]:
    """Classes of which nothing can be used."""
    empty = sorted(set(source.labels) - set(np.unique(images.labels).tolist()))
    names = [images.class_names[label] for label in empty]
    if not names:
        return []
    return [f"classes without a usable image, left out: {first_names(names, len(names))}"]


def _one_color(images: ImageSet) -> list[str]:
    color = images.only_color
    if color is None:
        return []
    return [f"all images are of one color, {' '.join(map(str, color))}: there is no more to learn"]
