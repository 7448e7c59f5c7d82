"""Folders, archives, official lists: read in place, whatever lies in them."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from mgconv.datasets import archives as files
from mgconv.datasets import splits
from mgconv.errors import UserError


def png(seed=0, size=8):
    pixels = np.random.default_rng(seed).integers(0, 256, [size, size, 3], np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return str(path)


MEMBERS = {"cat/1.png": png(1), "dog/2.JPG": png(2), "cat/3.png": png(3), "notes.txt": b"hello"}


def test_a_zip_and_its_folder_are_the_same_source(tmp_path):
    place = archive(tmp_path / "pets.zip", MEMBERS)
    with zipfile.ZipFile(place) as file:
        file.extractall(tmp_path / "pets")
    from_zip = files.image_files(place)
    from_folder = files.image_files(str(tmp_path / "pets"))
    assert list(from_zip.read(0)) == list(from_folder.read(0))
    assert from_zip.class_names == from_folder.class_names == ("cat", "dog")
    assert [label for _, label in from_zip.read(0)] == [0, 0, 1]


def test_reading_goes_on_anywhere(tmp_path):
    source = files.image_files(archive(tmp_path / "a.zip", MEMBERS))
    assert list(source.read(2)) == list(source.read(0))[2:]


def test_facts_change_with_the_files(tmp_path):
    before = files.image_files(archive(tmp_path / "a.zip", MEMBERS)).facts
    same = files.image_files(archive(tmp_path / "a.zip", MEMBERS)).facts
    other = files.image_files(archive(tmp_path / "a.zip", MEMBERS | {"dog/2.JPG": png(9)})).facts
    assert before == same != other


def test_names_that_lead_out_of_an_archive_are_refused(tmp_path):
    members = {"../../evil.png": png(1), "/abs.png": png(2), "good/1.png": png(3)}
    source = files.image_files(archive(tmp_path / "a.zip", members))
    assert source.num_items == 1
    assert source.skipped == {"with a name that leads out of the archive": 2}
    assert source.class_names == ("good",)


def test_names_that_lead_out_the_way_of_windows_are_refused_too(tmp_path):
    members = {"x": png(1), "y": png(2), "z": png(3)}
    names = ("..\\..\\evil.png", "\\abs.png", "photos\\good\\1.png")
    place = tmp_path / "a.zip"
    with zipfile.ZipFile(place, "w") as file:
        for name, content in zip(names, members.values()):
            member = zipfile.ZipInfo("x")
            member.filename = name
            file.writestr(member, content)
    source = files.image_files(str(place))
    assert source.skipped == {"with a name that leads out of the archive": 2}
    assert source.class_names == ("good",)


def test_a_member_of_unknown_ending_is_looked_at_in_bounded_memory(tmp_path):
    members = {"a/1": png(1), "a/2.dat": bytes(10_000_000), "a/3.txt": b"P", "a/4": png(2)}
    place = archive(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    source = files.image_files(place)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert source.names == ["a/1", "a/4"]
    assert source.others == {".dat": ["a/2.dat"], ".txt": ["a/3.txt"]}


def test_a_class_of_too_long_a_name_is_refused(tmp_path):
    """It names a folder of a run, which no file system could have."""
    members = {f"{'é' * 127}/1.png": png(1), f"{'é' * 128}/2.png": png(2)}
    source = files.image_files(archive(tmp_path / "a.zip", members))
    assert source.class_names == ("é" * 127,)
    assert source.skipped == {"in a folder of too long a name": 1}


def test_many_kinds_of_files_are_told_in_one_short_line(tmp_path):
    for index in range(30):
        (tmp_path / f"{index}.x{index}").touch()
    with pytest.raises(UserError, match=r"1 \.x15, 22 for other reasons\. Give") as error:
        files.image_files(str(tmp_path))
    assert len(str(error.value)) < 300


def test_a_bomb_is_not_opened(tmp_path):
    members = {"bomb.png": bytes(10_000_000), "good/1.png": png()}
    source = files.image_files(archive(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED))
    assert source.skipped == {"compressed as no image is": 1}
    assert source.num_items == 1


def test_a_zip_cut_short_is_told(tmp_path):
    place = tmp_path / "a.zip"
    archive(place, MEMBERS)
    place.write_bytes(place.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"no readable \.zip"):
        files.image_files(str(place))


def test_a_member_with_a_wrong_checksum_is_read_as_broken(tmp_path):
    place = tmp_path / "a.zip"
    archive(place, {"a/1.png": png(1), "a/2.png": png(2)})
    content = bytearray(place.read_bytes())
    content[content.index(png(1)[-20:])] ^= 255
    place.write_bytes(bytes(content))
    readable = [len(image) > 0 for image, _ in files.image_files(str(place)).read(0)]
    assert readable == [False, True]


def test_any_damage_inside_a_zip_is_a_broken_image(tmp_path):
    """What deflates well: a flipped bit is zlib's error as well as a checksum's."""
    place = tmp_path / "a.zip"
    archive(place, {"a/1.png": png(1) + bytes(range(256)) * 20}, zipfile.ZIP_DEFLATED)
    whole = place.read_bytes()
    for position in range(40, whole.index(b"PK\x01\x02"), 7):
        place.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        [(content, _)] = files.image_files(str(place)).read(0)
        assert content == b""


def test_a_file_that_cannot_be_read_is_a_broken_image(tmp_path):
    (tmp_path / "1.png").write_bytes(png(1))
    source = files.image_files(str(tmp_path))
    (tmp_path / "1.png").unlink()
    assert list(source.read(0)) == [(b"", 0)]


def test_a_class_has_one_label_in_every_split(tmp_path):
    members = {f"{name}/{part}.png": png() for name, part in ("an", "be", "bt", "cn", "ct")}
    place = archive(tmp_path / "a.zip", members)
    part_of = {"n": "train", "e": "train", "t": "test"}
    found = {
        split: files.image_files(place, split, lambda name: part_of[name[-5]])
        for split in ("train", "test")
    }
    assert found["train"].class_names == found["test"].class_names == ("a", "b", "c")
    assert [label for _, label in found["test"].read(0)] == [1, 2]


def test_another_class_in_another_split_makes_other_facts(tmp_path):
    """Labels of these images change with it: what was decoded before does not fit."""
    split = ("train", lambda name: "test" if name.endswith("t.png") else "train")
    before = files.image_files(archive(tmp_path / "a.zip", {"b/n.png": png()}), *split)
    more = {"b/n.png": png(), "a/t.png": png(1)}
    after = files.image_files(archive(tmp_path / "a.zip", more), *split)
    assert [label for _, label in (*before.read(0), *after.read(0))] == [0, 1]
    assert before.facts != after.facts


@pytest.mark.parametrize("split", ["test", "validation", "trian"])
def test_a_plain_folder_is_all_for_training(split, tmp_path):
    with pytest.raises(UserError, match=f'No image for split "{split}" .*: all . are of others'):
        files.image_files(archive(tmp_path / "a.zip", MEMBERS), split)


@pytest.mark.parametrize("ending", ["jpg", "png"])  # both are distributed, with one list
@pytest.mark.parametrize("split", ["train", "test", "all"])
def test_the_official_partition_of_celeba_is_followed(tmp_path, split, ending):
    images = {f"x/{i:06}.{ending}": png(i) for i in range(6)}
    place = archive(tmp_path / "img_align_celeba.zip", images)
    lines = [f"{i:06}.jpg {'001122'[i]}" for i in range(6)]
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(lines))
    source = files.image_files(place, split, splits.celeb_a_partition(place))
    assert source.num_items == {"train": 2, "test": 2, "all": 6}[split]


def test_a_partition_with_a_bad_line_is_told(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg seven\n")
    (tmp_path / "a.zip").touch()
    with pytest.raises(UserError, match=r'"000002.jpg seven". Lines are: 000001.jpg 0'):
        splits.celeb_a_partition(str(tmp_path / "a.zip"))


def test_people_of_lfw_are_on_one_side():
    names = [f"lfw/Person_{'ABCDEFGH'[p % 8]}{p}_{i:04}.jpg" for p in range(500) for i in range(3)]
    sides = np.array([splits.by_person(name) for name in names]).reshape(500, 3)
    assert (sides == sides[:, :1]).all()
    assert 0.05 < (sides == "test").mean() < 0.15
