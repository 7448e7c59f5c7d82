"""Do the tests notice? Single changes of the code, each tried against the tests of its module.

python -m tools.mutants --num=200 --seed=0    # resumes where it was stopped
python -m tools.mutants --again               # what survived, against today's tests

A change that all these tests pass has survived. Those that nobody could notice are listed with the
reason in tools/equivalent.json and do not count.
"""

import collections
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.program import main
from mgconv.io.files import read_json, write_json
from mgconv.reporting.tables import Table
from mgconv.training.provenance import provenance
from tools.changes import Change, draw
from tools.trials import KILLED, LATE, SURVIVED, Tree

ROOT = Path(__file__).parent.parent
EQUIVALENT = Path(__file__).with_name("equivalent.json")  # name of a change -> why nobody can tell
PAPER = "grids masks chains config recipes langevin energy layers curvature multigrid"
FILES = (  # what changes are drawn from, those with fast tests first
    *(f"mgconv/evaluation/{n}.py" for n in ("metrics", "synthesis", "svm", "cnn")),
    *(f"mgconv/{name}.py" for name in PAPER.split()),
    "mgconv/baselines/*.py", "mgconv/evaluation/inpainting.py", "mgconv/evaluation/scorers/*.py",
)  # fmt: skip
ENDS = (KILLED, LATE, "equivalent", SURVIVED)


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_integer("num", 200, "changes", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "of the draw", 0, flag_values=values)
    about = "CPU seconds that the cases of one test may take; slower tests are left out"
    flags.DEFINE_integer("limit", 600, about, 1, flag_values=values)
    flags.DEFINE_string("only", "", "pattern of the files to try now; else all", flag_values=values)
    flags.DEFINE_bool("again", False, "try again what survived", flag_values=values)
    flags.DEFINE_string("out", "runs/mutants", "folder of mutants.json", flag_values=values)


def run(values) -> None:
    """Tries all changes that were not tried yet; prints and writes the tables."""
    path = Path(values["out"].value) / "mutants.json"
    kept = _kept(path, values["again"].value)
    paths = [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    drawn = draw(sources, values["num"].value, values["seed"].value)
    trials = {change.name: kept[change.name] for change in drawn if change.name in kept}
    try:
        with tempfile.TemporaryDirectory() as folder:
            tree = Tree(ROOT, Path(folder), values["limit"].value)
            for number, change in enumerate(drawn, 1):
                if change.name not in trials and re.search(values["only"].value, change.file):
                    trials[change.name] = tree.trial(change)
                    print(f"{number}/{len(drawn)} {_line(change, trials)}", flush=True)
                    write_json(path, report(drawn, trials))
    finally:  # provenance asks TensorFlow, and after that no process may fork
        write_json(path, report(drawn, trials) | provenance())
    for panel in read_json(path)["panels"].values():
        print(f"\n{Table.from_json(panel['scorers']['table']['table']).markdown()}")


def _kept(path: Path, again: bool) -> dict[str, dict[str, str]]:
    """Trials that a file holds, by the name of the change; those to be tried again left out."""
    changes = read_json(path)["changes"] if path.exists() else {}
    return {
        name: {key: trial[key] for key in ("end", "by") if key in trial}
        for name, trial in changes.items()
        if not (again and trial["end"] == SURVIVED)
    }


def report(drawn: list[Change], trials: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What mutants.json holds: a table of the files, one of what survived, and every trial.

    Args:
        drawn: in order.
        trials: of the changes that were tried, by name.
    """
    reasons = read_json(EQUIVALENT) if EQUIVALENT.exists() else {}
    tried = [change for change in drawn if change.name in trials]
    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    survivors = []
    for change in tried:
        end = trials[change.name]["end"]
        if end == SURVIVED:
            why = reasons.get(change.name, "")
            end = "equivalent" if why else SURVIVED
            survivors.append([_place(change), _said(change), why])
        for row in (change.file, "all"):
            counts[row][end] += 1
    files = [[row, *_cells(counts[row])] for row in [*sorted(counts.keys() - {"all"}), "all"]]
    header = ["file", "changes", *ENDS, "share noticed"]
    panels = {
        "noticed": Table.of_cells(header, files),
        "survivors": Table.of_cells(["place", "change", "why nobody can tell"], survivors),
    }
    return {
        "about": "Single changes of the code, each tried against the tests of its module.",
        "panels": {n: {"scorers": {"table": {"table": t.to_json()}}} for n, t in panels.items()},
        "changes": {
            change.name: {"line": change.line, "kind": change.kind, **trials[change.name]}
            for change in tried
        },
    }


def _cells(count: collections.Counter) -> list[str]:
    """Numbers of one row; equivalent changes do not count."""
    noticed, number = count[KILLED] + count[LATE], count.total() - count["equivalent"]
    share = f"{100 * noticed / number:.1f} %" if number else "-"
    return [str(count.total()), *(str(count[end]) for end in ENDS), share]


def _place(change: Change) -> str:
    return f"{change.file}:{change.line}"


def _line(change: Change, trials: dict[str, dict[str, str]]) -> str:
    ends = " ".join(trials[change.name].values())
    return f"{_place(change)} {_said(change)}: {ends}"


def _said(change: Change) -> str:
    before, after = (textwrap.shorten(x, 120) for x in (change.before, change.after))
    return f"`{before}` -> `{after}`".replace("|", "\\|")  # a table's cell


if __name__ == "__main__":
    main(run, define_flags, __doc__)
