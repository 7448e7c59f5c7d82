"""Draw the health of finished runs, a row a run, with its last pictures.

python -m tools.make_health --runs=healthy=runs/a,sick=runs/b --out=docs/pictures/health.png
"""

from pathlib import Path

import numpy as np
from absl import flags

from mgconv.cli.shared.program import main
from mgconv.errors import UserError
from mgconv.reporting.style import HEALTHY

QUANTITIES = ("gap", "contrast", "drift_rms", "saturated", "gradient_norm")
LINEAR = ("contrast", "saturated")
BANDS = {"contrast": (0.8, 1.1)}  # of a healthy run, as docs/health.md says


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_list("runs", [], "NAME=FOLDER of finished runs", flag_values=values)
    flags.DEFINE_string("out", "docs/pictures/health.png", "the picture", flag_values=values)


def run(values) -> None:
    """Draws curves of every grid and the run's last preview."""
    pairs = [text.split("=", 1) for text in values["runs"].value]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise UserError("--runs names no runs", values["runs"].value, "Give NAME=FOLDER,...")
    from mgconv.io.images import save_png
    from mgconv.reporting.pictures import to_picture

    folders = {name: Path(folder) for name, folder in pairs}
    picture = to_picture(lambda axes: plot(axes, folders), len(folders), len(QUANTITIES) + 1)
    save_png(values["out"].value, picture)


def plot(axes: list, folders: dict[str, Path]) -> None:
    """A row of axes a run: a curve a grid for each quantity, then pictures."""
    columns = len(QUANTITIES) + 1
    for row, (name, folder) in enumerate(folders.items()):
        own = axes[row * columns : (row + 1) * columns]
        for quantity, axis in zip(QUANTITIES, own):
            plot_quantity(axis, quantity, folder)
        own[0].set_ylabel(name)
        own[-1].imshow(_last_preview(folder))
        own[-1].set_axis_off()


def plot_quantity(axis, quantity: str, folder: Path) -> None:
    """Its size, a curve a grid; on a logarithmic axis unless its values stay near 1."""
    from mgconv.training.records import read_metrics

    lines = read_metrics(folder / "metrics.jsonl")
    for key in (key for key in lines[0] if key.startswith(f"{quantity}/")):
        values = np.abs([line[key] for line in lines])
        axis.plot([line["update"] for line in lines], values, label=f"{key.split('/')[1]} px")
    axis.set_title(f"|{quantity}|" if quantity == "gap" else quantity)
    axis.legend()
    if quantity in BANDS:
        axis.axhspan(*BANDS[quantity], **HEALTHY)
    if quantity not in LINEAR:
        axis.set_yscale("log")


def _last_preview(folder: Path) -> np.ndarray:
    import keras

    [*_, last] = sorted(folder.glob("samples/[0-9]*.png"))
    picture = np.asarray(keras.utils.load_img(last))
    side = min(*picture.shape[:2], 132)  # four images a side
    return picture[:side, :side]


if __name__ == "__main__":
    main(run, define_flags, __doc__)
