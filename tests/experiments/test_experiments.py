"""The programs as users meet them: help, flags, bad input, kill and resume, a whole experiment."""

import dataclasses
import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from PIL import Image

from mgconv.cli import flags as common
from mgconv.cli.program import main
from mgconv.errors import UserError
from mgconv.reporting.tables import Table, cost

ROOT = Path(__file__).parents[2]
PROGRAMS = [
    "train", "sample", "evaluate", "exp1_synthesis", "exp2_classification",
    "exp3_inpainting", "inpaint", "inspect_data",
    "prepare_data", "tables", "sweep",
]  # fmt: skip
CREATING = ("train", "exp1_synthesis", "exp2_classification", "exp3_inpainting")
TINY = [
    "--width=.03", "--batch_size=8", "--num_langevin_steps=2", "--num_updates=2", "--log_every=1",
]  # fmt: skip


def module_of(name):
    """The module behind `python -m experiments.NAME`."""
    if name.startswith("exp"):
        return f"experiments.{name}.__main__"
    short = {"inspect_data": "inspect", "prepare_data": "prepare"}
    return "tools.render_tables" if name == "tables" else f"mgconv.cli.{short.get(name, name)}"


def program(name):
    return importlib.import_module(module_of(name))


def cells_of(table):
    """Header and rows, as printed, of a table that results.json keeps."""
    return Table.from_json(table).cells()


def call(name, *arguments):
    """A program in this process; SystemExit where the command would exit with an error."""
    module = program(name)
    main(module.run, module.define_flags, module.__doc__, [name, *arguments])


