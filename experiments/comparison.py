"""Systems to compare: train each or reuse it, and gather what it cost."""

import functools
from pathlib import Path
from typing import Any

from mgconv.cli.shared.flags import config_for
from mgconv.cli.shared.jobs import Part
from mgconv.datasets.image_set import ImageSet
from mgconv.errors import UserError
from mgconv.reporting.report import Report
from mgconv.training.compare import Entry, has_failed, parts_of, train_or_reuse


def entries(
    folder: Path,
    methods: dict[str, tuple[str, ...] | None],
    settings: dict[str, Any],
    own: dict[str, dict[str, Any]] | None = None,
) -> dict[str, Entry]:
    """An entry a method, in sub-folders of `folder`.

    Args:
        folder: of the comparison.
        methods: method -> the classes to train a model of each, or None for all.
        settings: fields of Config that all share.
        own: method -> fields of Config that it does not share.
    """
    own = own or {}
    return {
        method: Entry(
            config_for(**settings | own.get(method, {}) | {"method": method}),
            folder / method,
            classes,
        )
        for method, classes in methods.items()
    }


def parts(systems: dict[str, Entry], images: ImageSet, prefix: str = "") -> dict[str, Part]:
    """The trainings of systems that can run at once, by names that begin with a prefix."""
    found = {}
    for system, entry in systems.items():
        for place, own in parts_of(entry, images).items():
            name = "/".join(word for word in (prefix, system, place) if word)
            found[name] = Part(own.folder / place, functools.partial(train_or_reuse, own, images))
    return found


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
