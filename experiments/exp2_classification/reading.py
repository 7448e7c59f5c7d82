"""How maps of a run are best read, searched on training digits alone; its untrained nets beside it.

python -m experiments.exp2_classification.reading --run=runs/exp2/cpu/multigrid

Options are tried one at a time: grids, layers, pooling, signed root, standardized or not, noise on
the images. Trained and untrained nets get the same search. The readings found are then judged on
draws of labels that the search has not seen, alone and beside HOG, where scikit-image is there. No
test digit is read.
"""

import dataclasses
import importlib.util
from pathlib import Path

from absl import flags

from mgconv.cli.shared.checks import check_run
from mgconv.cli.shared.flags import define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.evaluation.reading import Reading, options, search

COLUMNS = ("as published", "best reading", "with HOG")


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_integer("num_labels", 1000, "labels of a draw", 2, flag_values=values)
    flags.DEFINE_integer("num_draws", 3, "draws of labels to search by, and others to judge by", 2,
                         flag_values=values)  # fmt: skip
    define_config_flags(values, ("data_dir", "cache_dir", "out"))
    values["out"].help = "folder of results and of cached maps; else RUN/reading"


def run(values) -> None:
    """Searches, judges, writes results.json and prints a table."""
    folder, given = values["run"].value, given_settings(values)
    out = Path(given.pop("out", None) or Path(folder) / "reading")
    config = dataclasses.replace(check_run(folder, "features")[0], **given)
    num_labels, num_draws = values["num_labels"].value, values["num_draws"].value
    start_tensorflow()
    import mgconv
    from experiments.exp2_classification.validation import fresh
    from mgconv.datasets.table import load_split
    from mgconv.evaluation.synthesis import weights_key
    from mgconv.io.files import write_json
    from mgconv.training.provenance import provenance

    training, observed = load_split(config, "train"), load_split(config)
    systems = {
        "trained": (mgconv.load(folder), weights_key(Path(folder))),
        "untrained": fresh(config, observed),
    }
    task = _Task(training, observed, num_labels, num_draws, out)
    found = {name: task.searched(name, *system) for name, system in systems.items()}
    if task.has_hog:
        found["HOG"] = task.hog_alone()
    table = _table(found, config.seed)
    kept = {"labels": num_labels, "found": found, "config": dataclasses.asdict(config)}
    panels = {"reading": {"scorers": {"svm": {"table": table.to_json()}}}}
    write_json(out / "results.json", kept | {"panels": panels} | provenance())
    print(table.markdown())
    print(f"Error on training digits outside the labels; all that was tried: {out}")


class _Task:
    """Systems are judged by the same digits and draws."""

    has_hog = importlib.util.find_spec("skimage") is not None

    def __init__(self, training, observed, num_labels, num_draws, out):
        self._training, self._observed, self._out = training, observed, out
        self._num_labels = num_labels
        self._searched, self._judged = range(num_draws), range(num_draws, 2 * num_draws)

    def searched(self, name, model, key):
        """The best reading of a system, and the errors of the published one, that one, with HOG."""
        import numpy as np

        from experiments.exp2_classification.validation import Maps

        maps = Maps(model, key, self._training.pixels, self._observed, self._out / "maps")
        judge = self._judge(f"{name}-{key if len(key) < 20 else 'fresh'}")

        def judged(reading, draws, hog=False):
            extra = [self._hog()] if hog else []
            make = lambda: np.concatenate([maps.features(reading), *extra], axis=1)  # noqa: E731
            label = f"{reading}{' with HOG' if hog else ''}"
            errors = judge.error(label, make, reading.standardized, draws)
            print(f"{name}, {label}: {errors.mean():.1%}", flush=True)
            return errors

        tried = search(lambda r: float(judged(r, self._searched).mean()), options(maps.parts))
        best = min(tried, key=tried.__getitem__)
        rows = [judged(Reading(), self._judged), judged(best, self._judged)]
        rows += [judged(best, self._judged, hog=True)] if self.has_hog else []
        return {
            "best": dataclasses.asdict(best), "errors": dict(zip(COLUMNS, map(list, rows))),
            "tried": {str(reading): error for reading, error in tried.items()},
        }  # fmt: skip

    def hog_alone(self):
        """The errors of HOG."""
        errors = self._judge("hog").error("HOG", self._hog, True, self._judged)
        return {"best": {}, "errors": {COLUMNS[2]: list(errors)}}

    def _judge(self, name):
        from experiments.exp2_classification.validation import Judge

        return Judge(self._training, self._num_labels, self._out / "errors" / f"{name}.json")

    def _hog(self):
        from experiments.exp2_classification.classification import hog

        return hog(self._training.pixels)


def _table(found, seed):
    import numpy as np

    from mgconv.reporting.cells import Column, Record
    from mgconv.reporting.tables import Table

    records = []
    for name, kept in found.items():
        plain = dataclasses.asdict(Reading())
        words = [f"{k} {v}" for k, v in kept["best"].items() if plain[k] != v]
        records.append(Record(name, "reading", ", ".join(words) or "-", seed=seed))
        for column, errors in kept["errors"].items():
            spread = float(np.std(errors, ddof=1))
            records.append(Record(name, column, float(np.mean(errors)), spread, seed))
    columns = [Column(name, ("{:.1%}",)) for name in COLUMNS]
    return Table((*columns, Column("reading", ("{}",), "note")), tuple(records), "nets")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