def command(name, *arguments, **options):
    """A program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", module_of(name), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny finished run."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    call("train", "--dataset=digits", "--classes=3", f"--out={folder}", *TINY)
    return folder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_time_ends_with_the_command_that_goes_on(number, capsys):
    """Also while images are decoded, or tables made; in learning, the loop hears it."""
    before = {sent: signal.getsignal(sent) for sent in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind `&`
    try:
        common.main(lambda values: signal.raise_signal(number), lambda values: None, "", ["x"])
    finally:
        for sent, handler in before.items():
            signal.signal(sent, handler)
    assert "Interrupted. To resume: python -m " in capsys.readouterr().out


# -- help and flags


def test_the_readmes_three_lines_load_a_run_in_another_interpreter_and_directory(
    finished, tmp_path
):
    [code] = re.findall(
        r"In Python:\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    assert len([line for line in code.splitlines() if line]) == 3
    code = re.sub(r'load\("[^"]+"\)', f'load("{finished}")', code)
    code = f"{code}\nprint(images.shape, images.dtype, abs(images).max() <= 1)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "(16, 8, 8, 1) float32 True"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_lists_every_flag_at_once_and_without_tensorflow(name):
    code = (
        f"import sys; sys.argv = ['{name}', '--help']; import runpy\n"
        f"runpy.run_module('{module_of(name)}', run_name='__main__')\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    values = flags.FlagValues()
    program(name).define_flags(values)
    assert all(f"--{flag}:" in done.stdout for flag in values)


OF_TARGET = {"exp1": "exp1_synthesis", "exp2": "exp2_classification", "exp3": "exp3_inpainting"}


def readme_commands():
    text = "".join((ROOT / name).read_text() for name in ("README.md", "data/README.md"))
    fenced = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
    blocks = [block for language, block in fenced.findall(text) if language == "bash"]
    inline = re.findall(r"`((?:make|python -m) [^`]+)`", fenced.sub("", text))
    return [line for block in blocks for line in block.splitlines()] + inline


def module_behind(name):
    if name.startswith("experiments."):
        return module_of(name.removeprefix("experiments."))
    return f"{name}.__main__" if name == "benchmarks.stability" else name


def test_every_command_of_the_readme_parses():
    targets = set(re.findall(r"^([a-z0-9 ]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    commands = [shlex.split(line, comments=True) for line in readme_commands()]
    checked = 0
    for words in commands:
        if words[:2] == ["python", "-m"] and words[2].startswith(("experiments.", "benchmarks.")):
            values = flags.FlagValues()
            importlib.import_module(module_behind(words[2])).define_flags(values)
            assert values(words[2:]) == words[2:3], words
            checked += 1
        elif words[:1] == ["make"]:
            assert words[1] in targets, words
            settings = dict(word.split("=", 1) for word in words[2:])
            if settings.get("FLAGS"):
                values = flags.FlagValues()
                program(OF_TARGET[words[1]]).define_flags(values)
                assert values(["make", *shlex.split(settings["FLAGS"])]) == ["make"], words
            checked += 1
    assert checked >= 40


# -- bad input: (program, flags, what the line must say)

BAD = [
    (
        "sweep",
        ["--vary=method=multigrid,context_encoder", "--scorer=classifier"],
        "to score are drawn by: context_encoder",
    ),
    ("train", ["--dataset=digitz"], 'Unknown data set: "digitz". Did you mean digits'),
    ("train", ["--recipe=papr"], "Did you mean paper"),
    ("train", ["--method=multi_grid"], "Did you mean multigrid"),
    ("train", ["--scale=huge"], "Known: quick, cpu, full"),
    ("train", ["--grids=1,4,6"], "4 does not divide 6"),
    ("train", ["--grids=2,4"], "must begin with 1"),
    ("train", ["--grids=a"], "no list of sizes"),
    ("train", ["--batch_size=1"], "--batch_size is out of range: 1"),
    ("train", ["--batch_size=5000"], "larger than the data: 5000 > 1257"),
    ("train", ["--learning_rate=nan"], "--learning_rate is out of range"),
    ("train", ["--drift=-1"], "--drift is out of range"),
    ("train", ["--noise=inf"], "--noise is out of range"),
    ("train", ["--reference_sigma=x"], "--reference_sigma is no number"),
    ("train", ["--num_updates=many"], "--num_updates=many"),
    ("train", ["--colour=3"], "Unknown command line flag 'colour'"),
    ("train", ["digits"], 'Unexpected argument: "digits"'),
    ("train", ["--classes=eleven"], 'Unknown class: "eleven"'),
    ("train", ["--dataset=image_dir"], "Give its folder or .zip"),
    ("train", ["--dataset=digits", "--image_dir=x"], "--dataset=digits does not read"),
    ("train", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp1_synthesis", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp2_classification", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp3_inpainting", ["--num_updates=3", "--minutes=1"], "Two budgets"),
    ("exp1_synthesis", ["--method=pcd"], "Did you mean: methods"),
    ("exp2_classification", ["--method=pcd"], "Did you mean: methods"),
    ("exp3_inpainting", ["--method=pcd"], "Did you mean: methods"),
    ("train", ["--method=dcgan", "--noise=1", "--seed=1"], "does not read: --noise=1.0. Leave"),
    ("train", ["--method=dcgan", "--warm_up=9"], "does not read: --warm_up=9"),
    ("sweep", ["--method=wgan", "--vary=drift=1,2"], "--method=wgan does not read: --drift=1"),
    ("train", ["--dataset=celeb_a"], "make data DATASET=celeb_a"),
    ("train", ["--dataset=lsun_scenes/bedroom"], "make data DATASET=lsun_scenes/bedroom"),
    ("train", ["--dataset=places205"], "make data DATASET=places205"),
    ("train", ["--split=validation"], "No split"),
    ("train", ["--crop=0"], "--crop is out of range"),
    ("train", ["--image_dir=/no/such/folder"], "No such --image_dir"),
    ("train", ["--dataset=cifar10"], "make data DATASET=cifar10"),
    ("train", ["--activation=softmix"], 'Unknown activation: "softmix"'),
    ("train", ["--resume=must"], "Nothing to resume"),
    ("sample", [], "--run is missing"),
    ("sample", ["--run=/no/such/run"], "Give the folder of a run"),
    ("inspect_data", ["--dataset=svhn_cropped"], "make data DATASET=svhn_cropped"),
    ("inspect_data", ["--split=dev"], "No split"),
    ("prepare_data", ["--dataset=digits"], "does not prepare"),
    ("prepare_data", ["--dataset=places205", "--manual_dir=/no/such"], "No such folder MANUAL"),
    ("prepare_data", ["--dataset=places205"], "Cannot prepare places205"),
    ("train", ["--method=dcgan", "--grids=1,4"], "A GAN cannot make images of: 4 pixels"),
    ("evaluate", [], "--samples is missing"),
    ("evaluate", ["--samples=/no/such.npz"], "Cannot read --samples=/no/such.npz"),
    ("exp1_synthesis", ["--methods=pcd"], "leaves out: multigrid"),
    ("exp1_synthesis", ["--methods=multigrid,gan"], "Did you mean wgan or dcgan"),
    ("exp1_synthesis", ["--methods=multigrid,context_encoder"], 'Unknown method: "context_enc'),
    ("exp1_synthesis", ["--scorers=inception"], "Did you mean inception2015"),
    ("exp1_synthesis", ["--scorers=inception2015"], "inception-2015-12-05.tgz"),
    ("exp1_synthesis", ["--scorers=keras", "--scorer_path=/none"], "weights are missing: /none"),
    ("exp1_synthesis", ["--datasets=faces", "--image_dir=/none"], "No faces.zip in --image_dir"),
    ("exp1_synthesis", ["--datasets=digits", "--learned_classes=ten"], 'Unknown class: "ten"'),
    ("exp1_synthesis", ["--scorer_path=x.npz"], "No scorer reads --scorer_path: x.npz"),
    ("exp1_synthesis", ["--datasets=digits", "--num_samples=30"], "Too few images for a Frechet"),
    ("exp1_synthesis", ["--datasets=digits", "--classes=3"], "images of 2 classes or more"),
    ("exp2_classification", ["--classes=3"], "Unknown command line flag 'classes'"),
    ("exp3_inpainting", ["--classes=each"], "One model fills: --classes=each"),
    ("exp3_inpainting", ["--datasets=digits,photoz"], 'Unknown data set: "photoz"'),
    ("exp3_inpainting", ["--datasets=digits,cifar10"], "make data DATASET=cifar10"),
    ("sweep", ["--vary=drift=1", "--scorer_path=x.npz"], "No scorer reads --scorer_path: x.npz"),
    ("sweep", ["--vary=image_dir=/none"], "No such --image_dir: /none"),
    ("exp3_inpainting", ["--methods=pcd"], "leaves out: multigrid"),
    ("exp3_inpainting", ["--methods=multigrid,dcgan"], 'Unknown method: "dcgan"'),
    ("train", ["--objective=conditional", "--method=dcgan", "--grids=1,8"], "No hidden pixels"),
    ("inpaint", [], "--run is missing"),
    ("inpaint", ["--run=/none", "--image=x", "--mask=x"], "Give the folder of a run"),
    ("exp2_classification", ["--methods=pcd"], "leaves out: multigrid"),
    ("sweep", [], "Nothing to vary: no --vary"),
    ("sweep", ["--vary=drift"], "--vary is no NAME=V1,V2"),
    ("sweep", ["--vary=drit=1,2"], "Did you mean drift or drift_end?"),
    ("sweep", ["--vary=drift=1,-2"], "--drift is out of range: -2.0"),
    ("sweep", ["--vary=drift=1,fast"], "flag --drift=fast"),
    ("sweep", ["--vary=drift=1", "--vary=drift=2"], "A setting is varied twice"),
    ("sweep", ["--vary=drift=.1,0.1"], "A value of drift is given twice"),
    ("sweep", ["--minutes=1", "--vary=num_updates=5,9"], "Two budgets"),
    ("train", ["--classes=each", "--batch_size=200"], "A batch is larger than a class: 200; 0 1"),
    ("exp2_classification", ["--num_labels=many"], "--num_labels is no list of numbers"),
    ("exp2_classification", ["--num_labels=5"], "Give between 20 and 1257"),
    ("exp2_classification", ["--num_labels=2000"], "Give between 20 and 1257"),
    ("exp1_synthesis", ["--datasets=celebrities"], 'Unknown data set: "celebrities"'),
]


@pytest.mark.parametrize(("name", "arguments", "told"), BAD)
def test_bad_input_gets_one_line_and_exit_code_1(name, arguments, told, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    out = [f"--out={tmp_path / 'run'}"] if name in CREATING else []
    with pytest.raises(SystemExit) as exit_:
        call(name, *arguments, *out)
    message = exit_.value.code
    assert isinstance(message, str)  # printed to stderr with exit code 1
    assert told in message
    assert "\n" not in message
    assert not list((tmp_path / "run").rglob("config.json"))  # nothing was begun


def image_folder(folder, sizes, broken=0):
    folder.mkdir(parents=True, exist_ok=True)
    for index, size in enumerate(sizes):
        pixels = np.random.default_rng(index).integers(0, 256, [size, size, 3], np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    for index in range(broken):
        (folder / f"broken-{index}.jpg").write_bytes(b"no image")
    return folder


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
    with pytest.raises(SystemExit, match=r"Too few images to learn from: 1\. Give 2 or more\."):
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


def test_no_help_names_a_superseded_recipe(capsys):
    from mgconv.recipes import SUPERSEDED

    for name in PROGRAMS:
        call(name, "--help")
        told = capsys.readouterr().out
        assert "--" in told
        assert not [recipe for recipe in SUPERSEDED if recipe in told]


@pytest.mark.parametrize("name", ["exp1_synthesis", "exp2_classification", "exp3_inpainting"])
def test_an_experiment_learns_by_the_default_recipe_at_every_scale(name):
    for settings in getattr(program(name), "SETTINGS", {}).values():
        assert "recipe" not in settings


def test_a_truncated_or_foreign_checkpoint_is_told(finished, tmp_path):
    truncated = tmp_path / "truncated"
    shutil.copytree(finished, truncated)
    for data in (truncated / "checkpoints").glob("*.data*"):
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

    before = {path: path.read_bytes() for path in (finished / "checkpoints").iterdir()}
    monkeypatch.setattr(training.tf.train.CheckpointManager, "save", full)
    arguments = ["--dataset=digits", "--classes=3", f"--out={finished}", *TINY[:-2]]
    with pytest.raises(SystemExit, match="No space left on device"):
        call("train", *arguments, "--num_updates=3")
    monkeypatch.undo()
    call("sample", f"--run={finished}", "--num=2")
    assert {path: path.read_bytes() for path in (finished / "checkpoints").iterdir()} == before


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("train", ["--method=x"]), ("train", ["--grids=1,3,4"]), ("sample", ["--run=/none"])],
)
def test_bad_input_of_a_real_command(name, arguments):
    done = command(name, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


# -- anybody's samples


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


# -- data


def test_inspection_tells_sizes_and_shows_every_grid(tmp_path, capsys):
    call("inspect_data", "--dataset=digits", f"--out={tmp_path}")
    told = capsys.readouterr().out
    assert "1257 images at 8 x 8" in told
    assert "classes: 0 122, 1 127" in told
    assert "values: -1.00 .. 1.00" in told
    with Image.open(tmp_path / "digits-train.png") as picture:
        assert picture.height > 3 * 4 * 48  # 64 images at 8, 4 and 1 pixels, 16 a row


# -- runs


def test_samples_are_written_under_the_run(finished):
    call("sample", f"--run={finished}", "--num=5", "--seed=3")
    with np.load(finished / "samples" / "draw-3.npz", allow_pickle=False) as content:
        assert content["images"].shape == (5, 8, 8, 1)
        assert content["images"].dtype == np.uint8
    with Image.open(finished / "samples" / "draw-3.png") as picture:
        assert picture.width > 8
    grids = json.loads((finished / "config.json").read_text())["config"]["grids"]
    with Image.open(finished / "samples" / "draw-3-grids.png") as picture:
        assert picture.height > len(grids) * 64  # the same chains at every grid
        assert picture.width > picture.height


def weights(folder):
    import tensorflow as tf

    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder / "checkpoints")))
    names = [name for name in reader.get_variable_to_shape_map() if "seconds" not in name]
    return {
        name: reader.get_tensor(name) for name in names if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


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
    while not list(killed.glob("checkpoints/*.index")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    call("train", *settings, *budget, f"--out={killed}")
    whole, resumed = weights(tmp_path / "whole"), weights(killed)
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_experiment_1_writes_its_report_and_reuses_its_models(tmp_path, capsys):
    settings = [*TINY, "--methods=multigrid,cd1", f"--out={tmp_path}"]
    call("exp1_synthesis", *settings)
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["panels"]) == {"photos", "digits"}
    predictions = results["panels"]["digits"]["scorers"]["classifier"]
    systems = [row["system"] for row in predictions["scores"]]
    assert {"Real images (test)", "class mean + noise", "Multi-grid", "One-step CD"} <= set(systems)
    page = (tmp_path / "report.html").read_text()
    assert 'src="data:image/png' in page
    assert "://" not in page  # self-contained; base64 may spell http, but has no colon
    assert "6.565" in page
    assert set(results["panels"]["photos"]["diagnosis"]) == {
        "diversity", "7-energy", "8-long-chains", "9-memory", "10-unseen-colors",
    }  # fmt: skip
    with Image.open(tmp_path / "figures" / "photos-1-grids.png") as picture:
        assert picture.height > 4 * 64  # the strips of 1, 4, 16 and 64 pixels
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.index")}
    models = 2 + 10 + 3  # photos; digits: multi-grid, one-step CD of three classes
    assert len(made) == 2 * models  # the first and the last checkpoint of each
    call("exp1_synthesis", *settings, "--datasets=digits")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.index")} == made
    again = json.loads((tmp_path / "results-digits.json").read_text())
    assert again["panels"]["digits"]["scorers"]["classifier"]["scores"] == predictions["scores"]
    assert (tmp_path / "report-digits.html").exists()
    assert json.loads((tmp_path / "results.json").read_text()) == results  # of both, left alone
    digits = tmp_path / "digits" / "multigrid"  # a model a class
    call("sample", f"--run={digits}", "--num=2")
    with np.load(digits / "samples" / "draw-0.npz", allow_pickle=False) as content:
        np.testing.assert_array_equal(content["labels"], np.repeat(np.arange(10), 2))
    assert (digits / "samples" / "draw-0-grids.png").exists()
    half = np.zeros([8, 8], np.uint8)
    half[:4] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    given = [f"--{name}={tmp_path / 'half.png'}" for name in ("image", "mask")]
    with pytest.raises(SystemExit, match="cannot inpaint: --method=multigrid --classes=each"):
        call("inpaint", f"--run={digits}", *given)


def diverge_where(monkeypatch, **settings):
    """Runs that have these settings diverge at update 7; all others learn."""
    from mgconv.training import fit as learning
    from mgconv.training import guard

    learn = learning.learn

    def diverge(config, *others):
        if all(getattr(config, name) == value for name, value in settings.items()):
            raise guard.DivergenceError("gap/8 = 1e+09", 7)
        return learn(config, *others)

    monkeypatch.setattr(learning, "learn", diverge)


def test_a_method_that_diverges_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    diverge_where(monkeypatch, method="cd1")
    given = ["--datasets=digits", "--classes=all", "--grids=1,8", "--methods=multigrid,cd1"]
    call("exp1_synthesis", *given, *TINY, f"--out={tmp_path}")
    panel = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    assert "gap/8 = 1e+09, at update 7" in panel["models"]["cd1"]["failed"]["failed"]
    _, rows = cells_of(panel["scorers"]["classifier"]["table"])
    rows = {row[0]: row[1:] for row in rows}
    assert rows["One-step CD"][0] == "diverged"
    assert "diverged" not in rows["Multi-grid"]
    assert (tmp_path / "report-digits.md").read_text().startswith("# Experiment 1")


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


@pytest.fixture
def mocked_cifar_10():
    """CIFAR-10 as tfds gives it, with 300 random images a split."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    content = {
        "image": rng.integers(0, 256, [300, 32, 32, 3], np.uint8),
        "label": np.arange(300) % 10,
    }
    with tfds.testing.mock_data(
        as_dataset_fn=lambda *_, **__: tf.data.Dataset.from_tensor_slices(content)
    ):
        yield


