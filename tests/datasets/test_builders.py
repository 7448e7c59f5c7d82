"""The tfds builders in data/, on files shaped like the official ones and made here."""

import gzip
import io
import logging
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

lmdb = pytest.importorskip("lmdb", reason="pip install 'mgconv[lsun]'")
pytest.importorskip("dill", reason="tfds.testing needs it and does not say so")
tfds = pytest.importorskip("tensorflow_datasets")

DATA = Path(__file__).parents[2] / "data"
IMAGES = "data/vision/torralba/deeplearning/images256"  # the folder in the official archive
CSV = "trainvalsplit_places205"


@pytest.fixture(scope="module", autouse=True)
def temporary_files(tmp_path_factory):
    """Tfds leaves an empty temporary folder each time that it prepares a data set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield


def builder_class(name):
    """As `tfds build data/NAME` finds it."""
    with tfds.core.utils.add_sys_path(DATA):
        return tfds.core.community.builder_cls_from_module(f"{name}.{name}")


def module(name):
    return sys.modules[builder_class(name).__module__]


def prepare(name, folder, config=None, **options):
    builder = builder_class(name)(data_dir=folder / "tfds", config=config)
    options = tfds.download.DownloadConfig(
        manual_dir=folder / "manual", try_download_gcs=False, **options
    )
    builder.download_and_prepare(download_dir=folder / "downloads", download_config=options)
    return builder


def examples(builder, split):
    """{id or filename: example}."""
    found = list(builder.as_dataset(split=split).as_numpy_iterator())
    return {(e.get("id") or e.get("filename")).decode(): e for e in found}


def pixels(seed):
    """Smooth, so that JPEG and WebP keep it nearly."""
    corners = np.random.default_rng(seed).integers(0, 256, (2, 3, 3), np.uint8)
    return np.asarray(Image.fromarray(corners).resize((48, 32), Image.Resampling.BILINEAR))


def encoded(seed, file_format="JPEG", mode="RGB"):
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).convert(mode).save(buffer, file_format, quality=90)
    return buffer.getvalue()


# -- LSUN


TRAIN = {
    "aa": encoded(0),
    "ab": encoded(1, "WEBP"),
    "ac": encoded(2, "PNG"),
    "ad": encoded(3, mode="L"),
    "ba": b"no image",
    "bb": encoded(4)[:-40],
    "bc": encoded(5, "WEBP")[:60],
    "bd": b"",
}
WHOLE, VALIDATION = {"aa", "ab", "ac", "ad"}, {"ca": encoded(6, "WEBP"), "cb": encoded(7)}


def write_lmdb(folder, values):
    with lmdb.open(str(folder), map_size=1 << 24) as database, database.begin(write=True) as put:
        for key, value in values.items():
            put.put(key.encode(), value)


def zip_lmdb(archive, values, compression=zipfile.ZIP_DEFLATED):
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive, "w", compression) as out:
        write_lmdb(folder, values)
        for name in ("data.mdb", "lock.mdb"):
            out.write(Path(folder) / name, f"{archive.stem}/{name}")


@pytest.fixture
def lsun(tmp_path):
    """A folder whose manual/ has bedroom as two zips and tower as a folder, for training only."""
    manual = tmp_path / "manual"
    manual.mkdir()
    zip_lmdb(manual / "bedroom_train_lmdb.zip", TRAIN)
    zip_lmdb(manual / "bedroom_val_lmdb.zip", VALIDATION, zipfile.ZIP_STORED)
    write_lmdb(manual / "tower_train_lmdb", TRAIN)
    return tmp_path


class MadeHere(tfds.testing.DatasetBuilderTestCase):
    """A DatasetBuilderTestCase whose files are made in a temporary folder."""

    __test__ = False  # the two below are

    @classmethod
    def setUpClass(cls):
        cls.DATASET_CLASS = builder_class(cls.NAME)
        cls.folder = tempfile.TemporaryDirectory()
        cls.EXAMPLE_DIR = cls.folder.name
        cls.make(Path(cls.folder.name))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def test_registered(self):
        """Found by path, and so on purpose not in tfds's own register."""
        self.assertIs(builder_class(self.NAME), self.DATASET_CLASS)


class LsunScenesTest(MadeHere):
    """What tfds asks of a builder."""

    __test__ = True
    NAME = "lsun_scenes"
    BUILDER_CONFIG_NAMES_TO_TEST = ("bedroom", "tower")
    SPLITS = {"train": 4, "validation": 2}  # noqa: RUF012

    @staticmethod
    def make(folder):
        zip_lmdb(folder / "bedroom_train_lmdb.zip", TRAIN)
        zip_lmdb(folder / "bedroom_val_lmdb.zip", VALIDATION)
        write_lmdb(folder / "tower_train_lmdb", TRAIN)
        write_lmdb(folder / "tower_val_lmdb", VALIDATION)


