"""The cache: every image decoded once, at the working size, into a uint8 array on disk."""

import collections
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from mgconv.datasets.decoding import BadImageError, decode, resize
from mgconv.datasets.formats import quiet
from mgconv.datasets.sources import Source
from mgconv.datasets.walking import MOST_NAMES, Names, counted, readable
from mgconv.errors import UserError
from mgconv.io.files import replace_file


def cache_root(cache_dir: str | None = None) -> Path:
    """Where everything is kept that can be made anew."""
    place = cache_dir or os.environ.get("MGCONV_CACHE_DIR") or "~/.cache/mgconv"
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UserError(f"Cannot use --cache_dir={place}", error, "Give another.") from None


FLUSH_EVERY = 512  # images between two points from which an interrupted decoding resumes


class Stored(NamedTuple):
    """A finished store."""

    pixels: np.ndarray  # uint8 [N, S, S, C], memory-mapped
    labels: np.ndarray  # int64 [N]
    class_names: tuple[str, ...]
    skipped: dict[str, int]
    first: Names  # names of some of the skipped images, by reason
    items: np.ndarray  # the source's numbers of the images that are there, int [N]


SKIPPED_FILE, OTHERS_FILE = "skipped_images.txt", "other_files.txt"  # all names, in a store


def open_or_fill(
    folder: Path, source: Source, size: int, channels: int, crop: int | None
) -> Stored:
    """The store in `folder`, filled first where it is not whole.

    Filling resumes where an interrupted one stopped, and the folder appears when all is there.

    Args:
        folder: named after everything that decides its content.
        source: of the images.
        size: pixels a side.
        channels: 1 or 3.
        crop: side of the centre square that is cut first; None takes the largest.

    Raises:
        UserError: no usable image, or no space.
    """
    try:
        if not (folder / "meta.json").exists():
            _fill(folder, source, size, channels, crop)
    except OSError as error:
        remedy = "Free space or choose another --cache_dir."
        raise UserError(f"Cannot write in {folder.parent}", error.strerror, remedy) from None
    try:
        meta = json.loads((folder / "meta.json").read_text())
        shape = (meta["num_images"], size, size, channels)
        pixels = np.memmap(folder / "pixels.uint8", np.uint8, "r", shape=shape)
        items = np.fromfile(folder / "items.int32", np.int32)
        labels = items[items >= 0].astype(np.int64)
        if len(labels) != len(pixels):
            raise ValueError("items.int32 does not fit")
        names = tuple(meta["class_names"])
        kept = np.flatnonzero(items >= 0)
        return Stored(pixels, labels, names, meta["skipped"], meta.get("first", {}), kept)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError("Damaged decoded images in", f"{folder} ({error})", "Delete it.") from None


def _fill(folder: Path, source: Source, size: int, channels: int, crop: int | None) -> None:
    draft = folder.with_name(f".{folder.name}.part")
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{folder.name}.lock")  # Windows moves no folder with an open file
    with FileLock(lock):  # a second process waits, then finds the work done
        try:
            if not (folder / "meta.json").exists():
                draft.mkdir(exist_ok=True)
                _fill_draft(draft, source, size, channels, crop)
                draft.replace(folder)
        finally:
            with contextlib.suppress(OSError):  # Windows removes it when it is closed
                lock.unlink()  # a process that waits for it notices, and makes another


def _fill_draft(draft: Path, source: Source, size: int, channels: int, crop: int | None) -> None:
    image_bytes = size * size * channels
    num_done, reasons = _tidy(draft, image_bytes)
    _check_space(draft, (source.num_items or 0) - num_done, image_bytes)
    with quiet():
        work = _decoded(source.read(num_done), size, channels, crop)
        _append(draft, work, num_done, source.num_items, reasons)
    items = np.fromfile(draft / "items.int32", np.int32)
    num_images = int((items >= 0).sum())
    skipped = _skipped(source, items, reasons)
    if num_images == 0:
        shutil.rmtree(draft)
        remedy = "Choose other images or smaller --grids."
        raise UserError(f"No usable image at {size} x {size}", counted(skipped), remedy)
    meta = {
        "num_images": num_images,
        "class_names": source.class_names,
        "skipped": {reason: len(names) for reason, names in skipped.items()},
        "first": {reason: names[:MOST_NAMES] for reason, names in skipped.items()},
    }
    list_names(draft / SKIPPED_FILE, skipped)
    (draft / "meta.json").write_text(json.dumps(meta))


