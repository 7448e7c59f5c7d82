"""Where images come from: scikit-learn, tfds, a folder or a zip. A source tells facts and reads."""

import collections
import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mgconv.config import UserError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MAX_FILE_BYTES = 50_000_000
TOO_LARGE = f"larger than {MAX_FILE_BYTES // 1_000_000} MB"
MAX_RATIO = 200  # of a zip member's size to its compressed size; images are below 10

Item = tuple[bytes | np.ndarray, int]  # an encoded image or uint8 [H, W, C]; its label


@dataclass(frozen=True)
class Source:
    """Images of one split.

    Attributes:
        facts: enough to tell whether a stored array was made of these images; JSON.
        class_names: labels are their indices.
        num_items: how many there are, None where only reading tells.
        read: from item number `start` on, in an order that never changes.
        skipped: what was left out before reading, by reason.
    """

    facts: dict[str, Any]
    class_names: tuple[str, ...]
    num_items: int | None
    read: Callable[[int], Iterator[Item]]
    skipped: dict[str, int] = field(default_factory=dict)

    def with_names(self, class_names: tuple[str, ...]) -> "Source":
        """The same images, their classes named."""
        facts = self.facts | {"class_names": class_names}
        return replace(self, facts=facts, class_names=class_names)


def in_memory(pairs: Sequence[Item], class_names: Sequence[str], facts: dict[str, Any]) -> Source:
    """Images that are there already."""
    return Source(facts, tuple(class_names), len(pairs), lambda start: iter(pairs[start:]))


# -- data that scikit-learn carries


def digits(split: str) -> Source:
    """The 1,797 8 x 8 digits; one fixed split, 70 to 30; "all" has both parts."""
    if split != "all":
        _check_split("digits", split)
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
    order = np.random.default_rng(0).permutation(len(pixels))
    rows = np.sort({"train": order[:1257], "test": order[1257:], "all": order}[split])
    return in_memory(list(zip(pixels[rows], data.target[rows])), "0123456789", {"split": split})


def _check_split(name: str, split: str) -> None:
    if split not in ("train", "test"):
        raise UserError(f"No split of {name}", f'"{split}"', "Give --split=train or test.")


PHOTO_TRAIN_WIDTH = 96  # of 160: the right end of each photograph is for testing


def photos(split: str) -> Source:
    """64 x 64 crops of the photographs at a quarter; no pixel is in training and in test."""
    _check_split("photos", split)
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
    return in_memory(pairs, ("temple", "flower"), {"split": split, "stride": 2})


# -- tfds


