"""Draw images from a trained model: pictures and an .npz, in the folder of its run or in --out.

mgconv sample --run=runs/digits-3-multigrid-modern-0 --num=64
mgconv sample --run=runs/digits-3-multigrid-modern-0 --out=threes.png --animate
mgconv sample --run=runs/photos --from=mine-16x16.png --num=16    # as the model sees it, finer
"""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import check_run, place_of_results
from mgconv.cli.shared.flags import CONFIG_FIELDS, define_config_flags, define_path, given_settings
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config, Dynamics
from mgconv.errors import UserError
from mgconv.recipes import METHODS

DYNAMICS = tuple(field.name for field in dataclasses.fields(Dynamics))
NUM_SHOWN = 256  # of each class


def define_flags(values) -> None:
    """Flags of this program; the dynamics are the run's own unless given."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_integer("num", 64, "images to draw, of each class", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the draw", 0, flag_values=values)
    define_path("from", None, "picture of the size of a coarser grid, from which all chains start; "
                "else from colors of training images", flag_values=values)  # fmt: skip
    text = "write a GIF of some chains through the grids, too"
    flags.DEFINE_bool("animate", False, text, flag_values=values)
    define_config_flags(values, (*DYNAMICS, "devices", "out"))
    values["out"].help = "folder of the pictures, or a name that ends in .png; else the run's own"
    for name in DYNAMICS:
        values[name].help = f"{CONFIG_FIELDS[name].metadata['help']}; else the run's own"


def run(values) -> None:
    """Draws, writes samples/draw-SEED.png and .npz, or what --out names.

    An interrupted draw resumes. draw-SEED-grids.png has the chains of a few images at every grid,
    draw-SEED.gif every Langevin step of some. With --from they are called after its picture.
    """
    import mgconv
    from mgconv.io.files import replace_file
    from mgconv.io.images import save_png

    folder, num, seed = (values[name].value for name in ("run", "num", "seed"))
    config, data = check_run(folder, "synthesize")
    has_chains = METHODS[config.method].is_energy_based
    if values["animate"].value and not has_chains:
        raise UserError(f"{config.method} runs no chains", "--animate", "Leave it out.")
    start, name = _start(values["from"].value, config, data["channels"])
    stem = place_of_results(values["out"].value, folder, f"{name}-{seed}")
    given = given_settings(values)
    devices = given.get("devices", "auto")
    dynamics = {name: given[name] for name in DYNAMICS if name in given}
    start_tensorflow(devices)
    from mgconv.reporting import pictures

    system = mgconv.load(folder, devices, **dynamics)
    if start is None:
        _draw_and_write(system, Path(folder), num, seed, dynamics, stem)
    else:
        _write(system, pictures.finer(system, start, num, seed), num, stem)
    if has_chains:
        save_png(f"{stem}-grids.png", pictures.grids(system, seed, start)[0])
        print(f"The same chains at every grid: {stem}-grids.png")
    if values["animate"].value:
        from mgconv.reporting.animation import animate

        replace_file(f"{stem}.gif", animate(system, seed, start))
        print(f"Chains, step by step: {stem}.gif")


def _start(path: str | None, config: Config, channels: int) -> tuple[Any, str]:
    """What --from starts all chains from, [1, s, s, C] or None, and a name for what is drawn."""
    from mgconv.datasets.decoding import read_picture
    from mgconv.io.images import to_float

    if path is None:
        return None, "draw"
    if not METHODS[config.method].is_energy_based:
        raise UserError(f"{config.method} runs no chains", f"--from={path}", "Leave it out.")
    picture = read_picture(path, channels)
    height, width = picture.shape[:2]
    if height != width or height not in config.grids[:-1]:
        sizes = " or ".join(f"{size} x {size}" for size in config.grids[:-1])
        remedy = f"Give one of {sizes} pixels, sizes of this run's grids."
        raise UserError(f"No chain starts from {path}", f"{width} x {height} pixels", remedy)
    return to_float(picture)[None], Path(path).stem


def _draw_and_write(system, folder: Path, num: int, seed: int, dynamics: dict, stem: str) -> None:
    import numpy as np

    from mgconv.evaluation.synthesis import draw, weights_key

    words = [weights_key(folder), seed, num, *(f"{n}={v:g}" for n, v in sorted(dynamics.items()))]
    path = folder / "drawn" / f"{'-'.join(map(str, words))}.npy"
    _write(system, draw(system, np.repeat(system.labels or [0], num), seed, path), num, stem)
    path.unlink(missing_ok=True)


def _write(system, images, num: int, stem: str) -> None:
    """Writes `num` images of each class, uint8 [N, S, S, C], as a picture and an .npz."""
    import numpy as np

    from mgconv.io.files import replacing
    from mgconv.io.images import enlarge, save_png, tile

    classes = system.labels or [0]
    labels = np.repeat(classes, num)
    shown = np.concatenate([images[labels == c][:NUM_SHOWN] for c in classes])
    columns = num if len(classes) > 1 and num <= 16 else int(np.ceil(len(shown) ** 0.5))
    save_png(f"{stem}.png", tile(enlarge(shown, 32), columns))
    content: dict[str, Any] = {"images": images}
    if system.labels:  # a model of several classes together has no label to give
        content |= {"labels": labels, "class_names": np.array(system.class_names)}
    with replacing(f"{stem}.npz") as draft, draft.open("wb") as file:
        np.savez_compressed(file, **content)
    print(f"{len(images)} images: {stem}.png and {stem}.npz")


if __name__ == "__main__":
    main(run, define_flags, __doc__)
