"""A page on what a model's maps are like, before and after training."""

from pathlib import Path

import numpy as np

from mgconv.evaluation.layer_facts import LayerFacts, Layers
from mgconv.evaluation.reading import POOLS
from mgconv.io.files import write_json
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.pictures import to_picture
from mgconv.reporting.report import Report
from mgconv.reporting.style import NAMES
from mgconv.reporting.tables import Table

STATES = ("fresh", "trained")  # of weights
HEADINGS = {  # of a quantity -> format of a value
    "scale": ".2g", "dead": ".0%", "saturated": ".0%", "bend": ".2f",
    "rank, max": ".0f", "rank, mean": ".0f", "error, max": ".1%", "error, mean": ".1%",
}  # fmt: skip
ABOUT = (
    "Before -> after training, from the same first weights. Scale: root mean square of a layer's "
    "maps after the activation. Dead: channels that hardly change between images and places. "
    "Saturated: values at which the activation is flat. Bend: standard deviation of the "
    "activation's slope within a channel; a layer without it is linear. Rank: effective rank of "
    "the features' covariance, the number of directions in which the pooled maps vary. Error: of "
    "an L2-SVM on the pooled maps, by the maximum or the mean of their blocks, on training images "
    "whose labels it has not seen."
)


def layer_table(layers: Layers) -> Table:
    """A row a layer; a row a whole grid, and all of them, where there are errors."""
    names, facts, errors = layers
    rows = {(n, s): _numbers(f) for s in STATES for n, f in zip(names, facts[s], strict=True)}
    for (name, state, pool), error in errors.items():
        rows.setdefault((name, state), {})[f"error, {pool}"] = error
    records = [
        Record(name, f"{state} {heading}", value)
        for (name, state), numbers in rows.items()
        for heading, value in numbers.items()
    ]
    shown = [h for h in HEADINGS if errors or not h.startswith("error")]
    return Table(tuple(map(_column, shown)), tuple(records), "grid, layer")


def _numbers(facts: LayerFacts) -> dict[str, float]:
    ranks = {f"rank, {pool}": facts.ranks[pool] for pool in POOLS}
    names = ("scale", "dead", "saturated", "bend")
    return {name: getattr(facts, name) for name in names} | ranks


def _column(heading: str) -> Column:
    before, after = (f"{{{state} {heading}:{HEADINGS[heading]}}}" for state in STATES)
    return Column(heading, (f"{before} -> {after}",))


def write_page(folder: Path, title: str, table: Table) -> Path:
    """Writes the table with a picture of it, and as JSON; returns the path of the page."""
    report = Report(folder, title)
    report.text(ABOUT)
    report.table(table)
    report.figure("layers", _picture(table), "Each layer from the image up, coarse grids first. "
                  "Gray: before training. Look for: what training lowers.")  # fmt: skip
    write_json(folder / "layers.json", table.to_json())
    return report.write()


def _picture(table: Table) -> np.ndarray:
    """A panel a quantity, a bar a row before and after."""
    rows = table.rows()
    headings = [column.heading for column in table.columns]

    def plot(axes):
        for panel, heading in zip(axes, headings):
            lines = {
                name: line for (name, _), (line,) in rows.items() if f"trained {heading}" in line
            }
            for shift, color, state in ((-0.2, "0.7", "fresh"), (0.2, "C0", "trained")):
                values = [line[f"{state} {heading}"].value for line in lines.values()]
                panel.bar(np.arange(len(values)) + shift, values, 0.4, color=color, label=state)
            panel.set_xticks(range(len(lines)), list(lines), rotation=90, **NAMES)
            panel.set_ylim(bottom=0)
            panel.set_title(heading)
        axes[0].legend()

    return to_picture(plot, 2, -(-len(headings) // 2))
