"""Images of a data set, in memory or memory-mapped."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mgconv.errors import UserError
from mgconv.io.images import to_float

MOST = 2**28  # bytes of chosen rows that are copied into memory


class RowsOnDisk:
    """Some rows of a memory-mapped array, each read when it is asked for; NumPy takes it, too."""

    def __init__(self, array, rows: np.ndarray):
        self._array, self._rows = array, rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        first, *others = index if isinstance(index, tuple) else (index,)
        return self._array[(self._rows[first], *others)]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


@dataclass(frozen=True)
class ImageSet:
    """Images in memory or memory-mapped, with labels."""

    pixels: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int64 [N], indices of class_names
    class_names: tuple[str, ...]
    skipped: dict[str, int] = field(default_factory=dict)  # what the source held besides
    notes: tuple[str, ...] = ()  # what a person should know of them, a sentence each
    held_out: str = ""  # how many images of the same data these do not hold, and which
    items: np.ndarray | None = None  # their numbers in the source, int [N]; None: 0, 1, ...
    name_of: Callable[[int], str] = "number {}".format  # of an item of the source

    def __len__(self):
        return len(self.pixels)

    @property
    def names(self) -> np.ndarray:
        """What each image is called in its source: its file's name, or its number, str [N]."""
        return np.array([self.name_of(item) for item in self._items.tolist()])

    @property
    def _items(self):
        return np.arange(len(self)) if self.items is None else self.items

    @property
    def colors(self) -> np.ndarray:
        """1 x 1 versions of up to 10,000 of the images, evenly spread, float32 [n, 1, 1, C]."""
        parts = [self.pixels[rows] for rows in np.array_split(self._rows(10_000), 11)]
        parts = [to_float(part).mean((1, 2), keepdims=True) for part in parts if len(part)]
        return np.concatenate(parts)

    @property
    def only_color(self) -> list[int] | None:
        """The color that all pixels of all images have, nearly; None where two differ by more."""
        low = high = self.pixels[0, 0, 0]
        for start in range(0, len(self), 100):
            part = self.pixels[start : start + 100]
            low, high = np.minimum(low, part.min((0, 1, 2))), np.maximum(high, part.max((0, 1, 2)))
            if (high - low > 2).any():  # a JPEG of one color has a few
                return None
        return low.tolist()

    def some(self, most: int) -> np.ndarray:
        """Up to `most` of the images, evenly spread: a folder is ordered by class."""
        return self.pixels[self._rows(most)]

    def _rows(self, most):
        return np.linspace(0, len(self) - 1, min(len(self), most)).astype(int)

    def only(self, labels: list[int]) -> "ImageSet":
        """The images of these classes."""
        if len(labels) == len(self.class_names):
            return self
        rows = np.flatnonzero(np.isin(self.labels, labels))
        if not len(rows):
            names = ", ".join(self.class_names[label] for label in labels)
            raise UserError("No image of the classes", names, "Choose other --classes.")
        return self.at(rows)

    def at(self, rows: np.ndarray | slice) -> "ImageSet":
        """The images at these places, or of this mask. Many stay on disk, where they lie there."""
        labels = self.labels[rows]
        if isinstance(self.pixels, (np.memmap, RowsOnDisk)) and self._bytes(len(labels)) > MOST:
            pixels: Any = RowsOnDisk(self.pixels, np.arange(len(self))[rows])
        else:
            pixels = self.pixels[rows]
        return replace(self, pixels=pixels, labels=labels, items=self._items[rows])

    def _bytes(self, num):
        return num * math.prod(self.pixels.shape[1:])


Labels = int | Sequence[int] | np.ndarray  # of each image, or a number of images


def asked_labels(labels: Labels, known: Sequence[int]) -> np.ndarray:
    """The classes of images that a person asks a model for, int64 [N].

    Args:
        labels: of each image; or a number of images, of the known classes in turn.
        known: the classes that the model tells apart; none: it has no classes, and any will do.

    Raises:
        UserError: no list of classes, or classes that the model does not know.
    """
    remedy = "Give a label for each image, or a number of images."
    asked = np.asarray(labels)
    if asked.ndim == 0 and asked.dtype.kind in "iu" and asked >= 0:
        return np.resize(np.asarray(known or (0,), np.int64), int(asked))
    whole = asked.dtype.kind in "iuf" and np.array_equal(asked, np.trunc(asked))
    if asked.ndim != 1 or not whole:
        raise UserError("Cannot synthesize images of", f"{labels!r}"[:60], remedy)
    asked = asked.astype(np.int64)
    strange = sorted(set(asked.tolist()) - set(known or asked[asked >= 0].tolist()))
    if strange:
        knows = f"It knows {', '.join(map(str, known))}." if known else "Give labels of 0 or more."
        raise UserError("The model was not trained on classes", strange, knows)
    return asked
