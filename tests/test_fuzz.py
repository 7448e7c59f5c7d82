"""Files that anybody may have written: never a traceback, never a write, only what is meant."""

import contextlib
import io
import json
import os
import re
import string
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from mgconv.config import Config, make_config
from mgconv.datasets.archives import image_files
from mgconv.datasets.decoding import BadImageError, decode, read_picture
from mgconv.datasets.formats import FORMATS
from mgconv.datasets.splits import celeb_a_partition
from mgconv.datasets.table import load_images
from mgconv.errors import UserError
from mgconv.evaluation.inpainting import check_mask
from mgconv.evaluation.samples import read_samples
from mgconv.io.files import read_json, sha256_of, write_json
from mgconv.training.layouts import FlatCheckpoint, FolderCheckpoint, find_saved, updates_of
from mgconv.training.records import _is_name as is_name
from mgconv.training.records import read_config, read_metrics
from mgconv.training.run import Run

DATA = {"num_images": 12, "channels": 1, "class_names": ["toy"], "mean_pixel": 127.25}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
TREES = st.recursive(
    SCALARS,
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=12), x, max_size=4),
    max_leaves=20,
)


def one_line(call):
    """What a call gives, or None where it told a user's mistake in one line."""
    try:
        return call()
    except UserError as error:
        assert "\n" not in str(error)
        return None


@pytest.fixture
def folder(tmp_path):
    """A folder of a run; what lies around it is looked at afterwards."""
    (tmp_path / "run").mkdir()
    yield tmp_path / "run"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def damaged(whole: bytes):
    """A file with some bytes other than they were, or cut, or longer."""

    def damage(edits, cut, more):
        content = bytearray(whole[:cut] if cut else whole)
        for place, value in edits:
            if content:
                content[place % len(content)] = value
        return bytes(content) + more

    edits = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=6)
    return st.builds(damage, edits, st.integers(0, len(whole)), st.binary(max_size=8))


# -- config.json


@fuzzed
@given(content=TREES.map(json.dumps) | st.text(max_size=200) | st.just("[" * 100_000))
def test_any_json_is_no_run(content, folder):
    (folder / "config.json").write_text(content, errors="replace")
    assert one_line(lambda: read_config(folder)) is None


@fuzzed
@given(
    name=st.sampled_from([*Config.__dataclass_fields__, "num_images", "channels", "class_names"]),
    value=TREES | st.lists(st.integers(), max_size=4) | st.just(10**400),
)
def test_a_run_with_one_other_value_is_a_legal_one_or_none(name, value, folder):
    config = json.loads(json.dumps(make_config().__dict__))
    place = config if name in config else (data := dict(DATA))
    content = {"config": config, "data": data if name not in config else DATA}
    place[name] = value
    (folder / "config.json").write_text(json.dumps(content))
    found = one_line(lambda: read_config(folder))
    if found is not None:
        config, data = found
        assert make_config(**config.__dict__) == config
        assert data["channels"] in (1, 3)
        assert all("/" not in name for name in data["class_names"])


@pytest.mark.parametrize(
    "given",
    [
        {"grids": [1, 2**20]},
        {"width": 1e6},
        {"batch_size": 10**9},
        {"grids": [1, 4.0]},
        {"grids": [1, 1024], "batch_size": 5000},
        {"method": "pcd", "pool_size": 10**9},
        {"num_langevin_steps": 2**31},
    ],
)
def test_a_foreign_run_cannot_ask_for_all_memory(given, folder):
    config = json.loads(json.dumps(make_config().__dict__)) | given
    write_json(folder / "config.json", {"config": config, "data": DATA})
    with pytest.raises(UserError, match="Cannot use"):
        read_config(folder)


@pytest.mark.parametrize("name", ["../other", "/etc", "..", "", "a/b", "x" * 300, "ü" * 128])
def test_a_class_cannot_be_named_like_a_way_out(name, folder):
    content = {"config": make_config().__dict__, "data": DATA | {"class_names": [name]}}
    write_json(folder / "config.json", content)
    with pytest.raises(UserError, match="class_names"):
        read_config(folder)


