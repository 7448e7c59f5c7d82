"""What a run wrote, read again and checked before anything is made of it."""

import contextlib
import json
import sys
import types
import typing
from pathlib import Path
from typing import Any

from mgconv.config import Config
from mgconv.errors import UserError
from mgconv.io.files import FOREIGN, read_json

CONFIG_FILE = "config.json"

FORMAT = 1  # of a run's folder; runs of before there was a number are read as this one

MAX_SIZE, MAX_WIDTH, MAX_BATCH = 1024, 8, 65536  # of a run

MAX_VALUES = 2**31  # of the images or persistent chains that are held at once

MAX_STEPS = 1_000_000  # Langevin steps a grid, whose energies are kept

MAX_NAME = 255  # bytes of a file's name

DATA = {  # facts of the training data that every run keeps
    "num_images": lambda x: type(x) is int and x > 0,
    "channels": lambda x: x in (1, 3) and type(x) is int,
    "class_names": lambda x: isinstance(x, list) and len(x) > 0 and all(map(_is_name, x)),
}


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The scalars of a metrics.jsonl, a line a log."""
    return [line for line in read_lines(path) if "event" not in line]


def read_events(path: Path) -> list[str]:
    """What happened besides, in the words of `Run.event`."""
    return [line["event"] for line in read_lines(path) if "event" in line]


def read_lines(path):
    """All lines; one that was cut short or damaged is left out."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [x for x in found if isinstance(x, dict) and isinstance(x.get("update"), int)]


def read_config(folder: Path) -> tuple[Config, dict[str, Any]]:
    """Config and facts of the data of the run in `folder`.

    A setting that an older version did not know has its default: it meant the same then. What was
    called `modern` before there was --readout_limit is called `modern_gains` since.

    Raises:
        UserError: there is no run of this program, a newer version wrote it, or it has a size that
            no run of this program has.
    """
    path = Path(folder) / CONFIG_FILE
    content = read_json(path)
    _check_format(path, content.get("format", FORMAT))
    values, data = content.get("config"), content.get("data")
    known = typing.get_type_hints(Config)
    if not isinstance(values, dict) or not isinstance(data, dict):
        raise UserError(f"Cannot use {path}", "no settings or no facts of data", FOREIGN)
    strange = (set(values) - set(known)) | (DATA.keys() - set(data))
    if strange:
        found = f"unknown or missing {', '.join(map(str, sorted(strange)))}"
        raise UserError(f"Cannot use {path}", found, FOREIGN)
    grids = values.get("grids")
    values |= {"grids": tuple(grids) if isinstance(grids, list) else grids}
    if values.get("recipe") == "modern" and "readout_limit" not in values:
        values["recipe"] = "modern_gains"
    wrong = [name for name, value in values.items() if not is_a(value, known[name])]
    wrong += [name for name, fits in DATA.items() if not fits(data[name])]
    if not wrong and not _are_labels(data.get("labels", [0]), len(data["class_names"])):
        wrong = ["labels"]
    if wrong:
        raise UserError(f"Cannot use {path}", f"wrong values of {', '.join(wrong)}", FOREIGN)
    config = Config(**values)
    refuse_giant(config, data["channels"], f"Cannot use {path}")
    return config, data


def _check_format(path: Path, number: Any) -> None:
    if type(number) is not int or number < 1:
        raise UserError(f"Cannot use {path}", f"format {number}", FOREIGN)
    if number > FORMAT:
        what = f"{path.parent} was written by a newer mgconv (format {number})"
        raise UserError(what, f"this one reads up to format {FORMAT}", "Upgrade mgconv.")


def refuse_giant(config: Config, channels: int, what: str = "Too large") -> None:
    """Raises a UserError that begins with `what` where a run is larger than any run here."""
    pool = config.pool_size or 10 * config.batch_size
    most = pool if config.method == "pcd" else config.batch_size
    num_values = most * config.size**2 * channels
    too_large = config.size > MAX_SIZE or config.width * max(1.0, config.top_width) > MAX_WIDTH
    if config.num_langevin_steps > MAX_STEPS:
        found = f"{config.num_langevin_steps} Langevin steps a grid"
        raise UserError(what, found, f"Give at most {MAX_STEPS}.")
    if too_large or config.batch_size > MAX_BATCH or num_values > MAX_VALUES:
        found = f"{config.size} pixels, width {config.width:g}, {most} images at once"
        raise UserError(what, found, "Give a smaller --grids, --width or --batch_size.")


def is_a(value, kind) -> bool:
    """Whether a value read from JSON is of a field's type."""
    if isinstance(kind, types.UnionType):
        return any(is_a(value, part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(is_a(size, int) for size in value)
    if kind is float:
        return type(value) in (int, float) and abs(value) < sys.float_info.max
    return type(value) is kind and (kind is not int or abs(value) < 2**63)


def _are_labels(value, num_classes) -> bool:
    """Places in the names of classes, as a net of several classes keeps them."""
    whole = isinstance(value, list) and value and all(type(x) is int for x in value)
    return bool(whole) and min(value) >= 0 and max(value) < num_classes


def _is_name(value) -> bool:
    """A class's name is the name of its model's folder, too."""
    if not isinstance(value, str) or value in ("", ".", "..") or {"/", "\0"} & set(value):
        return False
    return len(value.encode(errors="surrogatepass")) <= MAX_NAME