def test_experiment_1_at_full_scale_compares_every_method_on_cifar_10(mocked_cifar_10, tmp_path):
    call("exp1_synthesis", "--scale=full", "--datasets=cifar10", f"--out={tmp_path}", *TINY)
    panel = json.loads((tmp_path / "results-cifar10.json").read_text())["panels"]["cifar10"]
    rows = panel["scorers"]["classifier"]["scores"]
    assert [row["system"] for row in rows[3:]] == [
        "Multi-grid", "Single-grid", "Persistent CD", "One-step CD", "DCGAN", "WGAN",
    ]  # fmt: skip
    assert {(row["num_samples"], row["classes"]) for row in rows} == {(90, 3)}
    header, rows = cells_of(panel["scorers"]["classifier"]["table"])
    assert rows[3][-1] == "6.565"
    assert len(header) == len(rows[0])


EXP2 = [*TINY, "--num_labels=20", "--num_draws=2", "--methods=multigrid,dcgan"]


@pytest.fixture(scope="module")
def few_epochs():
    """The CNN stops early."""
    from mgconv.evaluation import cnn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cnn, "MAX_EPOCHS", 2)
        yield


@pytest.fixture(scope="module")
def experiment_2(tmp_path_factory, few_epochs):
    """Experiment 2 with two updates of three systems."""
    folder = tmp_path_factory.mktemp("exp2")
    call("exp2_classification", *EXP2, f"--out={folder}")
    return folder


