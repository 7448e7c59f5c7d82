"""Render tables from results/: those marked in Markdown files, and a page for each folder.

python -m tools.render_tables          # README.md, docs/, results/*/README.md
python -m tools.render_tables --check  # exit code 1 where a file is not what results/ say
"""

import re
from pathlib import Path

from absl import flags

from mgconv.cli.shared.program import main
from mgconv.errors import UserError
from mgconv.io.files import read_json, replace_file
from mgconv.reporting.tables import Table, join
from tools.results_page import results_page

ROOT = Path(__file__).parent.parent

MARKED = re.compile(r"(<!-- table ([^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_bool("check", False, "compare the files without writing any", flag_values=values)


def run(values) -> None:
    """Writes every file that differs from what results/ say, or names the first one."""
    for path, rendered in rendered_files().items():
        if path.exists() and path.read_text() == rendered:
            continue
        if values["check"].value:
            raise UserError("Not what results/ say", path.relative_to(ROOT), "Run: make tables")
        replace_file(path, rendered)


def rendered_files() -> dict[Path, str]:
    """Every file with tables as it should be: those with markers, then the generated pages."""
    places = ("README.md", "docs/*.md", "results/README.md", "results/*/what_we_see.md")
    marked = [path for place in places for path in sorted(ROOT.glob(place))]
    files = {path: render(path.read_text()) for path in marked}
    folders = sorted({path.parent for path in ROOT.glob("results/*/*.json")})
    return files | {
        folder / "README.md": results_page(folder, files.get(folder / "what_we_see.md", ""))
        for folder in folders
    }


def render(text: str) -> str:
    """The text with every marked table made anew.

    A marker is `<!-- table PANEL/SCORER[/NAMED] [columns=A,B] FILE [FILE ...] -->`: the table of a
    panel in files under results/, or its rows with NAMED in their name and its columns with A or B
    in their heading (_ for a space). Several files are runs of different seeds.
    """
    return MARKED.sub(lambda m: f"{m[1]}{_marked_table(m[2]).markdown()}\n{m[3]}", text)


def _marked_table(marker: str) -> Table:
    place, *words = marker.split()
    options = dict(word.split("=", 1) for word in words if "=" in word)
    if unknown := options.keys() - {"columns"}:
        raise UserError("Unknown option of a table's marker", unknown, "Give columns=A,B.")
    panel, scorer, *named = place.split("/")
    files = [word for word in words if "=" not in word]
    columns = [name for name in options.get("columns", "").replace("_", " ").split(",") if name]
    table = join([_read_table(file, panel, scorer) for file in files])
    return table.select([part.replace("_", " ") for part in named], columns)


def _read_table(file: str, panel: str, scorer: str) -> Table:
    try:
        kept = read_json(ROOT / "results" / file)["panels"][panel]["scorers"][scorer]["table"]
    except KeyError as error:
        raise UserError(f"No table {panel}/{scorer} in {file}", error, "See results/.") from None
    return Table.from_json(kept)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
