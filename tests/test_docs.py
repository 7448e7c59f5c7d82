"""The pages that people read: commands parse, snippets run, links resolve, nothing is left out."""

import ast
import functools
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from mgconv.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_COMMANDS = [*GUIDES, ROOT / "data/README.md"]
PAGES = [
    *WITH_COMMANDS,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "results").rglob("*.md")),
    *sorted((ROOT / "experiments").glob("*.md")),
]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OF_TARGET = {  # make passes FLAGS to these
    "exp1": "experiments.exp1_synthesis",
    "trials": "experiments.exp1_synthesis.trials",
    "exp2": "experiments.exp2_classification",
    "exp3": "experiments.exp3_inpainting",
    "sweep": "mgconv.cli.sweep",
    "stability": "benchmarks.stability",
    "faults": "benchmarks.faults",
}
NOT_OURS = ("pytest", "venv", "pip")


def of(path):
    return str(path.relative_to(ROOT))


# -- commands


def commands(path):
    """Lines of shell blocks, and inline code that begins as a command does."""
    text = path.read_text()
    blocks = [block for kind, block in FENCED.findall(text) if kind in ("bash", "")]
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`((?:make|python -m|mgconv) [^`|]+)`", FENCED.sub("", text))
    return [part for line in lines for part in split_commands(line)]


def split_commands(line):
    words, part = shlex.split(line, comments=True), []
    for word in [*words, "&&"]:
        if word in ("&&", ";"):
            yield part
            part = []
        else:
            part.append(word)


def flags_of(module):
    """Flags of a program, by the name that `python -m` takes."""
    if importlib.util.find_spec(module).submodule_search_locations is not None:
        module += ".__main__"
    values = flags.FlagValues()
    importlib.import_module(module).define_flags(values)
    return values


def check_program(module, words):
    if words != ["--help"]:
        assert flags_of(module)([module, *words]) == [module], words


def check_make(target, *rest):
    targets = re.findall(r"^([a-z0-9 ]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert target in {name for line in targets for name in line.split()}, target
    settings = dict(word.split("=", 1) for word in rest)
    if settings.get("FLAGS"):
        check_program(OF_TARGET[target], shlex.split(settings["FLAGS"]))


def check_command(words):
    """Whether it is one of ours; an assertion or a flag's error where it would not start."""
    match words:
        case ["make", *rest]:
            for target in rest if all("=" not in word for word in rest) else [None]:
                check_make(*([target] if target else rest))
        case ["mgconv", name, *rest]:
            check_program(COMMANDS[name], rest)
        case ["python", "-m", name, *rest] if name not in NOT_OURS:
            check_program(name, rest)
        case _:
            return False
    return True


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=of)
def test_every_command_parses(path):
    for words in commands(path):
        check_command(words)


def test_commands_are_found():
    checked = [check_command(words) for path in WITH_COMMANDS for words in commands(path)]
    assert sum(checked) >= 40


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("mgconv train --no_such_flag=1", flags.Error),
        ("mgconv tarin", KeyError),
        ("make exp9", AssertionError),
        ('make exp1 FLAGS="--no_such_flag=1"', flags.Error),
        ("python -m mgconv.cli.train digits", AssertionError),
    ],
)
def test_a_wrong_command_is_seen(command, error):
    with pytest.raises(error):
        check_command(shlex.split(command))


# -- snippets


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run of digits, in two updates."""
    folder = tmp_path_factory.mktemp("snippets") / "run"
    asked = ["--dataset=digits", "--grids=1,8", "--num_updates=2", "--width=0.05"]
    subprocess.run(
        [sys.executable, "-m", "mgconv", "train", *asked, f"--out={folder}"],
        cwd=ROOT, check=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return folder


def snippets():
    for path in GUIDES:
        for kind, code in FENCED.findall(path.read_text()):
            if kind == "python":
                yield pytest.param(code, id=f"{of(path)}: {code.split('model = ')[-1][:40]!r}")


@functools.cache
def executed(code, folder):
    """What a snippet leaves behind; the run that it names is the one in `folder`."""
    known = {}
    exec(re.sub(r'load\("[^"]+"\)', f'load("{folder}")', code), known)
    return known


@pytest.mark.parametrize("code", snippets())
def test_a_python_snippet_runs(code, run_folder):
    known = executed(code, run_folder)
    if "images" in known:
        images = known["images"]
        assert images.shape == (16, 8, 8, 1)
        assert images.dtype == "float32"
        assert abs(images).max() <= 1


def chain_of(path, run_folder):
    [code] = [c for kind, c in FENCED.findall((ROOT / path).read_text()) if "langevin(energy" in c]
    return executed(code, run_folder)["x"].numpy()


def test_the_readmes_own_energy_has_the_mean_and_spread_that_it_says(run_folder):
    x = chain_of("README.md", run_folder)
    assert abs(x.mean() - 0.5) < 0.01
    assert abs(x.std() - 0.1) < 0.01


def test_the_two_wells_are_where_the_page_says(run_folder):
    x = chain_of("docs/extending.md", run_folder)
    assert 0.45 < abs(x).mean() < 0.55
    assert x.min() < -0.3 < 0.3 < x.max()


# -- links


def slug(heading):
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower())
    return kept.replace(" ", "-")


def anchors(path):
    text = FENCED.sub("", path.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def links(path):
    text = FENCED.sub("", path.read_text())
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("path", PAGES, ids=of)
def test_relative_links_resolve(path):
    for link in links(path):
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def named_in_code():
    for path in GUIDES:
        for name, file in re.findall(r"\[`([A-Za-z_.]+)`\]\(([^)]+\.py)\)", path.read_text()):
            yield pytest.param(name, (path.parent / file).resolve(), id=f"{of(path)}: {name}")


@pytest.mark.parametrize(("name", "file"), named_in_code())
def test_a_name_that_links_to_code_is_defined_there(name, file):
    if name != file.name:
        last = name.split(".")[-1]
        defined = rf"^\s*(def|class) {last}\b|^{last}(: .*)? = "
        assert re.search(defined, file.read_text(), re.MULTILINE), f"no {name} in {file.name}"


# -- what is there


def test_the_readme_is_short_and_begins_with_code_and_a_picture():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 250
    assert any(line.startswith("```") for line in lines[:25])
    assert any(line.startswith("![") and ".png" in line for line in lines[:25])


