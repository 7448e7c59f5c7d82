"""Which files count, whatever links lead where; names that any terminal can print."""

import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgconv.datasets.walking import classes_of, counts, ending, readable, same_name, walk

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names_of(folder):
    found, missed = walk(folder)
    return [name for name, _, _ in found], missed


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/pets/._1.png", ".DS_Store", "a/.ipynb_checkpoints/1.png", "@eaDir/1.png",
        ".thumbnails/1.png", "cats/Thumbs.db", "desktop.ini", "$RECYCLE.BIN/1.png", "a/._1.png",
        "lost+found/1.png",
    ],
)  # fmt: skip
def test_what_is_hidden_or_a_systems_own_does_not_count(name):
    assert not counts(name)


@pytest.mark.parametrize("name", ["cats/1.png", "a.b/1.png", "../1.png", "MACOSX/1.png", "1"])
def test_all_else_counts(name):
    assert counts(name)


def test_files_are_found_in_the_order_of_their_folders(tmp_path):
    make(tmp_path, "b/1.png", "a/2.png", "a-b/3.png", "a/c/4.png", "0.png", ".x/5.png", "a/.6.png")
    assert names_of(tmp_path) == (["0.png", "a/2.png", "a/c/4.png", "a-b/3.png", "b/1.png"], {})


def test_links_to_folders_and_files_are_followed(tmp_path):
    outside = make(tmp_path / "outside", "1.png", "deep/2.png")
    inside = make(tmp_path / "inside", "cats/3.png")
    (inside / "dogs").symlink_to(outside)
    (inside / "4.png").symlink_to(outside / "1.png")
    assert names_of(inside) == (["4.png", "cats/3.png", "dogs/1.png", "dogs/deep/2.png"], {})


def test_loops_of_links_end_and_each_folder_is_read_once_by_its_own_name(tmp_path):
    folder = make(tmp_path / "x" / "own", "cats/1.png", "dogs/2.png")
    for name, target in (
        ("cats/again", ".."), ("a_link", "dogs"), ("dogs/other", "../cats"), ("self", "self"),
        ("up", "../.."), ("dogs/home", "/"),
    ):  # fmt: skip
        (folder / name).symlink_to(target)
    found, missed = names_of(folder)
    assert found == ["cats/1.png", "dogs/2.png"]
    assert sorted(missed.pop("linked folders that are read already")) == [
        "a_link/", "cats/again/", "dogs/home/", "dogs/other/", "up/",
    ]  # fmt: skip
    assert missed == {"files that cannot be looked at": ["self"]}


@pytest.mark.skipif(sys.platform == "win32", reason="a Windows has no pipes in folders")
def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(make(tmp_path, "1.png") / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    found = names_of(tmp_path)
    assert found == (
        ["1.png"],
        {"links to nothing": ["gone.png"], "no regular files": ["pipe.png"]},
    )


@given(st.text(st.characters(codec=None)))
def test_a_readable_name_is_one_line_that_every_file_holds(name):
    shown = readable(name)
    assert shown.encode().decode() == shown
    assert "\n" not in shown
    assert shown.isprintable()
    assert readable(shown) == shown


def test_a_name_that_can_be_read_stays_as_it_is():
    assert readable(f"{NFC} 100% [1].png") == f"{NFC} 100% [1].png"
    assert readable(os.fsdecode(b"caf\xe9\n")) == "caf%E9%0A"


def test_the_kind_of_a_file_is_its_ending():
    assert [ending(name) for name in ("a/b.HEIC", "x.tar.gz", "README")] == [
        ".heic", ".gz", "without an ending",
    ]  # fmt: skip


def test_folders_of_one_name_are_one_class_and_that_is_told():
    class_of, [note] = classes_of(["train/cats", "train/dogs", "val/cats"], "pets")
    assert class_of == {"train/cats": "cats", "train/dogs": "dogs", "val/cats": "cats"}
    assert note == "train/ and val/ were merged: cats"
    assert classes_of(["a", "b", "", "a"], "pets") == ({"a": "a", "b": "b", "": "pets"}, ())


def test_accents_of_two_systems_are_one_name():
    assert NFC != NFD
    assert same_name(NFC) == same_name(NFD)
    class_of, [note] = classes_of([NFD, NFC], "top")
    assert class_of == {NFD: NFD, NFC: NFD}
    assert note == f"the top folder has folders of one name that were merged: {NFD}"


def test_a_note_on_many_folders_stays_one_short_line():
    _, [note] = classes_of([f"{n}/{c}" for n in range(50) for c in "abcdef"], "top")
    assert note == "0/, 1/, 10/ and 47 others were merged: a, b, c, ..."
