"""Data: a source -> a uint8 array on disk, decoded once -> batches in [-1, 1]."""

import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mgconv.config import UserError, choose
from mgconv.images import decode, resize, to_float

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
MAX_FILE_BYTES = 50_000_000


@dataclass(frozen=True)
class ImageSet:
    """Images in memory or memory-mapped, with labels."""

    pixels: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int64 [N], indices of class_names
    class_names: tuple[str, ...]

    def __len__(self):
        return len(self.pixels)

    @property
    def colors(self) -> np.ndarray:
        """1 x 1 versions of up to 10,000 of the images, evenly spread, float32 [n, 1, 1, C]."""
        rows = np.linspace(0, len(self.pixels) - 1, min(len(self.pixels), 10_000)).astype(int)
        parts = [self.pixels[some] for some in np.array_split(rows, len(rows) // 1000 + 1)]
        return np.concatenate([to_float(part).mean((1, 2), keepdims=True) for part in parts])

    def only(self, labels: list[int]) -> "ImageSet":
        """The images of these classes."""
        if len(labels) == len(self.class_names):
            return self
        rows = np.flatnonzero(np.isin(self.labels, labels))
        if not len(rows):
            names = ", ".join(self.class_names[label] for label in labels)
            raise UserError("No image of the classes", names, "Choose other --classes.")
        return ImageSet(self.pixels[rows], self.labels[rows], self.class_names)


class Source(NamedTuple):
    """Where images come from: enough to tell whether a stored array is theirs, and to read them."""

    facts: dict[str, Any]
    class_names: tuple[str, ...]
    read: Callable[[], Iterator[tuple[bytes | np.ndarray, int]]]  # encoded, or uint8 [H, W, C]


@dataclass(frozen=True)
class DatasetSpec:
    """One row of DATASETS."""

    about: str
    grids: tuple[int, ...]
    channels: int
    source: Callable[..., Source]  # (split, data_dir) -> Source


# -- data that scikit-learn carries


def _digits(split: str, data_dir=None) -> Source:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
    order = np.random.default_rng(0).permutation(len(pixels))  # one fixed split, 70 to 30
    rows = np.sort(order[:1257] if split == "train" else order[1257:])
    pairs = list(zip(pixels[rows], data.target[rows]))
    return Source({"split": split}, tuple("0123456789"), lambda: iter(pairs))


PHOTO_TRAIN_WIDTH = 96  # of 160: the right end of each photograph is for testing


def _photos(split: str, data_dir=None) -> Source:
    """64 x 64 crops of the photographs at a quarter; no pixel is in training and in test."""
    from sklearn.datasets import load_sample_images

    quarters = [
        np.rint(image[:424].reshape(106, 4, 160, 4, 3).mean((1, 3))).astype(np.uint8)
        for image in load_sample_images().images
    ]
    train = range(0, PHOTO_TRAIN_WIDTH - 64 + 1, 2)
    test = range(PHOTO_TRAIN_WIDTH, 160 - 64 + 1)
    pairs = [
        (photo[top : top + 64, left : left + 64], label)
        for label, photo in enumerate(quarters)
        for top in range(0, 106 - 64 + 1, 2)
        for left in (train if split == "train" else test)
    ]
    return Source({"split": split}, ("temple", "flower"), lambda: iter(pairs))


# -- tfds


def _tfds(name: str) -> Callable[..., Source]:
    """A data set that tfds has prepared in `data_dir`."""

    def source(split: str, data_dir: str | None = None) -> Source:
        import tensorflow_datasets as tfds

        try:
            data, info = tfds.load(
                name, split=split, data_dir=data_dir, download=False, with_info=True,
                shuffle_files=False, read_config=tfds.ReadConfig(try_autocache=False),
            )  # fmt: skip
        except (AssertionError, FileNotFoundError, tfds.core.DatasetNotFoundError):
            place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
            raise UserError(
                f'No prepared "{name}" in', place, f"Run: make data DATASET={name}"
            ) from None

        def read():
            for example in data.as_numpy_iterator():
                yield example["image"], int(example["label"])

        facts = {"split": split, "version": str(info.version), "place": str(info.data_dir)}
        return Source(facts, tuple(info.features["label"].names), read)

    return source


# -- a folder or a zip of images, read in place


def image_files(path: str, split: str = "train", data_dir=None) -> Source:
    """Images below a folder or in a .zip; an image's class is the name of the folder it lies in."""
    place = Path(path)
    if place.is_dir():
        files = {str(f.relative_to(place)): f for f in sorted(place.rglob("*")) if f.is_file()}
        stats = {name: (f.stat().st_size, f.stat().st_mtime_ns) for name, f in files.items()}
        open_file = lambda name: files[name].read_bytes()  # noqa: E731
    elif place.is_file():
        stats, open_file = _zip_members(place)
    else:
        raise UserError("No such --image_dir", path, "Give a folder or a .zip of images.")
    stats = {n: s for n, s in stats.items() if n.lower().endswith(IMAGE_ENDINGS)}
    if not stats:
        raise UserError("No images in --image_dir", path, f"Endings: {' '.join(IMAGE_ENDINGS)}.")
    folders = [Path(name).parent.name or place.stem for name in stats]
    class_names = tuple(sorted(set(folders)))

    def read():
        for (name, (size, _)), folder in zip(stats.items(), folders):
            content = open_file(name) if size <= MAX_FILE_BYTES else b""
            yield content, class_names.index(folder)

    digest = hashlib.sha256(json.dumps(stats).encode()).hexdigest()
    return Source({"name": place.name, "files": digest}, class_names, read)


def _zip_members(place: Path):
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, OSError):
        remedy = "Give a folder or a .zip of images."
        raise UserError("--image_dir is no readable .zip", place, remedy) from None
    members = {m.filename: m for m in archive.infolist() if not m.is_dir()}

    def open_file(name):
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError):
            return b""  # counted as broken

    return {name: (m.file_size, m.CRC) for name, m in sorted(members.items())}, open_file


