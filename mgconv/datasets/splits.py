"""Which images are for training: by the name of a file, or a share held out by its pixels."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import PurePosixPath

import numpy as np

from mgconv.datasets.archives import existing
from mgconv.datasets.image_set import ImageSet
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


# -- a share of any data


def hold_out(images: ImageSet, share: float) -> tuple[ImageSet, ImageSet]:
    """Images to train on, and about a share of each class that is kept from it.

    A hash of its pixels decides on an image alone: more images move none across, and copies of an
    image fall on one side. Where that gives a class of two images or more none on a side, the
    image whose hash is nearest goes there.

    Args:
        images: of all classes, in any order.
        share: above 0, below 1.

    Raises:
        UserError: a side would be empty.
    """
    hashes = np.array([_hash(pixels) for pixels in images.pixels], np.uint64)
    is_held = _is_held(hashes, images.labels, share)
    if is_held.all() or not is_held.any():
        found = f"--held_out={share:g} of {len(images)}"
        raise UserError("No two different images to hold one out", found, "Give more images.")
    listed = np.sort(hashes[is_held]).astype(">u8").tobytes()
    about = f"{is_held.sum()} images, {hashlib.sha256(listed).hexdigest()[:12]}"
    images = dataclasses.replace(images, held_out=about)
    return images.at(~is_held), images.at(is_held)


def _hash(pixels: np.ndarray) -> int:
    return int.from_bytes(hashlib.blake2b(pixels.tobytes(), digest_size=8).digest(), "big")


def _is_held(hashes: np.ndarray, labels: np.ndarray, share: float) -> np.ndarray:
    is_held = hashes < np.uint64(int(share * 2**64))
    for label in np.unique(labels):
        of_class = labels == label
        first, last = hashes[of_class].min(), hashes[of_class].max()
        if first < last:
            is_held[hashes == first] |= not is_held[of_class].any()
            is_held[hashes == last] &= not is_held[of_class].all()
    return is_held