def test_experiment_2_has_every_row_and_says_what_was_not_run(experiment_2):
    results = json.loads((experiment_2 / "results.json").read_text())
    table = results["panels"]["classification"]["scorers"]["table2"]["table"]
    rows = {row[0]: row for row in cells_of(table)[1]}
    assert rows["Single-grid"][1] == "not run"
    assert rows["Deep directed generative models"][1] == "quoted"
    assert rows["Multi-grid"][-2] == "30.23 / 26.54 / 22.83"
    assert {len(row) for row in rows.values()} == {5}
    assert set(results["cnn"]) == {"multigrid", "dcgan", "untrained", "supervised"}
    assert {(row["labels"], row["draw"]) for row in results["svm"]["pixels"]} == {(20, 0), (20, 1)}
    assert "Deep directed" in (experiment_2 / "report.html").read_text()


def test_experiment_2_makes_no_row_twice(experiment_2, capsys):
    before = {path: path.read_text() for path in experiment_2.glob("*/*.json")}
    call("exp2_classification", *EXP2, f"--out={experiment_2}")
    assert {path: path.read_text() for path in experiment_2.glob("*/*.json")} == before
    assert "labels, draw" not in capsys.readouterr().out


def test_test_labels_reach_nothing_that_is_learned_or_chosen(experiment_2, tmp_path, monkeypatch):
    """With the test labels permuted every weight, C, epoch and prediction stays as it was."""
    from mgconv.datasets import table as datasets

    load = datasets.load_images

    def permuted(dataset, split, *arguments, **options):
        images = load(dataset, split, *arguments, **options)
        if split != "test":
            return images
        labels = np.random.default_rng(0).permutation(images.labels)
        return datasets.ImageSet(images.pixels, labels, images.class_names)

    monkeypatch.setattr(datasets, "load_images", permuted)
    call("exp2_classification", *EXP2, f"--out={tmp_path}")
    for name in ("multigrid", "dcgan"):
        before, after = weights(experiment_2 / name), weights(tmp_path / name)
        assert all(np.array_equal(before[key], after[key]) for key in before)
    for path in [*experiment_2.glob("svm/*.json"), *experiment_2.glob("cnn/*.json")]:
        other = tmp_path / path.relative_to(experiment_2)
        before, after = (json.loads(file.read_text())["draws"] for file in (path, other))
        for draw in before:
            for choice in ("c", "epochs", "validation_error"):
                assert before[draw].get(choice) == after[draw].get(choice)
            read = [np.sum(draws[draw]["confusion"], axis=0) for draws in (before, after)]
            np.testing.assert_array_equal(*read)


