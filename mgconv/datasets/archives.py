"""A folder or a zip of images, read in place; which split a file belongs to by its name."""

import collections
import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mgconv.datasets.sources import Source
from mgconv.errors import UserError

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")

MAX_FILE_BYTES = 50_000_000

TOO_LARGE = f"larger than {MAX_FILE_BYTES // 1_000_000} MB"

MAX_RATIO = 200  # of a zip member's size to its compressed size; images are below 10


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
    files: list[_File] = []
    skipped: collections.Counter[str] = collections.Counter()
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
    files: list[_File] = []
    skipped: collections.Counter[str] = collections.Counter()
    for member in members:
        if not member.filename.lower().endswith(IMAGE_ENDINGS):
            continue
        reason = _refusal(member)
        if reason:
            skipped[reason] += 1
        else:
            stamp = (member.file_size, member.CRC)
            files.append(
                _File(member.filename, stamp, functools.partial(_read_member, archive, member))
            )
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
