"""Table 4 and figure 6: every system fills the same holes; measures paired over images."""

import functools
import importlib.util
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments import paper
from mgconv import masks
from mgconv.evaluation.inpainting import (
    Biharmonic,
    Diffusion,
    Inpainting,
    MeanColor,
    composite,
    hide,
    measure,
)
from mgconv.io.files import replacing
from mgconv.langevin import derived_seed
from mgconv.recipes import TITLES
from mgconv.reporting.cells import Column, Record
from mgconv.reporting.pictures import labeled_strips
from mgconv.reporting.tables import COST, Table, cost_records
from mgconv.training.compare import has_failed

MASKS = {"square": masks.square, "doodle": masks.doodle, "pepper": masks.pepper}
WORDS = TITLES | {
    "multigrid, generative": "Multi-grid, generative",
    "multigrid, top grid": "Multi-grid, coarse grids skipped", "mean": "Visible mean color",
    "diffusion": "Neighbor diffusion", "biharmonic": "Biharmonic surface",
}  # fmt: skip
ABOUT = (
    "Error: mean absolute difference of hidden pixels on [0, 1]. PSNR of hidden pixels on [0, 1]; "
    "6.02 less on [-1, 1] with peak 1, which by arithmetic seems to be the project page's. Mean "
    "over images; in brackets the mean difference to multi-grid over the same images ± its "
    "standard error. Whole-image measures flatter: most of an image is known."
)
FIGURE_6 = "Figure 6. Look for: filled regions that fit what is around them, and no seam."
NUM_SHOWN = 12
SEED_OF_MASKS = 7
FORMAT = 2  # of what is kept: another where a system fills in another way


class Filled(NamedTuple):
    """What one system made of the holes of one mask."""

    first: np.ndarray  # uint8 [N, S, S, C], of one chain
    one: Inpainting
    mean: Inpainting  # of the mean of several chains
    spread: np.ndarray  # uint8 [NUM_SHOWN, S, S, 1], where the chains disagree


def fill_all(
    learned: dict[str, Path], pixels: np.ndarray, num_chains: int, seed: int, folder: Path
) -> dict:
    """(mask, row) -> Filled, with `original` and `masked` images beside.

    The hidden pixels are overwritten before any system is asked. What a system filled is kept in
    `folder` by its weights and images: an interrupted table resumes.
    """
    visible = {m: draw(len(pixels), pixels.shape[1], SEED_OF_MASKS) for m, draw in MASKS.items()}
    masked = {m: np.where(known, pixels, 128).astype(np.uint8) for m, known in visible.items()}
    found = {"original": pixels, "masked": masked, "filled": {}}
    asked = f"{FORMAT} {zlib.crc32(np.ascontiguousarray(pixels)):08x} {num_chains} {seed}"
    asked += f" {SEED_OF_MASKS}"
    for name, (weights, make) in _systems(learned).items():
        make = functools.cache(make)  # loaded once, and only where something is not kept
        for mask, known in visible.items():
            print(f"{mask}: {len(pixels)} images, {WORDS[name]}", flush=True)
            path, key = folder / f"{mask}-{name.replace(', ', '-')}.npz", f"{asked} {weights}"
            filled = _kept(path, key)
            if filled is None:
                filled = _fill(make(), pixels, known, num_chains, seed)
                _keep(path, key, filled)
            found["filled"][mask, name] = filled
    return found


def _systems(learned: dict[str, Path]) -> dict:
    """Row -> (key of its weights, maker) of a system: controls, then what was trained."""
    import mgconv
    from mgconv.evaluation.synthesis import weights_key

    systems = {"mean": ("", MeanColor), "diffusion": ("", Diffusion)}
    if importlib.util.find_spec("skimage"):
        systems["biharmonic"] = ("", Biharmonic)
    systems |= {m: (weights_key(f), lambda f=f: mgconv.load(f)) for m, f in learned.items()}
    if "multigrid" in learned:
        key, load = systems["multigrid"]
        systems["multigrid, top grid"] = (key, lambda: load().top_grid_alone())
    return systems


