"""What is tried before experiment 1, the same number of settings a method, and what was chosen."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mgconv.io.files import read_json
from mgconv.recipes import METHODS

RECORDS = Path(__file__).parents[2] / "results" / "trials"

Settings = dict[str, Any]

# The first of each is the recipe, or the publication. `noise_coarse` is the noise of the coarsest
# grid's network over --noise; `modern` gives the methods of one grid the same noise, 33 times the
# top grid's. One-step CD's training chains start from images, and their only step has it all.
TRIED: dict[str, tuple[Settings, ...]] = {
    "multigrid": ({}, {"noise_coarse": 16.0}, {"drift": 0.04}, {"learning_rate": 0.0025}),
    "single_grid": ({}, {"noise_coarse": 10.0}, {"drift": 0.04}, {"learning_rate": 0.0025}),
    "pcd": ({}, {"noise_coarse": 10.0}, {"noise_coarse": 3.0}, {"learning_rate": 0.0025}),
    "cd1": ({}, {"noise_coarse": 10.0}, {"noise_coarse": 3.0}, {"noise_coarse": 1.0}),
}
OF_BASELINE: tuple[Settings, ...] = ({}, *({"rate_factor": x} for x in (0.5, 2.0, 4.0)))
NUM_TRIED = len(OF_BASELINE)


def tried(method: str) -> tuple[Settings, ...]:
    """The settings that are tried of a method."""
    return TRIED.get(method, OF_BASELINE)


def words(settings: Settings) -> str:
    """Settings as a table calls them."""
    return ", ".join(f"{name}={value:g}" for name, value in settings.items()) or "as given"


class Choice(NamedTuple):
    """What trials say of one method."""

    settings: Settings
    about: str  # the settings, and of how many trials


def chosen(
    panel: str, recipe: str, scale: str, given: Iterable[str] = (), folder: Path = RECORDS
) -> dict[str, Choice]:
    """What was chosen of each method that was tried, by the record of a panel's trials.

    Args:
        panel: its name.
        recipe: of the experiment; trials of another one say nothing.
        scale: the same.
        given: settings that a person gives; trials say nothing of them.
        folder: of the records.
    """
    path = record_path(folder, panel)
    content = read_json(path) if path.exists() else {}
    asked = content.get("asked", {})
    if (asked.get("recipe"), asked.get("scale")) != (recipe, scale):
        return {}
    name, unit = ("minutes", "min") if "minutes" in asked else ("num_updates", "updates")
    budget = f"{asked[name]:g} {unit}"
    found = {method: own for method, own in content["chosen"].items() if method in METHODS}
    return {
        method: Choice(own, f"{words(own)}, of {NUM_TRIED} x {budget}")
        for method, own in found.items()
        if not set(own) & set(given)
    }


def record_path(folder: Path, panel: str) -> Path:
    """Where the record of a panel's trials lies."""
    return folder / f"{panel.replace('/', '-')}.json"
