"""Tables of what the grids of a model sample, and what to read in them."""

import math
from collections.abc import Iterator
from pathlib import Path

from mgconv.evaluation.density.annealing import LEAST_EFFECTIVE
from mgconv.evaluation.density.grids import GridDensity
from mgconv.io.files import write_json
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.report import Report
from mgconv.reporting.tables import Table
from mgconv.training.provenance import provenance

ABOUT_CHAINS = (
    "Long chains, from the model's samples, at the temperature T = noise^2 / (2 drift) of a "
    "chain's first Langevin step; the first half is left out. Adjusted: noise is reflected at the "
    "bounds, and a step is taken with the probability that keeps exp(-U / T); acceptance is its "
    "mean. Near 1 the steps are short enough for this density, near 0 they sample another one or "
    "none. R-hat: split, of the energy, mean and spread of an image; above 1.01 chains have not "
    "forgotten where they started, and no mean over them is one over the density."
)
ABOUT_CONSTANTS = (
    "Log Z of exp(-U / T) over the box, in nats, by annealing from the uniform density. Counting "
    f"chains: (sum w)^2 / sum w^2 of their weights. Where fewer than {LEAST_EFFECTIVE:.0%} count, "
    "no error is known, and log Z is a bound from below that holds but for a nat or two. Trusted "
    "down to: the lowest temperature on the way where so many count, and log Z there. A mode that "
    "no chain found is in none of it."
)


def chains_table(densities: list[GridDensity]) -> Table:
    """A row a grid and sampler."""
    columns = (
        Column("T", ("{:.3g}", " -> {last T:.3g}")),
        Column("drift", ("{:.3g}",)), Column("noise", ("{:.3g}",)),
        Column("acceptance", ("{:.1%}",)),
        *(Column(f"R-hat, {name}", ("{:.2f}",)) for name in ("U", "color", "contrast")),
        Column("mean U", ("{sample U:.1f} -> ", "{:.1f}")),
    )  # fmt: skip
    return Table(columns, tuple(_of_chains(densities)), "grid, sampler")


def _of_chains(densities) -> Iterator[Record]:
    for grid in densities:
        for chains in grid.chains:
            values = {
                "T": grid.temperature, "last T": grid.last_temperature,
                "drift": chains.dynamics.drift, "noise": chains.dynamics.noise,
                "acceptance": chains.acceptance, "sample U": grid.sample_energy,
                "mean U": chains.energy,
            }  # fmt: skip
            values |= {f"R-hat, {name}": rhat for name, rhat in chains.rhat.items()}
            for name, value in values.items():
                words = "none moves" if value == math.inf else value
                yield Record(f"{grid.size} x {grid.size}, {chains.name}", name, words)


def constants_table(densities: list[GridDensity]) -> Table:
    """A row a grid."""
    columns = (
        Column("T", ("{:.3g}",)),
        Column("log Z", ("{:.2f}", "at least {bound:.1f}")),
        Column("counting chains", ("{:.1f}", " of {num chains:.0f}")),
        Column("mean U at the end", ("{:.1f}",)),
        Column("trusted down to T", ("{:.3g}",)), Column("log Z there", ("{:.2f}",)),
    )  # fmt: skip
    return Table(columns, tuple(_of_constants(densities)), "grid")


def _of_constants(densities) -> Iterator[Record]:
    for grid in densities:
        row, found = f"{grid.size} x {grid.size}", grid.constants
        yield Record(row, "T", grid.temperature)
        if found is None:
            yield Record(row, "log Z", "not run")
            continue
        log_z, error, num = float(found.log_z[-1]), float(found.errors[-1]), found.num_trusted
        is_trusted = num == len(found.log_z)
        yield Record(row, "log Z", log_z, error) if is_trusted else Record(row, "bound", log_z)
        yield Record(row, "counting chains", float(found.effective[-1]))
        yield Record(row, "num chains", len(found.energies))
        yield Record(row, "mean U at the end", float(found.energies.mean()))
        if num:
            there, its_error = found.log_z[num - 1], found.errors[num - 1]
            yield Record(row, "trusted down to T", float(found.temperatures[num - 1]))
            yield Record(row, "log Z there", float(there), float(its_error))


def write_density(folder: Path, title: str, densities: list[GridDensity]) -> str:
    """Writes density.json and a page; returns what the page says, as Markdown."""
    parts = {"chains": (chains_table(densities), ABOUT_CHAINS)}
    parts["constants"] = constants_table(densities), ABOUT_CONSTANTS
    report, shown = Report(folder, title, "-density"), []
    for table, about in parts.values():
        report.table(table)
        report.text(about)
        shown += [table.markdown(), about]
    report.made_by(made := provenance())
    report.write()
    panels = {
        name: {"scorers": {"table": {"table": t.to_json()}}} for name, (t, _) in parts.items()
    }
    write_json(folder / "density.json", {"about": title, "panels": panels} | made)
    return "\n\n".join(shown)
