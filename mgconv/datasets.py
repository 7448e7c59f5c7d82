"""Data sets: a table of sources; images at the working size; endless batches in [-1, 1]."""

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mgconv import files, sources, store
from mgconv.config import UserError, choose
from mgconv.images import to_float
from mgconv.masks import square


@dataclass(frozen=True)
class ImageSet:
    """Images in memory or memory-mapped, with labels."""

    pixels: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int64 [N], indices of class_names
    class_names: tuple[str, ...]
    skipped: dict[str, int] = field(default_factory=dict)  # what the source held besides

    def __len__(self):
        return len(self.pixels)

    @property
    def colors(self) -> np.ndarray:
        """1 x 1 versions of up to 10,000 of the images, evenly spread, float32 [n, 1, 1, C]."""
        parts = [self.pixels[rows] for rows in np.array_split(self._rows(10_000), 11)]
        parts = [to_float(part).mean((1, 2), keepdims=True) for part in parts if len(part)]
        return np.concatenate(parts)

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
        return ImageSet(self.pixels[rows], self.labels[rows], self.class_names, self.skipped)


Read = Callable[[str, str | None, str | None], sources.Source]  # (split, data_dir, image_dir)


@dataclass(frozen=True)
class DatasetSpec:
    """One row of DATASETS: all in which data sets differ."""

    about: str
    read: Read
    grids: tuple[int, ...] = (1, 4, 16, 64)
    channels: int = 3
    crop: int | None = None  # side of the centre square that is cut before resizing
    reads_files: bool = False  # of --image_dir
    prepared: bool = False  # by tfds, under the row's name


def _tfds(name: str, class_names: tuple[str, ...] = (), **splits: str) -> Read:
    """A row that tfds has prepared.

    Args:
        name: tfds's.
        class_names: for a preparation that kept the numbers of the classes alone.
        **splits: tfds's name of a split, where it is another.
    """

    def read(split, data_dir, image_dir):
        _no_image_dir(name, image_dir)
        source = sources.tfds_source(name, splits.get(split, split), data_dir)
        unnamed = all(known.isdecimal() for known in source.class_names)
        return source.with_names(class_names) if class_names and unnamed else source

    return read


def _files(part_of: Callable[[str], Callable[[str], str] | None]) -> Read:
    """A row of images in a folder or zip; `part_of(place)` tells the split of a file name."""

    def read(split, data_dir, image_dir):
        if image_dir is None:
            raise UserError("This data set has", "no --image_dir", "Give its folder or .zip.")
        return files.image_files(image_dir, split, part_of(image_dir))

    return read


def _celeb_a(split, data_dir, image_dir):
    """CelebA three ways: prepared by tfds; the official zip as it lies; any folder of it."""
    if image_dir is None:
        return sources.tfds_source("celeb_a", split, data_dir)
    return files.image_files(image_dir, split, files.celeb_a_partition(image_dir))


def _inside(read: Callable[[str], sources.Source]) -> Read:
    """A row that scikit-learn carries."""

    def read_row(split, data_dir, image_dir):
        _no_image_dir(read.__name__, image_dir)
        return read(split)

    return read_row


def _no_image_dir(name, image_dir):
    if image_dir is not None:
        remedy = "Give --image_dir alone, or with celeb_a or lfw."
        raise UserError(f"--dataset={name} does not read", f"--image_dir={image_dir}", remedy)


SMALL = (1, 4, 16, 32)
CIFAR_10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
DATASETS = {
    "digits": DatasetSpec("scikit-learn's digits", _inside(sources.digits), (1, 4, 8), 1),
    "photos": DatasetSpec("crops of scikit-learn's two photographs", _inside(sources.photos)),
    "image_dir": DatasetSpec(
        "any images: --image_dir=FOLDER or .zip", _files(lambda _: None), reads_files=True
    ),
    # the paper's five
    "celeb_a": DatasetSpec("CelebA faces", _celeb_a, crop=140, prepared=True, reads_files=True),
    "lsun_scenes/bedroom": DatasetSpec(
        "LSUN bedrooms", _tfds("lsun_scenes/bedroom", test="validation"),
        prepared=True,
    ),
    "cifar10": DatasetSpec(
        "CIFAR-10, a model a class in the paper", _tfds("cifar10", CIFAR_10), SMALL,
        prepared=True,
    ),
    "svhn_cropped": DatasetSpec(
        "SVHN digits; the paper learns from train + test images (split all) without labels",
        _tfds("svhn_cropped", all="train+test"), SMALL, prepared=True,
    ),
    "places205": DatasetSpec(
        "Places205, by category in the paper", _tfds("places205", test="validation"),
        prepared=True,
    ),
    # others, to show that one is a row
    "lfw": DatasetSpec(
        "Labeled Faces in the Wild", _files(lambda _: files.by_person), reads_files=True
    ),
    "stl10": DatasetSpec("STL-10", _tfds("stl10"), prepared=True),
}  # fmt: skip