def test_the_cost_of_a_row_counts_its_rollbacks():
    facts = {"updates": 200, "seconds": 30.4, "parameters": {"grid_4": 5}}
    assert cost({"cat": facts, "dog": facts | {"updates": 220}}) == "2 x 210 / 30 s"
    assert cost({"all": facts | {"rollbacks": 2}}) == "1 x 200 / 30 s, rollbacks: 2"
    assert cost({"failed": {"failed": "Training diverged"}}) == "diverged"


def test_kept_draws_are_made_anew_for_other_weights_or_labels(tmp_path, toy_images):
    from experiments.exp2_classification.classification import Task, results

    images = toy_images(40, class_names=("a", "b"))
    labels, made = np.arange(40) % 2, []

    def make():
        made.append(1)
        return lambda rows, seed: (np.zeros(40, int), {})

    def ask(key, labels=labels):
        data = [dataclasses.replace(images, labels=labels)] * 2
        return results(Task(*data, (20,), 2, tmp_path), "toy", key, make)

    assert [row["error"] for row in ask("weights")] == [0.5, 0.5]
    ask("weights")
    assert len(made) == 1
    ask("other weights")
    ask("other weights", 1 - labels)
    assert len(made) == 3


def test_differences_to_multigrid_are_paired_over_the_same_draws():
    from experiments.exp2_classification.tables import table

    def rows(*errors):
        return [{"labels": 10, "error": error, "balanced": True} for error in errors]

    found = {"multigrid": rows(0.2, 0.3), "pcd": rows(0.3, 0.5)}
    results = {"nums": [10, 20], "models": {}, "config": {"seed": 0}, "svm": found}
    _, [pcd, multigrid] = table(results, "svm", ["pcd", "multigrid"], {}, {}).cells()
    assert pcd[1:] == ["40.0 ± 14.1 (2)", "+15.0 ± 5.0", "not run", "-", "-", "-"]
    assert multigrid[1:3] == ["25.0 ± 7.1 (2)", "-"]


