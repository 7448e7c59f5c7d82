"""Which files of a folder or an archive count, and how their names are printed."""

import collections
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SYSTEM = {  # what systems and programs put beside a person's files, in lower case
    "__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "recycler",
    "lost+found", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r",
}  # fmt: skip

MOST_REASONS, MOST_NAMES = 8, 3  # of those left out, in one printed line

Names = dict[str, list[str]]  # of what is left out, by reason


class Found(NamedTuple):
    """A file below a folder."""

    name: str  # below the folder, with /
    path: Path
    status: os.stat_result


def counts(name: str) -> bool:
    """Whether nothing in a name, with /, is hidden or a system's own; `..` is neither."""
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    return not any(part.startswith(".") or part.lower() in SYSTEM for part in parts)


def walk(place: Path) -> tuple[list[Found], Names]:
    """All regular files that count below a folder, by name; what could not be followed.

    Links are followed. A folder is read once, under its own name rather than a link's, and a link
    to a folder that holds `place` is not followed: so no loop of links matters.
    """
    found: list[Found] = []
    missed: Names = collections.defaultdict(list)
    seen = {_identity(folder) for folder in Path(os.path.realpath(place)).parents}
    waiting, links = [("", place)], collections.deque[tuple[str, Path]]()
    while waiting or links:
        prefix, folder = waiting.pop() if waiting else links.popleft()
        try:
            identity = _identity(folder)
            if identity in seen:
                missed["linked folders that are read already"].append(prefix)
                continue
            seen.add(identity)
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            missed["folders that cannot be opened"].append(prefix)
            continue
        for entry in entries:
            name = prefix + entry.name
            if counts(entry.name):
                kind = _look_at(entry, name, found)
                if kind == "folder":
                    waiting.append((f"{name}/", Path(entry.path)))
                elif kind == "link":
                    links.append((f"{name}/", Path(entry.path)))
                elif kind:
                    missed[kind].append(name)
    return sorted(found, key=lambda one: one.name.split("/")), dict(missed)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _look_at(entry: os.DirEntry, name: str, found: list[Found]) -> str | None:
    """Adds a regular file to what is found; else "folder", "link" to one, or why it is neither."""
    try:
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        if not entry.is_file():
            return "links to nothing" if entry.is_symlink() else "no regular files"
        found.append(Found(name, Path(entry.path), entry.stat()))
    except OSError:
        return "files that cannot be looked at"
    return None


def ending(name: str) -> str:
    """`.txt` of `notes.TXT`; how a person names the kind of a file that is not read."""
    return readable(PurePosixPath(name).suffix.lower()) or "without an ending"


def readable(name: str) -> str:
    """A name in one line of any terminal and file: what is no UTF-8 or no letter becomes %E9.

    Not a backslash: a folder's name is a pattern to TensorFlow, in which this quotes.
    """
    return "".join(c if c.isprintable() else _percent(c) for c in name)


def _percent(letter: str) -> str:
    is_byte = "\udc80" <= letter <= "\udcff"  # how Python names what is no UTF-8
    errors = "surrogateescape" if is_byte else "surrogatepass"
    return "".join(f"%{byte:02X}" for byte in letter.encode(errors=errors))


def same_name(name: str) -> str:
    """A name as it is compared: an accent is one letter or two, by the system that wrote it."""
    return unicodedata.normalize("NFC", name)


def counted(reasons: Names) -> str:
    """How many of each reason, the most first, in one line of bounded length."""
    counts = most_frequent({reason: len(names) for reason, names in reasons.items()})
    return ", ".join(f"{num} {reason}" for reason, num in counts.items()) or "none"


def most_frequent(counts: dict[str, int]) -> dict[str, int]:
    """Counts by reason, the largest first; rare reasons together."""
    order = sorted(counts, key=lambda reason: -counts[reason])
    rest = sum(counts[reason] for reason in order[MOST_REASONS:])
    shown = {reason: counts[reason] for reason in order[:MOST_REASONS]}
    return shown | ({"for other reasons": rest} if rest else {})


def first_names(names: Sequence[str], num: int) -> str:
    """`a, b, c, ...` of `num` names, of which the first are given."""
    shown = [readable(name) for name in names[:MOST_NAMES]]
    return ", ".join(shown + ["..."] * (num > len(shown)))


def class_name(parent: str) -> str:
    """What the images of a folder, its own name last, are called; "" at the top."""
    return readable(PurePosixPath(parent).name)


def classes_of(parents: Iterable[str], top: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The class of each folder, and a sentence where several folders make one class.

    Names that differ only in how their accents are written are one; it is called as the first is.

    Args:
        parents: the folders of the images, in their order, below the top one.
        top: the class of the images that lie in none.
    """
    class_of: dict[str, str] = {}
    first: dict[str, str] = {}
    homes: dict[str, list[str]] = collections.defaultdict(list)
    for parent in dict.fromkeys(parents):
        name = class_name(parent) or readable(top) or "images"
        class_of[parent] = first.setdefault(same_name(name), name)
        homes[class_of[parent]].append(parent)
    merged = {name: folders for name, folders in homes.items() if len(folders) > 1}
    return class_of, (_merge_note(merged),) if merged else ()


def _merge_note(merged: Names) -> str:
    tops = sorted({folder.rpartition("/")[0] for folders in merged.values() for folder in folders})
    named = [f"{readable(top)}/" if top else "the top folder" for top in tops]
    rest = f" and {len(named) - MOST_NAMES} others" if len(named) > MOST_NAMES else ""
    where = f"{', '.join(named[:MOST_NAMES])}{rest}" if rest else " and ".join(named)
    shown = first_names(sorted(merged), len(merged))
    verb = "were merged" if len(named) > 1 else "has folders of one name that were merged"
    return f"{where} {verb}: {shown}"
