"""Places205 for tfds: read in place from the official archive, in one pass for both splits."""

import gzip
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

ARCHIVES = ("imagesPlaces205_resize.tar.gz", "imagesPlaces205_resize.tar")
SPLIT_FOLDER = "trainvalsplit_places205"  # also the name of the archive that it comes in
CSV = {"train": "train_places205.csv", "validation": "val_places205.csv"}
CATEGORIES = "categoryIndex_places205.csv"

JPEG_QUALITY = 95  # of what is no JPEG in the archive
MAX_DIGITS = 9  # of a label; Python refuses thousands of them
MAX_PIXELS = 100_000_000  # a larger image is a mistake or an attack
FORMATS = ("JPEG", "PNG", "WEBP")  # Pillow would give PostScript to Ghostscript
MAX_BYTES = 1_000_000_000  # likewise, for a file; the list of the training images has 0.1 GB


class Places205(tfds.core.GeneratorBasedBuilder):
    """Places205, the 2.4 million images of 256x256."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Register at http://places.csail.mit.edu and put here
    {ARCHIVES[0]} (or .tar), not unpacked, and
    {SPLIT_FOLDER}.tar.gz, or the unpacked folder {SPLIT_FOLDER} with {CSV["train"]} and
    {CSV["validation"]}. {CATEGORIES}, which comes with the authors' networks, is read if it is
    there; otherwise categories are named after the folders of the images.
    """

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="Photographs of 205 categories of scenes, resized to 256x256.",
            features=tfds.features.FeaturesDict(
                {
                    "filename": tfds.features.Text(),
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(),  # named when the files have been read
                }
            ),
            supervised_keys=("image", "label"),
            homepage="http://places.csail.mit.edu",
            citation="""@inproceedings{zhou2014places,
  title={Learning Deep Features for Scene Recognition using Places Database},
  author={Zhou, Bolei and Lapedriza, Agata and Xiao, Jianxiong and Torralba, Antonio and
          Oliva, Aude},
  booktitle={Advances in Neural Information Processing Systems},
  year={2014}
}""",
        )

    def _split_generators(self, dl_manager):
        folder = Path(dl_manager.manual_dir)
        archive = next((folder / name for name in ARCHIVES if (folder / name).is_file()), None)
        if archive is None:
            raise FileNotFoundError(
                f"No {' or '.join(ARCHIVES)} in {folder}. Register at {self.info.homepage} for it."
            )
        labels = {split: _read_pairs(folder, name) for split, name in CSV.items()}
        for split, name in CSV.items():
            if not labels[split]:
                raise FileNotFoundError(
                    f"No {name} in {folder}: put {SPLIT_FOLDER}.tar.gz or the folder there."
                )
        self.info.features["label"].names = _class_names(labels, _read_pairs(folder, CATEGORIES))
        images = _OnePass(archive, labels, Path(dl_manager.download_dir))
        return {
            "train": self._generate_examples(images.train()),
            "validation": self._generate_examples(images.validation()),
        }

    def _generate_examples(self, images):
        for name, label, jpeg in images:
            yield name, {"filename": name, "image": jpeg, "label": label}


# -- the lists


def _read_pairs(folder: Path, name: str) -> dict[str, int]:
    """Lines like "a/abbey/gsun_0.jpg 0" or "/a/abbey 0" as {path: number}; {} without the file."""
    pairs = {}
    try:
        lines = _read_text(folder, name).splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no text. Fetch it again.") from None
    for number, line in enumerate(lines, 1):
        path, _, label = line.strip().rpartition(" ")
        if path and label.isdecimal() and len(label) <= MAX_DIGITS:
            pairs[path.strip().lstrip("/")] = int(label)
        elif line.strip():
            raise ValueError(f'{name}, line {number}: "{line[:80]}" is not "path number".')
    return pairs


def _read_text(folder: Path, name: str) -> str:
    """A file of the folder, of the unpacked split or of the split's archive; "" without it."""
    for place in (folder / name, *sorted(folder.glob(f"{SPLIT_FOLDER}/**/{name}"))):
        if place.is_file():
            return place.read_text("utf-8")
    for archive in (folder / f"{SPLIT_FOLDER}.tar.gz", folder / f"{SPLIT_FOLDER}.tar"):
        if archive.is_file():
            for _, content in _members(archive, lambda path: path.rpartition("/")[2] == name):
                return content.decode()
    return ""


