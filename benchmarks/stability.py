"""Does the default recipe stay healthy, and does more computing make better pictures?

python -m benchmarks.stability --rows=photos,digits --seeds=0,1
python -m benchmarks.stability --faces=faces.zip --lfw=lfw.zip --scorer_path=mobilenet_v1_...npz

Every run is the command that a person types, in a process of its own, and goes on where it was
when this is started again. A record a run goes to OUT/ROW.json, the table to OUT/README.md.
"""

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from experiments.common import main, start_tensorflow
from mgconv.config import choose
from mgconv.records import read_json, read_metrics, write_json

NUM_SCORED = 800  # samples, and real images at most, of a distance


class Row(NamedTuple):
    """One kind of run: the command's settings, its budgets one after another, what is asked."""

    settings: tuple[str, ...]
    stages: tuple[str, ...]  # budgets; the same folder goes on from one to the next
    num_seeds: int
    bar: str
    data: str | None = None  # the flag that names its images
    cores: int = 1
    scored: bool = True  # by the distance to real images


_32 = ("--grids=1,4,16,32",)
ROWS = {
    "photos": Row(
        ("--dataset=photos", "--scale=quick"), ("--num_updates=1000", "--num_updates=3000"), 5,
        "no rollback; gap and drift_rms within 2x from the middle to the last third; 3,000 updates "
        "no worse than 1,000",
    ),
    "digits": Row(
        ("--dataset=digits", "--classes=3", "--scale=quick"), ("--num_updates=6000",), 3,
        "no rollback", scored=False,
    ),
    "digits8": Row(
        ("--dataset=digits", "--classes=8", "--scale=quick"), ("--num_updates=6000",), 3,
        "no rollback", scored=False,
    ),
    "lfw": Row(
        ("--dataset=lfw", *_32), ("--minutes=10",), 5,
        "standard deviation below 10, worst at most 115", data="lfw",
    ),
    "lfw_long": Row(
        ("--dataset=lfw", *_32, "--width=0.125"),
        ("--num_updates=1000", "--num_updates=3000", "--num_updates=10000"), 1,
        "no longer run worse than a shorter one by more than 2 standard deviations of lfw's seeds",
        data="lfw",
    ),
    "faces2": Row(_32, ("--minutes=2",), 3, "distance at most 180", data="faces", cores=2),
    "faces10": Row(
        _32, ("--minutes=10",), 3, "distance at most 120, and never worse than faces2's",
        data="faces", cores=2,
    ),
}  # fmt: skip


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_list("rows", list(ROWS), "kinds of run", flag_values=values)
    flags.DEFINE_list(
        "seeds", None, "seeds of each kind; by default all of its", flag_values=values
    )
    flags.DEFINE_string(
        "lfw", None, "zip or folder of Labeled Faces in the Wild", flag_values=values
    )
    flags.DEFINE_string("faces", None, "zip of faces", flag_values=values)
    flags.DEFINE_string("scorer_path", None, "MobileNet's weights", flag_values=values)
    flags.DEFINE_string("runs", "runs/stability", "folder of the runs", flag_values=values)
    flags.DEFINE_string("out", "runs/stability", "folder of the records", flag_values=values)
    flags.DEFINE_float("budget_factor", 1.0, "of numbers of updates and minutes, for a trial", 0.0,
                       flag_values=values)  # fmt: skip


def run(values) -> None:
    """Does the runs that are not done; prints and writes what was found."""
    names = [choose("row", name, ROWS) for name in values["rows"].value]
    out, runs = Path(values["out"].value), Path(values["runs"].value)
    start_tensorflow()
    for name in names:
        row = ROWS[name]
        seeds = [int(x) for x in values["seeds"].value or range(row.num_seeds)]
        for seed in seeds:
            record = _record(name, row, seed, runs / name / f"seed{seed}", values)
            _keep(out / f"{name}.json", record)
            print(f"{name}, seed {seed}: {_figures(record)}", flush=True)
    (out / "README.md").write_text(page(out))


def _record(name: str, row: Row, seed: int, folder: Path, values) -> dict:
    """Trains through all stages; what is seen after each."""
    record = {"row": name, "seed": seed, "bar": row.bar, "stages": []}
    needed = [row.data] if row.data else []
    missing = [flag for flag in needed if not values[flag].value]
    if missing or (row.scored and not values["scorer_path"].value):
        return record | {"not run": f"no --{(missing or ['scorer_path'])[0]}"}
    place = values[row.data].value if row.data else None
    held = None
    if row.data == "faces":
        place, held = _split(Path(place), folder.parent.parent / "faces")
    for stage in row.stages:
        flag, _, budget = stage.partition("=")
        budget = float(budget) * values["budget_factor"].value
        budget = f"{flag}={budget:g}" if flag == "--minutes" else f"{flag}={max(2, round(budget))}"
        command = ["train", *row.settings, budget, f"--seed={seed}", f"--out={folder}"]
        command += [f"--image_dir={place}"] if place else []
        code = _call(command, row.cores)
        record["stages"].append(
            {"budget": budget, "command": _command(command, row.cores), "code": code}
            | _seen(folder, row, values["scorer_path"].value, held)
        )
    from mgconv.tracking import provenance

    facts = provenance()
    return record | {key: facts[key] for key in ("commit", "device", "versions")}


