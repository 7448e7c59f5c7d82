"""Render the README's tables from results/: each between two marker comments that name its files.

python -m experiments.tables          # writes README.md
python -m experiments.tables --check  # exit 1 when README.md is not what results/ say
"""

import re
from pathlib import Path

from absl import flags

from mgconv.cli.program import main
from mgconv.errors import UserError
from mgconv.io.files import read_json, replace_file
from mgconv.reporting.tables import join, markdown_table

ROOT = Path(__file__).parent.parent

MARKED = re.compile(r"(<!-- table ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_bool("check", False, "only compare", flag_values=values)


def run(values) -> None:
    """Puts every table in its place."""
    path = ROOT / "README.md"
    text = path.read_text()
    rendered = render(text)
    if values["check"].value:
        if rendered != text:
            raise UserError("README.md differs from", "results/", "Run: make tables")
    else:
        replace_file(path, rendered)


def render(text: str) -> str:
    """The text with every marked table made anew.

    A marker is `<!-- table PANEL/SCORER[/NAMED] FILE [FILE ...] -->`: the table of a panel in files
    under results/, or its rows with NAMED in their name (_ for a space); of several files (seeds),
    numbers become mean +- standard deviation.
    """
    return MARKED.sub(lambda m: f"{m[1]}{_table(*m[2].split())}\n{m[3]}", text)


def _table(place: str, *files: str) -> str:
    panel, scorer, *wanted = place.split("/")
    tables = [_read_table(file, panel, scorer) for file in files]
    named = [_by_name(_rows_named(table["rows"], wanted)) for table in tables]
    if any(rows.keys() != named[0].keys() for rows in named):
        raise UserError("Tables with different rows", ", ".join(files), "Join runs that compare.")
    rows = [[join(cells) for cells in zip(*(rows[name] for rows in named))] for name in named[0]]
    return markdown_table(tables[0]["header"], rows)


def _rows_named(rows: list[list[str]], parts: list[str]) -> list[list[str]]:
    return [row for row in rows if all(part.replace("_", " ") in row[0] for part in parts)]


def _by_name(rows: list[list[str]]) -> dict[tuple[str, int], list[str]]:
    """Rows by name and by how often the name was there before: seeds may rank them differently."""
    names = [row[0] for row in rows]
    return {(name, names[:index].count(name)): rows[index] for index, name in enumerate(names)}


def _read_table(file: str, panel: str, scorer: str) -> dict:
    try:
        return read_json(ROOT / "results" / file)["panels"][panel]["scorers"][scorer]["table"]
    except KeyError as error:
        raise UserError(f"No table {panel}/{scorer} in {file}", error, "See README.md.") from None


if __name__ == "__main__":
    main(run, define_flags, __doc__)