@pytest.mark.parametrize("labels", [5, [], ["a"], [-1], [99], [True], None])
def test_labels_that_no_class_has_are_told(labels, folder):
    content = {"config": make_config().__dict__, "data": DATA | {"labels": labels}}
    write_json(folder / "config.json", content)
    with pytest.raises(UserError, match="wrong values of labels"):
        read_config(folder)


# -- what else lies in a run's folder


LAYOUTS = {  # file of the state, manifest, and the checkpoint that they make
    "folder": (
        "000001/state.index",
        "000001/manifest.json",
        lambda x: FolderCheckpoint(x / "000001"),
    ),
    "flat": ("ckpt-1.index", "ckpt-1.sha256.json", lambda x: FlatCheckpoint(x / "ckpt-1", True)),
}


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def checkpoint(request, folder):
    """A checkpoint of one file, which its manifest has yet to name: file, manifest, checkpoint."""
    state, manifest, make = request.param
    (folder / state).parent.mkdir(exist_ok=True)
    (folder / state).write_bytes(b"x" * 100)
    return folder / state, folder / manifest, make(folder)


@fuzzed
@given(content=st.binary(max_size=200) | TREES.map(lambda x: json.dumps(x).encode()))
def test_any_manifest_says_no_more_than_what_is_wrong(content, checkpoint):
    _, manifest, saved = checkpoint
    manifest.write_bytes(content)
    assert isinstance(saved.damage(), str)


@fuzzed
@given(content=damaged(b"x" * 100))
def test_a_checkpoint_is_good_only_with_every_byte_of_its_manifest(content, checkpoint):
    state, manifest, saved = checkpoint
    state.write_bytes(b"x" * 100)
    write_json(manifest, {state.name: sha256_of(state)})
    assert saved.damage() is None
    state.write_bytes(content)
    assert (saved.damage() is None) == (content == b"x" * 100)


LIST = b'model_checkpoint_path: "ckpt-7"\n' + b"".join(
    b'all_model_checkpoint_paths: "ckpt-%d"\n' % update for update in (0, 5, 7)
)


@fuzzed
@given(content=damaged(LIST) | st.binary(max_size=200))
def test_any_list_of_flat_checkpoints_without_manifests_is_read_or_told(content, folder):
    """What is read names nothing outside, and is not short of the latest without a word."""
    for update in (0, 5, 7):
        (folder / f"ckpt-{update}.index").write_bytes(b"x")
    (folder / "checkpoint").write_bytes(content)
    found = one_line(lambda: find_saved(folder))
    if found is not None:
        assert all(saved.path.parent == folder for saved in found)
        assert any(saved.damage() is None for saved in found)
        if content.startswith(LIST.partition(b"\n")[0] + b"\n"):
            assert 7 in {saved.update for saved in found}


@fuzzed
@given(names=st.lists(st.text("0123456789.ckptsha-_ \u0663\u00b2", min_size=1, max_size=9)))
def test_any_names_in_a_folder_of_checkpoints_are_passed_by(names, folder):
    names = {name for name in names if name.strip(".")}
    place = Path(tempfile.mkdtemp(dir=folder))
    for name in names:
        (place / name).mkdir()
    one_line(lambda: find_saved(place))
    expected = {int(name) for name in names if re.fullmatch(r"[0-9]{6}|[1-9][0-9]{6,}", name)}
    assert updates_of(place) - {0} == expected - {0}


@fuzzed
@given(
    lines=st.lists(st.binary(max_size=40) | TREES.map(lambda x: json.dumps(x).encode()), max_size=5)
)
def test_damaged_lines_of_metrics_are_left_out(lines, folder):
    good = [b'{"update": 1, "gap/4": 0.5}', b'{"update": 2, "gap/4": 0.25}']
    path = folder / "metrics.jsonl"
    path.write_bytes(b"\n".join([good[0], *lines, good[1]]) + b"\n")
    found = read_metrics(path)
    assert [found[0], found[-1]] == [json.loads(line) for line in good]


@fuzzed
@given(content=TREES)
def test_a_strange_budget_is_told(content, folder):
    run = Run(folder, make_config(), DATA)
    (folder / "budget.json").write_text(json.dumps(content))
    rate = one_line(run.seconds_per_update)
    assert rate is None or rate > 0