def test_lsun_images_of_every_format_are_kept_and_a_jpeg_is_kept_to_the_byte(lsun):
    builder = prepare("lsun_scenes", lsun, "bedroom")
    found = examples(builder, "train")
    assert set(found) == WHOLE
    for seed, key in enumerate(["aa", "ab", "ac"]):
        assert np.abs(found[key]["image"].astype(int) - pixels(seed)).max() < 24
    assert {example["label"] for example in found.values()} == {0}
    assert builder.info.features["label"].names == ["bedroom"]
    raw = builder.as_dataset(split="train", decoders={"image": tfds.decode.SkipDecoding()})
    assert TRAIN["aa"] in [example["image"] for example in raw.as_numpy_iterator()]
    assert set(examples(builder, "validation")) == {"ca", "cb"}


def test_lsun_tells_once_how_many_values_it_skipped(lsun, caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        prepare("lsun_scenes", lsun, "tower")
    assert [r.getMessage() for r in caplog.records if "skipped" in r.getMessage()] == [
        f"{lsun}/manual/tower_train_lmdb/data.mdb: skipped 4 of 8 values: no readable image"
    ]


def test_lsun_without_a_validation_file_has_no_validation(lsun):
    assert set(prepare("lsun_scenes", lsun, "tower").info.splits) == {"train"}


@pytest.mark.parametrize("options", [{}, {"max_examples_per_split": 1}])
def test_lsun_leaves_nothing_unpacked(lsun, options):
    prepare("lsun_scenes", lsun, "bedroom", **options)
    left = {path.name for path in (lsun / "downloads").rglob("*")}
    assert left <= {"extracted"}  # tfds's own, empty
    assert len(list((lsun / "manual").iterdir())) == 3


def test_lsun_names_the_missing_file_and_its_address(lsun):
    with pytest.raises(FileNotFoundError, match=r"kitchen_train_lmdb\.zip.*dl\.yf\.io/lsun/scenes"):
        prepare("lsun_scenes", lsun, "kitchen")


def test_an_empty_manual_folder_gets_the_instructions(tmp_path):
    with pytest.raises(AssertionError, match="CATEGORY_train_lmdb"):
        prepare("lsun_scenes", tmp_path, "bedroom")
    with pytest.raises(AssertionError, match="imagesPlaces205_resize"):
        prepare("places205", tmp_path)


def test_lsun_without_lmdb_names_the_extra(lsun, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(ImportError, match=r"pip install 'mgconv\[lsun\]'"):
        prepare("lsun_scenes", lsun, "bedroom")


def change_zip(archive, content):
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name, value in content.items():
            out.writestr(name, value)


def cut(file, size):
    file.write_bytes(file.read_bytes()[:size])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda archive: cut(archive, 2000), "is damaged"),
        (lambda archive: archive.write_bytes(b"<html>"), "is damaged"),
        (lambda archive: change_zip(archive, {"a/readme": b""}), "one data.mdb, but holds 0"),
        (lambda archive: change_zip(archive, {"../data.mdb": bytes(10**6)}), "more than 100 times"),
        (lambda archive: change_zip(archive, {"../data.mdb": b"<html>"}), "no LMDB, or damaged"),
        (lambda archive: zip_lmdb(archive, {"a": b"no image"}), "No readable image among the 1"),
    ],
)
def test_a_bad_lsun_zip_is_told_in_one_line_and_leaves_nothing(lsun, monkeypatch, harm, message):
    monkeypatch.setattr(module("lsun_scenes"), "HARMLESS", 500_000)
    harm(lsun / "manual" / "bedroom_train_lmdb.zip")
    with pytest.raises(ValueError, match=message) as caught:
        prepare("lsun_scenes", lsun, "bedroom")
    assert "\n" not in str(caught.value)
    assert {path.name for path in (lsun / "downloads").rglob("*")} <= {"extracted"}
    assert {path.name for path in lsun.iterdir()} == {"manual", "downloads", "tfds"}


def test_a_cut_lsun_database_is_an_error_and_not_a_crash(lsun):
    file = lsun / "manual" / "tower_train_lmdb" / "data.mdb"
    write_lmdb(file.parent, {f"{number:04}": encoded(number) for number in range(60)})
    cut(file, 12_288)
    with pytest.raises(ValueError, match="cut short: 12288 of"):
        prepare("lsun_scenes", lsun, "tower")


