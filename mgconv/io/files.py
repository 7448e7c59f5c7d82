"""Files and folders written whole or not at all, JSON, SHA-256."""

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgconv.errors import UserError

if TYPE_CHECKING:
    import numpy as np  # a program's --help needs none


def replace_file(path: str | os.PathLike, content: bytes | str) -> None:
    """Puts `content` in place of the file at `path`, atomically.

    Raises:
        UserError: the disk is full or the folder cannot be written; the old file is intact.
    """
    content = content.encode() if isinstance(content, str) else content
    with replacing(path) as draft:
        draft.write_bytes(content)


def save_array(path: str | os.PathLike, array: "np.ndarray") -> None:
    """Writes a .npy whole or not at all, without a copy of it in memory."""
    import numpy as np

    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A place for a draft that is put in place of `path` when all went well, and else removed.

    Raises:
        UserError: the disk is full or the folder cannot be written; the old file is intact.
    """
    path = Path(path)
    draft = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        found, remedy = error.strerror or error, "Free space or choose another folder."
        raise UserError(f"Cannot write {path}", found, remedy) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


DRAFT, GONE = ".draft", ".gone"  # endings of hidden folders that are being written, removed


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A draft of a folder that is put in place of `path`, and is on the disk, when all went well.

    It has no folders inside. A process that is killed leaves its draft, which `remove_drafts`
    removes.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    draft = _aside(path, DRAFT)
    shutil.rmtree(draft, ignore_errors=True)  # of another process with this number
    try:
        draft.mkdir(parents=True)
        yield draft
        for file in (*draft.iterdir(), draft):
            _sync(file)
        replaced = _retired(path) if path.exists() else None
        draft.rename(path)
        _sync(path.parent)
        if replaced:
            shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def draft_of(folder: Path, mark: str) -> Iterator[Path]:
    """A draft of a folder that is put in its place when it is whole.

    Args:
        folder: new or empty; or one that has a file of the name `mark`, which is replaced.
        mark: see there.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
            raise UserError("Something else is in", folder, "Give another folder.")
        with new_folder(folder) as draft:
            yield draft
    except OSError as error:
        found, remedy = error.strerror or error, "Free space or choose another folder."
        raise UserError(f"Cannot write {folder}", found, remedy) from None


def remove_folder(path: Path) -> None:
    """Removes a folder; who looks at it sees all of it or nothing."""
    shutil.rmtree(_retired(path), ignore_errors=True)


def remove_drafts(folder: Path) -> None:
    """Removes what killed processes left; no other process may write in the folder."""
    for ending in (DRAFT, GONE):
        for path in folder.glob(f".*{ending}"):
            shutil.rmtree(path, ignore_errors=True)


def _aside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{ending}")


def _retired(path: Path) -> Path:
    """The new place of a folder that is to be removed."""
    place = _aside(path, GONE)
    shutil.rmtree(place, ignore_errors=True)
    return path.rename(place)


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    if path.is_dir():
        with contextlib.suppress(OSError):  # Windows opens no folder
            _sync_opened(os.open(path, os.O_RDONLY))
    else:
        _sync_opened(os.open(path, os.O_RDWR))


def _sync_opened(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


FOREIGN = "This is no run of this program; give another folder."


def write_json(path: Path, content: Any) -> None:
    """Writes strict JSON atomically: NaN and infinity become null."""
    replace_file(path, json.dumps(strict(content), indent=1) + "\n")


def strict(value: Any) -> Any:
    """The same as strict JSON has it: plain numbers, None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if hasattr(value, "dtype"):  # a number of NumPy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        UserError: no file, or no JSON object in it.
    """
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise UserError(
            f"Cannot read {path}", error.strerror, "Give the folder of a run."
        ) from None
    except (ValueError, RecursionError):
        raise UserError(f"Cannot read {path}", "no valid JSON", FOREIGN) from None
    if not isinstance(content, dict):
        raise UserError(f"Cannot read {path}", "no JSON object", FOREIGN)
    return content


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of any size, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
