"""The house: which role a folder has, and which way its imports point."""

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mgconv"
PAPER = ("grids", "masks", "layers", "langevin", "energy", "chains", "multigrid")
RANKS = (  # an import points at a lower rank, or at the same folder without a cycle
    ("errors",), ("recipes",), ("config",), (*PAPER, "curvature"), ("io",), ("datasets",),
    ("baselines",), ("training",), ("models",), ("evaluation",), ("reporting",), ("cli",),
)  # fmt: skip
RANK_OF = {role: rank for rank, roles in enumerate(RANKS) for role in roles}
DOOR = ("__init__", "__main__")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("mgconv", "experiments", "benchmarks", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
INSIDE = {name: path for name, path in FILES.items() if name.startswith("mgconv.")}


@functools.cache
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


def modules(path):
    """The modules among ours that a file imports."""
    tops = ("mgconv", "experiments", "benchmarks", "tools")
    ours = {name for name in imported(path) if name.split(".")[0] in tops}
    return {name if name in FILES else name.rpartition(".")[0] for name in ours} - {"mgconv"}


def role(name):
    """The folder of a module of the package, or its own name where it lies at the root."""
    return name.split(".")[1]


def roots(path):
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("name", [n for n in INSIDE if role(n) not in DOOR])
def test_an_import_points_down(name):
    here = role(name)
    assert here in RANK_OF, f"{name} has no place in RANKS of {__file__}: give it one"
    for other in modules(INSIDE[name]):
        assert other.startswith("mgconv."), f"{name} imports {other}"
        same_folder = role(other) == here and other != name
        same_rank = {here, role(other)} <= {*PAPER, "curvature"}
        lower = RANK_OF[role(other)] < RANK_OF[here]
        assert lower or same_folder or same_rank, f"{name} imports {other}"


def test_there_is_no_cycle():
    order = graphlib.TopologicalSorter(
        {name: modules(path) - {name} for name, path in FILES.items()}
    )
    order.prepare()  # raises CycleError


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith("experiments.")])
def test_an_experiment_imports_no_other(name):
    folder = name.split(".")[1]
    shared = ("paper", "comparison", folder)
    others = {n for n in modules(FILES[name]) if n.startswith("experiments.")}
    assert {n for n in others if n.split(".")[1] not in shared} == set()
    assert not {n for n in modules(FILES[name]) if n.startswith(("benchmarks", "tools"))}


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_knows_no_files_flags_or_logs(name):
    outside = {"os", "io", "pathlib", "json", "absl", "sys", "logging", "shutil", "PIL"}
    assert not roots(PACKAGE / f"{name}.py") & outside


def test_the_paper_is_under_800_lines_that_are_not_blank():
    texts = {name: (PACKAGE / f"{name}.py").read_text().splitlines() for name in PAPER}
    lines = {name: sum(bool(line.strip()) for line in text) for name, text in texts.items()}
    assert sum(lines.values()) < 800, lines


def test_a_folder_holds_few_files():
    """At the root the paper, its settings, a trained model and the door; a role in twelve files."""
    at_root = [path.stem for path in PACKAGE.glob("*.py")]
    assert len(at_root) <= 16
    assert set(at_root) <= {*RANK_OF, *DOOR}
    folders = [path for top in (PACKAGE, ROOT / "experiments") for path in top.rglob("*/")]
    for folder in folders:
        files = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(files) <= 12, folder


@pytest.mark.parametrize(
    ("package", "homes"),
    [
        ("absl", ("mgconv.cli", "experiments", "benchmarks", "tools")),
        ("matplotlib", ("mgconv.reporting",)),
        ("gradio", ("mgconv.reporting.demo",)),
        ("PIL", ("mgconv.reporting", "mgconv.io.images", "mgconv.datasets.decoding", "benchmarks")),
    ],
)
def test_a_package_is_imported_in_its_homes_alone(package, homes):
    users = {name for name, path in FILES.items() if package in roots(path)}
    assert {name for name in users if not name.startswith(homes)} == set()


def test_the_sampler_knows_functions_not_networks():
    names = imported(PACKAGE / "langevin.py")
    assert {name for name in names if name.startswith("mgconv")} <= {"mgconv.config.Dynamics"}
    assert not {name for name in names if name.startswith("keras")}


def test_the_package_itself_imports_only_errors_until_it_is_asked_for_more():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    at_once = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert at_once <= {"mgconv.errors", "mgconv.config", "typing"}


def test_settings_come_without_tensorflow():
    """So that a flag's mistake is reported, and --help answers, at once."""
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
