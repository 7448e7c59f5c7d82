"""Tables as records of numbers with their errors and seeds; cells are made at the very end."""

import dataclasses
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mgconv.errors import UserError
from mgconv.reporting.cells import Column, Line, Record, markdown_table, print_cell
from mgconv.training.compare import has_failed

OVER_SEEDS = (
    "Over seeds a number is a mean ± the standard deviation over seeds. A number with an error of "
    "its own keeps it: mean ± root of the mean squared errors [standard deviation over seeds]. "
    "Where all seeds print alike, no deviation stands."
)


@dataclass(frozen=True)
class Table:
    """Records and the columns that print them.

    A row whose quantity comes again for the same seed is another row of the same name.

    Args:
        columns: after the names of the rows.
        records: in the order of the rows.
        corner: heading of the names.
    """

    columns: tuple[Column, ...]
    records: tuple[Record, ...]
    corner: str = ""

    @classmethod
    def of_cells(cls, header: list[str], rows: list[list[str]]) -> "Table":
        """A table of words: each cell is printed as it is."""
        corner, *headings = header
        names = [h if headings.count(h) == 1 else f"{i}" for i, h in enumerate(headings)]
        parts = ["{}" if name == h else f"{{{name}}}" for name, h in zip(names, headings)]
        columns = [Column(h, (part,), "note") for h, part in zip(headings, parts)]
        pairs = [(row, zip(names, cells, strict=True)) for row, *cells in rows]
        records = [Record(row, name, cell) for row, named in pairs for name, cell in named]
        return cls(tuple(columns), tuple(records), corner)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Table":
        """What `to_json` gave, or a header and rows of words."""
        if "header" in content:
            return cls.of_cells(content["header"], content["rows"])
        columns = [Column(**row | {"parts": tuple(row["parts"])}) for row in content["columns"]]
        records = [Record(**record) for record in content["records"]]
        return cls(tuple(columns), tuple(records), content["corner"])

    def to_json(self) -> dict[str, Any]:
        """The table for results.json; what a record does not have is left out."""
        records = [
            {name: value for name, value in vars(record).items() if value is not None}
            for record in self.records
        ]
        for record in records:
            record.setdefault("value", None)
        columns = [dataclasses.asdict(column) for column in self.columns]
        return {"corner": self.corner, "columns": columns, "records": records}

    def rows(self) -> dict[tuple[str, int], list[Line]]:
        """(name, how often it was there before) -> its records of every seed."""
        found: dict[tuple[str, int], dict[int | None, Line]] = {}
        times: dict[tuple[str, int | None], int] = {}  # that a row was there, by name and seed
        for record in self.records:
            name, seed = record.row, record.seed
            before = times.setdefault((name, seed), 0)
            if record.column in found.get((name, before), {}).get(seed, {}):
                before = times[name, seed] = before + 1
            seeds = found.setdefault((name, before), {})
            seeds.setdefault(seed, {})[record.column] = record
        return {key: list(seeds.values()) for key, seeds in found.items()}

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows as they are printed."""
        header = [self.corner, *(column.heading for column in self.columns)]
        rows = [
            [name, *(print_cell(column, lines) for column in self.columns)]
            for (name, _), lines in self.rows().items()
        ]
        return header, rows

    def markdown(self) -> str:
        """The table as Markdown."""
        return markdown_table(*self.cells())

    def select(self, rows: Iterable[str] = (), columns: Iterable[str] = ()) -> "Table":
        """The rows whose names hold all of `rows`; columns whose headings hold any of `columns`."""
        rows, wanted = list(rows), list(columns)
        kept = [record for record in self.records if all(part in record.row for part in rows)]
        shown = [c for c in self.columns if not wanted or any(w in c.heading for w in wanted)]
        return dataclasses.replace(self, columns=tuple(shown), records=tuple(kept))


def join(tables: list[Table]) -> Table:
    """One table of runs that differ by their seed.

    Raises:
        UserError: the rows differ, or a seed comes twice.
    """
    first = tables[0]
    names = [table.rows().keys() for table in tables]
    if any(found != names[0] for found in names):
        differing = sorted({name for found in names for name, _ in found ^ names[0]})
        raise UserError("Tables with different rows", differing, "Join runs that compare.")
    seeds = [{record.seed for record in table.records} for table in tables]
    if len(set().union(*seeds)) < sum(map(len, seeds)):
        raise UserError("Tables of the same seed", seeds, "Join runs of different seeds.")
    records = tuple(record for table in tables for record in table.records)
    return dataclasses.replace(first, records=records)


COST = Column(
    "updates / seconds",
    ("{models:.0f}", " x {updates:.0f} / {seconds:.0f} s", ", rollbacks: {rollbacks:.0f}"),
    "note",
)


COSTS = ("updates", "seconds", "rollbacks")


def cost_records(row: str, facts: dict[str, dict] | None, seed: int | None) -> list[Record]:
    """Number of models, their mean updates and seconds, all rollbacks: the quantities of COST."""
    if facts is None:
        return []
    if has_failed(facts):
        return [Record(row, "models", "diverged", seed=seed)]
    found = {name: [model.get(name, 0) for model in facts.values()] for name in COSTS}
    values = {
        "models": len(facts),
        "updates": statistics.fmean(found["updates"]),
        "seconds": statistics.fmean(found["seconds"]),
        "rollbacks": sum(found["rollbacks"]) or None,
    }
    return [Record(row, name, value, seed=seed) for name, value in values.items()]


def cost(facts: dict[str, dict]) -> str:
    """Number of models, updates and seconds of each on average, in words."""
    return Table((COST,), tuple(cost_records("", facts, None))).cells()[1][0][1]
