"""The records of `make stability` as JSON, pictures and a table that the README can show."""

import shutil
import statistics
from pathlib import Path
from typing import Any

from benchmarks.stability.bars import Record, Records, has_ended
from benchmarks.stability.kinds import KINDS, Kind
from benchmarks.stability.runs import scores_path
from mgconv.io.files import read_json, write_json

HEADER = ["kind", "bar", "seen", "verdict", "command"]
LAST = ("real", "control", "recognized", "spread")  # figures besides the distance


def publish(name: str, record: Record, folder: Path, out: Path) -> None:
    """Puts a record into OUT/KIND.json in place of the same seed's; pictures of samples beside it.

    Args:
        name: of the kind.
        record: of one seed.
        folder: of the run.
        out: of what is published.
    """
    path = out / f"{name}.json"
    others = [x for x in read_records(path) if x["seed"] != record["seed"]]
    write_json(path, {"records": sorted([*others, record], key=lambda x: x["seed"])})
    for picture in scores_path(folder, "x").parent.glob("*.png"):
        shutil.copyfile(picture, out / f"{name}-seed{record['seed']}-{picture.name}")


def read_records(path: Path) -> list[Record]:
    """The records of a KIND.json; none of another form, or of no file."""
    kept = read_json(path)["records"] if path.exists() else []
    return [record for record in kept if "figures" in record]


def write_summary(out: Path, made: dict[str, Any]) -> dict[str, list]:
    """Writes OUT/summary.json in the form that `make tables` reads: panel summary, scorer table.

    Args:
        out: folder of the records.
        made: what is said of the making of the summary.

    Returns:
        The table: header and rows.
    """
    records = {name: read_records(out / f"{name}.json") for name in KINDS}
    rows = [_row(name, kind, records) for name, kind in KINDS.items()]
    table = {"header": HEADER, "rows": rows}
    panels = {"summary": {"scorers": {"table": {"table": table}}}}
    write_json(out / "summary.json", {"panels": panels} | made)
    return table


def _row(name, kind, records):
    own = records[name]
    command = f"`{own[0]['commands'][-1]}`" if own else "-"
    cells = [name, kind.bar, seen(own), verdict(name, kind, records), command]
    return [cell.replace("|", "/") for cell in cells]


def verdict(name: str, kind: Kind, records: Records) -> str:
    """Met, missed, not run, or what is still to be run."""
    own = records.get(name, [])
    if not own:
        return "not run"
    over = [bar(records) for bar in kind.bars_over]
    met = all(bar(record) for record in own for bar in kind.seed_bars) and False not in over
    if not met:
        word = "missed"
    elif len(own) < kind.seeds:
        word = f"met by {len(own)} of {kind.seeds} seeds, others not run"
    else:
        word = "not decided: needs other runs" if None in over else "met"
    return f"trial: {word}" if any("trial" in record for record in own) else word


def seen(records: list[Record]) -> str:
    """The figures of all seeds of a kind as words."""
    ended = [record for record in records if has_ended(record)]
    figures = [record["figures"] for record in ended]
    labels = dict.fromkeys(label for found in figures for label in found.get("distance", {}))
    parts = [
        f"distance at {label} "
        + over_seeds([x["distance"][label] for x in figures if label in x.get("distance", {})])
        for label in labels
    ]
    for name in LAST:
        values = [found[name] for found in figures if name in found]
        parts += [f"{name} {over_seeds(values)}"] if values else []
    ratios = [x for found in figures for x in found.get("changes", {}).values() if x is not None]
    parts += [f"last over middle third {min(ratios):.2f} .. {max(ratios):.2f}"] if ratios else []
    parts += [f"{panel} {health}" for x in figures for panel, health in x.get("panels", {}).items()]
    if ended:
        parts.append(f"{over_seeds([record['updates'] for record in ended])} updates")
        parts.append(f"rollbacks {sum(record['rollbacks'] for record in ended)}")
    parts += [f"seed {x['seed']}: {x['failed']}" for x in records if not has_ended(x)]
    return "; ".join(parts) or "-"


def over_seeds(values: list[float]) -> str:
    """One value, or mean ± standard deviation (least .. largest)."""
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    mean, deviation = statistics.fmean(values), statistics.stdev(values)
    return f"{mean:.4g} ± {deviation:.2g} ({min(values):.4g} .. {max(values):.4g})"