def _kept(path: Path, key: str) -> Filled | None:
    """What was filled before, if it was the same."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["key"]) != key:
                return None
            one, mean = (Inpainting(*kept[name]) for name in ("one", "mean"))
            return Filled(kept["first"], one, mean, kept["spread"])
    except Exception:  # none there, or broken: NumPy and zipfile raise nearly anything
        return None


def _keep(path: Path, key: str, filled: Filled) -> None:
    measures = {"one": np.stack(filled.one), "mean": np.stack(filled.mean)}
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez(file, key=key, first=filled.first, spread=filled.spread, **measures)


def _fill(system, pixels, visible, num_chains, seed) -> Filled:
    masked = hide(pixels, visible)
    num_chains = num_chains if system.is_random else 1
    total, squares, first = 0.0, 0.0, None
    for chain in range(num_chains):
        x = system.inpaint(masked, visible, derived_seed(seed, chain))
        first = x if first is None else first
        total, squares = total + x, squares + x[:NUM_SHOWN] ** 2
    mean = total / num_chains
    variance = (squares / num_chains - mean[:NUM_SHOWN] ** 2).mean(axis=-1, keepdims=True)
    done = composite(first, pixels, visible)
    spread = np.rint(255 * np.sqrt(np.maximum(variance, 0)).clip(0, 1)).astype(np.uint8)
    averaged = composite(mean, pixels, visible)
    return Filled(done, measure(done, pixels, visible), measure(averaged, pixels, visible), spread)


def add_panel(report, dataset: str, found: dict, facts: dict, config) -> dict:
    """Table 4, figure 6 with where chains disagree; returns what results.json keeps."""
    num = len(found["original"])
    report.heading(f"{dataset}: {num} test images at {config.size} x {config.size}")
    report.text(ABOUT)
    kept = {}
    for mask in MASKS:
        rows = {name: f for (m, name), f in found["filled"].items() if m == mask}
        table = _table(rows, facts, mask, config.seed)
        report.heading(f"{dataset}, {mask}")
        report.table(table)
        kept[mask] = {"table": table.to_json(), "rows": {n: _numbers(f) for n, f in rows.items()}}
        strips = {"original": found["original"], "masked": found["masked"][mask]}
        strips |= {WORDS[name]: filled.first for name, filled in rows.items()}
        if "multigrid" in rows:
            strips["where multi-grid's chains disagree"] = rows["multigrid"].spread
        strips = {name: images[:NUM_SHOWN] for name, images in strips.items()}
        picture = labeled_strips(strips, NUM_SHOWN, 48)
        report.figure(f"{dataset}-6-{mask}", picture, f"{mask}: {FIGURE_6}")
    return {"scorers": kept}


def _numbers(filled: Filled) -> dict:
    def means(measures):
        return {name: float(values.mean()) for name, values in measures._asdict().items()}

    return {"one": means(filled.one), "mean": means(filled.mean)}


COLUMNS = (
    Column("error", ("{:.3f}", " ({error against multi-grid:+.3f})")),
    Column("PSNR", ("{:.2f}", " ({PSNR against multi-grid:+.2f})")),
    Column("PSNR on [-1, 1]", ("{:.2f}",)),
    Column("error, mean of chains", ("{:.3f}",)),
    Column("PSNR, mean of chains", ("{:.2f}",)),
    Column("whole PSNR", ("{:.2f}",)),
    Column("whole SSIM", ("{:.3f}",)),
    COST,
    Column("project page: error", ("{reported error:.3f}",), "paper"),
    Column("project page: PSNR", ("{reported PSNR:.2f}",), "paper"),
)


def _table(rows: dict[str, Filled], facts: dict, mask: str, seed: int) -> Table:
    ours = rows["multigrid"].one if "multigrid" in rows else None
    records = []
    for name, filled in rows.items():
        records += _records(name, filled, ours, seed)
        records += _reported(name, mask, seed)
        records += cost_records(WORDS[name], facts.get(name), seed)
    failed = [WORDS[name] for name, spent in facts.items() if has_failed(spent)]
    records += [Record(name, "error", "diverged", seed=seed) for name in failed]
    return Table(COLUMNS, tuple(records))


def _records(name: str, filled: Filled, ours: Inpainting | None, seed: int) -> list[Record]:
    """Means over images; differences to multi-grid over the same images ± their standard error."""
    one, mean = filled.one, filled.mean
    values = {
        "error": one.error, "PSNR": one.psnr, "PSNR on [-1, 1]": one.psnr_of_the_page,
        "error, mean of chains": mean.error, "PSNR, mean of chains": mean.psnr,
        "whole PSNR": one.whole_psnr, "whole SSIM": one.whole_ssim,
    }  # fmt: skip
    records = [Record(WORDS[name], n, float(x.mean()), seed=seed) for n, x in values.items()]
    if ours is None or one is ours:
        return records
    for quantity, ours_too in (("error", ours.error), ("PSNR", ours.psnr)):
        paired = values[quantity] - ours_too
        error = float(paired.std(ddof=1) / len(paired) ** 0.5)
        against = f"{quantity} against multi-grid"
        records.append(Record(WORDS[name], against, float(paired.mean()), error, seed))
    return records


def _reported(name: str, mask: str, seed: int) -> list[Record]:
    place = list(MASKS).index(mask)
    return [
        Record(WORDS[name], f"reported {kind}", figures[name][place], seed=seed)
        for kind, figures in paper.TABLE_4.items()
        if name in figures
    ]
