"""How a checkpoint lies on disk: in a folder of its own, or, from older versions, in flat files.

000200/          state.index, state.data-00000-of-00001, manifest.json: the SHA-256 of the others
ckpt-200.*       .index, .data-00000-of-00001, .sha256.json; and the file `checkpoint` lists them
"""

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from mgconv.errors import UserError
from mgconv.io.files import new_folder, read_json, remove_drafts, remove_folder, sha256_of

STATE, MANIFEST = "state", "manifest.json"
PATTERN = "*?[]{}\\"  # characters of patterns of file names
FLAT, FLAT_MANIFEST, FLAT_LIST = "ckpt-", ".sha256.json", "checkpoint"


class FolderCheckpoint:
    """A checkpoint in a folder that is named after its number of updates.

    Attributes:
        update: its number of updates.
        path: of the folder.
        prefix: of its files, as TensorFlow's readers take it.
    """

    def __init__(self, path: Path):
        self.update, self.path, self.prefix = int(path.name), path, str(path / STATE)

    def damage(self) -> str | None:
        """What is wrong with its files; None where they are those of its manifest."""
        return _damage(self.path / MANIFEST, lambda: _sums(self.path, STATE))

    def restore(self, into: tf.train.Checkpoint):
        """Reads it; returns TensorFlow's load status."""
        with readable(self.prefix) as prefix:
            return into.read(prefix)

    def remove(self) -> None:
        """Removes its folder."""
        remove_folder(self.path)


class FlatCheckpoint:
    """A checkpoint as older versions wrote it.

    Args:
        path: common to its files, without their endings.
        has_manifest: whether it must have one; the oldest versions wrote none.
    """

    def __init__(self, path: Path, has_manifest: bool):
        self.update, self.path, self.prefix = int(path.name.removeprefix(FLAT)), path, str(path)
        self._has_manifest = has_manifest

    def damage(self) -> str | None:
        """What is wrong with its files; None where they are those of its manifest."""
        if self._has_manifest:
            manifest = self.path.with_name(f"{self.path.name}{FLAT_MANIFEST}")
            return _damage(manifest, lambda: _sums(self.path.parent, self.path.name))
        return None if Path(f"{self.path}.index").exists() else "it has no index"

    def restore(self, into: tf.train.Checkpoint):
        """Reads it, and the number of saves that it has beside the state."""
        with readable(self.prefix) as prefix:
            return into.restore(prefix)

    def remove(self) -> None:
        """Removes its files, the manifest last."""
        files = self.path.parent.glob(f"{self.path.name}.*")
        for file in sorted(files, key=lambda file: file.name.endswith(FLAT_MANIFEST)):
            file.unlink()


@contextlib.contextmanager
def readable(prefix: str) -> Iterator[str]:
    """A path at which TensorFlow finds a checkpoint: it takes some characters for a pattern."""
    path = Path(prefix).absolute()
    if not set(path.as_posix()) & set(PATTERN):
        yield prefix
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "checkpoint"
        link.symlink_to(path.parent, target_is_directory=True)
        yield str(link / path.name)


Saved = FolderCheckpoint | FlatCheckpoint


def find_saved(folder: Path) -> list[Saved]:
    """All checkpoints in a folder, the damaged ones too, in the order of their updates.

    Raises:
        UserError: there are flat ones alone, and none says which of them are whole.
    """
    folders = [FolderCheckpoint(path) for path in _folders(folder)]
    found: dict[int, Saved] = {x.update: x for x in _find_flat(folder, bool(folders))}
    found |= {x.update: x for x in folders}  # a flat one of the same update was passed over
    return [found[update] for update in sorted(found)]


def updates_of(folder: Path) -> set[int]:
    """The numbers of updates of all checkpoints in a folder, by their names alone."""
    names = {path.name for path in _folders(folder)}
    return {int(name.removeprefix(FLAT)) for name in names | _names(folder, ".index")}


def index_files(folder: Path) -> list[Path]:
    """Files that differ where any weight below a folder does: an index has their check sums.

    Of a saved model they are its weights.
    """
    saved = sorted(folder.glob("*.safetensors"))
    lists = [path for path in folder.rglob(FLAT_LIST) if path.is_file()]
    indices = [path for path in folder.rglob("*.index") if not path.parent.name.startswith(".")]
    return sorted(lists) + sorted(indices) + saved


