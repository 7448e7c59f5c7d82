"""Training as users meet it: own images, resuming, what is refused, kill and damage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from programs import ROOT, TINY, call, diverge_where, image_folder, weights

from mgconv.recipes import BASELINE_BATCH


def test_a_folder_that_cannot_be_learned_from_is_told(tmp_path):
    cases = {
        "small": ([2] * 4, 0, "smaller than"),
        "broken": ([], 3, "broken"),
        "empty": ([], 0, "No image in"),
    }
    for name, (sizes, broken, told) in cases.items():
        folder = image_folder(tmp_path / name, sizes, broken)
        with pytest.raises(SystemExit) as exit_:
            call("train", f"--image_dir={folder}", f"--out={tmp_path / 'run'}", *TINY)
        assert told in exit_.value.code
        assert "\n" not in exit_.value.code


def test_what_will_be_done_is_printed_before_tensorflow_is_imported(monkeypatch, capsys):
    class ImportedError(Exception):
        pass

    def start(devices):
        raise ImportedError

    monkeypatch.setattr("mgconv.cli.train.start_tensorflow", start)
    with pytest.raises(ImportedError):
        call("train", "--dataset=digits", "--classes=3,8", "--scale=quick", "--seed=2")
    plan = "runs/digits-3+8-multigrid-modern-2: Multi-grid of digits, classes 3,8, 0.4 minutes\n"
    assert capsys.readouterr().out == plan


def test_a_recipe_leaves_the_other_suggestions_for_own_images_alone(tmp_path, capsys):
    given = [f"--image_dir={image_folder(tmp_path / 'own', [20] * 9, broken=8)}", "--num_updates=1"]
    small = ["--num_langevin_steps=1", "--resume=never"]
    for index, more in enumerate(([], ["--recipe=paper"], ["--batch_size=3"], ["--scale=cpu"])):
        asked = [*given, *small, *more, f"--out={tmp_path / str(index)}"]
        if index == 3:  # then nothing is chosen, and 64 x 64 is too large
            with pytest.raises(SystemExit, match="No usable image at 64 x 64"):
                call("train", *asked)
            assert "--grids" not in capsys.readouterr().out
            continue
        call("train", *asked)
        told = capsys.readouterr().out
        assert "--grids=1,4,16: 9 of 10 have sides of 20 pixels or more" in told
        assert ("--batch_size=8: 9 images" in told) == (index < 2)
        config = json.loads((tmp_path / str(index) / "config.json").read_text())["config"]
        assert (config["batch_size"], config["width"]) == (8 if index < 2 else 3, 0.25)


def test_a_baseline_is_suggested_only_what_it_reads_and_keeps_its_own_batch(tmp_path, capsys):
    images, out = image_folder(tmp_path / "own", [32] * 64), tmp_path / "run"
    call("train", f"--image_dir={images}", "--method=dcgan", "--num_updates=1", f"--out={out}")
    printed = capsys.readouterr().out
    assert "--grids=1,4,16,32: 9 of 10" in printed
    assert "--width=0.25: of the paper's filters" in printed
    assert "--top_width" not in printed
    assert "--batch_size" not in printed
    config = json.loads((out / "config.json").read_text())["config"]
    assert config["batch_size"] == BASELINE_BATCH


def test_a_batch_is_chosen_for_the_smallest_class(tmp_path):
    for name, num in (("cats", 12), ("dogs", 5)):
        image_folder(tmp_path / "own" / name, [8] * num)
    out = tmp_path / "run"
    given = [f"--image_dir={tmp_path / 'own'}", "--classes=each", "--width=0.05", f"--out={out}"]
    call("train", *given, "--num_updates=1", "--num_langevin_steps=1")
    assert json.loads((out / "config.json").read_text())["config"]["batch_size"] == 4


def test_a_folder_without_a_name_of_its_own_gives_a_run_that_loads(tmp_path, monkeypatch):
    import mgconv

    image_folder(tmp_path / "own" / "inside", [8] * 8)
    monkeypatch.chdir(image_folder(tmp_path / "own", [8] * 8) / "inside")
    for place in (".", ".."):
        out = tmp_path / f"run{place}"
        call("train", f"--image_dir={place}", "--grids=1,4", f"--out={out}", *TINY)
        assert set(mgconv.load(out).class_names) <= {"own", "inside"}


def test_one_image_is_too_few(tmp_path):
    with pytest.raises(SystemExit, match=r"Too few images to train on: 1\. Give 2 or more\."):
        call("train", f"--image_dir={image_folder(tmp_path / 'one', [20])}", f"--out={tmp_path}")


def test_broken_images_among_good_ones_are_skipped_and_counted(tmp_path, capsys):
    folder = image_folder(tmp_path / "mixed", [16] * 10, broken=2)
    out = tmp_path / "run"
    call("train", f"--image_dir={folder}", "--grids=1,4,16", f"--out={out}", *TINY)
    assert "skipped 2 images: broken or no image" in capsys.readouterr().out
    assert json.loads((out / "config.json").read_text())["data"]["num_images"] == 10


def test_a_folder_with_another_run_is_refused_and_left_alone(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    with pytest.raises(SystemExit) as exit_:
        call("train", "--dataset=digits", "--classes=3", f"--out={finished}", *TINY, "--noise=.5")
    assert "noise 0" in exit_.value.code
    assert "Choose another --out" in exit_.value.code
    with pytest.raises(SystemExit, match="--resume=never"):
        arguments = ["--dataset=digits", "--classes=3", f"--out={finished}", *TINY]
        call("train", *arguments, "--resume=never")
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_a_run_of_modern_with_gains_goes_on_where_an_older_version_left_it(tmp_path):
    """As if it had been there from the start, to the bit; by the name that its recipe has now."""
    tiny = [flag for flag in TINY if not flag.startswith("--num_updates")]
    given = ["--classes=3", "--grids=1,4", "--scale=quick", "--checkpoint_every=2", *tiny]
    whole, run = tmp_path / "whole", tmp_path / "run"
    call("train", *given, "--recipe=modern_gains", "--num_updates=4", f"--out={whole}")
    call("train", *given, "--recipe=modern_gains", "--num_updates=2", f"--out={run}")
    kept = json.loads((run / "config.json").read_text())
    for name in ("readout_limit", "top_width"):  # as commit f851598 wrote it
        del kept["config"][name]
    kept["config"]["recipe"] = "modern"
    (run / "config.json").write_text(json.dumps(kept))
    before = weights(run)
    assert any("gamma" in name for name in before)
    call("sample", f"--run={run}", "--num=2")
    with pytest.raises(SystemExit, match=r"recipe modern_gains -> modern; .*kernels -> standard"):
        call("train", *given, "--recipe=modern", "--num_updates=4", f"--out={run}")
    assert all(np.array_equal(before[name], value) for name, value in weights(run).items())
    call("train", *given, "--recipe=modern_gains", "--num_updates=4", f"--out={run}")
    found = weights(run)
    assert all(np.array_equal(found[name], value) for name, value in weights(whole).items())


def test_a_truncated_or_foreign_checkpoint_is_told(finished, tmp_path):
    truncated = tmp_path / "truncated"
    shutil.copytree(finished, truncated)
    for data in (truncated / "checkpoints").rglob("*.data*"):
        data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(SystemExit, match="Cannot use checkpoint"):
        call("sample", f"--run={truncated}")
    foreign = tmp_path / "foreign"
    call("train", "--classes=3", "--method=cd1", f"--out={foreign}", *TINY)
    shutil.rmtree(foreign / "checkpoints")
    shutil.copytree(finished / "checkpoints", foreign / "checkpoints")
    with pytest.raises(SystemExit, match="Cannot use checkpoint"):
        call("sample", f"--run={foreign}")


def test_a_full_disk_is_told_and_the_run_stays(finished, monkeypatch):
    from mgconv.training import loop as training

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in finished.glob("checkpoints/*/*")}
    assert before
    monkeypatch.setattr(training.tf.train.Checkpoint, "write", full)
    arguments = ["--dataset=digits", "--classes=3", f"--out={finished}", *TINY[:-2]]
    with pytest.raises(SystemExit, match="No space left on device"):
        call("train", *arguments, "--num_updates=3")
    monkeypatch.undo()
    call("sample", f"--run={finished}", "--num=2")
    assert {path: path.read_bytes() for path in finished.glob("checkpoints/*/*")} == before


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    settings = ["--classes=3", "--method=pcd", "--checkpoint_every=3", *TINY[:3]]
    budget = ["--num_updates=60"]
    call("train", *settings, *budget, f"--out={tmp_path / 'whole'}")
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *settings, *budget, f"--out={killed}"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(killed.glob("checkpoints/0*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    call("train", *settings, *budget, f"--out={killed}")
    whole, resumed = weights(tmp_path / "whole"), weights(killed)
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_a_class_that_diverges_does_not_keep_the_others_from_learning(tmp_path, monkeypatch):
    diverge_where(monkeypatch, classes="1")
    given = ["--dataset=digits", "--classes=each", "--grids=1,8", *TINY, f"--out={tmp_path}"]
    with pytest.raises(SystemExit, match=r"Training diverged: 1: gap/8 = 1e\+09, at update 7"):
        call("train", *given)
    assert {path.parent.name for path in tmp_path.glob("*/results.json")} == set("023456789")


def test_runs_of_two_folders_have_names_of_their_own(tmp_path):
    from mgconv.cli.train import default_folder
    from mgconv.config import make_config

    names = set()
    for place in ("pics.2023", "pics.2024"):
        (tmp_path / place).mkdir()
        names.add(default_folder(make_config(image_dir=str(tmp_path / place))).name)
    assert len(names) == 2
