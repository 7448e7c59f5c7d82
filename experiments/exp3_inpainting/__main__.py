"""Experiment 3: fill hidden pixels under three masks; table 4 and figure 6 of the paper.

python -m experiments.exp3_inpainting
python -m experiments.exp3_inpainting --scale=cpu --dataset=lfw --image_dir=lfw.zip
"""

import dataclasses
from pathlib import Path

from absl import flags

from experiments.paper import TABLE_4
from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    compared_methods,
    define_config_flags,
    given_settings,
    one_budget,
    suffix_of,
)
from mgconv.cli.shared.jobs import asked_place, define_jobs_flags, train_at_once, train_only
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.table import load_split
from mgconv.errors import UserError, choose

PROGRAM = "experiments.exp3_inpainting"
OUT = "runs/exp3"
SETTINGS = {
    "quick": {"minutes": 0.2},
    "cpu": {"minutes": 5.0, "grids": (1, 4, 16, 32)},
    "full": {},
}
ASKED = {"quick": (64, 2), "cpu": (1000, 8), "full": (1000, 8)}  # test images, chains
# test images that stood in a table before HELD_SHARE was adopted: filled no more. Of photos it was
# all of them, and there are no others.
NUM_SEEN = {"digits": 64, "lfw": 512}
DATASETS = {"quick": ("digits", "photos"), "cpu": ("lfw",), "full": ("celeb_a",)}


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("datasets", None, "data sets of the images to fill [quick digits,photos; "
                      "cpu lfw; full celeb_a]", flag_values=values)  # fmt: skip
    flags.DEFINE_list("methods", list(TABLE_4["error"]), "methods to compare", flag_values=values)
    flags.DEFINE_integer("num_test", None, "most test images to fill [quick 64; else 1000]", 8,
                         flag_values=values)  # fmt: skip
    flags.DEFINE_integer("num_chains", None, "chains an image, whose mean is measured too "
                         "[quick 2; else 8]", 2, flag_values=values)  # fmt: skip
    flags.DEFINE_bool("generative", True, "also fill by a multi-grid model trained as in "
                      "experiment 1", flag_values=values)  # fmt: skip
    define_jobs_flags(values, "models")
    define_config_flags(values, SHARED_FIELDS, SETTINGS)


def run(values) -> None:
    """Trains every system on hidden squares, fills test images, writes results and the report."""
    from experiments.comparison import end, parts
    from mgconv.io.files import write_json
    from mgconv.reporting.report import Report
    from mgconv.training.provenance import hide_paths, provenance

    methods = compared_methods(values["methods"].value, TABLE_4["error"])
    given = given_settings(values)
    scale = choose("scale", given.get("scale", "quick"), SETTINGS)
    settings = one_budget(SETTINGS[scale] | {"scale": scale, "objective": "conditional"} | given)
    folder = Path(settings.pop("out", None) or f"{OUT}/{scale}")
    if settings.get("classes") == "each":
        raise UserError("One model fills", "--classes=each", "Give all, or classes for it.")
    asked = values["datasets"].value or ([settings["dataset"]] if "dataset" in settings else None)
    suffix = suffix_of(asked)
    asked_place(values)
    start_tensorflow(given.get("devices"))
    panels = {  # what is wrong with any of them is reported before hours of training
        name: prepare(folder / name, methods, settings | {"dataset": name}, values)
        for name in asked or DATASETS[scale]
    }
    trainings = {}
    for name, (systems, training, _) in panels.items():
        trainings |= parts(systems, training, name)
    if train_only(values, trainings):
        return
    train_at_once(values, PROGRAM, trainings, folder)
    report = Report(folder, "Experiment 3: inpainting", suffix)
    report.made_by(provenance())
    kept = {}
    for name, panel in panels.items():
        kept[name] = run_panel(name, *panel, values, folder / name, report)
        results = hide_paths({"settings": settings, "panels": kept}) | provenance()
        write_json(folder / f"results{suffix}.json", results)
        page = report.write()
    end(page, kept)


def prepare(folder: Path, methods, settings: dict, values) -> tuple[dict, ImageSet, ImageSet]:
    """The systems of one data set, its training and its test images."""
    from experiments.comparison import entries
    from mgconv.training.compare import Entry

    systems = entries(folder, dict.fromkeys(methods), settings)
    config = systems["multigrid"].config
    if values["generative"].value:
        generative = dataclasses.replace(config, objective="generative")
        systems["multigrid, generative"] = Entry(generative, folder / "multigrid-generative")
    return systems, load_split(config), load_split(config, "test")


def run_panel(name: str, systems, training, test, values, folder: Path, report) -> dict:
    """One data set: trains, fills, adds table 4 and figure 6 to the report."""
    from experiments.comparison import alarm
    from experiments.exp3_inpainting.tables import add_panel, fill_all
    from mgconv.training.compare import has_failed, train_or_reuse

    config = systems["multigrid"].config
    facts = {method: train_or_reuse(entry, training) for method, entry in systems.items()}
    learned = {m: entry.folder for m, entry in systems.items() if not has_failed(facts[m])}
    alarm(report, facts, f" on {name}")
    num, num_chains = ASKED[config.scale]
    num, num_chains = values["num_test"].value or num, values["num_chains"].value or num_chains
    unseen = test.pixels[NUM_SEEN.get(name, 0) :]
    filled = fill_all(learned, unseen[:num], num_chains, config.seed, folder / "filled")
    return {
        "config": dataclasses.asdict(config), "models": facts,
        **add_panel(report, name, filled, facts, config),
    }  # fmt: skip


if __name__ == "__main__":
    main(run, define_flags, __doc__)