DATASETS = {
    "digits": DatasetSpec("scikit-learn's 8x8 digits, no download", (1, 4, 8), 1, _digits),
    "photos": DatasetSpec(
        "64x64 crops of scikit-learn's two photographs, no download", (1, 4, 16, 64), 3, _photos
    ),
    "cifar10": DatasetSpec(
        "CIFAR-10 through tfds, 10 classes", (1, 4, 16, 32), 3, _tfds("cifar10")
    ),
    "image_dir": DatasetSpec("your own images: --image_dir", (1, 4, 16, 64), 3, image_files),
}


# -- the store


def load_images(
    dataset: str,
    split: str,
    size: int,
    data_dir: str | None = None,
    image_dir: str | None = None,
    cache_dir: str | None = None,
) -> ImageSet:
    """Images of a data set at `size`, decoded once and memory-mapped from then on.

    Args:
        dataset: a row of DATASETS.
        split: "train" or "test".
        size: pixels a side.
        data_dir: where tfds keeps prepared data.
        image_dir: folder or .zip, for dataset "image_dir".
        cache_dir: where decoded arrays are kept; default ~/.cache/mgconv.

    Raises:
        UserError: unknown data set, data not prepared, no usable image.
    """
    spec = DATASETS[choose("data set", dataset, DATASETS)]
    if dataset == "image_dir":
        if image_dir is None:
            raise UserError(
                "--dataset=image_dir needs", "no --image_dir", "Give the folder or .zip."
            )
        source = image_files(image_dir, split)
    else:
        source = spec.source(split, data_dir)
    facts = {"dataset": dataset, "size": size, "channels": spec.channels, "format": 2}
    key = hashlib.sha256(json.dumps(facts | source.facts, sort_keys=True).encode()).hexdigest()
    root = Path(cache_dir or os.environ.get("MGCONV_CACHE_DIR") or "~/.cache/mgconv").expanduser()
    folder = root / f"{dataset}-{split}-{size}-{key[:16]}"
    if not (folder / "meta.json").exists():
        _fill_store(folder, source, size, spec.channels)
    return _open_store(folder, size, spec.channels)


