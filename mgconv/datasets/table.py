"""Data sets: a table of sources, and their images at the working size."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mgconv.config import Config
from mgconv.datasets import archives, cache, sources, splits
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.notes import notes_on
from mgconv.errors import UserError, choose

Read = Callable[[str, str | None, str | None], sources.Source]  # (split, data_dir, image_dir)


@dataclass(frozen=True)
class DatasetSpec:
    """One row of DATASETS: all in which data sets differ."""

    about: str
    read: Read
    grids: tuple[int, ...] = (1, 4, 16, 64)
    channels: int = 3
    crop: int | None = None  # side of the centre square that is cut before resizing
    reads_files: bool = False  # of --image_dir
    prepared: bool = False  # by tfds, under the row's name
    license: str = "see the page of the data set"  # for the card of a model


def _tfds(name: str, class_names: tuple[str, ...] = (), **splits: str) -> Read:
    """A row that tfds has prepared.

    Args:
        name: tfds's.
        class_names: for a preparation that kept the numbers of the classes alone.
        **splits: tfds's name of a split, where it is another.
    """

    def read(split, data_dir, image_dir):
        _no_image_dir(name, image_dir)
        source = sources.tfds_source(name, splits.get(split, split), data_dir)
        unnamed = all(known.isdecimal() for known in source.class_names)
        return source.with_names(class_names) if class_names and unnamed else source

    return read


def _files(part_of: Callable[[str], Callable[[str], str] | None]) -> Read:
    """A row of images in a folder or zip; `part_of(place)` tells the split of a file name."""

    def read(split, data_dir, image_dir):
        if image_dir is None:
            raise UserError("This data set has", "no --image_dir", "Give its folder or .zip.")
        return archives.image_files(image_dir, split, part_of(image_dir))

    return read


def _celeb_a(split, data_dir, image_dir):
    """CelebA three ways: prepared by tfds; the official zip as it lies; any folder of it."""
    if image_dir is None:
        return sources.tfds_source("celeb_a", split, data_dir)
    return archives.image_files(image_dir, split, splits.celeb_a_partition(image_dir))


def _inside(read: Callable[[str], sources.Source]) -> Read:
    """A row that scikit-learn carries."""

    def read_row(split, data_dir, image_dir):
        _no_image_dir(read.__name__, image_dir)
        return read(split)

    return read_row


def _no_image_dir(name, image_dir):
    if image_dir is not None:
        remedy = "Give --image_dir alone, or with celeb_a or lfw."
        raise UserError(f"--dataset={name} does not read", f"--image_dir={image_dir}", remedy)


SMALL = (1, 4, 16, 32)

CIFAR_10 = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip

DATASETS = {
    "digits": DatasetSpec(
        "scikit-learn's digits", _inside(sources.digits), (1, 4, 8), 1,
        license="CC BY 4.0 (E. Alpaydin, C. Kaynak: Recognition of Handwritten Digits, UCI)",
    ),
    "photos": DatasetSpec(
        "crops of scikit-learn's two photographs", _inside(sources.photos),
        license="CC BY 2.0 (china.jpg by danielbuechele, flower.jpg by vultilion, on Flickr)",
    ),
    "image_dir": DatasetSpec(
        "any images: --image_dir=FOLDER or .zip", _files(lambda _: None), reads_files=True
    ),
    # the paper's five
    "celeb_a": DatasetSpec("CelebA faces", _celeb_a, crop=140, prepared=True, reads_files=True),
    "lsun_scenes/bedroom": DatasetSpec(
        "LSUN bedrooms", _tfds("lsun_scenes/bedroom", test="validation"),
        prepared=True,
    ),
    "cifar10": DatasetSpec(
        "CIFAR-10, a model a class in the paper", _tfds("cifar10", CIFAR_10), SMALL,
        prepared=True, license="none stated (A. Krizhevsky, 2009; of 80 Million Tiny Images)",
    ),
    "svhn_cropped": DatasetSpec(
        "SVHN digits; the paper trains on train + test images (split all) without labels",
        _tfds("svhn_cropped", all="train+test"), SMALL, prepared=True,
    ),
    "places205": DatasetSpec(
        "Places205, by category in the paper", _tfds("places205", test="validation"),
        prepared=True,
    ),
    # others, to show that one is a row
    "lfw": DatasetSpec(
        "Labeled Faces in the Wild", _files(lambda _: splits.by_person), reads_files=True
    ),
    "stl10": DatasetSpec("STL-10", _tfds("stl10"), prepared=True),
}  # fmt: skip


def load_images(
    dataset: str,
    split: str,
    size: int,
    data_dir: str | None = None,
    image_dir: str | None = None,
    cache_dir: str | None = None,
    crop: int | None = None,
) -> ImageSet:
    """Images of a data set at `size`, decoded once and memory-mapped from then on.

    Args:
        dataset: a row of DATASETS.
        split: "train", "test"; "all" where a row has it.
        size: pixels a side.
        data_dir: where tfds keeps prepared data.
        image_dir: folder or .zip, for the rows that read one.
        cache_dir: where decoded arrays are kept; default ~/.cache/mgconv.
        crop: side of the centre square cut before resizing; None takes the row's.

    Raises:
        UserError: unknown data set, data not prepared, no usable image, no space.
    """
    spec = DATASETS[choose("data set", dataset, DATASETS)]
    source = spec.read(split, data_dir, image_dir)
    crop = crop or spec.crop
    facts = {"size": size, "channels": spec.channels, "crop": crop, "format": 4} | source.facts
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    folder = cache.cache_root(cache_dir) / f"{dataset.replace('/', '-')}-{split}-{size}-{key[:16]}"
    stored = cache.open_or_fill(folder, source, size, spec.channels, crop)
    with contextlib.suppress(OSError, UserError):  # a cache that others filled may be read-only
        cache.list_names(folder / cache.OTHERS_FILE, source.others)
    images = ImageSet(
        stored.pixels, stored.labels, stored.class_names, stored.skipped,
        items=stored.items, name_of=source.name_of,
    )  # fmt: skip
    return dataclasses.replace(images, notes=notes_on(images, source, stored.first, folder))


def load_split(config: Config, split: str | None = None) -> ImageSet:
    """Images of the config's data set and classes, by default those to train on.

    Args:
        config: of a run.
        split: all images of a split; None: of the config's, without those of --held_out.

    Raises:
        UserError: as `load_images`, or an unknown class.
    """
    images = _chosen(config, split or config.split)
    return splits.hold_out(images, config.held_out)[0] if config.held_out and not split else images


def load_held_out(config: Config) -> ImageSet:
    """The images that --held_out, above 0, keeps from training."""
    return splits.hold_out(_chosen(config, config.split), config.held_out)[1]


def _chosen(config: Config, split: str) -> ImageSet:
    images = load_images(
        config.dataset,
        split,
        config.size,
        data_dir=config.data_dir,
        image_dir=config.image_dir,
        cache_dir=config.cache_dir,
        crop=config.crop,
    )
    for note in images.notes:
        print(f"{config.dataset}: {note}", flush=True)
    return images.only(choose_classes(config.classes, images.class_names))


def choose_classes(classes: str, class_names: tuple[str, ...]) -> list[int]:
    """Indices of the classes that --classes names: all, each, names or numbers."""
    if classes in ("all", "each"):
        return list(range(len(class_names)))
    return sorted({_class_index(name.strip(), class_names) for name in classes.split(",")})


def labels_of(names: Iterable[str], class_names: tuple[str, ...]) -> list[int]:
    """Indices of classes by their names alone, which may hold a comma."""
    return sorted(class_names.index(choose("class", name, class_names)) for name in names)


def _class_index(name: str, class_names: tuple[str, ...]) -> int:
    if name not in class_names and name.isdecimal() and int(name) < len(class_names):
        return int(name)
    return class_names.index(choose("class", name, class_names))
