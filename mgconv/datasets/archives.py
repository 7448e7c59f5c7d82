"""A folder or a zip of images, read in place."""

import collections
import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mgconv.datasets.decoding import is_image
from mgconv.datasets.formats import HEAD_BYTES, NAMES
from mgconv.datasets.sources import Source
from mgconv.datasets.walking import (
    Names,
    class_name,
    classes_of,
    counted,
    counts,
    ending,
    readable,
    walk,
)
from mgconv.errors import UserError

# taken for images without a look; what has another ending is one where its content is
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")

MAX_FILE_BYTES = 50_000_000

TOO_LARGE = f"larger than {MAX_FILE_BYTES // 1_000_000} MB"

MAX_RATIO = 200  # of a zip member's size to its compressed size; images are below 10

MAX_CLASS_NAME = 255  # bytes; it names a folder of a run, too

READING = 2  # raised when the same files give other pixels than before


@dataclass(frozen=True)
class _File:
    """One image file: how it is named in its folder, what tells it has changed, how it is read."""

    name: str
    stamp: tuple[int, ...]  # size and times of modification, change; in a zip size and checksum
    read: Callable[[], bytes]


@dataclass
class _Listing:
    """What lies in a folder or zip: images, images that are refused, files that are none."""

    files: list[_File] = field(default_factory=list)
    refused: Names = field(default_factory=lambda: collections.defaultdict(list))
    others: Names = field(default_factory=lambda: collections.defaultdict(list))

    def add(self, file: _File, head: Callable[[], bytes], refusal: str | None) -> None:
        """Puts a file where it belongs; its first bytes are asked for where its name tells less."""
        if not file.name.lower().endswith(IMAGE_ENDINGS) and not is_image(head()):
            self.others[ending(file.name)].append(file.name)
        elif refusal or len(class_name(_parent(file.name)).encode()) > MAX_CLASS_NAME:
            self.refused[refusal or "in a folder of too long a name"].append(file.name)
        else:
            self.files.append(file)


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
    listing = _folder_files(path) if path.is_dir() else _zip_files(path)
    if not listing.files:
        found = counted(listing.refused | listing.others)
        raise UserError(f"No image in {place}", found, f"Give a folder or .zip with {NAMES}.")
    parents = [_parent(file.name) for file in listing.files]  # of every split
    class_of, notes = classes_of(parents, path.stem)
    files = listing.files
    if split != "all":
        files = [f for f in files if (part_of(f.name) if part_of else "train") == split]
    if not files:
        found = f"all {len(listing.files)} are of others"
        remedy = "Only lfw, and celeb_a with list_eval_partition.txt, split files in two."
        raise UserError(f'No image for split "{split}" in {place}', found, remedy)
    class_names = tuple(sorted(set(class_of.values())))
    index = {name: label for label, name in enumerate(class_names)}
    labels = [index[class_of[_parent(file.name)]] for file in files]

    def read(start):
        for file, label in zip(files[start:], labels[start:]):
            yield file.read(), label

    stamps = json.dumps([[file.name, *file.stamp] for file in files])
    facts = {
        "name": path.name,
        "files": hashlib.sha256(stamps.encode()).hexdigest(),
        "reading": READING,
    }
    names = [file.name for file in files]
    source = Source(
        facts, (), len(files), read, names, labels, listing.refused, listing.others, notes
    )
    return source.with_names(class_names)


def existing(place: str) -> Path:
    """The folder or file that --image_dir names, absolute: `.` and `..` have names, too.

    Raises:
        UserError: there is none, or none that can be looked at, or its name is no UTF-8.
    """
    remedy = "Give a folder or a .zip of images."
    try:
        full = os.path.abspath(Path(place).expanduser())  # noqa: PTH100  resolve() follows links
        path = Path(full)
        if path.exists():
            full.encode()  # the run's folder, its records and TensorFlow's files have this name
            return path
    except UnicodeEncodeError:
        remedy = "Rename it, or give a link to it."
        raise UserError("The name of --image_dir is no UTF-8", readable(place), remedy) from None
    except (OSError, RuntimeError, ValueError) as error:
        found = f"{place} ({getattr(error, 'strerror', None) or error})"
        raise UserError("Cannot read --image_dir", found, remedy) from None
    raise UserError("No such --image_dir", place, remedy)


def _parent(name: str) -> str:
    return name.rpartition("/")[0]


def _folder_files(place: Path) -> _Listing:
    listing = _Listing()
    found, missed = walk(place)
    for name, path, status in found:
        stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        refusal = TOO_LARGE if status.st_size > MAX_FILE_BYTES else None
        file = _File(name, stamp, functools.partial(_read_file, path))
        listing.add(file, functools.partial(_read_file, path, HEAD_BYTES), refusal)
    listing.others |= missed
    return listing


def _zip_files(place: Path) -> _Listing:
    """Members are read in memory, never extracted: a name cannot lead out of a folder."""
    try:
        archive = zipfile.ZipFile(place)
        members = sorted(archive.infolist(), key=lambda member: member.filename)
    except Exception:  # BadZipFile, and much else in what was never a zip
        remedy = "Give a folder or a whole .zip of images; a cut download must be fetched again."
        raise UserError("--image_dir is no readable .zip", place, remedy) from None
    listing = _Listing()
    for member in members:
        name = member.filename.replace("\\", "/")  # of Windows
        if name.endswith("/") or not counts(name):
            continue
        read = functools.partial(_read_member, archive, member)
        head = functools.partial(_read_member, archive, member, HEAD_BYTES)
        file = _File(name, (member.file_size, member.CRC), read)
        listing.add(file, head, _refusal(member, name))
    return listing


def _refusal(member: zipfile.ZipInfo, name: str) -> str | None:
    if ".." in PurePosixPath(name).parts or name.startswith("/"):
        return "with a name that leads out of the archive"
    if member.flag_bits & 1:
        return "encrypted: unpack it with its password"
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


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int = 0) -> bytes:
    """What a member holds, or its first `most` bytes; nothing where it is damaged."""
    if most and member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return b""
    try:
        with archive.open(member) as file:
            return file.read(most or member.file_size)  # whatever it expands to
    except Exception:  # what a damaged member makes zlib and others say, too
        return b""  # the store counts it as broken


def _read_file(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""
