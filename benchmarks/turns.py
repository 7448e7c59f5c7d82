"""Tasks measured in turn in one run; what was found as a table and as JSON."""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.io.files import write_json
from mgconv.reporting.tables import Table
from mgconv.training.provenance import provenance

OUT = "runs/bench"


def define_flags(values: flags.FlagValues) -> None:
    """--rounds, --out."""
    flags.DEFINE_integer("rounds", 5, "measurements of each, in turn", 1, flag_values=values)
    flags.DEFINE_string("out", OUT, "folder of the tables as JSON", flag_values=values)


def measure(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each task, once a round, after a first call that traces and warms up."""
    for task in tasks.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_memory() -> int:
    """The most bytes that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def spread(values: list[float]) -> str:
    """Median (least .. largest)."""
    low, middle, high = (f"{f(values):.3g}" for f in (min, statistics.median, max))
    return f"{middle} ({low} .. {high})"


def ratios(values: list[float], others: list[float]) -> list[float]:
    """Quotients round by round: what slows a whole round falls out."""
    return [value / other for value, other in zip(values, others)]


def report(
    out: str, name: str, title: str, header: list[str], rows: list[list[str]], **found: Any
) -> None:
    """Prints the table; keeps it with all that was measured in OUT/NAME.json."""
    table = Table.of_cells(header, rows)
    print(f"\n{title}\n\n{table.markdown()}", flush=True)
    panels = {name: {"scorers": {"table": {"table": table.to_json()}}}}
    content = {"title": title, "panels": panels, **found}
    write_json(Path(out) / f"{name}.json", content | provenance())
