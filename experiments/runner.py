"""Systems to compare: train each or reuse it, and gather what it cost."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.common import config_for
from experiments.report import Report
from experiments.train import learn_each, report
from mgconv.config import METHODS, Config, UserError


@dataclass(frozen=True)
class Entry:
    """One system of a comparison: a run folder and what is learned in it."""

    config: Config
    folder: Path
    classes: tuple[str, ...] | None = None  # with a model a class: the ones to learn


def entries(
    folder: Path, methods: dict[str, tuple[str, ...] | None], settings: dict[str, Any]
) -> dict[str, Entry]:
    """An entry a method, in sub-folders of `folder`.

    Args:
        folder: of the comparison.
        methods: method -> the classes to learn a model of each, or None for all.
        settings: fields of Config that all share.
    """
    return {
        method: Entry(config_for(**settings | {"method": method}), folder / method, classes)
        for method, classes in methods.items()
    }


def train_or_reuse(entry: Entry, images) -> dict[str, dict]:
    """Learns what is not learned yet; returns updates, seconds, parameters of each model by class.

    A method that diverged is a row as well: {"failed": {"failed": what happened}}.
    """
    from mgconv.guard import DivergenceError
    from mgconv.learning import learn

    print(f"{entry.folder}: learning or reusing", flush=True)
    try:
        if entry.config.classes == "each" and entry.config.method in METHODS:
            return learn_each(entry.config, images, entry.folder, entry.classes)
        learner, seconds = learn(*_conditional(entry, images), entry.folder)
        return {"all": report(entry.folder, learner, seconds)}
    except DivergenceError as error:
        print(error, flush=True)
        return {"failed": {"failed": str(error)}}


def _conditional(entry: Entry, images):
    """Config and images of one net for all classes: it gets the budget of a model for each."""
    from mgconv.datasets import labels_of

    if entry.config.classes != "each":
        return entry.config, images
    names = entry.classes or images.class_names
    images = images.only(labels_of(names, images.class_names))
    budget = {"num_updates": entry.config.num_updates * len(names)}
    if entry.config.minutes:
        budget["minutes"] = entry.config.minutes * len(names)
    return dataclasses.replace(entry.config, **budget), images


def has_failed(facts: dict[str, dict]) -> bool:
    """Whether `train_or_reuse` has no model to show."""
    return "failed" in facts


def failures(models: dict[str, dict[str, dict]]) -> list[str]:
    """What happened to the multi-grid models, the headline, that `train_or_reuse` could not make.

    A baseline that diverges is a result; an experiment without its headline has not worked.
    """
    headline = {name: facts for name, facts in models.items() if name.startswith("multigrid")}
    return [facts["failed"]["failed"] for facts in headline.values() if has_failed(facts)]


def alarm(report: Report, models: dict[str, dict[str, dict]], where: str = "") -> None:
    """Says first of all in the report that its headline failed, where it did."""
    if seen := failures(models):
        report.alarm(f"Multi-grid failed{where}. {' '.join(seen)}")


def end(page: Path, panels: dict[str, dict]) -> None:
    """Says where the report is; a UserError, so exit code 1, where a panel has no headline.

    Args:
        page: of the report.
        panels: name -> what is kept of it, its "models" among that.
    """
    print(f"Report: {page}", flush=True)
    failed = {name: failures(kept["models"]) for name, kept in panels.items()}
    found = "; ".join(f"{name}: {' '.join(seen)}" for name, seen in failed.items() if seen)
    if found:
        remedy = "The report has all the rest; the same command reuses it."
        raise UserError("Multi-grid failed", found, remedy)


def cost(facts: dict[str, dict]) -> str:
    """Number of models, updates and seconds of each on average, as a table's cell."""
    if has_failed(facts):
        return "diverged"
    updates = sum(row["updates"] for row in facts.values()) / len(facts)
    seconds = sum(row["seconds"] for row in facts.values()) / len(facts)
    rollbacks = sum(row.get("rollbacks", 0) for row in facts.values())
    told = f", rollbacks: {rollbacks}" if rollbacks else ""
    return f"{len(facts)} x {updates:.0f} / {seconds:.0f} s{told}"


def parameters(facts: dict[str, dict]) -> str:
    """Parameters of a model, as a table's cell."""
    if has_failed(facts):
        return "-"
    return f"{sum(next(iter(facts.values()))['parameters'].values()):,}"
