"""Data: splits, the store on disk, folders and zips, classes, batches."""

import io
import json
import os
import sys
import zipfile

import numpy as np
import pytest
import sklearn.datasets
from conftest import refused
from PIL import Image

from mgconv.config import make_config
from mgconv.datasets import archives as files
from mgconv.datasets import cache as store
from mgconv.datasets import sources
from mgconv.datasets.batches import batches
from mgconv.datasets.image_set import ImageSet, asked_labels
from mgconv.datasets.table import DATASETS, choose_classes, load_images
from mgconv.errors import UserError
from mgconv.io.images import to_float

SIZE = 8


def random_picture(seed, size=16):
    return np.random.default_rng(seed).integers(0, 256, [size, size, 3], np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {  # name -> content
    "cats/a.png": png(random_picture(0)),
    "cats/b.PNG": png(random_picture(1)),
    "dogs/deep/c.png": png(random_picture(2)),
    "dogs/d.png": png(random_picture(3)),
    "e.png": png(random_picture(4)),
    "readme.txt": b"no image, by its name",
}


def make_folder(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("empty_folder")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def load_dir(path, size=SIZE, **places):
    return load_images("image_dir", "train", size, image_dir=str(path), **places)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache of decoded images that is empty at first."""
    monkeypatch.setenv("MGCONV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


# -- a contract for every row


OWN_BUILDERS = ("lsun_scenes/bedroom", "places205")  # tfds does not know them, so mocks neither


@pytest.fixture(scope="module")
def load_row(tmp_path_factory):
    """Loads a split of any row of DATASETS at its own size."""
    tfds = pytest.importorskip("tensorflow_datasets")
    names = [f"{k % 2}/Some_One{k}_0001.png" for k in range(40)]
    pictures = {name: png(random_picture(k, size=64)) for k, name in enumerate(names)}
    folder = str(make_folder(tmp_path_factory.mktemp("pictures"), pictures))
    prepared = str(tmp_path_factory.mktemp("prepared"))
    for name in OWN_BUILDERS:
        prepare_small(tfds, name, prepared)

    def load(name, split):
        size = DATASETS[name].grids[-1]
        if name in OWN_BUILDERS:
            return load_images(name, split, size, data_dir=prepared)
        image_dir = folder if name in ("image_dir", "lfw") else None
        with tfds.testing.mock_data(num_examples=6):
            return load_images(name, split, size, image_dir=image_dir)

    return load


def prepare_small(tfds, name, data_dir):
    """Writes what our builder would have prepared, with a few images."""
    package, _, config = name.partition("/")
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=["a", "b"]),
        }
    )
    pictures = [random_picture(k, 64 + k) for k in range(6)]
    examples = {k: {"image": x, "label": k % 2} for k, x in enumerate(pictures)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name=package, config=config or None, version="1.0.0", features=features,
        split_datasets={s: examples.items() for s in ("train", "validation")}, data_dir=data_dir,
    )  # fmt: skip


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_is_uint8_images_with_labels_of_named_classes(name, split, load_row):
    if (name, split) == ("image_dir", "test"):
        pytest.skip("a plain folder has training images alone")
    images, row = load_row(name, split), DATASETS[name]
    size = row.grids[-1]
    assert images.pixels.shape == (len(images), size, size, row.channels)
    assert images.pixels.dtype == np.uint8
    assert len(np.unique(images.pixels)) > 10
    assert images.labels.shape == (len(images),)
    assert images.labels.dtype == np.int64
    assert set(images.labels) <= set(range(len(images.class_names)))
    assert len(set(images.class_names)) == len(images.class_names)
    assert all(isinstance(name, str) for name in images.class_names)
    assert images.colors.shape == (len(images), 1, 1, row.channels)
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 0


@pytest.mark.parametrize("name", DATASETS)
def test_the_grids_of_every_data_set_are_legal(name):
    assert make_config({"grids": DATASETS[name].grids}).grids == DATASETS[name].grids


def test_an_unknown_data_set_is_told_with_the_near_names():
    with pytest.raises(UserError, match=r'Unknown data set: "cifar100". Did you mean cifar10'):
        load_images("cifar100", "train", 32)


# -- scikit-learn's data


def test_digits_are_split_once_and_for_all_without_overlap():
    splits = {split: load_images("digits", split, 8) for split in ("train", "test")}
    assert {split: len(images) for split, images in splits.items()} == {"train": 1257, "test": 540}
    original = sklearn.datasets.load_digits()
    scaled = np.rint(original.images * 255 / 16).astype(np.uint8)

    def rows(pixels, labels):
        return sorted((int(label), image.tobytes()) for image, label in zip(pixels, labels))

    parts = [rows(images.pixels, images.labels) for images in splits.values()]
    assert sorted(parts[0] + parts[1]) == rows(scaled, original.target)  # each image exactly once
    assert splits["train"].pixels.min() == 0
    assert splits["train"].pixels.max() == 255
    assert splits["train"].class_names == tuple("0123456789")
    for images in splits.values():
        assert np.bincount(images.labels).min() > 0.05 * len(images)


@pytest.mark.parametrize("name, split", [("digits", "train"), ("digits", "test"),
                                         ("photos", "train"), ("photos", "test")])  # fmt: skip
def test_what_scikit_learn_carries_is_counted_and_made_only_when_it_is_read(
    name, split, monkeypatch
):
    source = getattr(sources, name)(split)
    assert source.num_items == len(list(source.read(0))) == 7 + len(list(source.read(7)))
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # an import of it fails
    with pytest.raises(ImportError):
        getattr(sources, name)(split).read(0)


def test_photo_crops_of_training_and_test_share_no_pixel():
    train = {image.tobytes() for image, _ in sources.photos("train").read(0)}
    test = {image.tobytes() for image, _ in sources.photos("test").read(0)}
    assert not train & test
    assert sources.PHOTO_TRAIN_WIDTH + 64 == 160  # test crops begin where training crops end


def test_photos_for_training_and_for_testing_share_no_pixel(monkeypatch):
    """Photographs whose colors say where a pixel lies show which pixels each split uses."""
    rows, columns = np.mgrid[:427, :640] // 4
    marked = [np.stack([rows, columns, np.full_like(rows, k)], -1) for k in range(2)]
    photographs = type("Photographs", (), {"images": [m.astype(np.uint8) for m in marked]})
    monkeypatch.setattr(sklearn.datasets, "load_sample_images", lambda: photographs)
    seen, crops = {}, {}
    for split in ("train", "test"):
        source = sources.photos(split)
        assert source.class_names == ("temple", "flower")
        pairs = list(source.read(0))
        assert all(crop.shape == (64, 64, 3) for crop, _ in pairs)
        assert all((crop[..., 2] == label).all() for crop, label in pairs)
        seen[split] = {pixel.tobytes() for crop, _ in pairs for pixel in crop.reshape(-1, 3)}
        crops[split] = {crop.tobytes() for crop, _ in pairs}
        assert len(crops[split]) == len(pairs)
    assert not seen["train"] & seen["test"]
    assert len(seen["train"]) == 2 * 106 * sources.PHOTO_TRAIN_WIDTH  # and the rest is not wasted
    assert len(seen["test"]) == 2 * 106 * (160 - sources.PHOTO_TRAIN_WIDTH)


# -- tfds


def test_what_tfds_has_prepared_is_read_as_it_is(own_cache):
    tfds = pytest.importorskip("tensorflow_datasets")
    import tensorflow as tf

    pixels = np.stack([random_picture(k, 32) for k in range(5)])
    labels = np.array([3, 0, 9, 9, 1])

    def fixed(*_, **__):
        return tf.data.Dataset.from_tensor_slices({"image": pixels, "label": labels})

    with tfds.testing.mock_data(as_dataset_fn=fixed):
        images = load_images("cifar10", "train", 32)
    np.testing.assert_array_equal(images.pixels, pixels)
    np.testing.assert_array_equal(images.labels, labels)
    assert len(images.class_names) == 10


def test_data_that_is_not_prepared_is_told_with_the_command_that_prepares_it(tmp_path):
    with pytest.raises(UserError) as error:
        load_images("cifar10", "train", 32, data_dir=str(tmp_path))
    assert str(error.value) == (
        f'No prepared "cifar10" in: {tmp_path}. '
        f"Run: mgconv prepare --dataset=cifar10 --data_dir={tmp_path}"
    )


# -- folders and zips


def test_a_folder_and_a_zip_of_it_give_equal_images_and_classes(tmp_path):
    folder = load_dir(make_folder(tmp_path / "faces", FILES))
    archive = load_dir(make_zip(tmp_path / "faces.zip", FILES))
    np.testing.assert_array_equal(folder.pixels, archive.pixels)
    np.testing.assert_array_equal(folder.labels, archive.labels)
    assert folder.class_names == archive.class_names == ("cats", "deep", "dogs", "faces")


def test_an_images_class_is_the_folder_that_it_lies_in(tmp_path):
    images = load_dir(make_folder(tmp_path / "pets", FILES))
    classes = {FILES[name]: images.class_names[label] for name, label in _pairs(images)}
    assert classes == {
        FILES["cats/a.png"]: "cats",
        FILES["cats/b.PNG"]: "cats",
        FILES["dogs/deep/c.png"]: "deep",
        FILES["dogs/d.png"]: "dogs",
        FILES["e.png"]: "pets",
    }


def _pairs(images):
    """(file, label) of each image, found by its pixels."""
    small = {}
    for seed, name in enumerate(n for n in FILES if n.lower().endswith(".png")):
        blocks = random_picture(seed).reshape(SIZE, 2, SIZE, 2, 3)
        small[np.rint(blocks.mean((1, 3))).astype(np.uint8).tobytes()] = name
    return [(small[image.tobytes()], label) for image, label in zip(images.pixels, images.labels)]


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_broken_and_small_images_are_skipped_and_counted(kind, tmp_path):
    files = FILES | {
        "cats/broken.png": b"no image",
        "cats/half.png": FILES["cats/a.png"][:200],
        "dogs/small.png": png(random_picture(9, size=4)),
    }
    make = make_folder if kind == "folder" else make_zip
    images = load_dir(make(tmp_path / f"pets.{kind}", files))
    assert len(images) == 5
    assert images.skipped == {"broken or no image": 2, "smaller than 8 x 8": 1}


def test_a_damaged_member_of_a_zip_is_skipped(tmp_path):
    path = make_zip(tmp_path / "pets.zip", FILES)
    content = bytearray(path.read_bytes())
    place = content.find(FILES["dogs/d.png"])
    content[place + 300] ^= 0xFF
    path.write_bytes(content)
    assert len(load_dir(path)) == 4


def test_files_that_are_far_too_large_are_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(files, "TOO_LARGE", "too large")
    assert "5 too large" in refused(load_dir, make_folder(tmp_path / "pets", FILES), SIZE)


def test_nothing_usable_is_told(tmp_path, own_cache):
    broken = make_folder(tmp_path / "broken", {"a.png": b"no", "b.jpg": b"image"})
    assert refused(load_dir, broken, SIZE) == (
        "No usable image at 8 x 8: 2 broken or no image. Choose other images or smaller --grids."
    )
    small = make_folder(tmp_path / "small", {"a.png": png(random_picture(0, 7))})
    assert "1 smaller than 8 x 8" in refused(load_dir, small, SIZE)
    (tmp_path / "empty").mkdir()
    assert "No image in" in refused(load_dir, tmp_path / "empty", SIZE)
    assert "No image" in refused(
        load_dir, make_folder(tmp_path / "texts", {"a.txt": b"text"}), SIZE
    )
    assert "No such --image_dir" in refused(load_dir, tmp_path / "missing", SIZE)
    (tmp_path / "text.zip").write_text("no zip")
    assert "--image_dir is no readable .zip" in refused(load_dir, tmp_path / "text.zip", SIZE)
    assert not own_cache.exists() or not any(own_cache.iterdir())  # nothing half-made is left


def test_a_row_of_ones_own_images_needs_their_place():
    with pytest.raises(UserError, match="no --image_dir"):
        load_images("image_dir", "train", 8)


# -- the store


def forbid_decoding(monkeypatch):
    def fail(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(store, "decode", fail)


def test_images_are_decoded_once(tmp_path, own_cache, monkeypatch):
    folder = make_folder(tmp_path / "pets", FILES)
    first = load_dir(folder)
    forbid_decoding(monkeypatch)
    again = load_dir(folder)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    np.testing.assert_array_equal(again.labels, first.labels)
    assert again.class_names == first.class_names
    assert isinstance(again.pixels, np.memmap)


def test_a_broken_count_is_told_again_from_the_store(tmp_path, own_cache, monkeypatch):
    folder = make_folder(tmp_path / "pets", FILES | {"broken.png": b"no image"})
    first = load_dir(folder).skipped
    forbid_decoding(monkeypatch)
    assert load_dir(folder).skipped == first == {"broken or no image": 1}


CHANGES = {
    "a new file": lambda folder: (folder / "f.png").write_bytes(png(random_picture(5))),
    "a removed file": lambda folder: (folder / "e.png").unlink(),
    "another content": lambda folder: (folder / "e.png").write_bytes(png(random_picture(6))),
    "a renamed folder": lambda folder: (folder / "cats").rename(folder / "tigers"),
    "a newer file": lambda folder: os.utime(folder / "e.png", (1, 1)),
}


def replace_by_one_of_the_same_size_and_time(folder):
    """What git, rsync and unpacked archives do."""
    path, before = folder / "e.png", (folder / "e.png").stat()
    content = png(random_picture(9))
    assert len(content) == before.st_size  # noise does not compress
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


if os.name == "posix":  # elsewhere a file does not keep when it was changed
    CHANGES["another file of the same size and time"] = replace_by_one_of_the_same_size_and_time


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_folder_is_decoded_anew(change, tmp_path, own_cache, monkeypatch):
    folder = make_folder(tmp_path / "pets", FILES)
    load_dir(folder)
    change(folder)
    with monkeypatch.context() as patch:
        forbid_decoding(patch)
        with pytest.raises(AssertionError, match="decoded again"):
            load_dir(folder)
    changed = load_dir(folder)
    fresh = load_dir(folder, cache_dir=str(tmp_path / "other_cache"))
    np.testing.assert_array_equal(changed.pixels, fresh.pixels)
    assert changed.class_names == fresh.class_names


def test_a_zip_in_place_of_another_is_decoded_anew(tmp_path, own_cache):
    load_dir(make_zip(tmp_path / "pets.zip", FILES))
    images = load_dir(make_zip(tmp_path / "pets.zip", FILES | {"e.png": png(random_picture(7))}))
    other = load_dir(make_zip(tmp_path / "pets.zip", FILES))
    assert (images.pixels != other.pixels).any()


def test_sizes_and_splits_are_stored_apart(own_cache):
    digits = [load_images("digits", *key) for key in (("train", 8), ("test", 8), ("train", 4))]
    assert [images.pixels.shape[:2] for images in digits] == [(1257, 8), (540, 8), (1257, 4)]
    assert len(list(own_cache.iterdir())) == 3


def test_an_interrupted_decoding_leaves_no_store_behind(tmp_path, own_cache, monkeypatch):
    folder = make_folder(tmp_path / "pets", FILES)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "decode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_dir(folder)
    assert all(path.name.startswith(".") for path in own_cache.iterdir())  # a draft at most
    assert len(load_dir(folder)) == 5


def test_images_that_an_older_version_kept_are_read(tmp_path, own_cache, monkeypatch):
    """Their store lists no names."""
    folder = make_folder(tmp_path / "pets", FILES | {"broken.png": b"no image"})
    first = load_dir(folder)
    [kept] = own_cache.iterdir()
    meta = json.loads((kept / "meta.json").read_text())
    del meta["first"]
    (kept / "meta.json").write_text(json.dumps(meta))
    (kept / "skipped_images.txt").unlink()
    forbid_decoding(monkeypatch)
    again = load_dir(folder)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert "skipped 1 images: broken or no image" in again.notes


def test_a_store_that_cannot_be_written_is_read(tmp_path, own_cache, monkeypatch):
    """As a cache that another person filled."""
    folder = make_folder(tmp_path / "pets", FILES)
    load_dir(folder)
    (folder / "more.txt").write_text("a new file")

    def refuse(*_):
        raise UserError("Cannot write", "x", "Free space.")

    monkeypatch.setattr(store, "replace_file", refuse)
    assert len(load_dir(folder)) == 5


def test_the_cache_directory_that_is_given_is_used(tmp_path):
    folder = make_folder(tmp_path / "pets", FILES)
    load_dir(folder, cache_dir=str(tmp_path / "mine"))
    assert len(list((tmp_path / "mine").iterdir())) == 1


# -- classes


NAMES = ("plane", "car", "bird", "cat")


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("all", [0, 1, 2, 3]),
        ("each", [0, 1, 2, 3]),
        ("cat", [3]),
        ("2", [2]),
        ("cat,car", [1, 3]),
        (" cat , 1 ", [1, 3]),
        ("cat,3,cat", [3]),
    ],
)
def test_classes_are_chosen_by_name_or_number(classes, expected):
    assert choose_classes(classes, NAMES) == expected


def test_a_name_that_looks_like_a_number_is_a_name():
    assert choose_classes("7", ("5", "6", "7", "1", "4", "3", "2", "0")) == [2]


@pytest.mark.parametrize("classes", ["dog", "4", "-1", "", "cat,", "1.0", "Cat", "²"])
def test_unknown_classes_are_told(classes):
    with pytest.raises(UserError, match="Unknown class"):
        choose_classes(classes, NAMES)
    with pytest.raises(UserError, match="Did you mean plane"):
        choose_classes("plan", NAMES)


def test_a_set_of_one_color_is_known_from_one_of_two(toy_images):
    assert toy_images(num=250, low=7, high=9).only_color == [7]
    assert toy_images(num=250, low=7, high=99).only_color is None
    late = toy_images(num=250, channels=3, low=7, high=8)
    late.pixels[-1, -1, -1, -1] = 99  # the last value of all
    assert late.only_color is None


def test_only_keeps_the_images_of_the_classes(toy_images):
    images = toy_images(num=9, class_names=("a", "b", "c"))
    some = images.only([0, 2])
    np.testing.assert_array_equal(some.labels, [0, 2, 0, 2, 0, 2])
    np.testing.assert_array_equal(some.pixels, images.pixels[[0, 2, 3, 5, 6, 8]])
    assert some.class_names == images.class_names
    assert images.only([0, 1, 2]) is images
    with pytest.raises(UserError, match="No image of the classes: c"):
        images.only([0, 1]).only([2])


def test_colors_are_the_means_of_images_spread_evenly_over_at_most_10_000(toy_images):
    images = toy_images(num=7, channels=3)
    expected = to_float(images.pixels).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(images.colors, expected, atol=1e-6)
    many = ImageSet(np.arange(25_000, dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2, 1), [], ())
    assert many.colors.shape == (10_000, 1, 1, 1)
    ends = to_float(many.pixels[[0, -1]]).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(many.colors[[0, -1]], ends, atol=1e-6)


# -- batches


def numbered(num):
    """Images that say their own number in the left column, and its double in the right one."""
    left, right = np.arange(num), 2 * np.arange(num) + 1
    pixels = np.stack([left, right], 1)[:, None, :, None].repeat(2, axis=1)
    return ImageSet(pixels.astype(np.uint8), np.zeros(num, np.int64), ("one",))


def numbers(batch):
    """(left, right) of each image of a batch."""
    return [tuple(pair) for pair in np.rint((batch.numpy()[:, 0, :, 0] + 1) * 127.5).astype(int)]


def take(num_batches, first=0, num=10, batch_size=3, seed=0, flip=False):
    stream = batches(numbered(num), batch_size, seed, first, flip)
    return [numbers(batch) for batch in stream.take(num_batches)]


@pytest.mark.parametrize(("num", "batch_size"), [(12, 3), (10, 3), (5, 5), (7, 4)])
def test_an_epoch_shows_every_image_once(num, batch_size):
    """What does not fill a batch is left out, another part each epoch."""
    per_epoch = num // batch_size
    stream = take(4 * per_epoch, num=num, batch_size=batch_size)
    orders = []
    for epoch in range(4):
        parts = stream[epoch * per_epoch : (epoch + 1) * per_epoch]
        seen = [left for part in parts for left, _ in part]
        assert len(seen) == len(set(seen)) == per_epoch * batch_size
        orders.append(tuple(map(tuple, parts)))
    assert len(set(orders)) > 1 or per_epoch == 1


def test_a_resumed_stream_is_the_tail_of_the_uninterrupted_one():
    for flip in (False, True):
        whole = take(14, flip=flip)
        for first in (1, 3, 4, 11):
            assert take(14 - first, first, flip=flip) == whole[first:]


def test_the_order_is_a_function_of_the_seed():
    assert take(6, seed=1) == take(6, seed=1)
    assert take(6, seed=1) != take(6, seed=2)


def test_flips_mirror_half_of_the_images_exactly_and_change_no_order():
    plain, flipped = take(60), take(60, flip=True)
    num_mirrored = 0
    for part, mirrored in zip(plain, flipped):
        for (left, right), got in zip(part, mirrored):
            assert got in ((left, right), (right, left))
            num_mirrored += got != (left, right)
    assert 0.35 < num_mirrored / 180 < 0.65
    assert len({tuple(x > y for x, y in part) for part in flipped}) > 2  # images, not batches


def test_batches_are_float32_in_the_box_of_known_shape(toy_images):
    images = toy_images(channels=3)
    stream = batches(images, 5, 0, 0)
    assert stream.element_spec.shape == (5, 4, 4, 3)
    batch = next(iter(stream))
    assert batch.dtype == "float32"
    assert np.abs(batch).max() <= 1
    levels = {image.tobytes() for image in to_float(images.pixels)}
    assert all(image.tobytes() in levels for image in batch.numpy())


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(UserError, match=r"A batch is larger than the data: 11 > 10\."):
        batches(numbered(10), 11, 0, 0)
    assert len(take(2, batch_size=10)) == 2


@pytest.mark.parametrize(
    ("labels", "known", "expected"),
    [
        ([], (), []),
        (0, (3, 8), []),
        (3, (), [0, 0, 0]),
        (5, (3, 8), [3, 8, 3, 8, 3]),
        ([8, 3], (3, 8), [8, 3]),
        (np.int64(2), (1,), [1, 1]),
        (np.array([7, 7], np.uint8), (), [7, 7]),
    ],
)
def test_a_model_is_asked_by_labels_or_by_a_number(labels, known, expected):
    asked = asked_labels(labels, known)
    assert asked.tolist() == expected
    assert asked.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "known", "words"),
    [
        ([7], (3, 8), r"not trained on classes: [7]. It knows 3, 8."),
        ([-1], (), "[-1]. Give labels of 0 or more."),
        (-2, (), "Cannot synthesize images of: -2. Give a label for each image, or a number"),
        ([0.5], (), "Cannot synthesize images of: [0.5]"),
        ("cat", (), "Cannot synthesize images of: 'cat'"),
        ([[1]], (1,), "Cannot synthesize images of: [[1]]"),
    ],
)
def test_labels_that_no_model_has_are_refused_in_a_line(labels, known, words):
    assert words in refused(asked_labels, labels, known)
