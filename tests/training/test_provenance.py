"""What a result says of its making: no paths of one machine, no commit of a stranger."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mgconv
from mgconv.training import provenance

PACKAGE = Path(mgconv.__file__).parent
ASK = "from mgconv.training.provenance import provenance; print(provenance()['commit'])"


@pytest.mark.parametrize(
    ("argument", "published"),
    [
        ("--image_dir=/home/me/photos/lfw.zip", "--image_dir=DATA/lfw.zip"),
        ("--image_dir=/home/me/my photos/lfw.zip", "--image_dir=DATA/lfw.zip"),
        ("--image_dir=C:\\me\\lfw.zip", "--image_dir=DATA/lfw.zip"),
        ("--data_dir=/work/long/data/", "--data_dir=DATA/data"),
        ("--out=/tmp/x/run", "--out=OUT/run"),
        ("--cache_dir=/tmp/x/cc", "--cache_dir=CACHE/cc"),
        ("--vary=image_dir=/a/x.zip,/b/y.zip", "--vary=image_dir=DATA/x.zip,DATA/y.zip"),
        ("--out=runs/exp1", "--out=runs/exp1"),
        ("--grids=1,4,16", "--grids=1,4,16"),
        ("--data_dir=gs://bucket/tfds", "--data_dir=gs://bucket/tfds"),
    ],
)
def test_a_published_command_has_no_absolute_path(argument, published):
    assert provenance.hide_paths(["train", argument]) == ["train", published]


def test_a_path_may_be_the_argument_after_its_flag():
    given = ["--out", "/tmp/x/run", "--samples", "/tmp/s.npz", "/tmp/t"]
    assert provenance.hide_paths(given) == [
        "--out", "OUT/run", "--samples", "DATA/s.npz", "DATA/t",
    ]  # fmt: skip


def test_settings_and_words_are_published_without_paths():
    content = {
        "config": {"cache_dir": "/tmp/x/cc", "seed": 0, "out": None, "grids": (1, 4)},
        "failed": "Cannot read /tmp/x/cc/a.npy: no file. 3 / 4 of gap/16, /, https://a.org/b",
    }
    assert provenance.hide_paths(content) == {
        "config": {"cache_dir": "CACHE/cc", "seed": 0, "out": None, "grids": [1, 4]},
        "failed": "Cannot read DATA/a.npy: no file. 3 / 4 of gap/16, /, https://a.org/b",
    }


def test_a_result_hides_the_paths_that_a_person_is_told_to_type(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--out=/home/me/run"])
    assert provenance.command_line().endswith("--out=/home/me/run")
    assert provenance.provenance()["command"].endswith("--out=OUT/run")


def test_provenance_says_what_made_a_result():
    facts = provenance.provenance()
    assert {"command", "commit", "versions", "device", "finished"} <= facts.keys()
    assert {"keras", "numpy"} <= facts["versions"].keys()
    json.dumps(facts)


def test_without_git_the_version_stands_in_for_the_commit(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.provenance()["commit"] == f"mgconv {mgconv.__version__}"


def commit_recorded_in(root):
    """What a copy of the package under `root` records, asked by another process."""
    found = subprocess.run(
        [sys.executable, "-c", ASK], cwd=root, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def git(folder, *arguments):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    command = ["git", *who, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def copied(tmp_path):
    """A git repository with one commit, and a function that copies this package into it."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "first")

    def copy(folder):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, tmp_path / folder / "mgconv", ignore=skip)
        return tmp_path / folder

    return copy


def test_the_commit_of_a_repository_it_is_installed_in_is_never_recorded(copied, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "somebody"\n')
    installed = copied("venv/lib/site-packages")
    assert commit_recorded_in(installed) == f"mgconv {mgconv.__version__}"
    vendored = copied(".")
    assert commit_recorded_in(vendored) == f"mgconv {mgconv.__version__}"


def test_the_commit_of_its_own_checkout_is_recorded(copied, tmp_path):
    checkout = copied(".")
    (checkout / "pyproject.toml").write_text('[project]\nname = "mgconv"\n')
    (checkout / ".gitignore").write_text("__pycache__\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "the package")
    assert commit_recorded_in(checkout) == git(tmp_path, "describe", "--always")
    (checkout / "pyproject.toml").write_text('[project]\nname = "mgconv"\nversion = "2"\n')
    assert commit_recorded_in(checkout).endswith("-dirty")


def test_an_export_of_the_checkout_inside_another_repository_has_a_version_alone(copied):
    export = copied("third_party/multigrid")
    (export / "pyproject.toml").write_text('[project]\nname = "mgconv"\n')
    assert commit_recorded_in(export) == f"mgconv {mgconv.__version__}"
