"""Does the default recipe stay healthy, and does more computing make better pictures?

python -m benchmarks.stability --rows=photos,digits --seeds=0,1
python -m benchmarks.stability --faces=faces.zip --lfw=lfw.zip \
    --scorer_path=mobilenet_v1_0.75_224.npz --jobs=2 --out=results/stability

Every run is the command that a person types, in a process of its own. An interrupted program
resumes: finished seeds are skipped, the others continue from their checkpoints. A record a seed
goes to OUT/KIND.json, the table of all to OUT/summary.json.
"""

import re
import threading
from pathlib import Path

from absl import flags

from benchmarks.stability.kinds import KINDS, places_of
from benchmarks.stability.processes import Processes
from benchmarks.stability.runs import Request, train_seed
from benchmarks.stability.table import publish, seen, write_summary
from mgconv.cli.shared.flags import define_scorer_flags, scorer_settings
from mgconv.cli.shared.program import main
from mgconv.errors import UserError, choose
from mgconv.io.commands import alive
from mgconv.io.jobs import at_once, shares_of_cores
from mgconv.reporting.tables import markdown_table
from mgconv.training.provenance import provenance

DATA = ("lfw", "faces")


def define_flags(values) -> None:
    """Flags of this program."""
    rows = ", ".join({*KINDS} | {kind.row for kind in KINDS.values()})
    flags.DEFINE_list("rows", None, f"kinds of run [all]: {rows}", flag_values=values)
    flags.DEFINE_list(
        "seeds", None, "seeds to run, where a kind has them [all]", flag_values=values
    )
    flags.DEFINE_integer("jobs", 1, "runs at once of the kinds that take one core each", 1,
                         flag_values=values)  # fmt: skip
    flags.DEFINE_string("lfw", None, "folder or .zip of Labeled Faces in the Wild",
                        flag_values=values)  # fmt: skip
    flags.DEFINE_string("faces", None, "folder or .zip of faces; every sixth is held out",
                        flag_values=values)  # fmt: skip
    flags.DEFINE_string("work_dir", "runs/stability", "folder of the runs", flag_values=values)
    flags.DEFINE_string("out", None, "folder of records, table and pictures [--work_dir]",
                        flag_values=values)  # fmt: skip
    flags.DEFINE_float("budget_factor", 1.0, "factor on all numbers of updates and minutes; not 1 "
                       "for a trial of this program", 0.0, flag_values=values)  # fmt: skip
    flags.DEFINE_multi_string("setting", [], "a flag for every command besides, for a trial, say "
                              "--setting=--width=0.05", flag_values=values)  # fmt: skip
    define_scorer_flags(values)


def run(values) -> None:
    """Makes the runs that are not finished; writes and prints what was found."""
    given = {name: values[name].value for name in DATA}
    weights = scorer_settings(values, ["keras"])
    has_weights = bool(weights["path"] or weights["download"])
    work_dir = Path(values["work_dir"].value)
    out = Path(values["out"].value or work_dir)
    names = ("scorer_path", "scorer_sha256", "scorer_download")
    scorer = tuple(f"--{name}={values[name].value}" for name in names if values[name].value)
    factor, settings = values["budget_factor"].value, tuple(values["setting"].value)
    request = Request(work_dir, scorer, factor, settings)
    seeds = _numbers(values["seeds"].value)
    tasks = _tasks(_chosen(values["rows"].value), seeds, given, has_weights, work_dir)
    shares = [cores[:1] for cores in shares_of_cores(values["jobs"].value)]
    [all_cores] = shares_of_cores(1)
    writing = threading.Lock()

    def work(name: str, seed: int, places: dict[str, str], cores: list[int]) -> None:
        try:
            record = train_seed(name, KINDS[name], seed, places, request, processes)
        except UserError as error:  # the other runs need not suffer
            print(f"{name}, seed {seed}: {error}", flush=True)
            return
        with writing:
            publish(name, record, work_dir / name / f"seed{seed}", out)
            _summarize(out)
        print(f"{name}, seed {seed}: {seen([record])}", flush=True)

    narrow = [task for task in tasks if KINDS[task[0]].cores == 1]
    wide = [task for task in tasks if KINDS[task[0]].cores > 1]
    with alive(work_dir) as mark:
        processes = Processes(mark)
        at_once(work, narrow, shares)
        at_once(work, wide, [all_cores[:2]])
    print(f"\n{markdown_table(**_summarize(out))}", flush=True)


def _summarize(out):
    made = provenance()  # without this machine's paths, as the commands of records are
    made["command"] = re.sub(r"(=)\S*/", r"\1", made["command"])
    return write_summary(out, made)


def _chosen(rows: list[str] | None) -> list[str]:
    """Names of kinds that these rows name."""
    known = {*KINDS} | {kind.row for kind in KINDS.values()}
    rows = [choose("row", row, sorted(known)) for row in rows or KINDS]
    return [name for name, kind in KINDS.items() if {name, kind.row} & {*rows}]


def _numbers(texts: list[str] | None) -> set[int] | None:
    try:
        return {int(text) for text in texts} if texts else None
    except ValueError:
        raise UserError("--seeds is no list of numbers", ",".join(texts), "Give 0,1.") from None


def _tasks(names, seeds, given, has_weights, work_dir) -> list[tuple[str, int, dict[str, str]]]:
    """Kind, seed and places of every run that can be made; prints why others are not run."""
    tasks = []
    for name in names:
        kind = KINDS[name]
        try:
            if kind.data and given[kind.data] is None:
                raise UserError(f"No --{kind.data}", "its images are needed", "Give it.")
            if kind.scorer == "keras" and not has_weights:
                remedy = "Give a file of weights, or --scorer_download."
                raise UserError("No --scorer_path", "no path given", remedy)
            places = places_of(kind, given, work_dir / "held_out")
        except UserError as error:
            print(f"{name}: not run. {error}", flush=True)
            continue
        chosen = [seed for seed in range(kind.seeds) if seeds is None or seed in seeds]
        tasks += [(name, seed, places) for seed in chosen]
    return tasks


if __name__ == "__main__":
    main(run, define_flags, __doc__)
