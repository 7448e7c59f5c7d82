"""Anybody's samples."""

import json

import numpy as np
import pytest
from programs import TINY, call


@pytest.fixture
def digit_samples(tmp_path):
    """Real test digits as somebody's samples, in an order of their own."""
    from mgconv.datasets.table import load_images

    images = load_images("digits", "test", 8)
    rows = np.random.default_rng(0).permutation(len(images))[:200]
    names = np.array([f"{index}" for index in range(10)])
    return {"images": images.pixels[rows], "labels": images.labels[rows], "class_names": names}


def test_real_images_given_as_samples_score_as_real_ones(digit_samples, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", **digit_samples)
    out = tmp_path / "scores.json"
    call("evaluate", f"--samples={tmp_path / 'x.npz'}", "--dataset=digits", f"--out={out}")
    told = capsys.readouterr().out
    assert "| Real images (training) | 10 | 200 |" in told
    reference, _, samples = json.loads(out.read_text())["scores"]
    assert samples["recognized"] > 0.97
    assert samples["spread"] == pytest.approx(reference["spread"], rel=0.05)
    assert samples["precision"] > 0.8
    noise = digit_samples | {
        "images": np.random.default_rng(0).integers(0, 256, [200, 8, 8, 1], np.uint8)
    }
    np.savez(tmp_path / "noise.npz", **noise)
    call("evaluate", f"--samples={tmp_path / 'noise.npz'}", "--dataset=digits", f"--out={out}")
    assert json.loads(out.read_text())["scores"][2]["frechet"] > 5 * samples["frechet"]


def test_samples_of_a_model_of_all_classes_have_no_labels(tmp_path, capsys):
    run = tmp_path / "run"
    call("train", "--dataset=digits", f"--out={run}", *TINY)
    call("sample", f"--run={run}", "--num=80")
    with np.load(run / "samples" / "draw-0.npz", allow_pickle=False) as content:
        assert set(content) == {"images"}
    cache = tmp_path / "cache"
    call(
        "evaluate", f"--samples={run / 'samples' / 'draw-0.npz'}", "--dataset=digits",
        f"--cache_dir={cache}",
    )  # fmt: skip
    assert "| the samples | 1 | 80 |" in capsys.readouterr().out
    assert (
        len(list((cache / "predictions").iterdir())) == 4
    )  # features, probabilities; test, training


def test_samples_that_cannot_be_scored_are_told(digit_samples, tmp_path):
    images = digit_samples["images"]
    cases = {
        "float": ({"images": images / 255.0}, "Give uint8 0..255"),
        "flat": ({"images": images[..., 0]}, "Give uint8 0..255"),
        "few": ({"images": images[:3]}, "Too few samples: 3"),
        "size": ({"images": images[:, :4, :4]}, "another size: 4 x 4, the data 8 x 8"),
        "color": ({"images": images.repeat(3, axis=3)}, "of another kind"),
        "unnamed": ({"pictures": images}, "no array `images`"),
        "labels": (digit_samples | {"labels": digit_samples["labels"][:9]}, "do not fit"),
        "strange": (digit_samples | {"labels": digit_samples["labels"] + 5}, "unknown classes"),
        "names": (digit_samples | {"class_names": np.array(["cat"] * 10)}, "lacks: cat"),
    }
    for name, (content, told) in cases.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **content)
        with pytest.raises(SystemExit) as exit_:
            call("evaluate", f"--samples={path}", "--dataset=digits")
        assert told in exit_.value.code
        assert "\n" not in exit_.value.code
    (tmp_path / "broken.npz").write_bytes(b"PK no zip")
    with pytest.raises(SystemExit, match="Cannot read --samples"):
        call("evaluate", f"--samples={tmp_path / 'broken.npz'}", "--dataset=digits")