def load_images(
    dataset: str,
    split: str,
    size: int,
    data_dir: str | None = None,
    image_dir: str | None = None,
    cache_dir: str | None = None,
    crop: int | None = None,
) -> ImageSet:
    """Images of a data set at `size`, decoded once and memory-mapped from then on.

    Args:
        dataset: a row of DATASETS.
        split: "train", "test"; "all" where a row has it.
        size: pixels a side.
        data_dir: where tfds keeps prepared data.
        image_dir: folder or .zip, for the rows that read one.
        cache_dir: where decoded arrays are kept; default ~/.cache/mgconv.
        crop: side of the centre square cut before resizing; None takes the row's.

    Raises:
        UserError: unknown data set, data not prepared, no usable image, no space.
    """
    spec = DATASETS[choose("data set", dataset, DATASETS)]
    source = spec.read(split, data_dir, image_dir)
    crop = crop or spec.crop
    facts = {"size": size, "channels": spec.channels, "crop": crop, "format": 4} | source.facts
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = cache_root(cache_dir) / f"{dataset.replace('/', '-')}-{split}-{size}-{key[:16]}"
    return ImageSet(*store.open_or_fill(folder, source, size, spec.channels, crop))


def cache_root(cache_dir: str | None = None) -> Path:
    """Where everything is kept that can be made anew."""
    place = cache_dir or os.environ.get("MGCONV_CACHE_DIR") or "~/.cache/mgconv"
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UserError(f"Cannot use --cache_dir={place}", error, "Give another.") from None


def choose_classes(classes: str, class_names: tuple[str, ...]) -> list[int]:
    """Indices of the classes that --classes names: all, each, names or numbers."""
    if classes in ("all", "each"):
        return list(range(len(class_names)))
    return sorted({_class_index(name.strip(), class_names) for name in classes.split(",")})


def labels_of(names: Iterable[str], class_names: tuple[str, ...]) -> list[int]:
    """Indices of classes by their names alone, which may hold a comma."""
    return sorted(class_names.index(choose("class", name, class_names)) for name in names)


def _class_index(name: str, class_names: tuple[str, ...]) -> int:
    if name not in class_names and name.isdecimal() and int(name) < len(class_names):
        return int(name)
    return class_names.index(choose("class", name, class_names))


def batches(
    images: ImageSet,
    batch_size: int,
    seed: int,
    first_update: int,
    flip: bool = False,
    labels: list[int] | None = None,
    masked: bool = False,
):
    """Endless batches float32 [B, S, S, C] from update `first_update` on, as a tf.data.Dataset.

    Batch i is a function of (seed, i): a permutation of the images each epoch, the last partial
    batch left out. So a resumed run reads what the uninterrupted one would have read. With `labels`
    given, a batch is (images, places of their labels in that list, int64 [B]); `masked`, it is
    (images, visible), bool [B, S, S, 1]: a square of half the side is hidden at a random place.

    Raises:
        UserError: a batch is larger than the data.
    """
    import tensorflow as tf

    if len(images) < 2:
        raise UserError("Too few images to learn from", len(images), "Give 2 or more.")
    if batch_size > len(images):
        remedy = f"Give at most --batch_size={len(images)}."
        raise UserError("A batch is larger than the data", f"{batch_size} > {len(images)}", remedy)
    per_epoch = len(images) // batch_size

    def batch(index):
        epoch, place = divmod(int(index), per_epoch)
        rows = np.sort(_permutation(len(images), seed, epoch)[place * batch_size :][:batch_size])
        pixels = images.pixels[rows]
        if flip:
            mirrored = np.random.default_rng([seed, epoch, 1]).random(len(images))[rows] < 0.5
            pixels = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
        places = np.searchsorted(labels or [], images.labels[rows])
        visible = square(batch_size, size, (seed, int(index))) if masked else np.ones(1, bool)
        return to_float(pixels), places, visible

    size = images.pixels.shape[1]

    def load(index):
        kinds = (tf.float32, tf.int64, tf.bool)
        loaded, places, visible = tf.numpy_function(batch, [index], kinds)
        loaded = tf.ensure_shape(loaded, [batch_size, *images.pixels.shape[1:]])
        if masked:
            return loaded, tf.ensure_shape(visible, [batch_size, size, size, 1])
        return loaded if labels is None else (loaded, tf.ensure_shape(places, [batch_size]))

    indices = tf.data.Dataset.range(first_update, np.iinfo(np.int64).max)
    return indices.map(load).prefetch(2)


@functools.lru_cache(maxsize=4)
def _permutation(num_images: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(num_images)
