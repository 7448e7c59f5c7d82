"""The page of a folder of results: what we see, tables, how they were made, pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mgconv.io.files import read_json
from mgconv.reporting.tables import OVER_SEEDS, Table

SUBJECTS = {
    "bench": "Benchmarks",
    "density": "Do chains sample the density of their energy",
    "exp1": "Experiment 1, synthesis",
    "exp2": "Experiment 2, classification",
    "exp3": "Experiment 3, inpainting",
    "faces-32": "Faces at 32x32",
    "held-share": "How much of a block must be visible to be held",
    "mutants": "Single changes of the code, and the tests that notice them",
    "recipes": "How the recipes were chosen",
    "stability": "Stability of the default recipe",
    "trials": "Trials before experiment 1",
}
GENERATED = "<!-- `make tables` writes this page; edit what_we_see.md instead. -->"


def results_page(folder: Path, what_we_see: str) -> str:
    """Markdown of results/FOLDER/README.md.

    Args:
        folder: of JSON files, as programs write their results, and of pictures.
        what_we_see: written by hand; tables and pictures that stand in it are not repeated.
    """
    contents = {path.name: read_json(path) for path in sorted(folder.glob("*.json"))}
    tables = list(_tables(folder.name, contents, what_we_see))
    pictures = [path.name for path in sorted(folder.glob("*.png"))]
    blocks = [f"# {_title(folder.name)}", GENERATED]
    blocks += ["## What we see", what_we_see.strip()] if what_we_see else []
    blocks += ["## Tables", *tables] if tables else []
    blocks += [OVER_SEEDS] if tables or "<!-- table " in what_we_see else []
    blocks += ["## How it was made"]
    blocks += [_made(name, content) for name, content in contents.items() if _has_made(content)]
    shown = [_picture(name) for name in pictures if f"]({name})\n" not in what_we_see]
    blocks += ["## Picture files", *shown] if shown else []
    return "\n\n".join(blocks) + "\n"


def _title(folder: str) -> str:
    subject, _, scale = folder.partition("-")
    if folder in SUBJECTS or subject not in SUBJECTS:
        return SUBJECTS.get(folder, folder)
    return f"{SUBJECTS[subject]}, scale {scale}"


def _tables(folder: str, contents: dict[str, dict], shown: str) -> Iterator[str]:
    """Heading and table of every panel and scorer that no marker of `shown` names."""
    for name, content in contents.items():
        for panel, kept in content.get("panels", {}).items():
            for scorer, found in kept.get("scorers", {}).items():
                if _is_shown(f"{panel}/{scorer}", f"{folder}/{name}", shown):
                    continue
                yield f"### {_heading(panel, scorer, content)}: `{name}`"
                yield Table.from_json(found["table"]).markdown()


def _is_shown(place: str, file: str, text: str) -> bool:
    markers = [line for line in text.splitlines() if line.startswith(f"<!-- table {place} ")]
    return any(file in marker.split() for marker in markers)


def _heading(panel: str, scorer: str, content: dict) -> str:
    return content.get("title") or (panel if scorer == "table" else f"{panel}, {scorer}")


def _has_made(content: dict) -> bool:
    return bool({"command", "about", "what"} & content.keys())


def _made(name: str, content: dict[str, Any]) -> str:
    """The command, commit, machine and versions behind one file."""
    facts = [f"commit {content['commit']}"] if "commit" in content else []
    facts += [str(content["device"])] if "device" in content else []
    versions = content.get("versions", {})
    facts += [", ".join(f"{package} {version}" for package, version in versions.items())]
    facts += [f"finished {content['finished']}"] if "finished" in content else []
    blocks = [f"### `{name}`", content.get("about") or content.get("what")]
    commands = list(_commands(content))
    blocks += ["\n".join(["```", *commands, "```"])] if commands else []
    said = "; ".join(filter(None, facts))
    blocks += [f"{said[0].upper()}{said[1:]}."] if said else []
    return "\n\n".join(filter(None, blocks))


def _commands(content: dict[str, Any]) -> Iterator[str]:
    """The command of a file, then those of rows that were made by another."""
    if "command" in content:
        yield content["command"]
    rows = content.get("rows", {})
    for name, row in rows.items() if isinstance(rows, dict) else ():
        for facts in row.get("facts", {}).values():
            if "command" in facts:
                yield f"# {name}, commit {facts['commit']}\n{facts['command']}"


def _picture(name: str) -> str:
    return f"![{name.removesuffix('.png')}]({name})\n\n*{name}*"