# -- experiment 3


def test_differences_to_multigrid_are_paired_over_the_same_images():
    from experiments.exp3_inpainting.tables import Filled, _table
    from mgconv.evaluation.inpainting import Inpainting

    ours, other = (
        Inpainting(*[np.array(errors)] * len(Inpainting._fields)) for errors in ([1, 2], [4, 3])
    )
    filled = {n: Filled(None, x, x, None) for n, x in (("multigrid", ours), ("pcd", other))}
    _, rows = _table(filled, {}, "square", 0).cells()
    assert [row[1] for row in rows] == ["1.500", "3.500 (+2.000 ± 1.000)"]


def test_experiment_3_compares_every_system_under_every_mask(tmp_path, monkeypatch):
    settings = ["--datasets=digits", "--num_test=9", "--num_chains=2", f"--out={tmp_path}", *TINY]
    call("exp3_inpainting", *settings)
    panel = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    for mask in ("square", "doodle", "pepper"):
        header, rows = cells_of(panel["scorers"][mask]["table"])
        names = [row[0] for row in rows]
        assert names[:2] == ["Visible mean color", "Neighbor diffusion"]
        assert {"Context Encoder", "Multi-grid", "Multi-grid, generative"} <= set(names)
        assert "Multi-grid, coarse grids skipped" in names
        assert {len(row) for row in rows} == {len(header)}
    rows = {row[0]: row for row in cells_of(panel["scorers"]["pepper"]["table"])[1]}
    assert rows["Multi-grid"][-2:] == ["0.036", "19.34"]

    # run again it fills nothing anew, but for what was lost
    filled = []
    from experiments.exp3_inpainting import tables

    whole = tables._fill
    monkeypatch.setattr(tables, "_fill", lambda *args: filled.append(args[0]) or whole(*args))
    (tmp_path / "digits/filled/doodle-cd1.npz").write_bytes(b"broken")
    call("exp3_inpainting", *settings)
    assert len(filled) == 1
    again = json.loads((tmp_path / "results-digits.json").read_text())["panels"]["digits"]
    assert again["scorers"] == panel["scorers"]


