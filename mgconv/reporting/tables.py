"""Tables as Markdown, and their cells."""

import re

import numpy as np

from mgconv.training.compare import has_failed


def cost(facts: dict[str, dict]) -> str:
    """Number of models, updates and seconds of each on average, as a table's cell."""
    if has_failed(facts):
        return "diverged"
    updates = sum(row["updates"] for row in facts.values()) / len(facts)
    seconds = sum(row["seconds"] for row in facts.values()) / len(facts)
    rollbacks = sum(row.get("rollbacks", 0) for row in facts.values())
    rollback_count = f", rollbacks: {rollbacks}" if rollbacks else ""
    return f"{len(facts)} x {updates:.0f} / {seconds:.0f} s{rollback_count}"


def parameters(facts: dict[str, dict]) -> str:
    """Parameters of a model, as a table's cell."""
    if has_failed(facts):
        return "-"
    return f"{sum(next(iter(facts.values()))['parameters'].values()):,}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """The table as Markdown, numbers to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


NUMBER = re.compile(r"((?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")


def join(cells: tuple[str, ...]) -> str:
    """One cell of several runs: each number that differs becomes mean ± standard deviation.

    What a run says of its own uncertainty gives way to the spread over runs.
    """
    if len(set(cells)) > 1:
        cells = tuple(re.sub(r" ± \d+(\.\d+)?", "", cell) for cell in cells)
    pieces = [NUMBER.split(cell) for cell in cells]
    if len({tuple(piece[::2]) for piece in pieces}) > 1:  # other words around the numbers
        return "; ".join(cells)
    return "".join(map(_join_piece, zip(*pieces)))


def _join_piece(versions: tuple[str, ...]) -> str:
    if len(set(versions)) == 1:
        return versions[0]
    numbers = np.array([float(version) for version in versions])
    if any("e" in version for version in versions):
        return f"{numbers.mean():.4g} ± {numbers.std(ddof=1):.4g}"
    decimals = max(len(version.partition(".")[2]) for version in versions)
    sign = "+" if any(version.startswith("+") for version in versions) else ""
    return f"{numbers.mean():{sign}.{decimals}f} ± {numbers.std(ddof=1):.{decimals}f}"
