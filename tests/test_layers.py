"""The order of the modules: an import points only at what stands above."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mgconv"

HEART = ("config", "grids", "masks", "langevin", "energy", "chains", "learner")
LIBRARY = (
    "images", "sources", "files", "store", "datasets", "records", "tracking", "guard",
    "process", "checkpoints", "training", "devices", "curvature", "building",
    "baselines.adversarial", "baselines.gan_nets", "baselines.gan",
    "baselines.context_encoder", "learning", "systems",
)  # fmt: skip
EVALUATION = (
    "metrics", "networks", "inception", "scorers", "features", "classify", "cnn", "inpainting",
    "samples", "synthesis", "diagnosis",
)  # fmt: skip
ORDER = (
    "errors",
    "recipes",
    "convolution",
    "normalization",
    *HEART,
    *LIBRARY,
    *(f"evaluation.{name}" for name in EVALUATION),
)

FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}


def imported(path):
    """Full names of all that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def place(name):
    """Where in ORDER the module stands that a dotted name below mgconv belongs to."""
    parts = name.split(".")
    depth = 2 if parts[0] in ("evaluation", "baselines") else 1
    key = ".".join(parts[:depth])
    assert key in ORDER, f"mgconv.{key} has no place in ORDER of {__file__}: give it one"
    return ORDER.index(key)


def inner(path):
    """What a file imports of this package, without `mgconv.`; "" for mgconv itself."""
    return {n.removeprefix("mgconv").lstrip(".") for n in imported(path) if _is(n, "mgconv")}


def _is(name, package):
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("name", FILES)
def test_an_import_points_only_at_what_stands_above(name):
    for other in inner(FILES[name]):
        assert place(other) < place(name), f"mgconv.{name} imports mgconv.{other}"


@pytest.mark.parametrize("name", HEART)
def test_the_heart_knows_no_files_flags_or_logs(name):
    roots = {other.split(".")[0] for other in imported(FILES[name])}
    assert not roots & {"os", "io", "pathlib", "json", "absl", "sys", "logging", "shutil", "PIL"}


def test_the_heart_is_under_700_lines_that_are_not_blank():
    texts = {name: FILES[name].read_text().splitlines() for name in HEART}
    lines = {name: sum(bool(line.strip()) for line in text) for name, text in texts.items()}
    assert sum(lines.values()) < 700, lines


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_the_package_knows_no_flags_and_no_experiments(path):
    assert not {n for n in imported(path) if _is(n, "absl") or _is(n, "experiments")}


def test_the_sampler_knows_functions_not_networks():
    assert {other.split(".")[0] for other in inner(FILES["langevin"])} <= {"config"}
    assert not {n for n in imported(FILES["langevin"]) if _is(n, "keras")}


def test_the_package_itself_imports_only_settings_until_it_is_asked_for_more():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    at_once = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in at_once} == {"mgconv.config"}


def test_settings_come_without_tensorflow():
    """So that a flag's mistake is told, and --help answers, at once."""
    code = (
        "import sys, mgconv, mgconv.config; mgconv.config.make_config();"
        "print(*({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_tensorflow_is_told_to_use_onednn_before_it_is_imported():
    code = "import os, mgconv; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    for given, expected in (({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT, capture_output=True, text=True, check=True, env=given,
        )  # fmt: skip
        assert done.stdout.strip() == expected