def _fill_store(folder: Path, source: Source, size: int, channels: int) -> None:
    """Decodes every image into `folder`; the folder appears when all is there."""
    import shutil

    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(parents=True, exist_ok=True)
        labels, skipped = _decode_all(draft / "pixels.uint8", source, size, channels)
        np.save(draft / "labels.npy", np.array(labels, np.int64))
        meta = {"num_images": len(labels), "skipped": skipped, "class_names": source.class_names}
        (draft / "meta.json").write_text(json.dumps(meta))
        if folder.exists():
            shutil.rmtree(folder)  # without a meta.json: the rest of an interrupted removal
        draft.replace(folder)
    except OSError as error:
        remedy = "Free space or choose --cache_dir."
        raise UserError(
            f"Cannot keep decoded images in {folder.parent}", error.strerror, remedy
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _decode_all(path: Path, source: Source, size: int, channels: int):
    from tqdm import tqdm

    labels, skipped = [], {}
    with path.open("wb") as file:
        for image, label in tqdm(source.read(), "decoding", unit=" images", disable=None):
            try:
                fit = decode if isinstance(image, bytes) else lambda x, s, _: resize(x, s)
                file.write(fit(image, size, channels).tobytes())
                labels.append(int(label))
            except ValueError as error:
                reason = "smaller than the top grid" if "smaller" in str(error) else "broken"
                skipped[reason] = skipped.get(reason, 0) + 1
    if not labels:
        found = ", ".join(f"{count} {reason}" for reason, count in skipped.items()) or "none"
        raise UserError(
            f"No usable image at {size} x {size}", found, "Choose other images or smaller --grids."
        )
    return labels, skipped


def _open_store(folder: Path, size: int, channels: int) -> ImageSet:
    meta = json.loads((folder / "meta.json").read_text())
    shape = (meta["num_images"], size, size, channels)
    pixels = np.memmap(folder / "pixels.uint8", np.uint8, "r", shape=shape)
    labels = np.load(folder / "labels.npy", allow_pickle=False)
    for reason, count in meta["skipped"].items():
        print(f"{folder.name}: skipped {count} images: {reason}")
    return ImageSet(pixels, labels, tuple(meta["class_names"]))


# -- classes and batches


def choose_classes(classes: str, class_names: tuple[str, ...]) -> list[int]:
    """Indices of the classes that --classes names: all, each, names or numbers."""
    if classes in ("all", "each"):
        return list(range(len(class_names)))
    return sorted({_class_index(name.strip(), class_names) for name in classes.split(",")})


def _class_index(name: str, class_names: tuple[str, ...]) -> int:
    if name not in class_names and name.isdigit() and int(name) < len(class_names):
        return int(name)
    return class_names.index(choose("class", name, class_names))


def batches(images: ImageSet, batch_size: int, seed: int, first_update: int, flip: bool = False):
    """Endless batches float32 [B, S, S, C] from update `first_update` on, as a tf.data.Dataset.

    Batch i is a function of (seed, i): a permutation of the images each epoch, the last partial
    batch left out. So a resumed run reads what the uninterrupted one would have read.

    Raises:
        UserError: a batch is larger than the data.
    """
    import tensorflow as tf

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
        return to_float(pixels)

    def load(index):
        loaded = tf.numpy_function(batch, [index], tf.float32)
        return tf.ensure_shape(loaded, [batch_size, *images.pixels.shape[1:]])

    indices = tf.data.Dataset.range(first_update, np.iinfo(np.int64).max)
    return indices.map(load).prefetch(2)


@functools.lru_cache(maxsize=4)
def _permutation(num_images: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(num_images)