def write_folder(folder: Path, update: int, write: Callable[[str], object]) -> None:
    """Writes a checkpoint aside and puts it in place when it is whole.

    Args:
        folder: of all checkpoints.
        update: after which it is.
        write: writes TensorFlow's files, given their prefix.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    with new_folder(folder / _name(update)) as draft:
        write(str(draft / STATE))
        sums = json.dumps(_sums(draft, STATE), indent=1)
        (draft / MANIFEST).write_text(f"{sums}\n")


def keep_only(folder: Path, kept: list[Saved]) -> None:
    """Removes all other checkpoints, and what killed processes left half written or removed."""
    names = {saved.path.name for saved in kept}
    flat = {name for name in names if name.startswith(FLAT)}
    for saved in find_saved(folder):
        if saved.path.name not in names:
            saved.remove()
    if not flat:
        (folder / FLAT_LIST).unlink(missing_ok=True)
    for file in folder.glob(f"{FLAT}*"):
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        elif file.name.partition(".")[0] not in flat:
            file.unlink()
    remove_drafts(folder)


def unusable(folder: Path, found: str) -> UserError:
    """The error of a folder whose checkpoints cannot be read; nothing of it is to be deleted."""
    remedy = "Put a copy in its place, or move the folder away to start over."
    return UserError(f"Cannot use checkpoint in {folder}", found, remedy)


def _folders(folder: Path) -> list[Path]:
    """Those that are named after a number of updates."""
    found = [path for path in folder.glob("[0-9]*") if path.name.isascii() and path.is_dir()]
    return [path for path in found if path.name.isdecimal() and _name(int(path.name)) == path.name]


def _name(update: int) -> str:
    return f"{update:06d}"


def _find_flat(folder: Path, has_others: bool) -> list[FlatCheckpoint]:
    """Flat checkpoints: those with a manifest or an index; of the oldest versions, the listed ones.

    One that is not listed and has no manifest is a first save that was killed.
    """
    if any(folder.glob(f"{FLAT}*{FLAT_MANIFEST}")):
        names = _names(folder, FLAT_MANIFEST) | _names(folder, ".index")
        return [FlatCheckpoint(folder / name, has_manifest=True) for name in names]
    written, listed = _names(folder, ".index"), _listed(folder / FLAT_LIST)
    if listed and written & set(listed):
        return [FlatCheckpoint(folder / name, has_manifest=False) for name in listed]
    is_listed = (folder / FLAT_LIST).exists()
    if not has_others and (is_listed or len(written) > 1):
        found = "is damaged" if is_listed and listed is None else "names none of them"
        raise unusable(folder, f"its file `{FLAT_LIST}` {found}")
    return []


def _names(folder: Path, ending: str) -> set[str]:
    found = {path.name.removesuffix(ending) for path in folder.glob(f"{FLAT}*{ending}")}
    return {name for name in found if re.fullmatch(rf"{FLAT}\d{{1,18}}", name, re.ASCII)}


def _listed(path: Path) -> list[str] | None:
    """The names in TensorFlow's list of checkpoints; None where it is damaged or missing."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return None
    named = rf'^(all_)?model_checkpoint_paths?: "(?:.*/)?({FLAT}\d{{1,18}})"$'
    lines = re.findall(named, text, re.MULTILINE)
    latest = [name for is_one_of_all, name in lines if not is_one_of_all]
    names = [name for is_one_of_all, name in lines if is_one_of_all]
    return names if latest and latest[0] in names else None  # else it was cut short


def _sums(folder: Path, name: str) -> dict[str, str]:
    files = sorted(folder.glob(f"{name}.[id]*"))  # .index, .data-*
    return {file.name: sha256_of(file) for file in files}


def _damage(manifest: Path, sums: Callable[[], dict[str, str]]) -> str | None:
    try:
        expected = read_json(manifest)
    except UserError:
        return "it has no readable manifest"
    try:
        found = sums()
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    names = expected.keys() | found.keys()
    wrong = sorted(name for name in names if found.get(name, "") != expected.get(name, ""))
    if not expected or wrong:
        return f"not as its manifest says: {', '.join(wrong) or 'nothing in it'}"
    return None
