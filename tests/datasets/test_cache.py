"""The store: decoded once, interruptible, never stale, never half there."""

import json
import shutil

import numpy as np
import pytest

from mgconv.datasets.cache import FLUSH_EVERY, open_or_fill
from mgconv.datasets.sources import Source
from mgconv.errors import UserError


def pictures(num, size=4):
    return np.random.default_rng(0).integers(0, 256, [num, size, size, 3], np.uint8)


def source(images, labels=None, reads=None, fail_at=None, count=True):
    """A source that records from where it is read and can break off."""
    labels = np.arange(len(images)) % 3 if labels is None else labels

    def read(start):
        if reads is not None:
            reads.append(start)
        for index in range(start, len(images)):
            if index == fail_at:
                raise KeyboardInterrupt
            yield images[index], int(labels[index])

    return Source({}, ("a", "b", "c"), len(images) if count else None, read)


@pytest.mark.parametrize("count", [True, False])
def test_all_images_and_labels_come_back_in_order(tmp_path, count):
    images = pictures(20)
    stored = open_or_fill(tmp_path / "s", source(images, count=count), 4, 3, None)
    assert np.array_equal(stored.pixels, images)
    assert np.array_equal(stored.labels, np.arange(20) % 3)
    assert stored.class_names == ("a", "b", "c")


def test_a_full_store_does_not_ask_the_source(tmp_path):
    images = pictures(5)
    open_or_fill(tmp_path / "s", source(images), 4, 3, None)
    again = open_or_fill(
        tmp_path / "s", Source({}, (), 5, lambda start: pytest.fail("read again")), 4, 3, None
    )
    assert np.array_equal(again.pixels, images)


def test_an_interrupted_store_goes_on_and_equals_the_uninterrupted_one(tmp_path):
    images, reads = pictures(3 * FLUSH_EVERY), []
    with pytest.raises(KeyboardInterrupt):
        open_or_fill(
            tmp_path / "s", source(images, reads=reads, fail_at=2 * FLUSH_EVERY + 200),
            4, 3, None,
        )  # fmt: skip
    assert not (tmp_path / "s").exists()
    stored = open_or_fill(tmp_path / "s", source(images, reads=reads), 4, 3, None)
    assert np.array_equal(stored.pixels, images)
    assert reads[0] == 0
    assert 0 < reads[1] <= 2 * FLUSH_EVERY
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("name", ["pixels.uint8", "items.int32"])
@pytest.mark.parametrize("num_bytes", [0, 1, 47, 48, 49, 1000])
def test_a_draft_cut_at_any_byte_is_mended(tmp_path, name, num_bytes):
    images = pictures(FLUSH_EVERY + 10)
    with pytest.raises(KeyboardInterrupt):
        failing = source(images, fail_at=FLUSH_EVERY + 5)
        open_or_fill(tmp_path / "s", failing, 4, 3, None)
    path = tmp_path / ".s.part" / name
    path.touch()
    path.write_bytes(path.read_bytes()[:num_bytes])
    stored = open_or_fill(tmp_path / "s", source(images), 4, 3, None)
    assert np.array_equal(stored.pixels, images)
    assert np.array_equal(stored.labels, np.arange(len(images)) % 3)


def test_a_draft_whose_list_of_reasons_was_cut_short_is_mended(tmp_path):
    images = [pictures(1)[0], b"no image"] * FLUSH_EVERY
    with pytest.raises(KeyboardInterrupt):
        open_or_fill(tmp_path / "s", source(images, fail_at=FLUSH_EVERY + 9), 4, 3, None)
    (tmp_path / ".s.part" / "reasons.json").write_text('["broken')
    stored = open_or_fill(tmp_path / "s", source(images), 4, 3, None)
    assert np.array_equal(stored.pixels, images[::2])
    assert stored.skipped == {"broken or no image": FLUSH_EVERY}


@pytest.mark.parametrize("name", ["meta.json", "pixels.uint8", "items.int32"])
def test_a_damaged_store_is_told_with_what_to_delete(name, tmp_path):
    open_or_fill(tmp_path / "s", source(pictures(9)), 4, 3, None)
    path = tmp_path / "s" / name
    path.write_bytes(path.read_bytes()[:7])
    with pytest.raises(UserError, match=f"Damaged decoded images in: {tmp_path / 's'}.*Delete it"):
        open_or_fill(tmp_path / "s", source(pictures(9)), 4, 3, None)


def test_unusable_images_are_counted_by_reason_and_leave_no_gap(tmp_path):
    images = [pictures(1, 4)[0], b"no image", pictures(1, 2)[0], pictures(1, 8)[0], b""]
    stored = open_or_fill(tmp_path / "s", source(images, [0, 1, 2, 1, 0]), 4, 3, None)
    assert len(stored.pixels) == 2
    assert stored.labels.tolist() == [0, 1]
    assert stored.skipped == {"broken or no image": 2, "smaller than 4 x 4": 1}


def test_nothing_usable_is_an_error_that_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match=r"No usable image at 4 x 4: 2 broken"):
        open_or_fill(tmp_path / "s", source([b"x", b"y"]), 4, 3, None)
    assert list(tmp_path.iterdir()) == []


def test_no_space_is_told_before_anything_is_decoded(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    reads = []
    with pytest.raises(UserError, match="No space for decoded images"):
        open_or_fill(tmp_path / "s", source(pictures(9), reads=reads), 4, 3, None)
    assert reads == []


def test_a_disk_that_fills_up_is_told_and_the_work_is_kept(tmp_path, monkeypatch):
    from mgconv.datasets import cache as store

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_append", full)
        with pytest.raises(UserError, match="No space left on device"):
            open_or_fill(tmp_path / "s", source(pictures(9)), 4, 3, None)
    assert not (tmp_path / "s").exists()
    assert len(open_or_fill(tmp_path / "s", source(pictures(9)), 4, 3, None).pixels) == 9


def test_the_meta_file_says_what_was_read(tmp_path):
    open_or_fill(tmp_path / "s", source([pictures(1)[0], b""]), 4, 3, None)
    meta = json.loads((tmp_path / "s" / "meta.json").read_text())
    assert meta["num_images"] == 1
    assert meta["skipped"] == {"broken or no image": 1}