def test_a_color_picture_is_filled_by_a_gray_model_as_a_gray_one(tmp_path):
    run = tmp_path / "run"
    call("train", "--dataset=digits", "--grids=1,4", f"--out={run}", *TINY)
    for name, pixels in (("photo", np.full([9, 7, 3], 100)), ("mask", np.eye(9, 7) * 255)):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{name}.png")
    given = [f"--run={run}", f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
    call("inpaint", *given, "--num=1", f"--out={tmp_path / 'done'}")
    assert np.asarray(Image.open(tmp_path / "done-0.png")).shape == (9, 7)
    with pytest.raises(SystemExit, match=r"Cannot read /none\.png"):
        call("inpaint", given[0], "--image=/none.png", given[2])


def test_a_picture_is_filled_and_the_rest_of_it_is_left_alone(tmp_path):
    folder = image_folder(tmp_path / "images", [20] * 10)
    run = tmp_path / "run"
    call("train", f"--image_dir={folder}", "--grids=1,4,16", f"--out={run}", *TINY)
    pixels = np.random.default_rng(5).integers(0, 256, [37, 51, 3], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    mask = np.zeros([37, 51], np.uint8)
    mask[10:25, 20:32] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    given = [f"--run={run}", f"--image={tmp_path / 'photo.png'}", f"--mask={tmp_path / 'mask.png'}"]
    call("inpaint", *given, "--num=2", f"--out={tmp_path / 'done'}")
    first, second = (np.asarray(Image.open(tmp_path / f"done-{index}.png")) for index in (0, 1))
    np.testing.assert_array_equal(first[mask == 0], pixels[mask == 0])
    assert not np.array_equal(first, second)
    Image.fromarray(np.zeros([37, 51], np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(SystemExit, match="The mask hides: nothing"):
        call("inpaint", *given)
    Image.fromarray(mask[:, :40]).save(tmp_path / "mask.png")
    with pytest.raises(SystemExit, match="another size"):
        call("inpaint", *given)


# -- sweep


@pytest.mark.parametrize(("against", "sizes"), [("held_out", (1132, 125)), ("test", (1257, 540))])
def test_a_sweep_scores_against_images_that_are_not_learned(against, sizes):
    from mgconv.cli.sweep import learned_and_held

    learned, held = learned_and_held(common.config_for(dataset="digits"), against)
    assert (len(learned), len(held)) == sizes
    rows = {row.tobytes() for row in learned.pixels.reshape(len(learned), -1)}
    shared = sum(row.tobytes() in rows for row in held.pixels.reshape(len(held), -1))
    assert shared == 0


def test_a_sweep_learns_every_combination_once_and_ranks_what_is_scored(tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    vary = ["--vary=drift=0.5,1", "--vary=recipe=modern,photographs", "--dataset=digits"]
    settings = [*TINY, *vary, "--grids=1,4", "--scorer=classifier", f"--out={tmp_path}"]
    call("sweep", *settings)
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["rows"]) == 4
    name = "drift=0.5,recipe=photographs"
    config = json.loads((tmp_path / name / "config.json").read_text())
    assert (config["config"]["drift"], config["config"]["nets"]) == (0.5, "released")
    assert config["data"]["num_images"] == 1257 - 125  # every tenth is held out
    _, rows = cells_of(results["panels"]["sweep"]["scorers"]["classifier"]["table"])
    distances = [results["rows"][row[0]]["frechet"] for row in rows]
    assert distances == sorted(distances)
    assert f"frechet {distances[0]:.4g}" in capsys.readouterr().out  # told when its run ended
    board = EventAccumulator(str(tmp_path / name / "tensorboard")).Reload()
    assert board.Tensors("final/frechet")  # beside the settings, for the HParams page
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoints/*")}
    call("sweep", *settings)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoints/*")} == before


def test_a_sweep_can_change_one_setting_at_a_time(tmp_path, monkeypatch):
    from mgconv.cli import sweep

    configs = {}

    def learn_and_score(config, point, folder, *others):
        configs[folder.name] = config
        return {"settings": point, "facts": {"all": {"updates": 1, "seconds": 1.0}}}

    monkeypatch.setattr(sweep, "learn_and_score", learn_and_score)
    vary = ["--vary=drift=2,3", "--vary=seed=1,2", "--vary=activation=relu"]
    given = ["--one_at_a_time", "--noise=0.5", "--dataset=digits", f"--out={tmp_path}"]
    call("sweep", *vary, *given)
    default = common.config_for(dataset="digits", noise=0.5)
    found = {name: (c.drift, c.seed, c.activation, c.noise) for name, c in configs.items()}
    assert found == {
        "as given": (default.drift, 0, "silu", 0.5),
        "drift=2": (2.0, 0, "silu", 0.5),
        "drift=3": (3.0, 0, "silu", 0.5),
        "seed=1": (default.drift, 1, "silu", 0.5),
        "seed=2": (default.drift, 2, "silu", 0.5),
        "activation=relu": (default.drift, 0, "relu", 0.5),
    }
    panels = json.loads((tmp_path / "results.json").read_text())["panels"]
    _, lines = cells_of(panels["seeds"]["scorers"]["health"]["table"])
    assert {line[0]: line[1] for line in lines} == {
        "as given": "3", "drift=2.0": "1", "drift=3.0": "1", "activation=relu": "1",
    }  # fmt: skip


def test_a_sweep_of_a_model_a_class_has_their_mean_health(tmp_path):
    settings = ["--dataset=digits", "--classes=each", "--grids=1,4", f"--out={tmp_path}"]
    call("sweep", "--vary=seed=0", *settings, *TINY, "--num_updates=8")
    [row] = json.loads((tmp_path / "results.json").read_text())["rows"].values()
    last = [  # a quarter of eight lines
        json.loads(line)
        for path in tmp_path.rglob("metrics.jsonl")
        for line in path.read_text().splitlines()[-2:]
    ]
    assert len(last) == 20
    assert row["contrast"] == pytest.approx(np.mean([line["contrast/4"] for line in last]))


def test_a_sweep_over_seeds_tells_mean_and_deviation_and_keeps_what_failed(tmp_path):
    from mgconv.cli.sweep import write_report

    def row(drift, seed, frechet):
        facts = {"all": {"updates": 10, "seconds": 5.0}}
        if frechet is None:
            facts = {"failed": {"failed": "Training diverged"}}
        health = dict.fromkeys(("gap", "contrast", "drift_rms", "saturated"), 0.5)
        return {
            "settings": {"drift": drift, "seed": seed},
            "facts": facts,
            "frechet": frechet,
        } | health

    found = [(1.0, 0, 200.0), (1.0, 1, 210.0), (2.0, 0, 300.0), (2.0, 1, None)]
    rows = {f"drift={d},seed={s}": row(d, s, distance) for d, s, distance in found}
    write_report(tmp_path, ["drift", "seed"], rows, "keras", "test")
    panels = json.loads((tmp_path / "results.json").read_text())["panels"]
    _, found = cells_of(panels["seeds"]["scorers"]["keras"]["table"])
    lines = [(row[0], row[1], row[2], row[-1]) for row in found]
    assert lines == [
        ("drift=1.0", "2", "1 x 10 / 5 s", "205 ± 7.1"),
        ("drift=2.0", "2", "1 x 10 / 5 s; diverged", "300; -"),
    ]


def test_one_panel_without_its_headline_is_enough_to_fail_and_a_baseline_is_not(capsys):
    from experiments.comparison import end

    page, well = Path("report.html"), {"all": {"updates": 2}}
    lost = {"failed": {"failed": "Training diverged: gap/8 = 1e+09, at update 7."}}
    end(page, {"photos": {"models": {"multigrid": well, "cd1": lost, "dcgan": lost}}})
    panels = {"photos": {"models": {"multigrid": well}}, "digits": {"models": {"multigrid": lost}}}
    with pytest.raises(UserError, match=r"Multi-grid failed: digits: .*gap/8 = 1e\+09"):
        end(page, panels)
    assert capsys.readouterr().out == "Report: report.html\n" * 2


HEADLINE_LOST = {
    "exp1_synthesis": ["--datasets=digits", "--classes=all", "--grids=1,8", "--methods=multigrid"],
    "exp2_classification": [
        "--methods=multigrid,pcd", "--grids=1,8", "--num_labels=20", "--num_draws=2",
        "--num_cnn_draws=2",
    ],
    "exp3_inpainting": ["--datasets=digits", "--methods=multigrid,cd1", "--grids=1,4,8"],
}  # fmt: skip


@pytest.mark.parametrize("program", HEADLINE_LOST)
def test_an_experiment_without_its_headline_writes_its_report_and_fails(
    program, tmp_path, monkeypatch
):
    diverge_where(monkeypatch, method="multigrid")
    with pytest.raises(SystemExit, match=r"Multi-grid failed: digits: .*gap/8 = 1e\+09"):
        call(program, *HEADLINE_LOST[program], *TINY, f"--out={tmp_path}")
    (report,) = tmp_path.glob("report*.md")
    assert report.read_text().startswith("**Multi-grid failed")
    assert list(tmp_path.glob("results*.json"))
