"""A report of text, tables and figures, as Markdown and as one self-contained HTML page."""

import base64
import html
from pathlib import Path

import numpy as np

from mgconv.io.files import replace_file
from mgconv.io.images import encode_png
from mgconv.reporting.tables import Table

STYLE = """body { font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
img { max-width: 100%; image-rendering: pixelated; border: 1px solid #ccc }
table { border-collapse: collapse } th, td { border: 1px solid #bbb; padding: .25rem .6rem }
td { text-align: right } td:first-child { text-align: left } th { background: #eee }
pre { white-space: pre-wrap }"""


class Report:
    """Collects blocks in reading order; `write` makes report.md and report.html of them.

    Args:
        folder: of both and of figures/.
        title: of the page.
        suffix: of the name `report`.
    """

    def __init__(self, folder: Path, title: str, suffix: str = ""):
        self.folder, self._name = Path(folder), f"report{suffix}"
        self._markdown, self._html = [f"# {title}"], [f"<h1>{html.escape(title)}</h1>"]
        self._title = title

    def alarm(self, text: str) -> None:
        """What a person must read first: it stands above the title."""
        self._markdown.insert(0, f"**{text}**")
        self._html.insert(0, f"<p><strong>{html.escape(text)}</strong></p>")

    def heading(self, text: str) -> None:
        """A heading of the second rank."""
        self._add(f"## {text}", f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(text, f"<p>{html.escape(text)}</p>")

    def code(self, text: str) -> None:
        """A command, as it is."""
        self._add(f"```\n{text}\n```", f"<pre>{html.escape(text)}</pre>")

    def made_by(self, facts: dict) -> None:
        """The command, commit, machine and versions, as `provenance` gives them."""
        self.code(facts["command"])
        self.text(f"Commit {facts['commit']}; {facts['device']}; {facts['versions']}.")

    def table(self, table: Table) -> None:
        """A table; the first column is a name."""
        self._markdown.append(table.markdown())
        header, rows = table.cells()
        cells = [[html.escape(cell) for cell in row] for row in (header, *rows)]
        lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in cells[0]) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in cells[1:]]
        self._html.append("<table>" + "".join(lines) + "</table>")

    def figure(self, name: str, picture: np.ndarray, caption: str) -> None:
        """A picture, uint8 [H, W, 1 or 3], with the line that says what to look at."""
        content = encode_png(picture)
        replace_file(self.folder / "figures" / f"{name}.png", content)
        encoded = base64.b64encode(content).decode()
        image = f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(name)}">'
        caption_html = f"<figcaption>{html.escape(caption)}</figcaption>"
        self._add(
            f"![{name}](figures/{name}.png)\n\n*{caption}*",
            f"<figure>{image}{caption_html}</figure>",
        )

    def write(self) -> Path:
        """Writes both forms; returns the path of the HTML page."""
        head = f'<!doctype html><meta charset="utf-8"><title>{html.escape(self._title)}</title>'
        page = f"{head}<style>{STYLE}</style>" + "\n".join(self._html)
        replace_file(self.folder / f"{self._name}.md", "\n\n".join(self._markdown) + "\n")
        replace_file(self.folder / f"{self._name}.html", page)
        return self.folder / f"{self._name}.html"

    def _add(self, markdown, markup):
        self._markdown.append(markdown)
        self._html.append(markup)
