"""Chooses HELD_SHARE: how much of a coarse pixel's block must be visible for it to be held.

python -m experiments.exp3_inpainting.held_share --datasets=digits
python -m experiments.exp3_inpainting.held_share --scale=cpu --datasets=lfw --image_dir=lfw.zip

Multi-grid is trained as in experiment 3, but for a tenth of the training images. It fills those
under the three masks. No test image is read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments.comparison import entries
from experiments.exp3_inpainting.__main__ import SETTINGS
from experiments.exp3_inpainting.tables import MASKS, SEED_OF_MASKS
from mgconv.cli.shared.flags import (
    SHARED_FIELDS,
    define_config_flags,
    given_settings,
    one_budget,
)
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.datasets.table import load_held_out, load_split
from mgconv.errors import UserError, choose
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.tables import Table
from mgconv.training.compare import Entry, has_failed, train_or_reuse

OUT = "runs/held_share"
HELD_OUT = 0.1  # of the training images
# of equal ones the first is chosen, which holds less
SHARES = {"the whole block": 1.0, "3/4": 0.75, "1/2": 0.5, "1/4": 0.25, "any pixel": 1e-3}
OBJECTIVES = ("conditional", "generative")


def define_flags(values) -> None:
    """Flags of this program besides those of Config."""
    flags.DEFINE_list("datasets", ["digits"], "data sets of the images", flag_values=values)
    flags.DEFINE_integer("num_filled", 128, "most images to fill", 8, flag_values=values)
    names = [name for name in SHARED_FIELDS if name not in ("held_out", "classes", "objective")]
    define_config_flags(values, names, SETTINGS)


def run(values) -> None:
    """Trains, fills by every share, writes results.json."""
    from mgconv.io.files import write_json
    from mgconv.training.provenance import hide_paths, provenance

    given = given_settings(values)
    scale = choose("scale", given.get("scale", "quick"), SETTINGS)
    settings = one_budget(SETTINGS[scale] | {"scale": scale, "held_out": HELD_OUT} | given)
    folder = Path(settings.pop("out", OUT))
    plans = {
        name: _models(folder / name, settings | {"dataset": name})
        for name in values["datasets"].value
    }
    start_tensorflow(given.get("devices"))
    panels, errors = {}, {}
    for name, models in plans.items():
        config = models["generative"].config
        training, held = load_split(config), load_held_out(config)
        lost = [m for m, entry in models.items() if has_failed(train_or_reuse(entry, training))]
        if lost:
            raise UserError(f"No model of {name}", f"{lost} diverged", "Give another --seed.")
        pixels = held.some(values["num_filled"].value)
        errors[name] = {m: _errors(entry, pixels) for m, entry in models.items()}
        panels[name] = {"scorers": {"error": {"table": _table(errors[name]).to_json()}}}
        chosen = choose_share(list(errors.values()))
        content = {"chosen": SHARES[chosen], "panels": panels, "settings": settings}
        write_json(folder / "results.json", hide_paths(content) | provenance())
        print(_table(errors[name]).markdown(), flush=True)
    print(f"Chosen: {chosen}. Results: {folder / 'results.json'}", flush=True)


def _models(folder: Path, settings: dict[str, Any]) -> dict[str, Entry]:
    """Multi-grid by each objective."""
    models = {}
    for name in OBJECTIVES:
        own = {"multigrid": {"objective": name}}
        models[name] = entries(folder / name, {"multigrid": None}, settings, own)["multigrid"]
    return models


def _errors(entry: Entry, pixels: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Mask -> share -> the error of each image, [N], as table 4 has it."""
    import mgconv
    from mgconv.evaluation.inpainting import composite, hide, measure

    found: dict[str, dict[str, np.ndarray]] = {mask: {} for mask in MASKS}
    for share, value in SHARES.items():
        model = mgconv.load(entry.folder)
        model.learner.held_share = value  # before its chains are traced
        for mask, draw in MASKS.items():
            visible = draw(len(pixels), pixels.shape[1], SEED_OF_MASKS)
            filled = model.inpaint(hide(pixels, visible), visible, entry.config.seed)
            done = composite(filled, pixels, visible)
            found[mask][share] = measure(done, pixels, visible).error
    return found


def _of_images(errors: dict[str, dict[str, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Share -> error of each image, mean over models and masks."""
    cases = [by_share for by_mask in errors.values() for by_share in by_mask.values()]
    return {share: np.mean([case[share] for case in cases], axis=0) for share in SHARES}


def choose_share(panels: list[dict]) -> str:
    """The share of the smallest error, over that of whole blocks, mean over data sets."""
    ratios = []
    for errors in panels:
        means = {share: values.mean() for share, values in _of_images(errors).items()}
        ratios.append({share: mean / means["the whole block"] for share, mean in means.items()})
    return min(SHARES, key=lambda share: np.mean([ratio[share] for ratio in ratios]))


def _table(errors: dict[str, dict[str, dict[str, np.ndarray]]]) -> Table:
    """A row a share: errors by model and mask, their mean, and that above the best ± its error."""
    records, overall = [], _of_images(errors)
    best = overall[choose_share([errors])]
    for share in SHARES:
        for model, by_mask in errors.items():
            records += [
                Record(share, f"{model}, {mask}", float(case[share].mean()))
                for mask, case in by_mask.items()
            ]
        above = overall[share] - best
        error = float(above.std(ddof=1) / len(above) ** 0.5)
        records.append(Record(share, "mean", float(overall[share].mean())))
        records.append(Record(share, "above the best", float(above.mean()), error))
    names = [f"{model}, {mask}" for model in errors for mask in MASKS]
    columns = [Column(name, ("{:.4f}",)) for name in (*names, "mean", "above the best")]
    return Table(tuple(columns), tuple(records), "held where visible")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
