"""Folders and archives as people and systems make them: what inspect says will be learned."""

import os
import shutil
import unicodedata
import zipfile

import numpy as np
import pytest
from PIL import Image, features
from programs import call, cells_of, refusal

from mgconv.io.files import read_json

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def picture(seed, size=16):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, [size, size, 3], np.uint8))


def save(path, seed=0, size=16, kind=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, kind)


def class_folder(folder, num=4, **options):
    for index in range(num):
        save(folder / f"{index}.png", index, **options)
    return folder


def archive(path, prefix="", separator="/", mac=False):
    class_folder(path.parent / "cats"), class_folder(path.parent / "dogs")
    with zipfile.ZipFile(path, "w") as file:
        for source in sorted(path.parent.glob("*/*.png")):
            name = separator.join([*prefix.split(), source.parent.name, source.name])
            member = zipfile.ZipInfo("x")
            member.filename = name
            file.writestr(member, source.read_bytes())
            if mac:
                file.writestr(f"__MACOSX/{prefix}/{source.parent.name}/._{source.name}", bytes(120))
    return path


def mac_zip(folder):
    return archive(folder / "mac.zip", "pets", mac=True)


def windows_zip(folder):
    return archive(folder / "win.zip", "photos", separator="\\")


def links(folder):
    class_folder(folder / "own" / "cats")
    (folder / "own" / "dogs").symlink_to(class_folder(folder / "elsewhere"))
    (folder / "own" / "cats" / "again").symlink_to("..")
    return folder / "own"


def hidden(folder):
    for name in ("own", "own/.ipynb_checkpoints", "own/.thumbnails", "own/@eaDir"):
        class_folder(folder / name)
    return folder / "own"


def split(folder):
    for part, num in (("train", 8), ("val", 2)):
        for name in ("cats", "dogs"):
            class_folder(folder / part / name, num)
    return folder


def few(folder):
    class_folder(folder / "big"), class_folder(folder / "tiny", size=5)
    return folder


