"""One seed of one kind of run: the commands in processes of their own, and what they left."""

import shlex
from pathlib import Path
from typing import NamedTuple

from benchmarks.stability.bars import Record, changes, panel_health, spent
from benchmarks.stability.kinds import TRAIN, Kind
from benchmarks.stability.processes import Processes
from mgconv.errors import UserError
from mgconv.io.files import read_json, write_json
from mgconv.training.provenance import provenance
from mgconv.training.records import read_metrics

SCORE = "benchmarks.stability.score"
SHOWN = {"lfw": "DATA/lfw.zip", "faces": "DATA/faces/train.zip"}  # no places of this machine
SHOWN_DIR = Path("runs/stability")


class Request(NamedTuple):
    """What a person asked for."""

    work_dir: Path
    scorer: tuple[str, ...] = ()  # flags of the weights
    factor: float = 1.0  # of every budget
    settings: tuple[str, ...] = ()  # flags for every command besides

    @property
    def is_trial(self) -> bool:
        """Whether these are not the runs that the bars are about."""
        return self.factor != 1 or bool(self.settings)


def train_seed(
    name: str, kind: Kind, seed: int, places: dict[str, str], request: Request, processes: Processes
) -> Record:
    """Runs what is not finished of one seed; the record is kept beside the folder of the run.

    A record is final when the run ended or diverged, and is then kept. Any other failure is tried
    again the next time.

    Args:
        name: of the kind.
        kind: of the run.
        seed: of the run.
        places: what the arguments are filled with, as `places_of` gives them.
        request: what was asked for.
        processes: runs the commands.

    Raises:
        UserError: there is a final record of other commands.
        StoppedError: the program is to end.
    """
    folder = request.work_dir / name / f"seed{seed}"
    kept = folder.with_suffix(".json")
    shown = [_shown(name, kind, seed, stage, request) for _, stage in kind.stages(request.factor)]
    with processes.holding(folder.with_suffix(".lock")) as hold:
        record = read_json(kept) if kept.exists() else {}
        if _is_final(record):
            if record["commands"] != shown:
                remedy = "Choose another --work_dir, or delete it and the folder."
                raise UserError("The record is of other commands", kept, remedy)
            return record
        before = provenance()
        figures, failed = {}, ""
        for label, stage in kind.stages(request.factor):
            command = _command(kind, seed, stage, places, folder, request)
            failed = _do_stage(kind, label, command, places, folder, request, processes, hold)
            if failed:
                break
            figures = _joined(figures, label, folder)
        after = provenance()
        logs = [path for path in folder.rglob("metrics.jsonl") if _counts(kind, path, folder)]
        record = {"kind": name, "seed": seed, "commands": shown, "cores": kind.cores}
        record |= {key: after[key] for key in ("commit", "versions", "device", "finished")}
        if before["commit"] != after["commit"]:  # somebody committed in the meantime
            record["commit"] = f"{before['commit']}..{after['commit']}"
        record |= spent(logs) | {"figures": figures | _seen(kind, folder)}
        record |= {"failed": _anywhere(failed, places, request)} if failed else {}
        record |= {"trial": True} if request.is_trial else {}
        record["met"] = all(bar(record) for bar in kind.seed_bars)
        write_json(kept, record)
    return record


def _is_final(record):
    failed = record.get("failed", "")
    return bool(record) and (not failed or "diverged" in failed)


def _command(kind, seed, stage, places, folder, request):
    """The arguments of a stage's program."""
    return [
        *(argument.format(**places) for argument in stage),
        f"--seed={seed}", *request.settings, f"--out={folder}",
    ]  # fmt: skip


def _shown(name, kind, seed, stage, request):
    """The command as a person types it anywhere."""
    folder = SHOWN_DIR / name / f"seed{seed}"
    arguments = _command(kind, seed, stage, SHOWN, folder, request)
    cores = ",".join(map(str, range(kind.cores)))
    return shlex.join(["taskset", "-c", cores, "python", "-m", kind.program, *arguments])


def _anywhere(text, places, request):
    """A message without the places of this machine."""
    known = {str(request.work_dir): str(SHOWN_DIR)} | {
        places[x]: SHOWN[x] for x in SHOWN if x in places
    }
    for place in sorted(known, key=len, reverse=True):  # one may lie in another
        text = text.replace(place, known[place])
    return text


def _do_stage(kind, label, command, places, folder, request, processes, hold) -> str:
    """Trains to a budget, then scores; returns what went wrong."""
    log, seen = folder.with_suffix(".log"), scores_path(folder, label)
    if seen.exists():  # of an earlier start; the run may be past this budget now
        return ""
    print(f"{folder}: {label}", flush=True)
    failed = processes.run(kind.program, command, log, hold, kind.cores)
    if failed or kind.program != TRAIN:
        return failed
    found = spent([folder / "metrics.jsonl"])["updates"]
    if kind.updates and label != f"{found} updates":
        return f"{folder} has {found} updates, not {label}. Delete it to begin again."
    arguments = [f"--run={folder}", f"--out={seen}", *request.scorer * (kind.scorer == "keras")]
    arguments += [f"--scorer={kind.scorer}"] if kind.scorer else []
    arguments += [f"--held_out={places['held']}"] if "held" in places else []
    return processes.run(SCORE, arguments, log, hold, kind.cores)


def scores_path(folder: Path, label: str) -> Path:
    """Where the scores of a run after a stage lie; a picture of samples lies beside them."""
    return folder / "stability" / f"{label.replace(' ', '-')}.json"


def _joined(figures, label, folder):
    """The figures of all stages: a distance of each, of all others the last."""
    path = scores_path(folder, label)
    found = read_json(path) if path.exists() else {}
    distances = figures.get("distance", {})
    if "distance" in found:
        found["distance"] = distances | {label: found["distance"]}
    return figures | found


def _counts(kind, log, folder):
    """Whether a log is of a model that this kind is about."""
    return kind.program == TRAIN or "multigrid" in log.relative_to(folder).parts


def _seen(kind, folder):
    """Figures of the whole run that need no samples."""
    if kind.program != TRAIN:
        return {"panels": panel_health(folder)}
    lines = read_metrics(folder / "metrics.jsonl")
    return {"changes": changes(lines)} if lines else {}