def _call(arguments: list[str], cores: int) -> int:
    """The program's exit code; on so many cores."""
    env = os.environ | {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": str(cores)}
    command = [sys.executable, "-m", f"experiments.{arguments[0]}", *arguments[1:]]
    return subprocess.run(command, env=env, check=False).returncode


def _command(arguments: list[str], cores: int) -> str:
    """As a person would type it, without this machine's places."""
    told = [
        f"{flag}DATA/{Path(place).name}" if flag == "--image_dir=" else argument
        for argument in arguments[1:]
        for flag, _, place in [argument.partition("=")]
        for flag in [f"{flag}="]
    ]
    threads = f"TF_NUM_INTRAOP_THREADS={cores} TF_NUM_INTEROP_THREADS={cores} "
    return threads + shlex.join(["python", "-m", f"experiments.{arguments[0]}", *told])


def _split(archive: Path, folder: Path) -> tuple[Path, Path]:
    """Every sixth file in order of names is held out: zips of the others and of these."""
    parts = folder / "train.zip", folder / "held_out.zip"
    if not all(part.exists() for part in parts):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as source:
            names = sorted(x for x in source.namelist() if not x.endswith("/"))
            for part, chosen in zip(parts, (set(names) - set(names[::6]), names[::6])):
                with zipfile.ZipFile(part, "w") as target:
                    for name in sorted(chosen):
                        target.writestr(name, source.read(name))
    return parts


def _seen(folder: Path, row: Row, weights: str | None, held: Path | None) -> dict:
    """What a run is like where it stands."""
    if not (folder / "results.json").exists():
        return {"failed": "no model"}
    facts = read_json(folder / "results.json")
    seen = {key: facts[key] for key in ("updates", "seconds", "rollbacks")}
    seen["thirds"] = thirds(read_metrics(folder / "metrics.jsonl"), facts["updates"])
    if row.scored:
        seen["distance"] = distance(folder, weights, held)
    return seen


def thirds(metrics: list[dict], updates: int) -> dict[str, float]:
    """Of gap and drift_rms of each grid: the last third's mean over the middle third's.

    Args:
        metrics: lines of a run's metrics.jsonl.
        updates: how many the run has.
    """
    found = {}
    names = sorted(metrics[-1]) if metrics else []
    for name in (x for x in names if x.startswith(("gap/", "drift_rms/"))):
        means = [
            np.mean([abs(x[name]) for x in metrics if low < 3 * x["update"] / updates <= low + 1])
            for low in (1, 2)
        ]
        found[name] = float(means[1] / means[0])
    return found


def distance(folder: Path, weights: str | None, held: Path | None) -> float:
    """MobileNet Frechet distance of samples to images that were not trained on."""
    import mgconv
    from experiments.common import load_split
    from mgconv.evaluation.metrics import frechet_distance
    from mgconv.evaluation.scorers import judge, make_scorer
    from mgconv.evaluation.synthesis import draw, weights_key
    from mgconv.images import encode_png, tile
    from mgconv.records import read_config

    config, _ = read_config(folder)
    if held is None:
        real = load_split(config, "test")
    else:
        import dataclasses

        real = load_split(dataclasses.replace(config, image_dir=str(held)))
    pixels = real.some(NUM_SCORED)
    labels = np.zeros(NUM_SCORED, np.int64)
    path = folder / "drawn" / f"{weights_key(folder)}.npy"
    samples = draw(mgconv.load(folder), labels, 0, path)
    (folder / "samples.png").write_bytes(encode_png(tile(samples[:64], 8)))
    scorer = make_scorer("keras", path=weights)
    features = [judge(scorer, images, "stability").features for images in (samples, pixels)]
    return round(frechet_distance(*features), 1)


def _keep(path: Path, record: dict) -> None:
    """Puts a record in the place of the same seed's."""
    kept = read_json(path)["records"] if path.exists() else []
    kept = [x for x in kept if x["seed"] != record["seed"]] + [record]
    write_json(path, {"records": sorted(kept, key=lambda x: x["seed"])})


def _figures(record: dict) -> str:
    if "not run" in record:
        return f"not run: {record['not run']}"
    parts = []
    for stage in record["stages"]:
        if "failed" in stage:
            parts.append(f"failed, exit code {stage['code']}")
            continue
        worst = max([1.0, *stage["thirds"].values(), *(1 / x for x in stage["thirds"].values())])
        scored = f", distance {stage['distance']}" if "distance" in stage else ""
        parts.append(
            f"{stage['updates']} updates in {stage['seconds']:.0f} s, {stage['rollbacks']} "
            f"rollbacks, thirds within {worst:.2f}x{scored}"
        )
    return "; ".join(parts)


def page(out: Path) -> str:
    """The Markdown of all records in a folder."""
    from experiments.report import markdown_table

    cells = []
    for name in ROWS:
        path = out / f"{name}.json"
        records = read_json(path)["records"] if path.exists() else []
        for record in records:
            cells.append([name, str(record["seed"]), _figures(record), record["bar"]])
        if not records:
            cells.append([name, "-", "not run", ROWS[name].bar])
    title = "# Stability of the default recipe\n\nMade by `make stability`; commands in the JSON.\n"
    return f"{title}\n{markdown_table(['run', 'seed', 'seen', 'bar'], cells)}\n"


if __name__ == "__main__":
    main(run, define_flags, __doc__)
