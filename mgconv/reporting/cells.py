"""The cells of a table: numbers with their errors and seeds, and formats that print them."""

import math
import statistics
import string
from dataclasses import dataclass

Value = float | str | None

KINDS = ("measured", "note", "paper")  # ours; words or costs of a row; reported by the paper


@dataclass(frozen=True)
class Record:
    """One quantity of one row.

    Args:
        row: name of the row.
        column: name of the quantity.
        value: a number, words, or None for what there is none of.
        error: what the run itself knows of the value's uncertainty.
        seed: of the run; records that differ by it alone are printed as one.
    """

    row: str
    column: str
    value: Value
    error: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Column:
    """How a column prints its records.

    Args:
        heading: of the column.
        parts: format strings that make a cell. `{:.2f}` is the quantity named as the heading,
            `{updates:.0f}` another. A part that lacks one of its quantities is left out; words
            are printed as they are.
        kind: one of KINDS.
    """

    heading: str
    parts: tuple[str, ...] = ("{}",)
    kind: str = "measured"


Line = dict[str, Record]  # quantity -> record: a row of one seed


def print_cell(column: Column, lines: list[Line]) -> str:
    """The cell of a row: records by quantity, a line a seed."""
    words = {_words(column, line) for line in lines}
    if len(words) > 1:  # one seed failed, say: nothing to average
        return "; ".join(dict.fromkeys(print_cell(column, [line]) for line in lines))
    shown = [_part(part, column, lines) for part in column.parts]
    return "".join(filter(None, shown)) or "-"


def _words(column: Column, line: Line) -> tuple[str | bool, ...]:
    """What must be the same for numbers to be averaged: words, and which numbers are there."""
    names = [name for part in column.parts for _, name, _ in _pieces(part, column)]
    values = [_value(line, name) for name in names if name is not None]
    return tuple(value if isinstance(value, str) else value is not None for value in values)


def _part(part: str, column: Column, lines: list[Line]) -> str | None:
    """The part filled in; None where a quantity is missing."""
    text = ""
    for literal, name, spec in _pieces(part, column):
        text += literal
        if name is None:
            continue
        values = [_value(line, name) for line in lines]
        if None in values:
            return None
        text += _print_number([line[name] for line in lines], spec)
    return text


def _pieces(part: str, column: Column) -> list[tuple[str, str | None, str]]:
    """(words before, quantity or None, its format) of a format string."""
    parsed = string.Formatter().parse(part)
    return [
        (literal, column.heading if name == "" else name, spec or "")
        for literal, name, spec, _ in parsed
    ]


def _value(line: Line, name: str) -> Value:
    value = line[name].value if name in line else None
    is_lost = isinstance(value, float) and not math.isfinite(value)
    return None if is_lost else value


def _print_number(records: list[Record], spec: str) -> str:
    """A quantity over seeds: mean ± standard deviation, unless all print alike.

    With errors of its own: mean ± the root of their mean square [standard deviation over seeds].
    """
    found = [record.value for record in records]
    words = [value for value in found if isinstance(value, str)]
    if words:
        return words[0]
    unit, scale = ("%", 100) if spec.endswith("%") else ("", 1)
    spec = spec.replace("%", "f")
    values = [scale * value for value in found if value is not None and not isinstance(value, str)]
    errors = [scale * record.error for record in records if record.error is not None]
    mean, alike = statistics.fmean(values), len({f"{value:{spec}}" for value in values}) == 1
    spread = "" if alike else _print_error(statistics.stdev(values), spec)
    if len(errors) < len(values):
        return f"{mean:{spec}}" + (spread and f" ± {spread}") + unit
    own = math.sqrt(statistics.fmean([error**2 for error in errors]))
    return f"{mean:{spec}} ± {_print_error(own, spec)}" + (spread and f" [{spread}]") + unit


def _print_error(error: float, spec: str) -> str:
    """With the decimals of its number; of significant digits, three."""
    error = float(f"{error:.3g}") if spec.endswith("g") else error
    return f"{error:{spec.lstrip('+')}}"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """The table as Markdown, numbers to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
