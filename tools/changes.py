"""Single changes of a Python file, and a seeded draw of them."""

import ast
import collections
import hashlib
import itertools
from collections.abc import Iterator
from typing import NamedTuple

from tools.edits import Scope, edits


class Change(NamedTuple):
    """One change of one file."""

    file: str
    line: int
    kind: str
    before: str
    after: str
    time: int  # that the file has this very change, from 1
    source: str  # of the whole file with the change

    @property
    def name(self) -> str:
        """What it is called whatever stands in the lines above it."""
        time = f" ({self.time})" if self.time > 1 else ""
        return f"{self.file}: {self.before} -> {self.after}{time}"


def draw(sources: dict[str, str], num: int, seed: int) -> list[Change]:
    """As many changes of each kind, at most one of a kind in a line, in the order of the files.

    Each has a number that its text and the seed decide, and the least of a kind are taken: where a
    file is edited, what was drawn elsewhere stays drawn.

    Args:
        sources: of files, by name.
        num: how many.
        seed: of the draw.
    """

    def number(change):
        return hashlib.sha256(f"{seed} {change.name}".encode()).digest()

    everything = [change for file in sources for change in changes(file, sources[file])]
    lines = {}
    for change in sorted(everything, key=number):
        lines.setdefault((change.file, change.line, change.kind), change)
    places, turns = collections.Counter(), []
    for change in lines.values():
        turns.append((places[change.kind], number(change), change))
        places[change.kind] += 1
    drawn = [change for *_, change in sorted(turns)[:num]]
    return sorted(drawn, key=lambda change: (list(sources).index(change.file), change.line))


def changes(file: str, source: str) -> Iterator[Change]:
    """All changes of a file."""
    whole, times = source.encode(), collections.Counter()
    starts = [0, *itertools.accumulate(map(len, whole.splitlines(keepends=True)))]
    for kind, old, new in edits(ast.parse(source), Scope((), ())):
        begin = starts[old.lineno - 1] + old.col_offset
        end = starts[old.end_lineno - 1] + old.end_col_offset
        before, after = ast.unparse(old), ast.unparse(new)
        if before == after:
            continue
        text = after if isinstance(new, ast.stmt) else f"({after})"
        times[before, after] += 1
        changed = (whole[:begin] + text.encode() + whole[end:]).decode()
        yield Change(file, old.lineno, kind, before, after, times[before, after], changed)