def test_algorithm_1_is_found_in_the_readme():
    text = (ROOT / "README.md").read_text()
    assert "Start with [mgconv/multigrid.py](mgconv/multigrid.py)" in text
    code = (ROOT / "mgconv/multigrid.py").read_text()
    for name in re.findall(r"`(?:MultigridLearner|GridLearner)\.(\w+)`", text):
        assert f"    def {name}(" in code


def departures():
    """(file, name of the function or class whose docstring or comment has the mark)."""
    for path in sorted((ROOT / "mgconv").rglob("*.py")):
        text = path.read_text()
        for match in re.finditer(r"\bDeparture:", text):
            line = text[: match.start()].count("\n") + 1
            yield path, enclosing(ast.parse(text), line) or path.name


def enclosing(tree, line):
    """Dotted name of the innermost definition around a line; empty for a module's own."""
    names = []
    for node in ast.walk(tree):
        defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if defines and node.lineno <= line <= node.end_lineno:
            names.append(node.name)
    return ".".join(names)


@pytest.mark.parametrize(("file", "name"), departures())
def test_a_departure_in_the_code_is_in_the_table(file, name):
    place = f"[`{name}`](../{file.relative_to(ROOT)})"
    assert f"| {place} |" in (ROOT / "docs/departures.md").read_text()


def test_departures_are_marked_in_the_code():
    assert len(list(departures())) >= 7


# -- language


@pytest.mark.parametrize("path", GUIDES, ids=of)
def test_a_table_has_at_most_seven_columns(path):
    rules = re.findall(r"^\|[-:| ]+\|$", path.read_text(), re.MULTILINE)
    assert all(rule.count("|") <= 8 for rule in rules)


AVOIDED = r"\b(told|at hand|ahead of|read as|so many|goes on)\b|(?<![\w./*])\.\d"


@pytest.mark.parametrize("path", [*WITH_COMMANDS, ROOT / "CHANGELOG.md"], ids=of)
def test_words_and_numbers_are_plain(path):
    text = re.sub(r"<!-- table.*?<!-- end -->|`[^`\n]*`", "", FENCED.sub("", path.read_text()),
                  flags=re.DOTALL)  # fmt: skip
    assert not [match[0] for match in re.finditer(AVOIDED, text)]
