"""Experiment 2's systems that learn from labels and from images without: a run a draw of labels."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.exp2_classification.classification import Classify, Task, results
from mgconv.cli.shared.flags import config_for
from mgconv.config import Config
from mgconv.datasets.few_labels import split_labels
from mgconv.evaluation.errors import error_of, predict
from mgconv.training.compare import Entry
from mgconv.training.fit import learn, report
from mgconv.training.guard import DivergenceError

MOST_DRAWS = {"vat": 10, "vat_entropy": 10, "vat_small": 10}  # of the fewest labels
OTHER_DRAWS = 3
NARROW = {"width": 0.1875}  # 24, 48 and 96 filters
OWN = {"vat": NARROW, "vat_entropy": NARROW, "vat_small": {"width": 1.0}}
ALONE = "_alone"  # ends the name of a row that learned from the labels alone


@dataclass(frozen=True)
class FewDraws(Task):
    """One draw of each number of labels but the fewest: each is a training of its own."""

    def _num_draws(self, num: int) -> int:
        return self.num_draws if num == min(self.nums) else 1


class FewLabels(NamedTuple):
    """A row: a method, or its network trained on the labels alone."""

    task: FewDraws
    config: Config
    folder: Path

    def entry(self, num: int, seed: int) -> Entry:
        """The run of a draw; its labels are those of the task's draw, by the same seed."""
        own = dataclasses.replace(self.config, labels=num, seed=seed)
        return Entry(own, self.folder / f"{num}-{seed}")

    def entries(self) -> dict[str, Entry]:
        """The runs of all draws, by the names of their folders."""
        draws = [(len(self.task.subset(*draw).rows), draw[1]) for draw in self.task.draws]
        found = [self.entry(*draw) for draw in draws]
        return {f"{self.folder.name}/{entry.folder.name}": entry for entry in found}


def few_labels(
    methods: list[str], settings: dict, make_task: Callable[..., FewDraws], most: int, folder: Path
) -> dict[str, FewLabels]:
    """The rows of each method, by name.

    Args:
        methods: those that read labels.
        settings: fields of Config that all systems share.
        make_task: from a number of draws and a folder.
        most: draws of a number of labels.
        folder: of the experiment.
    """
    found = {}
    for name in (row for method in methods for row in (method, method + ALONE)):
        method = name.removesuffix(ALONE)
        task = make_task(min(most, MOST_DRAWS.get(method, OTHER_DRAWS)), folder / "few_labels")
        own = settings | OWN.get(method, {}) | {"method": method, "split": "train"}
        config = config_for(**own | {"unlabeled": name == method})
        found[name] = FewLabels(task, config, folder / name)
    return found


def rows_of(rows: dict[str, FewLabels]) -> tuple[dict[str, list], dict[str, dict]]:
    """Draws of each row, trained and classified; facts of the runs."""
    found, facts = {}, {}
    for name, row in rows.items():
        make = functools.partial(_trained, row)
        try:
            found[name] = results(row.task, name, str(row.config.identity()), make)
        except DivergenceError as error:
            print(error, flush=True)
            facts[name] = {"failed": {"failed": str(error)}}
        else:
            facts[name] = {f"{r['labels']}-{r['draw']}": r["model"] for r in found[name]}
    return found, facts


def _trained(row: FewLabels) -> Classify:
    import mgconv

    task, training = row.task, row.task.training

    def classify(rows: np.ndarray, seed: int):
        entry = row.entry(len(rows), seed)
        learner, seconds = learn(entry.config, training, entry.folder)
        model, split = mgconv.load(entry.folder), split_labels(training, len(rows), seed)
        error = error_of(model, training.at(split.validation), "validation")
        facts = {"validation_error": error, "model": report(entry.folder, learner, seconds)}
        return predict(model, task.test.pixels, "test"), facts

    return classify