def tfds_source(name: str, split: str, data_dir: str | None) -> Source:
    """A data set that tfds has prepared in `data_dir`; images stay encoded until the store decodes.

    Raises:
        UserError: not prepared, or no such split.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    remedy = f"Run: make data DATASET={name}"
    try:
        data, info = tfds.load(
            name, split=split, data_dir=data_dir, download=False, with_info=True,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(try_autocache=False),
        )  # fmt: skip
    except (AssertionError, FileNotFoundError, tfds.core.DatasetNotFoundError):
        found = f"{place}{_other_versions(place, name)}"
        raise UserError(f'No prepared "{name}" in', found, remedy) from None
    except ValueError as error:
        found = str(error).split("\n")[0]
        raise UserError(f'No split "{split}" of "{name}" in {place}', found, remedy) from None
    labeled = "label" in info.features
    names = tuple(info.features["label"].names) if labeled else (name.replace("/", "-"),)

    def read(start):
        try:
            for example in data.skip(start).as_numpy_iterator():
                yield example["image"], max(0, int(example.get("label", 0)))  # stl10 has -1
        except tf.errors.OpError as error:
            found = str(error).split("\n")[0][:120]
            raise UserError(f"Cannot read {info.data_dir}", found, f"Delete it. {remedy}") from None

    size = data.cardinality().numpy()
    facts = {"name": name, "split": split, "version": str(info.version), "place": info.data_dir}
    facts["examples"] = int(size)
    return Source(facts, names, int(size) if size >= 0 else None, read)


def _other_versions(place: str, name: str) -> str:
    """What lies where this version of tfds looks for another."""
    folder = Path(place).expanduser() / name
    versions = sorted(path.parent.name for path in folder.glob("*/dataset_info.json"))
    return f" (there is version {', '.join(versions)}, another than tfds wants)" if versions else ""


# -- a folder or a zip of images, read in place


@dataclass(frozen=True)
class _File:
    """One image file: how it is named in its folder, what tells it has changed, how it is read."""

    name: str
    stamp: tuple[int, int]  # size and modification time; in a zip size and checksum
    read: Callable[[], bytes]


def image_files(
    place: str,
    split: str = "train",
    part_of: Callable[[str], str] | None = None,
) -> Source:
    """Images below a folder or in a .zip; an image's class is the name of the folder it lies in.

    Args:
        place: the folder or .zip.
        split: "train", "test", ...; "all" takes every image.
        part_of: file name -> the split it belongs to; by default all are for training.

    Raises:
        UserError: no such place, no image in it, none in this split.
    """
    path = existing(place)
    files, skipped = _files(path)
    class_names = tuple(sorted({_class_of(file, path) for file in files}))  # of every split
    if not files:
        found = ", ".join(f"{n} {reason}" for reason, n in skipped.items()) or "none"
        remedy = f"Give a folder or .zip with files that end in {' '.join(IMAGE_ENDINGS)}."
        raise UserError(f"No image in {place}", found, remedy)
    num_all = len(files)
    if split != "all":
        files = [f for f in files if (part_of(f.name) if part_of else "train") == split]
    if not files:
        found = f"all {num_all} are of others"
        remedy = "Only lfw, and celeb_a with list_eval_partition.txt, split files in two."
        raise UserError(f'No image for split "{split}" in {place}', found, remedy)
    index = {name: label for label, name in enumerate(class_names)}

    def read(start):
        for file in files[start:]:
            yield file.read(), index[_class_of(file, path)]

    stamps = json.dumps([[file.name, *file.stamp] for file in files])
    facts = {"name": path.name, "files": hashlib.sha256(stamps.encode()).hexdigest()}
    return Source(facts, (), len(files), read, skipped).with_names(class_names)


def existing(place: str) -> Path:
    """The folder or file that --image_dir names, absolute: `.` and `..` have names, too.

    Raises:
        UserError: there is none, or none that can be looked at.
    """
    remedy = "Give a folder or a .zip of images."
    try:
        full = os.path.abspath(Path(place).expanduser())  # noqa: PTH100  resolve() follows links
        path = Path(full)
        if path.exists():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        found = f"{place} ({getattr(error, 'strerror', None) or error})"
        raise UserError("Cannot read --image_dir", found, remedy) from None
    raise UserError("No such --image_dir", place, remedy)


def _class_of(file: _File, place: Path) -> str:
    return PurePosixPath(file.name).parent.name or place.stem or "images"


def _files(place: Path) -> tuple[list[_File], dict[str, int]]:
    return _folder_files(place) if place.is_dir() else _zip_files(place)


def _folder_files(place: Path) -> tuple[list[_File], dict[str, int]]:
    files, skipped = [], collections.Counter()
    for path in sorted(place.rglob("*")):
        if path.suffix.lower() not in IMAGE_ENDINGS or not path.is_file():
            continue
        status = path.stat()
        if status.st_size > MAX_FILE_BYTES:
            skipped[TOO_LARGE] += 1
        else:
            name, stamp = path.relative_to(place).as_posix(), (status.st_size, status.st_mtime_ns)
            files.append(_File(name, stamp, functools.partial(_read_file, path)))
    return files, skipped


def _zip_files(place: Path) -> tuple[list[_File], dict[str, int]]:
    """Members are read in memory, never extracted: a name cannot lead out of a folder."""
    try:
        archive = zipfile.ZipFile(place)
        members = sorted(archive.infolist(), key=lambda member: member.filename)
    except Exception:  # BadZipFile, and much else in what was never a zip
        remedy = "Give a folder or a whole .zip of images; a cut download must be fetched again."
        raise UserError("--image_dir is no readable .zip", place, remedy) from None
    files, skipped = [], collections.Counter()
    for member in members:
        if not member.filename.lower().endswith(IMAGE_ENDINGS):
            continue
        reason = _refusal(member)
        if reason:
            skipped[reason] += 1
        else:
            stamp = (member.file_size, member.CRC)
            files.append(_File(member.filename, stamp, lambda m=member: _read_member(archive, m)))
    return files, skipped


def _refusal(member: zipfile.ZipInfo) -> str | None:
    parts = PurePosixPath(member.filename).parts
    if ".." in parts or member.filename.startswith(("/", "\\")):
        return "with a name that leads out of the archive"
    if member.file_size > MAX_FILE_BYTES:
        return TOO_LARGE
    return unbounded(member)


def unbounded(member: zipfile.ZipInfo) -> str | None:
    """Why a zip member could take far more memory than its file is large; None where it cannot."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "compressed in a way that is not read here"  # of unbounded size in zipfile
    if member.file_size > MAX_RATIO * max(1, member.compress_size):
        return "compressed as no image is"
    return None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as file:
            return file.read(member.file_size)  # whatever it expands to
    except Exception:  # what a damaged member makes zlib and others say, too
        return b""  # the store counts it as broken


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def held_out(name: str) -> str:
    """Split of a file by its name alone: "test" for about a tenth of all names."""
    digest = hashlib.sha256(name.encode()).digest()
    return "test" if int.from_bytes(digest[:8], "big") < 0.1 * 2**64 else "train"


def by_person(name: str) -> str:
    """Split of `First_Last_0001.jpg` (LFW): all images of a person fall on one side."""
    return held_out(PurePosixPath(name).stem.rpartition("_")[0])


def celeb_a_partition(place: str) -> Callable[[str], str] | None:
    """The official split, where list_eval_partition.txt lies beside the images or in their folder.

    Raises:
        UserError: a line that is not `000001.jpg 0`.
    """
    path = existing(place)
    homes = (path.parent, path) if path.is_dir() else (path.parent,)
    files = [home / "list_eval_partition.txt" for home in homes]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return None
    names = {"0": "train", "1": "validation", "2": "test"}
    splits = {}
    for line in found.read_text(errors="replace").splitlines():
        words = line.split()
        if len(words) != 2 or words[1] not in names:
            raise UserError(f"Cannot read {found}", f'"{line[:60]}"', "Lines are: 000001.jpg 0.")
        splits[PurePosixPath(words[0]).stem] = names[words[1]]  # there are .png of the same names
    return lambda name: splits.get(PurePosixPath(name).stem, "train")
