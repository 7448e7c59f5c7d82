"""Table 4 and figure 6: every system fills the same holes; measures paired over images."""

import functools
import importlib.util
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments import paper as page
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
from mgconv.recipes import TITLES
from mgconv.reporting.pictures import labeled_strips
from mgconv.reporting.tables import cost
from mgconv.training.compare import has_failed

MASKS = {"square": masks.square, "doodle": masks.doodle, "pepper": masks.pepper}
WORDS = TITLES | {
    "multigrid, generative": "Multi-grid, generative",
    "multigrid, top grid": "Multi-grid, coarse grids skipped", "mean": "Visible mean color",
    "diffusion": "Neighbor diffusion", "biharmonic": "Biharmonic surface",
}  # fmt: skip
ABOUT = (
    "Error: mean absolute difference of hidden pixels on [0, 1]. PSNR of hidden pixels on [0, 1]; "
    "6.02 less on [-1, 1] with peak 1, which by arithmetic seems to be the page's convention. Mean "
    "over images; in brackets the mean difference to multi-grid over the same images ± its "
    "standard error. Whole-image measures flatter: most of an image is known."
)
FIGURE_6 = "Figure 6. Look for: filled regions that fit what is around them, and no seam."
NUM_SHOWN = 12
SEED_OF_MASKS = 7


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
    asked = f"{zlib.crc32(np.ascontiguousarray(pixels)):08x} {num_chains} {seed} {SEED_OF_MASKS}"
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
    """Row -> (key of its weights, maker) of a system: controls, then what was learned."""
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
        x = system.inpaint(masked, visible, seed + chain)
        first = x if first is None else first
        total, squares = total + x, squares + x[:NUM_SHOWN] ** 2
    mean = total / num_chains
    variance = (squares / num_chains - mean[:NUM_SHOWN] ** 2).mean(axis=-1, keepdims=True)
    done = composite(first, pixels, visible)
    spread = np.rint(255 * np.sqrt(np.maximum(variance, 0)).clip(0, 1)).astype(np.uint8)
    averaged = composite(mean, pixels, visible)
    return Filled(done, measure(done, pixels, visible), measure(averaged, pixels, visible), spread)


def add_panel(report, dataset: str, found: dict, facts: dict, config) -> dict:
    """Table 4 beside the page's, figure 6, where chains disagree; what results.json keeps."""
    num = len(found["original"])
    report.heading(f"{dataset}: {num} test images at {config.size} x {config.size}")
    report.text(ABOUT)
    kept = {}
    for mask in MASKS:
        rows = {name: f for (m, name), f in found["filled"].items() if m == mask}
        table = _table(rows, facts, mask)
        report.heading(f"{dataset}, {mask}")
        report.table(**table)
        kept[mask] = {"table": table, "rows": {n: _numbers(f) for n, f in rows.items()}}
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


def _table(rows: dict[str, Filled], facts: dict, mask: str) -> dict:
    header = [
        "", "error", "PSNR", "PSNR on [-1, 1]", "error, mean of chains", "PSNR, mean of chains",
        "whole PSNR", "whole SSIM", "updates / seconds", "page: error", "page: PSNR",
    ]  # fmt: skip
    place, cells = list(MASKS).index(mask), []
    ours = rows["multigrid"].one if "multigrid" in rows else None
    for name, (_, one, mean, _) in rows.items():
        errors, ratios = (page.TABLE_4[kind].get(name) for kind in ("error", "PSNR"))
        cells.append([
            WORDS[name], _paired("error", one, ours, 3), _paired("psnr", one, ours, 2),
            f"{one.psnr_of_the_page.mean():.2f}", f"{mean.error.mean():.3f}",
            f"{mean.psnr.mean():.2f}", f"{one.whole_psnr.mean():.2f}",
            f"{one.whole_ssim.mean():.3f}", cost(facts[name]) if name in facts else "-",
            f"{errors[place]:.3f}" if errors else "-", f"{ratios[place]:.2f}" if ratios else "-",
        ])  # fmt: skip
    failed = [WORDS[name] for name, spent in facts.items() if has_failed(spent)]
    return {"header": header, "rows": cells + [[n, "diverged", *"-" * 9] for n in failed]}


def _paired(kind: str, one: Inpainting, ours: Inpainting | None, decimals: int) -> str:
    values = getattr(one, kind)
    text = f"{values.mean():.{decimals}f}"
    if ours is None or one is ours:
        return text
    difference = values - getattr(ours, kind)
    error = difference.std(ddof=1) / len(difference) ** 0.5
    return f"{text} ({difference.mean():+.{decimals}f} ± {error:.{decimals}f})"
