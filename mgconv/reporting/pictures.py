"""Pictures of a report: labeled strips of images, chains at every grid, plots."""

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from mgconv.io.images import to_uint8
from mgconv.models import MultigridModel, PerClassModel
from mgconv.reporting.style import STYLE

Figure = tuple[np.ndarray, str]

Model = MultigridModel | PerClassModel


def models(system: Model) -> Iterator[MultigridModel]:
    """The model of each class in turn, or the only one."""
    if isinstance(system, PerClassModel):
        yield from map(system.of_class, system.labels)
    else:
        yield system


def grids(system: Model, seed: int, start: np.ndarray | None = None) -> Figure:
    """Figure 1: the same chains at every grid, from colors or from the start [1, s, s, C]."""
    count = 1 if isinstance(system, PerClassModel) else 10
    stages: list[list[np.ndarray]] = []
    for model in models(system):
        colors = model.colors(count, seed) if start is None else start.repeat(count, axis=0)
        stages.append([colors, *model.chains(colors, seed)])
    strips = {}
    for grid in zip(*stages):
        size = grid[0].shape[1]
        strips[f"{size} x {size}"] = to_uint8(np.concatenate(grid))
    columns = len(next(iter(strips.values())))
    caption = (
        "Figure 1. The same chains at every grid: each column starts from one 1 x 1 color, each "
        "grid from the sample above it. Look for: layout first, detail added, the layout kept."
    )
    return labeled_strips(strips, columns), caption


def finer(system: Model, start: np.ndarray, num: int, seed: int) -> np.ndarray:
    """What chains make of an image of a coarser grid, [1, s, s, C]: `num` a model, uint8."""
    starts = start.repeat(num, axis=0)
    return to_uint8(np.concatenate([model.chains(starts, seed)[-1] for model in models(system)]))


def to_picture(
    plot: Callable, rows: int, columns: int, scale: float = 1.0, height: float = 1.0
) -> np.ndarray:
    """What `plot` draws on a list of matplotlib axes, row by row, as uint8 [H, W, 3].

    Args:
        plot: gets the axes.
        rows: of axes.
        columns: of axes.
        scale: of the picture.
        height: of the picture over its usual one.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name that the font cannot show
        drawing, axes = pyplot.subplots(
            rows,
            columns,
            figsize=(2.6 * scale * columns, 2.2 * scale * height * rows),
            layout="constrained",
            squeeze=False,
        )
        plot(list(axes.flat))
        canvas = FigureCanvasAgg(drawing)
        canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    pyplot.close(drawing)
    return picture


def labeled_strips(strips: dict[str, np.ndarray], columns: int, size: int = 64) -> np.ndarray:
    """Tiles of images under their names, one below the other, uint8 [H, W, 3].

    Args:
        strips: name -> uint8 [N, s, s, C].
        columns: images a row.
        size: least pixels a side at which an image is shown.
    """
    from PIL import Image, ImageDraw

    from mgconv.io.images import enlarge, tile

    shown = {n: tile(enlarge(x, size), columns, gap=2) for n, x in strips.items()}
    width, line = max(picture.shape[1] for picture in shown.values()), 16
    canvas = Image.new("RGB", (width, sum(p.shape[0] + line + 4 for p in shown.values())), "white")
    top = 0
    for name, picture in shown.items():
        ImageDraw.Draw(canvas).text((2, top + 2), name, fill="black")
        colored = np.broadcast_to(picture, [*picture.shape[:2], 3])
        canvas.paste(Image.fromarray(np.ascontiguousarray(colored)), (0, top + line))
        top += picture.shape[0] + line + 4
    return np.asarray(canvas)
