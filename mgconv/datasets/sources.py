"""Where images come from: scikit-learn, tfds (archives.py: a folder or a zip)."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgconv.errors import UserError

Item = tuple[bytes | np.ndarray, int]  # an encoded image or uint8 [H, W, C]; its label


@dataclass(frozen=True)
class Source:
    """Images of one split.

    Attributes:
        facts: enough to tell whether a stored array was made of these images; JSON.
        class_names: labels are their indices.
        num_items: how many there are, None where only reading tells.
        read: from item number `start` on, in an order that never changes.
        names: of the items, where they have names.
        labels: of the items, where they are known before reading.
        refused: names of images that are left out before reading, by reason.
        others: names of files that are no images, by ending or reason.
        notes: what else a person should know of them, a sentence each.
    """

    facts: dict[str, Any]
    class_names: tuple[str, ...]
    num_items: int | None
    read: Callable[[int], Iterator[Item]]
    names: Sequence[str] = ()
    labels: Sequence[int] = ()
    refused: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def skipped(self) -> dict[str, int]:
        """How many images are left out before reading, by reason."""
        return {reason: len(names) for reason, names in self.refused.items()}

    def name_of(self, item: int) -> str:
        """What an item is called in a list."""
        return self.names[item] if self.names else f"number {item}"

    def with_names(self, class_names: tuple[str, ...]) -> "Source":
        """The same images, their classes named."""
        facts = self.facts | {"class_names": class_names}
        return replace(self, facts=facts, class_names=class_names)


def in_memory(pairs: Sequence[Item], class_names: Sequence[str], facts: dict[str, Any]) -> Source:
    """Images that are there already."""
    return made_when_read(len(pairs), lambda: pairs, class_names, facts)


def made_when_read(
    num_items: int,
    make: Callable[[], Sequence[Item]],
    class_names: Sequence[str],
    facts: dict[str, Any],
) -> Source:
    """Images that cost something to have: whoever finds them in the cache never makes them."""
    return Source(facts, tuple(class_names), num_items, lambda start: iter(make()[start:]))


# -- data that scikit-learn carries

NUM_DIGITS = {"train": 1257, "test": 540, "all": 1797}


def digits(split: str) -> Source:
    """The 1,797 8 x 8 digits; one fixed split, 70 to 30; "all" has both parts."""
    if split != "all":
        _check_split("digits", split)

    def make():
        from sklearn.datasets import load_digits

        data = load_digits()
        pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)[..., None]
        order = np.random.default_rng(0).permutation(len(pixels))
        first = -NUM_DIGITS[split] if split == "test" else 0
        rows = np.sort(order[first:][: NUM_DIGITS[split]])
        return list(zip(pixels[rows], data.target[rows]))

    return made_when_read(NUM_DIGITS[split], make, "0123456789", {"split": split})


def _check_split(name: str, split: str) -> None:
    if split not in ("train", "test"):
        raise UserError(f"No split of {name}", f'"{split}"', "Give --split=train or test.")


PHOTO_TRAIN_WIDTH = 96  # of 160: the right end of each photograph is for testing


def photos(split: str) -> Source:
    """64 x 64 crops of the photographs at a quarter; no pixel is in training and in test."""
    _check_split("photos", split)
    train = range(0, PHOTO_TRAIN_WIDTH - 64 + 1, 2)
    test = range(PHOTO_TRAIN_WIDTH, 160 - 64 + 1)
    tops, lefts = range(0, 106 - 64 + 1, 2), train if split == "train" else test

    def make():
        return [
            (photo[top : top + 64, left : left + 64], label)
            for label, photo in enumerate(photographs())
            for top in tops
            for left in lefts
        ]

    num, facts = 2 * len(tops) * len(lefts), {"split": split, "stride": 2}
    return made_when_read(num, make, ("temple", "flower"), facts)


def photographs() -> list[np.ndarray]:
    """scikit-learn's two photographs at a quarter, uint8 [106, 160, 3]."""
    from sklearn.datasets import load_sample_images

    return [
        np.rint(image[:424].reshape(106, 4, 160, 4, 3).mean((1, 3))).astype(np.uint8)
        for image in load_sample_images().images
    ]


# -- tfds


def tfds_source(name: str, split: str, data_dir: str | None) -> Source:
    """A data set that tfds has prepared in `data_dir`; images stay encoded until the store decodes.

    Raises:
        UserError: not prepared, or no such split.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    remedy = f"Run: mgconv prepare --dataset={name}{f' --data_dir={data_dir}' if data_dir else ''}"
    try:
        data, info = tfds.load(
            name, split=split, data_dir=data_dir, download=False, with_info=True,
            decoders={"image": tfds.decode.SkipDecoding()},
            read_config=tfds.ReadConfig(try_autocache=False),
        )  # fmt: skip
    except (AssertionError, FileNotFoundError, tfds.core.DatasetNotFoundError):
        found = f"{place}{_other_versions(place, name)}"
        raise UserError(f'No prepared "{name}" in', found, remedy) from None
    except ValueError as error:
        found = str(error).split("\n")[0]
        raise UserError(f'No split "{split}" of "{name}" in {place}', found, remedy) from None
    labeled = "label" in info.features
    names = tuple(info.features["label"].names) if labeled else (name.replace("/", "-"),)

    def read(start):
        try:
            for example in data.skip(start).as_numpy_iterator():
                yield example["image"], max(0, int(example.get("label", 0)))  # stl10 has -1
        except tf.errors.OpError as error:
            found = str(error).split("\n")[0][:120]
            raise UserError(f"Cannot read {info.data_dir}", found, f"Delete it. {remedy}") from None

    size = data.cardinality().numpy()
    facts = {"name": name, "split": split, "version": str(info.version), "place": info.data_dir}
    facts["examples"] = int(size)
    return Source(facts, names, int(size) if size >= 0 else None, read)


def _other_versions(place: str, name: str) -> str:
    """What lies where this version of tfds looks for another."""
    folder = Path(place).expanduser() / name
    versions = sorted(path.parent.name for path in folder.glob("*/dataset_info.json"))
    return f" (there is version {', '.join(versions)}, another than tfds wants)" if versions else ""
