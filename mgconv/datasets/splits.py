"""The split that a file belongs to, by its name."""

import hashlib
from collections.abc import Callable
from pathlib import PurePosixPath

from mgconv.datasets.archives import existing
from mgconv.errors import UserError

# -- splits by names


def held_out(name: str) -> str:
    """Split of a file by its name alone: "test" for about a tenth of all names."""
    digest = hashlib.sha256(name.encode()).digest()
    return "test" if int.from_bytes(digest[:8], "big") < 0.1 * 2**64 else "train"


def by_person(name: str) -> str:
    """Split of `First_Last_0001.jpg` (LFW): all images of a person fall on one side."""
    return held_out(PurePosixPath(name).stem.rpartition("_")[0])


def celeb_a_partition(place: str) -> Callable[[str], str] | None:
    """The official split, where list_eval_partition.txt lies beside the images or in their folder.

    Raises:
        UserError: a line that is not `000001.jpg 0`.
    """
    path = existing(place)
    homes = (path.parent, path) if path.is_dir() else (path.parent,)
    files = [home / "list_eval_partition.txt" for home in homes]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return None
    names = {"0": "train", "1": "validation", "2": "test"}
    splits = {}
    for line in found.read_text(errors="replace").splitlines():
        words = line.split()
        if len(words) != 2 or words[1] not in names:
            raise UserError(f"Cannot read {found}", f'"{line[:60]}"', "Lines are: 000001.jpg 0.")
        splits[PurePosixPath(words[0]).stem] = names[words[1]]  # there are .png of the same names
    return lambda name: splits.get(PurePosixPath(name).stem, "train")
