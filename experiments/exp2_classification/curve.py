"""Error of features against the number of updates: does training help, and for how long?

python -m experiments.exp2_classification.curve --dataset=svhn_cropped --data_dir=/data/tfds \
    --scale=cpu --updates=0,200,1000,3000 --seed=0 --out=results/features/seed0.json

A run is trained to each number of updates in turn, and its features are judged by an L2-SVM on
training digits outside the labels: of the top grid, and of all grids. An interrupted program
resumes. No test digit is read.
"""

import dataclasses
import functools
import zlib
from pathlib import Path

from absl import flags

from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    config_for,
    define_config_flags,
    define_path,
    given_settings,
)
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError
from mgconv.evaluation.reading import GRIDS, Reading

UPDATES = ("0", "200", "1000", "3000", "10000")


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("updates", list(UPDATES), "numbers of updates", flag_values=values)
    flags.DEFINE_integer("num_labels", 1000, "labels of a draw", 2, flag_values=values)
    flags.DEFINE_integer("num_draws", 3, "draws of labels", 2, flag_values=values)
    define_path("run", None, "folder of the run; else runs/features/seedSEED",
                flag_values=values)  # fmt: skip
    names = [n for n in SHARED_FIELDS if n not in ("classes", "num_updates", "minutes")]
    define_config_flags(values, names)
    values["out"].help = "JSON file of the curve; else curve.json in the folder of the run"


def run(values) -> None:
    """Trains and judges by turns; writes the curve after each, prints it as a table."""
    given = given_settings(values)
    updates = _numbers(values["updates"].value)
    out = given.pop("out", None)
    config = config_for(**{"split": "all"} | given)
    folder = Path(values["run"].value or f"runs/features/seed{config.seed}")
    path = Path(out or folder / "curve.json")
    start_tensorflow(given.get("devices"))
    from experiments.exp2_classification.validation import Judge
    from mgconv.datasets.table import load_split
    from mgconv.io.files import write_json
    from mgconv.training.provenance import provenance

    observed = load_split(config)
    features = _Features(config, folder, observed, training := load_split(config, "train"))
    name = f"{zlib.crc32(str(config.identity()).encode()):08x}"
    judge = Judge(training, values["num_labels"].value, folder / f"errors-{name}.json")
    draws, points = range(values["num_draws"].value), []
    for num in updates:
        for grids in GRIDS:
            make = functools.partial(features.after, num, Reading(grids))
            errors = judge.error(f"{num} updates, {grids}", make, True, draws)
            points.append({"updates": num, "grids": grids, "errors": list(errors)})
            print(f"{num} updates, {grids}: {errors.mean():.1%}", flush=True)
        table = _table(points, config.seed)
        panels = {"curve": {"scorers": {"svm": {"table": table.to_json()}}}}
        facts = {"config": dataclasses.asdict(config), "points": points, "panels": panels}
        write_json(path, facts | provenance())
    print(table.markdown())


def _numbers(texts: list[str]) -> list[int]:
    try:
        numbers = sorted({int(text) for text in texts})
    except ValueError:
        numbers = [-1]
    if not numbers or numbers[0] < 0:
        found = ",".join(texts)
        raise UserError("--updates is no list of numbers from 0 up", found, "Give 0,200,1000.")
    return numbers


class _Features:
    """Features of one run after any number of updates; asked for in rising order, it trains on."""

    def __init__(self, config, folder, observed, training):
        self._config, self._folder = config, folder
        self._observed, self._training = observed, training
        self._known = None, None, None

    def after(self, num: int, reading: Reading):
        """Float32 [N, D], of the training digits.

        Raises:
            UserError: the run has had more updates.
        """
        from mgconv.evaluation.features import all_maps, extract, parts_of
        from mgconv.evaluation.frozen import NUM_FROZEN, freeze
        from mgconv.evaluation.reading import select

        if self._known[0] != num:
            model = self._model(num)
            freeze(model.grid_features, model.norms, self._observed.some(NUM_FROZEN))
            table = extract(all_maps(model), self._training.pixels)
            self._known = num, table, parts_of(model, self._training.pixels.shape[1:])
        return select(*self._known[1:], reading)

    def _model(self, num):
        import mgconv
        from mgconv.models import untrained
        from mgconv.training.fit import learn, report

        if not num:
            return untrained(self._config, self._observed)
        config = dataclasses.replace(self._config, num_updates=num, minutes=None)
        learner, seconds = learn(config, self._observed, self._folder)
        if int(learner.update_count) != num:
            found = f"{int(learner.update_count)} updates, {num} are asked for"
            raise UserError(f"The run in {self._folder} has had", found, "Choose another --run.")
        report(self._folder, learner, seconds)
        return mgconv.load(self._folder)


def _table(points: list[dict], seed: int):
    import numpy as np

    from mgconv.reporting.cells import Column, Record
    from mgconv.reporting.tables import Table

    records = [
        Record(str(x["updates"]), x["grids"], float(np.mean(x["errors"])),
               float(np.std(x["errors"], ddof=1)), seed)
        for x in points
    ]  # fmt: skip
    headings = {"top": "top grid", "all": "all grids"}
    columns = [Column(headings[grids], (f"{{{grids}:.1%}}",)) for grids in GRIDS]
    return Table(tuple(columns), tuple(records), "updates")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
