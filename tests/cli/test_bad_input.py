"""Bad input gets one line that says what to do, exit code 1, and nothing is begun."""

import json
import subprocess
import sys

import pytest
from programs import ROOT, command, image_folder, refusal

BAD = [  # (program, flags, what the line must say)
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
    ("train", ["--method=dcgan", "--noise=1", "--seed=1"], "does not read: --noise=1.0. Leave"),
    ("train", ["--method=dcgan", "--warm_up=9"], "does not read: --warm_up=9"),
    ("train", ["--labels=50"], "--method=multigrid does not read: --labels=50. Leave"),
    ("train", ["--method=dcgan", "--nounlabeled"], "--method=dcgan does not read: --unlabeled="),
    ("train", ["--method=vat", "--noise=1"], "--method=vat does not read: --noise=1.0"),
    ("train", ["--method=vat", "--labels=1"], "--labels is out of range: 1. Give a number of 2"),
    ("train", ["--method=vat", "--split=all"], "--split=all. Give --split=train."),
    ("sweep", ["--method=wgan", "--vary=drift=1,2"], "--method=wgan does not read: --drift=1"),
    ("train", ["--dataset=celeb_a"], "mgconv prepare --dataset=celeb_a"),
    ("train", ["--dataset=lsun_scenes/bedroom"], "mgconv prepare --dataset=lsun_scenes/bedroom"),
    ("train", ["--dataset=places205"], "mgconv prepare --dataset=places205"),
    ("train", ["--split=validation"], "No split"),
    ("train", ["--crop=0"], "--crop is out of range"),
    ("train", ["--image_dir=/no/such/folder"], "No such --image_dir"),
    ("train", ["--dataset=cifar10"], "mgconv prepare --dataset=cifar10"),
    ("train", ["--activation=softmix"], 'Unknown activation: "softmix"'),
    ("train", ["--resume=must"], "Nothing to resume"),
    ("sample", [], "--run is missing"),
    ("sample", ["--run=/no/such/run"], "Give the folder of a run"),
    ("inspect", ["--dataset=svhn_cropped"], "mgconv prepare --dataset=svhn_cropped"),
    ("inspect", ["--split=dev"], "No split"),
    ("prepare", ["--dataset=digits"], "does not prepare"),
    ("prepare", ["--dataset=places205", "--manual_dir=/no/such"], "No such --manual_dir: /no/such"),
    ("prepare", ["--dataset=places205"], "Cannot prepare places205"),
    ("train", ["--method=dcgan", "--grids=1,4"], "A GAN cannot make images of: 4 pixels"),
    ("evaluate", [], "--samples is missing"),
    ("evaluate", ["--samples=/no/such.npz"], "Cannot read --samples=/no/such.npz"),
    ("sweep", ["--vary=drift=1", "--scorer_path=x.npz"], "No scorer reads: --scorer_path=x.npz"),
    ("sweep", ["--vary=drift=1", "--scorer_download"], "No scorer reads: --scorer_download"),
    ("sweep", ["--vary=image_dir=/none"], "No such --image_dir: /none"),
    ("train", ["--objective=conditional", "--method=dcgan", "--grids=1,8"], "No hidden pixels"),
    ("inpaint", [], "--run is missing"),
    ("inpaint", ["--run=/none", "--image=x", "--mask=x"], "Give the folder of a run"),
    ("sweep", [], "Nothing to vary: no --vary"),
    ("sweep", ["--vary=drift"], "--vary is no NAME=V1,V2"),
    ("sweep", ["--vary=drit=1,2"], "Did you mean drift or drift_end?"),
    ("sweep", ["--vary=drift=1,-2"], "--drift is out of range: -2.0"),
    ("sweep", ["--vary=drift=1,fast"], "flag --drift=fast"),
    ("sweep", ["--vary=drift=1", "--vary=drift=2"], "A setting is varied twice"),
    ("sweep", ["--vary=drift=.1,0.1"], "A value of drift is given twice"),
    ("sweep", ["--minutes=1", "--vary=num_updates=5,9"], "Two budgets"),
    ("train", ["--classes=each", "--batch_size=200"], "A batch is larger than a class: 200; 0 1"),
]


@pytest.mark.parametrize(("name", "arguments", "told"), BAD)
def test_bad_input_gets_one_line_and_exit_code_1(name, arguments, told, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    out = [f"--out={tmp_path / 'run'}"] if name == "train" else []
    assert told in refusal(name, *arguments, *out)
    assert not list((tmp_path / "run").rglob("config.json"))  # nothing was begun


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("train", ["--method=x"]), ("train", ["--grids=1,3,4"]), ("sample", ["--run=/none"])],
)
def test_bad_input_of_a_real_command(name, arguments):
    done = command("mgconv", name, *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1


ASK = """
import json, sys
from programs import call
for words, said in json.load(sys.stdin):
    try:
        call(*words)
    except SystemExit as error:
        assert said in error.code, (words, error.code)
    else:
        raise AssertionError(words)
    assert "tensorflow" not in sys.modules, words
"""


def test_a_wrong_path_or_name_is_reported_before_tensorflow_is_imported(finished, tmp_path):
    own = image_folder(tmp_path / "own" / "cats", [8, 8]).parent
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    run, empty, picture = f"--run={finished}", f"--run={tmp_path}", f"--image={own}/cats/0.png"
    images, place = f"--image_dir={own}", f"--image_dir={tmp_path}"
    cases = [
        (["train", "--image_dir=/none"], "No such --image_dir: /none"),
        (["train", f"{place}/empty"], "No image in"),
        (["train", f"{place}/broken.zip"], "no readable .zip"),
        (["train", images, "--classes=dogs"], 'Unknown class: "dogs"'),
        (["train", images, "--split=test"], 'No image for split "test"'),
        (["train", "--classes=ten"], 'Unknown class: "ten"'),
        (["train", "--dataset=CIFAR10"], "Did you mean cifar10?"),
        (["train", "--dataset=cifar10", "--data_dir=/none"], 'No prepared "cifar10" in: /none'),
        (["train", "--dataset=cifar10", images], "does not read"),
        (["inspect", "--image_dir=/none"], "No such --image_dir: /none"),
        (["sample", empty], "Give the folder of a run"),
        (["inpaint", empty], "Give the folder of a run"),
        (["inpaint", run], "--image is missing"),
        (["inpaint", run, "--image=/none.png", "--mask=/none.png"], "Cannot read /none.png"),
        (["inpaint", run, picture, "--mask=/none.png"], "Cannot read /none.png"),
        (["evaluate", "--samples=/none.npz"], "Cannot read --samples=/none.npz"),
        (["evaluate", "--scorer=inception"], "Did you mean inception2015?"),
        (["evaluate", "--scorer=keras", "--scorer_path=/none"], "weights are missing: /none"),
        (["sweep", "--vary=image_dir=/none"], "No such --image_dir: /none"),
        (["sweep", "--vary=seed=1", "--scorer=kreas"], "Did you mean keras?"),
        (["prepare", "--dataset=cifar10", "--manual_dir=/none"], "No such --manual_dir: /none"),
    ]
    subprocess.run(
        [sys.executable, "-c", ASK], input=json.dumps(cases), text=True, check=True,
        cwd=ROOT / "tests", env={"PYTHONPATH": str(ROOT), "MGCONV_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
