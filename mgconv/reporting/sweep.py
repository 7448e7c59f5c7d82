"""The report of a sweep: a row a run, best first, and the same over seeds."""

import dataclasses
import textwrap
from pathlib import Path

from mgconv.io.files import write_json
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.report import Report
from mgconv.reporting.style import NAMES
from mgconv.reporting.tables import COST, OVER_SEEDS, Table, cost_records
from mgconv.training.provenance import hide_paths, provenance

AS_GIVEN = "as given"  # the run in which nothing is varied
HEALTH = ("gap", "contrast", "drift_rms", "saturated")  # of the top grid, over the last quarter
MEASURES = (*HEALTH, "frechet")


def shown(value: float | None) -> str:
    """A measure, or - where a run has none."""
    return "-" if value is None else f"{value:.4g}"


def write_report(
    folder: Path, names, rows: dict[str, dict], scorer: str | None, against: str
) -> Path:
    """Table and plot of all runs, best first where they are scored."""
    measures = MEASURES if scorer else HEALTH
    ranked = dict(sorted(rows.items(), key=lambda item: item[1].get("frechet") or float("inf")))
    table = _table(ranked, {name: name for name in ranked}, measures)
    made, scored = provenance(), scorer or "health"
    tables = {"sweep": table}
    if len({row["settings"].get("seed") for row in rows.values()}) > 1:
        tables["seeds"] = _over_seeds(ranked, measures)
    panels = {p: {"scorers": {scored: {"table": t.to_json()}}} for p, t in tables.items()}
    results = {"rows": hide_paths(rows), "panels": panels, "against": against}
    write_json(folder / "results.json", results | made)
    report = Report(folder, f"Sweep over {', '.join(names)}")
    report.made_by(made)
    report.text("Health of the top grid, mean over the last quarter of each run: see the README.")
    if scorer:
        sides = {"held_out": "images held out of training", "test": "test images"}
        report.text(f"Scored by {scorer} against {sides[against]}.")
    report.table(table)
    if "seeds" in tables:
        report.text(OVER_SEEDS)
        report.table(tables["seeds"])
    measure = "frechet" if scorer else "contrast"
    report.figure("runs", _plot(ranked, measure), f"{measure} of each run.")
    return report.write()


def _table(rows: dict[str, dict], names: dict[str, str], measures) -> Table:
    """Runs under their names in the table; those of one name differ by their seed."""
    records = []
    for run, row in rows.items():
        name, seed = names[run], row["settings"].get("seed")
        records.append(Record(name, "seeds", list(names.values()).count(name), seed=seed))
        records += cost_records(name, row["facts"], seed)
        records += [Record(name, measure, row.get(measure), seed=seed) for measure in measures]
    columns = (COST, *(Column(measure, ("{:.4g}",)) for measure in measures))
    return Table(columns, tuple(records), "run")


def _over_seeds(rows: dict[str, dict], measures) -> Table:
    """The table with one row for all seeds of the same settings; a seed that failed stays seen."""
    names = {}
    for run, row in rows.items():
        settings = {name: value for name, value in row["settings"].items() if name != "seed"}
        names[run] = ",".join(f"{n}={value}" for n, value in settings.items()) or AS_GIVEN
    table = _table(rows, names, measures)
    counts = Column("seeds", ("{:.0f}",), "note")
    return dataclasses.replace(table, columns=(counts, *table.columns))


def _plot(rows, measure):
    from mgconv.reporting.pictures import to_picture

    def plot(axes):
        names = list(rows)[::-1]
        axes[0].barh(range(len(names)), [rows[name].get(measure) or 0 for name in names])
        axes[0].set_yticks(range(len(names)), [_short(name) for name in names], **NAMES)
        axes[0].set_ylim(-0.6, len(names) - 0.4)

    return to_picture(plot, 1, 1, scale=2.0, height=min(20.0, max(1.0, len(rows) / 15)))


def _short(name: str) -> str:
    """A name in lines of up to 40 letters, of which the first four: the plot keeps its room."""
    lines = textwrap.wrap(name.replace(",", ", "), 40, break_on_hyphens=False)
    return "\n".join(lines[:4]) + " ..." * (len(lines) > 4)