# -- what a user gives


def picture(mode="RGB", kind="PNG"):
    rng = np.random.default_rng(0)
    shape = (12, 10) if mode == "L" else (12, 10, 3)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [x for x in FORMATS if x != "AVIF" or features.check("avif")])
def test_any_image_file_is_a_picture_or_broken(kind):
    @fuzzed
    @given(content=damaged(picture(kind=kind)))
    def check(content):
        try:
            pixels = decode(content, 8, 3)
        except BadImageError:
            return
        assert pixels.shape == (8, 8, 3)
        assert pixels.dtype == np.uint8

    check()


@fuzzed
@given(content=damaged(picture("L")))
def test_any_mask_fits_or_is_told(content, folder):
    path = folder / "mask.png"
    path.write_bytes(content)
    hidden = one_line(lambda: read_picture(path, 1))
    if hidden is not None:
        one_line(lambda: check_mask(hidden[np.newaxis] < 128, (1, 12, 10, 3)))


@fuzzed
@given(text=st.binary(max_size=200))
def test_any_partition_file_is_read_or_told(text, folder):
    (folder / "list_eval_partition.txt").write_bytes(text)
    part_of = one_line(lambda: celeb_a_partition(str(folder)))
    assert part_of is None or part_of("000001.jpg") in ("train", "validation", "test")


def arrays():
    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros([20, 2, 2, 1], np.uint8), labels=np.zeros(20, np.int64))
    return buffer.getvalue()


@fuzzed
@given(content=damaged(arrays()))
def test_any_npz_is_samples_or_told(content, folder):
    path = folder / "samples.npz"
    path.write_bytes(content)
    found = one_line(lambda: read_samples(str(path)))
    assert found is None or found[0].dtype == np.uint8


def test_samples_that_expand_as_no_images_do_are_not_read(folder):
    path = folder / "samples.npz"
    np.savez_compressed(path, images=np.zeros([100, 64, 64, 3], np.uint8))
    with pytest.raises(UserError, match="compressed as no images are"):
        read_samples(str(path))


def test_a_pickle_in_an_npz_is_not_opened(folder):
    class Trap:
        def __reduce__(self):
            return Path.touch, (folder.parent / "trapped",)

    np.savez(folder / "samples.npz", images=np.array([Trap()], dtype=object))
    assert one_line(lambda: read_samples(str(folder / "samples.npz"))) is None


@fuzzed
@given(
    values=st.lists(st.floats(width=32), min_size=4, max_size=4),
    turned=st.integers(0, 9),
)
def test_any_values_are_a_picture_or_told(values, turned):
    buffer = io.BytesIO()
    image = Image.fromarray(np.array(values, np.float32).reshape(2, 2))
    image.save(buffer, "TIFF", tiffinfo={274: turned})
    try:
        assert decode(buffer.getvalue(), 2, 3).shape == (2, 2, 3)
    except BadImageError as reason:
        assert not np.isfinite(values).all() or min(values) < 0
        assert "\n" not in str(reason)


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("cat/1.png", "dog/2.png", "../out.png", "/etc/3.png"):
            file.writestr(name, picture())
    return buffer.getvalue()


@fuzzed
@given(content=damaged(archive()))
def test_any_zip_is_images_or_told(content, folder):
    path = folder / "images.zip"
    path.write_bytes(content)
    source = one_line(lambda: image_files(str(path)))
    if source is not None:
        assert all(isinstance(content, bytes) for content, _ in source.read(0))