def other_names(folder):
    own = folder / "own"
    for index, (name, kind) in enumerate(
        [("a.jfif", "JPEG"), ("b.jpe", "JPEG"), ("c.ppm", "PPM"), ("d", "PNG"), ("e.dat", "WEBP")]
    ):
        save(own / name, index, kind=kind)
    (own / "notes.txt").write_text("a text")
    (own / "README").write_text("a text")
    for name in ("1.heic", "2.heic", "3.HEIC", "4.heic"):
        (own / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (own / "broken.png").write_bytes(b"no image")
    return own


def one_color(folder):
    for index in range(4):
        (folder / "own").mkdir(exist_ok=True)
        Image.new("RGB", (16, 16), (200, 30, 60)).save(folder / "own" / f"{index}.png")
    return folder / "own"


def floats(folder):
    (folder / "own").mkdir()
    for index in range(4):
        values = np.random.default_rng(index).random((16, 16), np.float32)
        Image.fromarray(values).save(folder / "own" / f"{index}.tiff")
    return folder / "own"


def quiet_classes(text):
    return [f"classes: {text}"], ["skipped", "not read", "merged", "left out"]


CASES = {  # what lies there -> lines that inspect prints, words that it does not
    mac_zip: quiet_classes("cats 4, dogs 4"),
    windows_zip: quiet_classes("cats 4, dogs 4"),
    hidden: quiet_classes("own 4"),
    links: (["classes: cats 4, dogs 4", "1 linked folders that are read already (cats/again/)"],
            ["skipped"]),
    split: (["classes: cats 10, dogs 10", "train/ and val/ were merged: cats, dogs"], ["skipped"]),
    few: (["classes: big 4\n", "skipped 4 images: smaller than 8 x 8 (tiny/0.png, tiny/1.png, ",
           "classes without a usable image, left out: tiny"], []),
    other_names: (["classes: own 5\n", "skipped 1 images: broken or no image (broken.png)",
                   "files that are not read: 4 .heic (1.heic, 2.heic, 3.HEIC, ...), "
                   "1 without an ending (README), 1 .txt (notes.txt)"], []),
    one_color: (["all images are of one color, 200 30 60"], ["left out"]),
    floats: (["values: -0.", " .. 0."], ["one color", "skipped"]),
}  # fmt: skip


@pytest.mark.parametrize("make", CASES)
def test_inspect_shows_what_will_be_learned_and_what_is_left_out(make, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    place, out = make(tmp_path / "data"), tmp_path / "out"
    call("inspect", f"--image_dir={place}", "--grids=1,4,8", f"--out={out}")
    told = capsys.readouterr().out
    said, not_said = CASES[make]
    for words in said:
        assert words in told
    for words in not_said:
        assert words not in told
    assert (out / "image_dir-train.png").exists()


def test_all_that_is_left_out_is_listed_beside_the_decoded_images(tmp_path, capsys):
    place, cache = other_names(tmp_path), tmp_path / "cache"
    flags = [f"--image_dir={place}", "--grids=1,4", f"--cache_dir={cache}", f"--out={tmp_path}"]
    call("inspect", *flags)
    first = capsys.readouterr().out
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    lists = [folder / "skipped_images.txt", folder / "other_files.txt"]
    assert f"is listed in {lists[0]} and {lists[1]}" in first
    assert lists[0].read_text() == "broken or no image: broken.png\n"
    assert sorted(lists[1].read_text().splitlines()) == sorted(
        [f".heic: {n}" for n in ("1.heic", "2.heic", "3.HEIC", "4.heic")]
        + [".txt: notes.txt", "without an ending: README"]
    )
    (place / "more.txt").write_text("another text")
    call("inspect", *flags)  # nothing is decoded again, the list is the new one
    again = capsys.readouterr().out
    assert "2 .txt (more.txt, notes.txt)" in again
    assert "skipped 1 images: broken or no image (broken.png)" in again
    assert ".txt: more.txt" in lists[1].read_text()
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_where_pillow_has_it(tmp_path, capsys):
    save(tmp_path / "own" / "1.avif"), save(tmp_path / "own" / "2.png")
    call("inspect", f"--image_dir={tmp_path / 'own'}", "--grids=1,4", f"--out={tmp_path}")
    assert "classes: own 2" in capsys.readouterr().out


@pytest.mark.parametrize("typed", [NFC, NFD])
@pytest.mark.parametrize("written", [NFC, NFD])
def test_a_class_is_found_however_its_accents_are_written(written, typed, tmp_path, capsys):
    class_folder(tmp_path / "own" / written, 4), class_folder(tmp_path / "own" / "tea", 2)
    flags = [f"--image_dir={tmp_path / 'own'}", "--grids=1,4", f"--out={tmp_path}"]
    call("inspect", *flags, f"--classes={typed}")
    assert f"classes: {written} 4\n" in capsys.readouterr().out
    assert "Did you mean tea?" in refusal("inspect", *flags, "--classes=TEA")


def test_grids_are_those_that_train_would_choose(tmp_path, capsys):
    class_folder(tmp_path / "own")
    call("inspect", f"--image_dir={tmp_path / 'own'}", f"--out={tmp_path}")
    told = capsys.readouterr().out
    assert "--grids=1,4,16: 9 of 10 have sides of 16 pixels or more" in told
    assert "4 images at 16 x 16" in told


def test_an_encrypted_zip_is_told_as_such(tmp_path):
    path = archive(tmp_path / "locked.zip")
    raw = bytearray(path.read_bytes())
    for head, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # the flag of an encrypted member
        at = raw.find(head)
        while at >= 0:
            raw[at + place] |= 1
            at = raw.find(head, at + 1)
    path.write_bytes(raw)
    assert "8 encrypted: unpack it with its password" in refusal("inspect", f"--image_dir={path}")


def test_a_class_without_usable_images_does_not_keep_the_others_from_being_learned(
    tmp_path, capsys
):
    out, tiny = tmp_path / "run", ["--width=.03", "--num_langevin_steps=2", "--num_updates=2"]
    flags = [f"--image_dir={few(tmp_path / 'own')}", "--classes=each", "--grids=1,4,8", *tiny]
    told = refusal("train", *flags, "--batch_size=5", f"--out={out}")
    assert told == "A batch is larger than a class: 5; big 4. Give at most --batch_size=4."
    capsys.readouterr()
    call("train", *flags, "--batch_size=4", f"--out={out}")
    assert "left out, with fewer than two images: tiny 0" in capsys.readouterr().out
    call("sample", f"--run={out}", "--num=3")
    assert "3 images" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "own" / "big")
    assert "No usable image" in refusal("train", *flags, f"--out={tmp_path / 'other'}")


def test_a_run_resumes_when_more_is_left_out(tmp_path, capsys):
    place, out = class_folder(tmp_path / "own"), tmp_path / "run"
    flags = ["--width=.03", "--num_langevin_steps=2", "--batch_size=4", "--grids=1,4"]
    flags += [f"--image_dir={place}", f"--out={out}"]
    call("train", *flags, "--num_updates=1")
    (place / "broken.png").write_bytes(b"no image")
    call("train", *flags, "--num_updates=2")
    assert "skipped 1 images" in capsys.readouterr().out
    save(place / "more.png", 9)
    assert "num_images 4 -> 5" in refusal("train", *flags, "--num_updates=3")


def test_a_name_that_is_no_utf8_is_reported_before_anything_is_learned(tmp_path):
    place = os.path.join(os.fsencode(tmp_path), b"caf\xe9")  # noqa: PTH118
    try:
        os.mkdir(place)  # noqa: PTH102
    except OSError:
        pytest.skip("this file system has no such names")
    name = os.fsdecode(place)
    class_folder(tmp_path / "own")
    for flag in (f"--image_dir={name}", f"--out={name}"):
        told = refusal("train", flag)
        assert "is no UTF-8" in told
        assert "caf\\xe9" in told
    assert not os.listdir(place)  # noqa: PTH208
    class_folder((tmp_path / "own") / os.fsdecode(b"caf\xe9"))
    call("inspect", f"--image_dir={tmp_path / 'own'}", "--grids=1,4", f"--out={tmp_path}")


def test_a_runs_layers_are_shown_before_and_after_training(finished, capsys):
    """Of one class there are no errors."""
    call("inspect", f"--run={finished}")
    printed = capsys.readouterr().out
    header, _, *rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert {row.split(",")[0] for row in rows} == {"| 4 x 4", "| 8 x 8"}
    assert all(row.count(" -> ") == 6 for row in rows)
    assert "error" not in header
    page = (finished / "inspect" / "report.md").read_text()
    assert all(row in page for row in rows)
    assert (finished / "inspect" / "figures" / "layers.png").exists()
    message = refusal("inspect", f"--run={finished}", "--dataset=photos")
    assert message.startswith("--run says what its data are, and does not read: --dataset.")


def test_a_runs_density_is_shown_as_text_page_and_json(finished, capsys, monkeypatch):
    """A large grid has no constant."""
    pytest.importorskip("arviz_stats", reason="pip install 'mgconv[density]'")
    from mgconv.evaluation.density import grids

    monkeypatch.setattr(grids, "WHOLE", grids.Amount(4, 8, 2))
    monkeypatch.setattr(grids, "MOST_PIXELS", 16)
    call("inspect", f"--run={finished}", "--density")
    printed = capsys.readouterr().out
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    chains = {row[0].removeprefix("| "): row for row in rows[2:8]}
    names = ("as trained", "adjusted", "adjusted, drift / 4")
    assert list(chains) == [f"{size} x {size}, {name}" for size in (4, 8) for name in names]
    assert [row[4] for name, row in chains.items() if "trained" in name] == ["-", "-"]
    assert all(row[4].endswith("%") for name, row in chains.items() if "adjusted" in name)
    assert rows[-2][0] == "| 4 x 4"
    assert rows[-1][:3] == ["| 8 x 8", "0.000225", "not run"]
    kept = read_json(finished / "inspect" / "density.json")
    assert [cells_of(kept["panels"][name]["scorers"]["table"]["table"])[1][0][0]
            for name in ("chains", "constants")] == ["4 x 4, as trained", "4 x 4"]  # fmt: skip
    assert "4 x 4, adjusted" in (finished / "inspect" / "report-density.md").read_text()


def test_a_density_needs_a_run_and_its_own_settings_alone(finished):
    assert refusal("inspect", "--density").startswith("--run is missing")
    told = refusal("inspect", "--density", f"--run={finished}", "--image_dir=x")
    assert "does not read: --dataset, --image_dir." in told
