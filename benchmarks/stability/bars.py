"""What `make stability` asks of its runs: figures of a log, and bars as functions of records.

A record is what is kept of one seed of one kind of run; see `stability_runs.train_seed`. A bar is
met or missed; None says that it cannot be decided yet.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mgconv.io.files import read_json
from mgconv.training.records import read_events, read_metrics

Record = dict[str, Any]
Records = dict[str, list[Record]]  # kind -> a record a seed
WATCHED = ("gap", "drift_rms")
MOST_CHANGE = 2.0  # of a watched quantity from the middle third of a run to the last
PANELS = {"photos", "digits"}  # of experiment 1 where no other is asked for


# -- figures of what a run left in its folder


def spent(logs: Iterable[Path]) -> dict[str, float]:
    """Updates, seconds and rollbacks of all models by their metrics.jsonl, diverged ones too."""
    updates, seconds, rollbacks = 0, 0.0, 0
    for log in logs:
        last = (read_metrics(log) or [{}])[-1]
        updates += last.get("update", 0)
        seconds += last.get("seconds") or 0.0
        rollbacks += sum("Rollback" in event for event in read_events(log))
    return {"updates": updates, "seconds": round(seconds, 1), "rollbacks": rollbacks}


def changes(lines: Sequence[dict]) -> dict[str, float]:
    """Mean |value| in the last third of a run over the middle third's: gap and drift of each grid.

    Args:
        lines: of metrics.jsonl, in order of updates.
    """
    names = {name for line in lines for name in line if name.split("/")[0] in WATCHED}
    return {name: _change(lines, name) for name in sorted(names)}


def _change(lines, name):
    total = lines[-1]["update"]
    thirds: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for line in lines:
        if line.get(name) is not None:  # JSON's word for not finite
            thirds[math.ceil(3 * line["update"] / total) - 1].append(abs(line[name]))
    if not thirds[1] or not thirds[2] or not sum(thirds[1]):
        return math.nan
    return statistics.fmean(thirds[2]) / statistics.fmean(thirds[1])


def panel_health(folder: Path) -> dict[str, str]:
    """What results*.json of experiment 1 say of multi-grid in every panel: healthy, or what not."""
    panels: dict[str, dict] = {}
    for path in sorted(Path(folder).glob("results*.json")):
        panels |= read_json(path)["panels"]
    return {name: _health(panel["models"]["multigrid"]) for name, panel in panels.items()}


def _health(models):
    if "failed" in models:
        return models["failed"]["failed"]
    rollbacks = sum(model["rollbacks"] for model in models.values())
    return f"rollbacks: {rollbacks}" if rollbacks else "healthy"


# -- bars of one seed


def has_ended(record: Record) -> bool:
    """Neither failed nor diverged."""
    return "failed" not in record


def no_rollback(record: Record) -> bool:
    """The run came to its end and never went back."""
    return has_ended(record) and record["rollbacks"] == 0


def is_level(record: Record) -> bool:
    """No watched quantity changed by more than a factor MOST_CHANGE, up or down."""
    found = record["figures"].get("changes", {}).values()
    level = all(x and 1 / MOST_CHANGE <= x <= MOST_CHANGE for x in found)
    return has_ended(record) and bool(found) and level


def longer_is_no_worse(record: Record) -> bool:
    """No distance of the run is above one at a smaller budget."""
    return has_ended(record) and never_worse(distances(record))


def panels_are_healthy(record: Record) -> bool:
    """Multi-grid is healthy in every panel of experiment 1."""
    found = record["figures"].get("panels", {})
    return has_ended(record) and {*found} >= PANELS and {*found.values()} == {"healthy"}


def between(name: str, least: float, most: float) -> Callable[[Record], bool]:
    """Whether a figure is in these bounds."""

    def holds(record):
        value = figure(record, name)
        return value is not None and least <= value <= most

    return holds


def figure(record: Record, name: str) -> float | None:
    """A figure of a record, "distance" being its last one; None where there is none.

    A run that failed has none: what it was like before says nothing of its end.
    """
    if not has_ended(record):
        return None
    return (distances(record) or [None])[-1] if name == "distance" else record["figures"].get(name)


def distances(record: Record) -> list[float]:
    """The distances in order of the budgets."""
    return list(record["figures"].get("distance", {}).values())


# -- bars over all seeds of a kind, or of two kinds


def never_worse(values: Sequence[float | None], margin: float = 0.0) -> bool:
    """Whether no value is above an earlier one by more than a margin."""
    if not values or None in values:
        return False
    return all(later <= sooner + margin for sooner, later in itertools.combinations(values, 2))


def deviation(records: Iterable[Record]) -> float | None:
    """Standard deviation of the last distances over seeds; None of fewer than two."""
    found = [figure(record, "distance") for record in records]
    known = [value for value in found if value is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def deviates_less(kind: str, most: float) -> Callable[[Records], bool | None]:
    """Whether the deviation over the seeds of a kind is below this."""

    def holds(records):
        found = deviation(records.get(kind, []))
        return None if found is None else found < most

    return holds


def longer_within(kind: str, others: str, num: float) -> Callable[[Records], bool | None]:
    """Whether no longer run is worse by more than `num` deviations over seeds of another kind."""

    def holds(records):
        runs, margin = records.get(kind, []), deviation(records.get(others, []))
        if not runs or margin is None:
            return None
        return all(has_ended(run) and never_worse(distances(run), num * margin) for run in runs)

    return holds


def not_worse_than(kind: str, shorter: str) -> Callable[[Records], bool | None]:
    """Whether no seed of a kind is worse than the same seed of a kind with less time."""

    def holds(records):
        before = {run["seed"]: figure(run, "distance") for run in records.get(shorter, [])}
        runs = [run for run in records.get(kind, []) if run["seed"] in before]
        if not runs:
            return None
        return all(never_worse([before[run["seed"]], figure(run, "distance")]) for run in runs)

    return holds