def test_a_member_that_lies_about_its_size_takes_no_more_memory_than_it_says(folder):
    path, said = folder / "images.zip", 100_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cat/1.png", bytes(500 * said))
    content = path.read_bytes()
    true = (500 * said).to_bytes(4, "little")
    assert content.count(true) == 2
    path.write_bytes(content.replace(true, (50 * said).to_bytes(4, "little")))
    tracemalloc.start()
    [(found, _)] = image_files(str(path)).read(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == b""
    assert peak < 300 * said


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_whose_size_cannot_be_bounded_is_skipped(method, folder):
    path = folder / "images.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("cat/1.png", picture())
        file.writestr("cat/2.png", picture(), zipfile.ZIP_STORED)
    source = image_files(str(path))
    assert source.skipped == {"compressed in a way that is not read here": 1}
    assert [content for content, _ in source.read(0)] == [picture()]


@fuzzed
@given(names=st.lists(st.text(string.printable, min_size=1, max_size=20), max_size=4))
def test_a_member_cannot_lead_out_of_its_archive(names, folder):
    path = folder / "images.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(f"../{name}.png", picture())
            file.writestr(f"/{name}.png", picture())
    assert one_line(lambda: image_files(str(path))) is None


PARTS = st.sampled_from(
    ["cats", "dogs", "..", ".", "", "a.png", "b.JPG", "c", "d.txt", ".hidden", "__MACOSX", "C:",
     "caf\u00e9", "cafe\u0301", "x" * 300, "n\nl", "\x1b[31m.png", "NUL.png", "~", "$HOME", "*[1]?"]
)  # fmt: skip


@fuzzed
@given(
    names=st.lists(st.tuples(st.lists(PARTS, min_size=1, max_size=4), st.sampled_from("/\\"))),
    flags=st.integers(0, 2**11),
)
def test_any_names_in_a_zip_give_classes_that_can_name_folders(names, flags, folder):
    path = folder / "images.zip"
    with zipfile.ZipFile(path, "w") as file:
        for parts, separator in names:
            member = zipfile.ZipInfo("x")
            member.filename = separator.join(parts)
            with warnings.catch_warnings(action="ignore"):  # of names that are there twice
                file.writestr(member, picture() if "d.txt" not in parts else b"text")
    if flags % 2:  # a member that says it is encrypted, or in another encoding
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0", 1))
    source = one_line(lambda: image_files(str(path)))
    if source is not None:
        assert all(map(is_name, source.class_names))
        assert all("\n" not in name and name.isprintable() for name in source.class_names)
        assert all(isinstance(content, bytes) for content, _ in source.read(0))


CONTENTS = st.sampled_from(
    [picture(), picture(kind="JPEG"), picture("L"), b"", b"text", b"P5", b"BM"]
)
ENTRIES = st.sampled_from(["file", "file", "folder", "link", "pipe", "closed"])


def grow(place: Path, entries) -> None:
    """Files, folders, links in any direction, pipes, in a folder; what cannot be made is not."""
    folders = [place]
    for where, name, kind, content, target in entries:
        path = folders[where % len(folders)] / name
        with contextlib.suppress(OSError, ValueError):
            if kind == "file":
                with path.open("xb") as file:  # never into a pipe that is there
                    file.write(content)
            elif kind == "folder":
                path.mkdir()
                folders.append(path)
            elif kind == "link":
                path.symlink_to(folders[target % len(folders)])
            elif kind == "pipe":
                os.mkfifo(path)
            else:
                path.mkdir(mode=0)


NAMES = PARTS | st.binary(min_size=1, max_size=6).map(os.fsdecode)
NUMBERS = st.integers(0, 9)


@fuzzed
@given(st.lists(st.tuples(NUMBERS, NAMES, ENTRIES, CONTENTS, NUMBERS), max_size=14))
def test_any_folder_is_images_or_told_and_stays_as_it_is(folder, entries):
    place = Path(tempfile.mkdtemp(dir=folder))
    grow(place / "", entries)
    before = sorted(map(str, place.rglob("*")))
    with tempfile.TemporaryDirectory() as cache:
        given = {"image_dir": str(place), "cache_dir": cache}
        images = one_line(lambda: load_images("image_dir", "train", 8, **given))
        again = one_line(lambda: load_images("image_dir", "train", 8, **given))
    assert sorted(map(str, place.rglob("*"))) == before
    assert (images is None) == (again is None)
    if images is not None:
        assert again.notes == images.notes
        assert all(map(is_name, images.class_names))
        assert all(note.isprintable() and note.encode() for note in images.notes)
        assert len(images) + sum(images.skipped.values()) <= len(entries)


def test_read_json_tells_what_is_too_deep(folder):
    (folder / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="no valid JSON"):
        read_json(folder / "deep.json")
