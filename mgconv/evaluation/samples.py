"""Samples with the classes that they are meant to show: from a file, or real ones to compare."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgconv.datasets.archives import image_files, unbounded
from mgconv.datasets.decoding import BadImageError, decode, picture_size
from mgconv.datasets.formats import quiet
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.walking import readable, same_name
from mgconv.errors import UserError
from mgconv.io.images import to_pixels

MAX_SIDE = 1024  # of samples, all of which are in memory


class LabeledSamples(NamedTuple):
    """Images and the classes that they are meant to show."""

    images: np.ndarray  # uint8 [N, S, S, C]
    labels: np.ndarray  # int [N]

    def of(self, labels) -> "LabeledSamples":
        """Those of these classes."""
        rows = np.isin(self.labels, labels)
        return LabeledSamples(self.images[rows], self.labels[rows])

    def like(self, labels: np.ndarray, seed: int) -> "LabeledSamples":
        """A random draw with these labels, in their order, without repetition within a class.

        Raises:
            UserError: a class has fewer images than are asked for.
        """
        rng = np.random.default_rng(seed)
        rows = np.empty(len(labels), int)
        for label in np.unique(labels):
            wanted = labels == label
            have = np.flatnonzero(self.labels == label)
            if len(have) < wanted.sum():
                found = f"{len(have)} of {wanted.sum()} of class {label}"
                raise UserError("Too few images to compare", found, "Compare fewer.")
            rows[wanted] = rng.permutation(have)[: wanted.sum()]
        return LabeledSamples(self.images[rows], labels)


def class_mean_control(training: LabeledSamples, labels: np.ndarray, seed: int) -> LabeledSamples:
    """Mean image of each class plus noise of each pixel's own spread: what must be beaten."""
    rng = np.random.default_rng(seed)
    images = np.empty([len(labels), *training.images.shape[1:]], np.uint8)
    for label in np.unique(labels):
        rows = training.images[training.labels == label].astype(np.float32)
        where = labels == label
        noise = rng.normal(size=[where.sum(), *rows.shape[1:]])
        noisy = rows.mean(axis=0) + rows.std(axis=0) * noise
        images[where] = np.clip(np.rint(noisy), 0, 255)
    return LabeledSamples(images, labels)


def read_samples(path: str | None, channels: int = 3):
    """Images, labels or None, class names or None; nothing that is read is executed.

    Args:
        path: an .npz with `images` or `arr_0`, maybe `labels` and `class_names`; an .npy; a folder
            or .zip of square pictures of one size, whose folders, if several, are their classes.
        channels: of pictures.

    Raises:
        UserError: no such file; no images as `to_pixels` takes them; `labels` that do not fit.
    """
    if path is None:
        remedy = "Give an .npz or .npy of images, or a folder of pictures."
        raise UserError("--samples is missing", "no file", remedy)
    has_pictures = Path(path).is_dir() or _is_zip_of_pictures(path)
    images, labels, names = _of_pictures(path, channels) if has_pictures else _of_arrays(path)
    images = to_pixels(images, f"--samples={path}")
    if len(images) < 20:
        raise UserError("Too few samples", len(images), "Give 20 or more; a score needs thousands.")
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "iu"):
        seen = f"{labels.dtype} {labels.shape}"
        raise UserError(f"Labels in {path} do not fit", seen, "Give an integer an image, or none.")
    return images, labels, names


def _is_zip_of_pictures(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(name.endswith(".npy") for name in archive.namelist())
    except Exception:  # zipfile raises nearly anything on a broken file; it is read as arrays
        return False


def _of_pictures(path: str, channels: int):
    source = image_files(path, "all")
    images: list[np.ndarray] = []
    with quiet():
        for item, (content, _) in enumerate(source.read(0)):
            images.append(_decoded(content, channels, f"{source.name_of(item)} in {path}"))
            if images[0].shape != images[-1].shape:
                found = f"{source.name_of(item)} in {path}"
                side = len(images[0])
                raise UserError(f"Not {side} x {side} as others are", found, "Give one size.")
    for reason, names in source.refused.items():
        print(f"--samples={path}: skipped {len(names)} {reason}", flush=True)
    if len(source.class_names) < 2:
        return np.stack(images), None, None
    return np.stack(images), np.asarray(source.labels), np.array(source.class_names)


def _decoded(content, channels: int, name: str) -> np.ndarray:
    """A square picture at its own size."""
    remedy = "Give whole, square pictures, all of one size."
    width, height = picture_size(content) or (1, 1)
    if width != height:
        raise UserError(f"{readable(name)} is not square", f"{width} x {height}", remedy)
    if width > MAX_SIDE:
        raise UserError(f"{readable(name)} is no sample", f"{width} x {height}", remedy)
    try:
        return decode(content, width, channels)
    except BadImageError as error:
        raise UserError(f"Cannot read {readable(name)}", error, remedy) from None


def _of_arrays(path: str):
    remedy = "Give an .npz with `images`, an .npy, or a folder of pictures."
    try:
        if zipfile.is_zipfile(path):
            _refuse_bomb(path)
        content = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content, None, None
        with content:
            name = next((name for name in ("images", "arr_0") if name in content), None)
            if name is None:
                found = f"no array `images` or `arr_0`, but {', '.join(content) or 'nothing'}"
                raise UserError(f"No images in --samples={path}", found, remedy)
            return content[name], content.get("labels"), content.get("class_names")
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"Cannot read --samples={path}", error.strerror or error, remedy) from None
    except Exception:  # zipfile, zlib and NumPy raise nearly anything on a broken file
        raise UserError(f"Cannot read --samples={path}", "no arrays in it", remedy) from None