def _skipped(source: Source, items: np.ndarray, reasons: list[str]) -> Names:
    """Names of all images that are left out, by reason."""
    skipped: Names = collections.defaultdict(list, source.refused)
    for index in np.flatnonzero(items < 0).tolist():
        skipped[reasons[-int(items[index]) - 1]].append(source.name_of(index))
    return {reason: [readable(name) for name in names] for reason, names in skipped.items()}


def list_names(path: Path, names: Names) -> None:
    """Writes a line a name, `reason: name`, where there are any and they are not there yet."""
    lines = "".join(f"{why}: {readable(name)}\n" for why in names for name in names[why])
    content = lines.encode()
    if names and not (path.exists() and path.read_bytes() == content):
        replace_file(path, content)


def _tidy(draft: Path, image_bytes: int) -> tuple[int, list[str]]:
    """Cuts what an interrupted decoding left to whole items; returns their number."""
    for name in ("items.int32", "pixels.uint8"):
        (draft / name).touch()
    path = draft / "reasons.json"
    try:
        reasons = json.loads(path.read_text())
    except (OSError, ValueError):  # none yet, or cut short: items that need them go
        reasons = []
    items = np.fromfile(draft / "items.int32", np.int32)
    kept = np.cumsum(items >= 0) * image_bytes <= (draft / "pixels.uint8").stat().st_size
    kept &= np.minimum.accumulate(items >= -len(reasons)) if len(items) else True
    items = items[kept]
    os.truncate(draft / "items.int32", 4 * len(items))
    os.truncate(draft / "pixels.uint8", int((items >= 0).sum()) * image_bytes)
    return len(items), reasons


def _check_space(draft: Path, num_images: int, image_bytes: int) -> None:
    needed, free = max(0, num_images) * (image_bytes + 4), shutil.disk_usage(draft).free
    if needed > free:
        found = f"{needed / 1e9:.1f} GB needed, {free / 1e9:.1f} GB free in {draft.parent}"
        raise UserError("No space for decoded images", found, "Choose another --cache_dir.")


def _decoded(items: Iterable, size: int, channels: int, crop: int | None) -> Iterator:
    """(pixels or reason, label) of every item, in order, decoded on all cores."""

    def work(item):
        image, label = item
        try:
            if isinstance(image, bytes):
                return decode(image, size, channels, crop), label
            return resize(image, size, crop), label
        except BadImageError as error:
            return str(error), label

    num_workers = os.cpu_count() or 1
    with ThreadPoolExecutor(num_workers) as pool:
        waiting: collections.deque = collections.deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 8 * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _append(draft: Path, work: Iterator, num_done: int, num_items, reasons: list[str]) -> None:
    """Writes pixels first, then the items that say they are there."""
    from tqdm.auto import tqdm

    bar = tqdm(work, "decoding", total=num_items, initial=num_done, unit=" images", disable=None)
    progress = iter(bar)
    with (draft / "pixels.uint8").open("ab") as pixels, (draft / "items.int32").open("ab") as items:
        while batch := list(itertools.islice(progress, FLUSH_EVERY)):
            codes = []
            for image, label in batch:
                if isinstance(image, str):
                    if image not in reasons:
                        reasons.append(image)
                        replace_file(draft / "reasons.json", json.dumps(reasons))
                    codes.append(-reasons.index(image) - 1)
                else:
                    pixels.write(image.tobytes())
                    codes.append(label)
            pixels.flush()
            items.write(np.array(codes, np.int32).tobytes())
            items.flush()
