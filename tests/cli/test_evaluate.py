"""Anybody's samples."""

import json

import numpy as np
import pytest
from programs import TINY, call, image_folder, refusal


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
        "float": ({"images": images / 25.0 - 5}, "float64 -5..5.2. Give uint8 0..255"),
        "no number": ({"images": images * np.nan}, "Give uint8 0..255"),
        "truth": ({"images": images > 5}, "Give uint8 0..255"),
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


def test_a_run_is_judged_by_the_images_that_it_held_out(tmp_path, capsys):
    from mgconv.datasets.table import load_held_out, load_split
    from mgconv.training.records import read_config

    run, out = tmp_path / "run", tmp_path / "scores.json"
    call("train", "--dataset=digits", "--held_out=0.1", f"--out={run}", *TINY)
    config, data = read_config(run)
    held = load_held_out(config)
    assert data["held_out_images"].startswith(f"{len(held)} images")
    assert data["num_images"] == 1257 - len(held) == len(load_split(config))
    told = capsys.readouterr().out
    judge = ["evaluate", "--against=held_out", f"--run={run}", f"--out={out}"]
    call(*judge)
    told = capsys.readouterr().out
    assert f"| Real images (held out) | 1 | {len(held)} |" in told
    assert f"| the samples | 1 | {len(held)} |" in told
    assert "Reference: real images (held out) of digits" in told
    drawn = json.loads(out.read_text())["scores"][2]
    np.savez(tmp_path / "held.npz", images=held.pixels)
    call(*judge, f"--samples={tmp_path / 'held.npz'}")
    _, _, same = json.loads(out.read_text())["scores"]
    assert same["frechet"] == pytest.approx(0, abs=1e-3 * drawn["frechet"])
    told = refusal("train", "--dataset=digits", "--held_out=0.2", f"--out={run}", *TINY)
    assert "held_out 0.1 -> 0.2" in told  # another run


def test_a_run_of_a_model_a_class_is_judged_class_by_class(tmp_path, capsys):
    run = tmp_path / "run"
    given = ["--dataset=digits", "--classes=each", "--held_out=0.2", "--grids=1,8"]
    call("train", *given, f"--out={run}", *TINY)
    call("evaluate", "--against=held_out", f"--run={run}", "--num=100")
    assert "| the samples | 10 | " in capsys.readouterr().out


def test_what_has_no_images_to_judge_by_is_told_what_to_do(finished, tmp_path):
    folder = image_folder(tmp_path / "images", [8] * 4)
    np.savez(tmp_path / "x.npz", images=np.zeros([20, 64, 64, 3], np.uint8))
    told = refusal("evaluate", f"--image_dir={folder}", f"--samples={tmp_path / 'x.npz'}")
    assert told.startswith(f"No test images are in: --image_dir={folder}. Run: ")
    assert f"train --image_dir={folder} --held_out=0.1 --out=RUN; then: " in told
    assert told.endswith("evaluate --against=held_out --run=RUN")
    told = refusal("evaluate", "--against=held_out", f"--run={finished}")
    assert told.startswith(f"The run in {finished} held out: no images. Train with --held_out=0.1")
    told = refusal(
        "evaluate", "--against=held_out", f"--samples={tmp_path / 'x.npz'}", "--grids=1,64"
    )
    assert told.startswith("--against=held_out needs: no --run.")
    told = refusal("evaluate", f"--run={finished}", "--grids=1,4")
    assert told.startswith("--run says what its data are, and does not read: --grids.")


def test_a_classifier_of_a_persons_folders_is_judged_by_what_it_was_given(tmp_path, capsys):
    """The labels that it had, and those that it had not, make up all images of its folders."""
    own, run = tmp_path / "own", tmp_path / "run"
    for name in ("cats", "dogs"):
        image_folder(own / name, 15 * [8])
    given = [f"--image_dir={own}", "--method=vat_small", "--grids=1,8", "--scale=quick"]
    given += ["--width=.05", "--batch_size=8", "--num_updates=2", "--held_out=.2"]
    call("train", *given, "--labels=10", f"--out={run}")
    assert "evaluate --run=" in capsys.readouterr().out
    call("evaluate", f"--run={run}", f"--out={tmp_path}/errors.json")
    rows = json.loads((tmp_path / "errors.json").read_text())["errors"]
    counts = {row["images"]: row["num_images"] for row in rows}
    assert counts["labels learned from"] == 8
    assert counts["labels to choose by"] == 2
    assert sum(counts.values()) == 30
    assert counts.keys() >= {"trained on without labels", "held out"}
    assert all(0 <= row["error"] <= 1 for row in rows)
    assert "| labels learned from | 8 |" in capsys.readouterr().out
    assert "It classifies pictures: see mgconv evaluate." in refusal("sample", f"--run={run}")
    one_class = [f"--image_dir={own}/cats", *given[1:], f"--out={tmp_path}/other"]
    assert "cannot be trained on one class" in refusal("train", *one_class)