def _refuse_bomb(path):
    """NumPy takes as much memory as a member says that it holds."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(map(unbounded, members)):
        found = "compressed as no images are"
        raise UserError(f"Cannot read --samples={path}", found, "Save it by numpy.savez.")


def comparable(
    samples: tuple, training: ImageSet, test: ImageSet, num: int | None, seed: int
) -> tuple[LabeledSamples, LabeledSamples, LabeledSamples]:
    """Samples, as many training and as many test images; of the same classes where labels tell.

    Args:
        samples: what `read_samples` gives.
        training: real images.
        test: real images, too.
        num: how many at most.
        seed: of the choice.

    Raises:
        UserError: samples of another size, or of classes that the data set lacks.
    """
    images, labels, class_names = samples
    if images.shape[1:] != test.pixels.shape[1:]:
        found = f"{images.shape[1:]}, the data {test.pixels.shape[1:]}"
        raise UserError("Samples of another kind", found, "Score samples of the data's own kind.")
    real, again = (LabeledSamples(x.pixels, x.labels) for x in (test, training))
    if labels is None:
        most = min(len(images), len(test), len(training), num or len(images))
        rows = [_some(len(x), most, seed) for x in (images, test, training)]
        zeros = np.zeros(most, int)
        parts = (images, test.pixels, training.pixels)
        drawn, real, again = (
            LabeledSamples(np.asarray(x[row]), zeros) for x, row in zip(parts, rows)
        )
    else:
        labels = _translated(labels, class_names, test.class_names)
        wanted = _balanced(labels, test.labels, training.labels, num)
        drawn = LabeledSamples(images, labels).like(wanted, seed)
        real, again = real.like(wanted, seed), again.like(wanted, seed)
    return drawn, again, real


def _some(length: int, num: int, seed: int):
    return np.sort(np.random.default_rng(seed).permutation(length)[:num])


def _translated(labels, names, known: tuple[str, ...]):
    """Labels as the data set counts its classes, by name where the file has names."""
    found = sorted(set(np.unique(labels).tolist()))
    names = np.asarray(known) if names is None or names.ndim != 1 else names
    if found[0] < 0 or found[-1] >= len(names):
        remedy = "Give labels that count `class_names`, or none."
        raise UserError("Labels of unknown classes", f"{found[0]}..{found[-1]}", remedy)
    places = {same_name(name): place for place, name in enumerate(known)}
    strange = [str(names[label]) for label in found if same_name(str(names[label])) not in places]
    if strange:
        remedy = "Leave class_names out, or sub-folders, or score against the data trained on."
        raise UserError("Classes that the data set lacks", ", ".join(strange), remedy)
    table = {label: places[same_name(str(names[label]))] for label in found}
    return np.array([table[label] for label in labels.tolist()])


def _balanced(labels, *others_and_num):
    """For each class of the samples as many labels as every side has, at most num in all."""
    *others, num = others_and_num
    classes = np.unique(labels)
    counts = [min((side == c).sum() for side in (labels, *others)) for c in classes]
    most = num // len(classes) if num else max(counts)
    if num and most < 2:
        raise UserError("--num is too small", f"{num}, {len(classes)} classes", "Give 2 a class.")
    if most < 2:
        remedy = "Leave the labels out."
        raise UserError("Too few images of each class on a side", f"{most} at most", remedy)
    return np.repeat(classes, [min(count, most) for count in counts])