def test_lsun_needs_room_to_unpack(lsun, monkeypatch):
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module("lsun_scenes").shutil, "disk_usage", lambda folder: full)
    with pytest.raises(OSError, match="Unpack it elsewhere"):
        prepare("lsun_scenes", lsun, "bedroom")


# -- Places205


def place(category, number):
    return f"{category}/gsun_{number}.jpg"


TRAIN_ROWS = {place("a/abbey", 0): 0, place("a/abbey", 1): 0, place("c/church/outdoor", 2): 1}
VALIDATION_ROWS = {place("a/abbey", 3): 0, place("c/church/outdoor", 4): 1}


def write_tar(path, content):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, value in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(value)
            tar.addfile(member, io.BytesIO(value))


def lines(rows):
    return "".join(f"{path} {label}\n" for path, label in rows.items()).encode()


def write_places(folder, train=TRAIN_ROWS, validation=VALIDATION_ROWS, extra=()):
    """The two official archives; the images come in another order than the lists."""
    names = [*validation, *sorted(train, reverse=True)]
    content = {f"{IMAGES}/{name}": encoded(seed) for seed, name in enumerate(names)}
    content |= {f"{IMAGES}/a/abbey/not_listed.jpg": encoded(99)} | dict(extra)
    write_tar(folder / "imagesPlaces205_resize.tar.gz", content)
    rows = {"train": train, "val": validation}
    csv = {f"{CSV}/{split}_places205.csv": lines(part) for split, part in rows.items()}
    write_tar(folder / f"{CSV}.tar.gz", csv)


@pytest.fixture
def places(tmp_path):
    (tmp_path / "manual").mkdir()
    write_places(tmp_path / "manual")
    return tmp_path


class Places205Test(MadeHere):
    """What tfds asks of a builder."""

    __test__ = True
    NAME = "places205"
    SPLITS = {"train": 3, "validation": 2}  # noqa: RUF012
    make = staticmethod(write_places)


@settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=80)
    | st.text("a/. 0\n\u0663" + "9" * 30, max_size=60).map(str.encode)
)
def test_any_list_is_read_or_told_in_one_line(content, tmp_path):
    places205 = module("places205")
    (tmp_path / "train_places205.csv").write_bytes(content)
    try:
        pairs = places205._read_pairs(tmp_path, "train_places205.csv")
        names = places205._class_names({"train": pairs}, {}) if pairs else []
    except ValueError as error:
        assert str(error).startswith(("train_places205.csv", "No category is known for label"))
        assert "\n" not in str(error)
    else:
        assert len(names) == len(set(pairs.values()))


def test_places_reads_each_image_with_its_label(places):
    builder = prepare("places205", places)
    names = [*VALIDATION_ROWS, *sorted(TRAIN_ROWS, reverse=True)]
    for split, rows in {"train": TRAIN_ROWS, "validation": VALIDATION_ROWS}.items():
        found = examples(builder, split)
        assert {name: example["label"] for name, example in found.items()} == rows
        for name, example in found.items():
            difference = example["image"].astype(int) - pixels(names.index(name))
            assert np.abs(difference).max() < 24
    assert builder.info.features["label"].names == ["abbey", "church_outdoor"]


def test_places_decompresses_the_archive_once(places, monkeypatch):
    members, opened = module("places205")._members, []

    def count(archive, choose):
        opened.append(archive.name)
        return members(archive, choose)

    monkeypatch.setattr(module("places205"), "_members", count)
    prepare("places205", places)
    assert opened.count("imagesPlaces205_resize.tar.gz") == 1


def test_places_validation_is_whole_when_train_is_stopped_early(places):
    names = sorted(
        [*TRAIN_ROWS, *VALIDATION_ROWS]
    )  # validation before and after the first of train
    archive = places / "images.tar"
    write_tar(archive, {name: encoded(0) for name in [names[-1], *names[:-1]]})
    rows = {"train": dict(TRAIN_ROWS), "validation": dict(VALIDATION_ROWS)}
    images = module("places205")._OnePass(archive, rows, places)
    next(images.train())
    assert {name for name, _, _ in images.validation()} == set(VALIDATION_ROWS)
    assert (
        prepare("places205", places, max_examples_per_split=1).info.splits.total_num_examples == 2
    )