def _class_names(labels: dict[str, dict[str, int]], categories: dict[str, int]) -> list[str]:
    """Names in the order of the labels: the official ones, else the folders of the images."""
    folders = {label: path for path, label in categories.items()}
    if not folders:
        for pairs in labels.values():
            for path, label in pairs.items():
                folders.setdefault(label, path.rpartition("/")[0])
    num_classes = 1 + max(max(pairs.values()) for pairs in labels.values())
    unnamed = next((label for label in range(num_classes) if label not in folders), None)
    if unnamed is not None:
        raise ValueError(f"No category is known for label {unnamed}: add {CATEGORIES}.")
    return [_plain(folders[label]) for label in sorted(folders)]


def _plain(folder: str) -> str:
    """a/apartment_building/outdoor -> apartment_building_outdoor, fit to name a folder."""
    return re.sub("^[a-z]/", "", folder).replace("/", "_")


# -- the images


class _OnePass:
    """The archive, decompressed once: while train is written, validation is put by in a file."""

    def __init__(self, archive: Path, labels: dict[str, dict[str, int]], scratch: Path):
        self._found = _found(archive, labels)  # shared: validation goes on where train stopped
        self._file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115, outlives this function
        self._put_by = []  # (name, label, size), in the order of the file

    def train(self) -> Iterator[tuple[str, int, bytes]]:
        for split, name, label, jpeg in self._found:
            if split == "train":
                yield name, label, jpeg
            else:
                self._put_by.append((name, label, self._file.write(jpeg)))

    def validation(self) -> Iterator[tuple[str, int, bytes]]:
        """To be read after train, of which the first few may have been enough."""
        self._file.seek(0)
        for name, label, size in self._put_by:
            yield name, label, self._file.read(size)
        self._file.close()
        for split, name, label, jpeg in self._found:
            if split == "validation":
                yield name, label, jpeg


def _found(archive: Path, labels: dict[str, dict[str, int]]) -> Iterator[tuple]:
    """(split, name, label, jpeg) of every image that is named and whole, in the tar's order."""
    num_named = {split: len(pairs) for split, pairs in labels.items()}
    num_whole = dict.fromkeys(labels, 0)
    num_broken = 0
    for (name, uses), content in _members(archive, partial(_take, labels)):
        jpeg = as_jpeg(content)
        if jpeg is None:
            num_broken += 1
            continue
        for split, label in uses:
            num_whole[split] += 1
            yield split, name, label, jpeg
    for split, number in num_whole.items():
        if not number:
            raise ValueError(
                f"None of the {num_named[split]} images that {CSV[split]} names is in {archive}."
            )
    absent = [name for pairs in labels.values() for name in pairs]
    if absent or num_broken:
        logging.warning(
            "%s: of %d images that the csv files name, %d are not there%s and %d are broken",
            archive, sum(num_named.values()), len(absent),
            f" (such as {absent[0]})" if absent else "", num_broken,
        )  # fmt: skip


def _take(labels: dict[str, dict[str, int]], path: str) -> tuple[str, list] | None:
    """The name of a tar's member in the csv files, with its (split, label)s; it leaves `labels`.

    Folders before the name don't matter: officially data/vision/torralba/deeplearning/images256.
    """
    while path:
        uses = [(split, pairs.pop(path)) for split, pairs in labels.items() if path in pairs]
        if uses:
            return path, uses
        path = path.partition("/")[2]
    return None


def _members(archive: Path, choose: Callable) -> Iterator[tuple]:
    """(what `choose` makes of the path, content) of the files in a tar for which it is true."""
    try:
        with archive.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if zipped else raw
            with tarfile.open(fileobj=file, mode="r|", bufsize=1 << 20) as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # it would keep all 2.5 million of them
                    if member.isreg() and member.size <= MAX_BYTES and (use := choose(member.name)):
                        yield use, tar.extractfile(member).read()
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{archive} is damaged or cut short: {error}. Fetch it again.") from None


def as_jpeg(content: bytes) -> bytes | None:
    """An encoded image as a whole JPEG of 1 or 3 channels; None when it cannot be decoded.

    A broken JPEG would end the reading of the whole data set. (Twice in this folder: a tfds builder
    is a package of its own.)
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            whole = content.endswith(b"\xff\xd9")  # TensorFlow wants the end marker, PIL does not
            if whole and image.format == "JPEG" and image.mode in ("L", "RGB"):
                image.draft(image.mode, (1, 1))  # every byte is read, an eighth of the size decoded
                image.load()
                return content
            picture = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
