"""LSUN scenes for tfds: one config a category, read from the official LMDB files with `lmdb`.

tfds has a builder "lsun" of its own, but it reads through tensorflow_io, which ends at TF 2.16.
"""

import contextlib
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

import tensorflow_datasets as tfds
from absl import logging

CATEGORIES = (
    "bedroom", "bridge", "church_outdoor", "classroom", "conference_room",
    "dining_room", "kitchen", "living_room", "restaurant", "tower",
)  # fmt: skip
URL = "http://dl.yf.io/lsun/scenes"
SPLITS = {"train": "train", "validation": "val"}  # tfds's name: LSUN's name

JPEG_QUALITY = 95  # of what was WebP (or PNG) in the database
MAX_PIXELS = 100_000_000  # a larger image is a mistake or an attack
FORMATS = ("JPEG", "PNG", "WEBP")  # Pillow would give PostScript to Ghostscript
MAX_RATIO = 100  # images hardly shrink in a zip: what grows more is an attack, ...
HARMLESS = 100_000_000  # ... or a database so small that most of it is empty pages


class LsunScenes(tfds.core.GeneratorBasedBuilder):
    """LSUN scenes, one config a category."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""
    Put CATEGORY_train_lmdb.zip and, if wanted, CATEGORY_val_lmdb.zip here, or the unpacked folders
    CATEGORY_train_lmdb and CATEGORY_val_lmdb with their data.mdb. For example
    {URL}/bedroom_train_lmdb.zip (46 GB). CATEGORY is one of: {", ".join(CATEGORIES)}.
    About the files: https://github.com/fyu/lsun
    """
    BUILDER_CONFIGS: ClassVar[list] = [
        tfds.core.BuilderConfig(name=category, description=f"Images of category {category}")
        for category in CATEGORIES
    ]

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="Photographs of scenes, 256 pixels at the shorter side, by category.",
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                    "label": tfds.features.ClassLabel(names=[self.builder_config.name]),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://www.yf.io/p/lsun",
            citation="""@article{yu2015lsun,
  title={LSUN: Construction of a Large-scale Image Dataset using Deep Learning with Humans in the
         Loop},
  author={Yu, Fisher and Zhang, Yinda and Song, Shuran and Seff, Ari and Xiao, Jianxiong},
  journal={arXiv preprint arXiv:1506.03365},
  year={2015}
}""",
        )

    def _split_generators(self, dl_manager):
        _import_lmdb()  # first, not after minutes of unpacking
        folder, category = Path(dl_manager.manual_dir), self.builder_config.name
        found = {split: _find(folder, f"{category}_{name}_lmdb") for split, name in SPLITS.items()}
        if found["train"] is None:
            name = f"{category}_train_lmdb"
            raise FileNotFoundError(
                f"Neither {name}.zip nor {name}/data.mdb in {folder}. Get it from {URL}/{name}.zip"
            )
        scratch = Path(dl_manager.download_dir)
        return {
            split: self._generate_examples(source, scratch)
            for split, source in found.items()
            if source is not None
        }

    def _generate_examples(self, source: Path, scratch: Path):
        num_values = num_broken = 0
        for key, value in _items(source, scratch):
            num_values += 1
            jpeg = as_jpeg(value)
            if jpeg is None:
                num_broken += 1
                continue
            name = key.decode("utf-8", "backslashreplace")
            yield name, {"id": name, "image": jpeg, "label": self.builder_config.name}
        if num_broken == num_values:
            raise ValueError(f"No readable image among the {num_values} values of {source}.")
        if num_broken:
            logging.warning(
                "%s: skipped %d of %d values: no readable image", source, num_broken, num_values
            )


def as_jpeg(content: bytes) -> bytes | None:
    """An encoded image as a whole JPEG of 1 or 3 channels; None when it cannot be decoded.

    TensorFlow decodes no WebP, and a broken JPEG would end the reading of the whole data set.
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


# -- the database


def _import_lmdb():
    try:
        import lmdb
    except ImportError:
        raise ImportError(
            "LSUN is read with the package lmdb, which is missing. Run: pip install 'mgconv[lsun]'"
        ) from None
    return lmdb


def _find(folder: Path, name: str) -> Path | None:
    """The unpacked database or else the zip; None when neither is there."""
    places = (folder / name / "data.mdb", folder / f"{name}.zip")
    return next((place for place in places if place.is_file()), None)


def _items(source: Path, scratch: Path) -> Iterator[tuple[bytes, bytes]]:
    """All (key, value) of a data.mdb, or of the one in a zip."""
    lmdb = _import_lmdb()
    with contextlib.ExitStack() as stack:
        zipped = source.suffix == ".zip"
        file = stack.enter_context(_unzipped(source, scratch)) if zipped else source
        try:
            database = lmdb.open(str(file), subdir=False, readonly=True, lock=False)
            stack.callback(database.close)
            _check_whole(database, file)
            cursor = stack.enter_context(database.begin()).cursor()
            yield from cursor
        except lmdb.Error as error:
            raise ValueError(f"{source} is no LMDB, or damaged: {error}") from None


def _check_whole(database, file: Path) -> None:
    """Reading a memory-mapped file beyond its end would kill the process (SIGBUS)."""
    needed = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
    size = file.stat().st_size
    if size < needed:
        raise ValueError(f"{file} is cut short: {size} of {needed} bytes. Fetch it again.")


@contextlib.contextmanager
def _unzipped(archive: Path, scratch: Path) -> Iterator[Path]:
    """The zip's data.mdb as a file below `scratch`, streamed there, removed at the end."""
    with tempfile.TemporaryDirectory(prefix=f"{archive.stem}-", dir=scratch) as folder:
        file = Path(folder) / "data.mdb"  # never the member's own path
        try:
            with zipfile.ZipFile(archive) as opened:
                member = _database_member(opened, archive)
                _check_room(member, archive, file.parent)
                with opened.open(member) as packed, file.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 1 << 22)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise ValueError(f"{archive} is damaged: {error}. Fetch it again.") from None
        yield file


def _database_member(opened: zipfile.ZipFile, archive: Path) -> zipfile.ZipInfo:
    members = [m for m in opened.infolist() if PurePosixPath(m.filename).name == "data.mdb"]
    if len(members) != 1:
        raise ValueError(f"{archive} should hold one data.mdb, but holds {len(members)}.")
    return members[0]


def _check_room(member: zipfile.ZipInfo, archive: Path, folder: Path) -> None:
    if member.file_size > max(HARMLESS, MAX_RATIO * member.compress_size):
        raise ValueError(f"{archive} would grow more than {MAX_RATIO} times: not unpacked.")
    free = shutil.disk_usage(folder).free
    if member.file_size > free:
        raise OSError(
            f"{archive} needs {member.file_size / 1e9:.1f} GB to unpack, {folder.parent} has "
            f"{free / 1e9:.1f}. Unpack it elsewhere and give that folder as the manual folder."
        )