def test_places_takes_an_uncompressed_archive_and_an_unpacked_split(places):
    manual = places / "manual"
    with tarfile.open(manual / f"{CSV}.tar.gz") as tar:
        tar.extractall(manual, filter="data")
    (manual / f"{CSV}.tar.gz").unlink()
    plain = gzip.decompress((manual / "imagesPlaces205_resize.tar.gz").read_bytes())
    (manual / "imagesPlaces205_resize.tar.gz").unlink()
    (manual / "imagesPlaces205_resize.tar").write_bytes(plain)
    assert set(examples(prepare("places205", places), "train")) == set(TRAIN_ROWS)


def test_places_uses_the_official_category_names_when_they_are_there(places):
    index = {"/a/abbey": 0, "/c/church/outdoor": 1, "/z/zoo": 2}
    (places / "manual" / "categoryIndex_places205.csv").write_bytes(lines(index))
    names = prepare("places205", places).info.features["label"].names
    assert names == ["abbey", "church_outdoor", "zoo"]


def test_places_tells_once_what_is_absent_or_broken(places, caplog):
    absent = place("a/abbey", 7)
    broken = place("c/church/outdoor", 8)
    extra = {f"{IMAGES}/{broken}": encoded(8)[:-40], "../../etc/passwd": b"", "/a/x": b""}
    train = TRAIN_ROWS | {broken: 1}
    write_places(places / "manual", TRAIN_ROWS, VALIDATION_ROWS, extra)
    csv = {
        f"{CSV}/train_places205.csv": lines(train | {absent: 0}),
        f"{CSV}/val_places205.csv": lines(VALIDATION_ROWS),
    }
    write_tar(places / "manual" / f"{CSV}.tar.gz", csv)
    with caplog.at_level(logging.WARNING, "absl"):
        builder = prepare("places205", places)
    assert set(examples(builder, "train")) == set(TRAIN_ROWS)
    archive = places / "manual" / "imagesPlaces205_resize.tar.gz"
    assert [r.getMessage() for r in caplog.records if "broken" in r.getMessage()] == [
        f"{archive}: of 7 images that the csv files name, 1 are not there (such as {absent}) "
        "and 1 are broken"
    ]


def rename_csv(manual):
    write_tar(manual / f"{CSV}.tar.gz", {"train_places205.csv": lines(TRAIN_ROWS)})


def other_csv(text):
    def change(manual):
        csv = {"train_places205.csv": text, "val_places205.csv": lines(VALIDATION_ROWS)}
        write_tar(manual / f"{CSV}.tar.gz", csv)

    return change


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda m: (m / "imagesPlaces205_resize.tar.gz").unlink(), "No imagesPlaces205_resize.tar"),
        (lambda m: (m / f"{CSV}.tar.gz").unlink(), "No train_places205.csv in"),
        (rename_csv, "No val_places205.csv in"),
        (other_csv(b"a/abbey/x.jpg,0\n"), 'line 1: "a/abbey/x.jpg,0" is not "path number"'),
        (other_csv(b"a/abbey/x.jpg 5\n"), "No category is known for label 2"),
        (other_csv(b"a/abbey/x.jpg 0\n"), "None of the 1 images that train_places205.csv names"),
        (lambda m: cut(m / "imagesPlaces205_resize.tar.gz", 1500), "damaged or cut short"),
        (lambda m: cut(m / f"{CSV}.tar.gz", 60), "damaged or cut short"),
    ],
)
def test_bad_places_files_are_told_in_one_line(places, harm, message):
    harm(places / "manual")
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        prepare("places205", places)
    assert "\n" not in str(caught.value)


# -- both


def test_tfds_build_finds_the_builders_by_path():
    from tensorflow_datasets.scripts.cli import build

    for name in ("places205", "lsun_scenes"):
        found, _ = build._get_builder_cls_and_kwargs(str(DATA / name), has_imports=False)
        assert found is builder_class(name)
        assert found.name == name


def test_prepared_data_is_read_without_the_builders(lsun):
    """tfds.load alone, in a fresh interpreter somewhere else."""
    write_places(lsun / "manual")
    prepare("places205", lsun)
    prepare("lsun_scenes", lsun, "bedroom")
    code = """
import sys, tensorflow_datasets as tfds
for name, split in [("places205", "train[:2]"), ("lsun_scenes/bedroom", "validation")]:
    data, info = tfds.load(name, split=split, data_dir="tfds", download=False, with_info=True)
    images, labels = zip(*tfds.as_numpy(data.map(lambda e: (e["image"], e["label"]))))
    print(name, len(images), images[0].shape, info.features["label"].names)
assert not {"places205", "lsun_scenes", "lmdb"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=lsun, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "places205 2 (32, 48, 3) ['abbey', 'church_outdoor']",
        "lsun_scenes/bedroom 2 (32, 48, 3) ['bedroom']",
    ]
