"""Models to load by name: inside the package, fetched by hash, of the Hugging Face Hub."""

import os
import re
from pathlib import Path
from typing import Any

from mgconv.datasets.cache import cache_root
from mgconv.errors import UserError, brief, choose
from mgconv.io.fetching import fetch
from mgconv.io.files import draft_of, read_json
from mgconv.models.card import CARD
from mgconv.models.kinds import Model
from mgconv.models.loading import load
from mgconv.models.saved import WEIGHTS
from mgconv.training.records import CONFIG_FILE

INSIDE = Path(__file__).parent / "released"  # of the package
HASHES = INSIDE / "hashes.json"  # name -> SHA-256 of its config.json, which has that of the weights
FILES = (CONFIG_FILE, WEIGHTS, CARD)
CHECKOUT = Path(__file__).parents[2] / "released"
BASE = "MGCONV_RELEASED"  # environment: folder or URL where the others lie, a folder a model
MAX_BYTES = 50_000_000  # of a file
HUB = re.compile(r"hf://(?P<repo_id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")


def from_pretrained(name: str | os.PathLike, devices: str = "auto", **dynamics) -> Model:
    """A trained model by its name; see `mgconv.from_pretrained`."""
    place = os.fspath(name)
    if place.startswith("hf://"):
        return load(_of_hub(place), devices, **dynamics)
    hashes: dict[str, str] = read_json(HASHES)
    if place in hashes:
        return load(_released(place, hashes[place]), devices, **dynamics)
    if Path(place).expanduser().exists() or {"/", os.sep} & set(place):
        return load(place, devices, **dynamics)
    return load(choose("released model", place, hashes))


def _released(name: str, expected: str) -> Path:
    """The folder of a released model: the package's, or one that is fetched once."""
    if (INSIDE / name).is_dir():
        return INSIDE / name
    folder = cache_root(None) / "released" / f"{name}-{expected[:16]}"
    if not (folder / WEIGHTS).exists():
        _fetch(_base(name), folder, expected)
    return folder


def _base(name: str) -> str:
    place = os.environ.get(BASE) or (str(CHECKOUT) if (CHECKOUT / name).is_dir() else None)
    if place is None:
        remedy = f"Set {BASE} to the folder or URL of the repository's released/."
        raise UserError("This model is not inside the package", name, remedy)
    return f"{place.rstrip('/')}/{name}"


def _fetch(place: str, folder: Path, expected: str) -> None:
    """Brings a released model here; what is not what its hash says is not kept."""
    print(f"Fetching {place}", flush=True)
    with draft_of(folder, WEIGHTS) as draft:
        for file in FILES:
            pinned = file in (CONFIG_FILE, WEIGHTS)
            content = fetch(f"{place}/{file}", expected if pinned else None, MAX_BYTES)
            (draft / file).write_bytes(content)
            if file == CONFIG_FILE:
                expected = read_json(draft / file)["files"][WEIGHTS]


def _of_hub(name: str) -> Path:
    """A snapshot of a repository of the Hub, of the files of a saved model alone.

    Raises:
        UserError: no such name, huggingface-hub is not installed, or what it says.
    """
    match = HUB.fullmatch(name)
    if match is None:
        remedy = "Give hf://OWNER/NAME or hf://OWNER/NAME@REVISION."
        raise UserError("No name of the Hub", name, remedy)
    try:
        import huggingface_hub as hub
    except ImportError:
        remedy = "Run: pip install 'mgconv[hub]'"
        raise UserError(f"{name} needs huggingface-hub", "not installed", remedy) from None
    print(f"Fetching {name}", flush=True)
    asked: dict[str, Any] = match.groupdict()
    try:
        return Path(hub.snapshot_download(**asked, allow_patterns=list(FILES)))
    except Exception as error:  # of whatever it is built on
        found = brief(error) or type(error).__name__
        raise UserError(f"Cannot fetch {name}", found, "Check name and connection.") from None
