"""Frozen settings; tables of nets, methods, recipes, scales (paper: model, Algorithm 1).

Images live in [-1, 1]. The paper's constants hold on pixels 0..255, so lengths are divided by
127.5 here and nowhere else: noise 0.3 / 127.5, drift (0.3 / 127.5)^2 / 2, sigma 50 / 127.5.
"""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PIXEL = 1 / 127.5  # one gray level of 0..255 on [-1, 1]


class UserError(Exception):
    """A mistake of the user's, told in one line: what is wrong, what was found, what to do."""

    def __init__(self, what: str, found: object, remedy: str):
        super().__init__(" ".join(f"{what}: {found}. {remedy}".split()))


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """`name` if it is one of `known`; else a UserError with the near names."""
    known = list(known)
    if name in known:
        return name
    near = difflib.get_close_matches(str(name), known, n=2)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
    raise UserError(f"Unknown {what}", f'"{name}"', remedy)


@dataclass(frozen=True)
class Conv:
    """One convolution; a normalization and an activation follow it."""

    filters: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class GridSpec:
    """The bottom-up ConvNet of one grid: convolutions, then a fully connected scalar."""

    size: int
    convs: tuple[Conv, ...]


@dataclass(frozen=True)
class Dynamics:
    """A finite chain: x <- clip(x - drift dU/dx + noise z, -1, 1), `num_langevin_steps` times.

    The last `num_quiet` of the steps are without noise.
    """

    num_langevin_steps: int
    drift: float
    noise: float
    num_quiet: int = 0


@dataclass(frozen=True)
class Method:
    """Which grids learn, and from where a *training* chain starts."""

    all_grids: bool
    chain_start: str
    num_langevin_steps: int | None = None  # of a training chain; None: as many as in synthesis


METHODS = {
    "multigrid": Method(all_grids=True, chain_start="coarser"),
    "single_grid": Method(all_grids=False, chain_start="coarser"),
    "pcd": Method(all_grids=False, chain_start="persistent"),
    "cd1": Method(all_grids=False, chain_start="data", num_langevin_steps=1),
}

_SMALL = (Conv(96, 5, 2), Conv(128, 3, 1), Conv(256, 3, 1))
_MIDDLE = (*_SMALL, Conv(512, 3, 1))

GRIDS = {  # net of a grid by its size; a size between takes the next larger row
    "paper": {  # author code 2018-01
        4: GridSpec(4, _SMALL),
        16: GridSpec(16, _MIDDLE),
        64: GridSpec(64, (Conv(64, 5, 2), Conv(128, 3, 2), Conv(256, 3, 1))),
    },
    "released": {  # author code 2018-04
        4: GridSpec(4, _SMALL),
        16: GridSpec(16, _MIDDLE),
        64: GridSpec(64, (Conv(64, 5, 2), Conv(128, 5, 2), Conv(256, 5, 2), Conv(512, 5, 2))),
    },
}


def grid_spec(nets: str, size: int, width: float = 1.0) -> GridSpec:
    """The net that table `nets` gives a grid of `size` pixels a side, its filters times `width`."""
    table = GRIDS[choose("nets", nets, GRIDS)]
    row = table[min((s for s in table if s >= size), default=max(table))]
    convs = (dataclasses.replace(c, filters=max(1, round(c.filters * width))) for c in row.convs)
    return GridSpec(size, tuple(convs))


def _setting(default: Any, help: str, identity: bool = True) -> Any:
    """A field of Config: its default, its help as a flag, whether it makes a run another run."""
    return dataclasses.field(default=default, metadata={"help": help, "identity": identity})


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes. Each field is a flag of the same name."""

    dataset: str = _setting("digits", "data set: a row of the table DATASETS")
    data_dir: str | None = _setting(
        None, "where tfds keeps prepared data (default: $TFDS_DATA_DIR)", False
    )
    image_dir: str | None = _setting(
        None, "folder or .zip of images to learn from, instead of --dataset", False
    )
    cache_dir: str | None = _setting(None, "where decoded images are kept (~/.cache/mgconv)", False)
    classes: str = _setting(
        "all", "classes to learn: all, names or numbers (cat,dog or 3,5), each (a model a class)"
    )
    flip: bool = _setting(False, "mirror half of the training images left to right, at random")

    method: str = _setting("multigrid", f"how chains start: {', '.join(METHODS)}")
    recipe: str = _setting("modern", "how it learns: paper, released, modern")
    scale: str = _setting("cpu", "how much it learns: quick, cpu, full")

    grids: tuple[int, ...] = _setting((1, 4, 16, 64), "sizes of the grids, from 1 up: 1,4,16,64")
    width: float = _setting(1.0, "multiplies the number of filters of every layer")
    batch_size: int = _setting(100, "images an update, and chains run at once")  # FACTS 2.2
    num_updates: int = _setting(1000, "updates of every net", False)
    minutes: float | None = _setting(
        None, "instead of --num_updates: updates for so many minutes", False
    )

    nets: str = _setting("paper", "table of nets: paper, released")
    normalization: str = _setting("batch", "after each convolution: batch (statistics), none")
    activation: str = _setting("relu", "a Keras activation, or leaky_relu (slope 0.2)")
    num_langevin_steps: int = _setting(30, "Langevin steps a grid")  # project page, Fig. 1
    drift: float = _setting((0.3 * PIXEL) ** 2 / 2, "factor of the energy's gradient in a step")
    noise: float = _setting(0.3 * PIXEL, "standard deviation of a step's noise")
    num_quiet: int = _setting(0, "Langevin steps without noise at the end of a chain")
    reference_sigma: float | None = _setting(
        50 * PIXEL, "standard deviation of the white-noise reference; none leaves it out"
    )
    data_noise: float = _setting(0.0, "standard deviation of noise on observed images")
    optimizer: str = _setting("sgd", "sgd (momentum beta1) or adam (beta1, 0.999)")
    beta1: float = _setting(0.9, "momentum of sgd, beta1 of adam")
    learning_rate: float = _setting(0.3, "learning rate of every grid")
    learning_rate_decay: float = _setting(1.0, "learning rate's factor every decay_epochs epochs")
    decay_epochs: int = _setting(12, "epochs between two decays of the learning rate")
    author_gradients: bool = _setting(
        False, "scale and clip gradients as the authors' code of 2018-01"
    )
    average_decay: float = _setting(
        0.0, "sample from weights averaged with this decay; 0: the last weights"
    )
    pool_size: int | None = _setting(None, "persistent chains kept by pcd (default: ten batches)")

    seed: int = _setting(0, "seed of weights, chains and the order of images")
    out: str | None = _setting(None, "folder of the run (default: runs/...)", False)
    resume: str = _setting("auto", "auto, must (fail if nothing to go on with), never", False)
    log_every: int = _setting(10, "updates between two lines of metrics", False)
    checkpoint_every: int = _setting(200, "updates between two checkpoints", False)
    preview_every: int = _setting(200, "updates between two pictures of samples", False)

    def __post_init__(self):
        _validate(self)

    @property
    def size(self) -> int:
        """Pixels a side of the top grid."""
        return self.grids[-1]

    @property
    def learned_sizes(self) -> tuple[int, ...]:
        """Sizes of the grids that have a net under this method."""
        return self.grids[1:] if METHODS[self.method].all_grids else self.grids[-1:]

    @property
    def synthesis(self) -> Dynamics:
        """Dynamics of one grid's chain from up-scaled colors; all methods spend alike in all."""
        share = 1 if METHODS[self.method].all_grids else len(self.grids) - 1
        steps, quiet = self.num_langevin_steps * share, self.num_quiet
        return Dynamics(steps, self.drift, self.noise, quiet)

    @property
    def training(self) -> Dynamics:
        """Langevin dynamics of one grid's training chain."""
        steps = METHODS[self.method].num_langevin_steps
        if steps is None:
            return self.synthesis
        return Dynamics(steps, self.drift, self.noise, 0)

    def identity(self) -> dict[str, Any]:
        """The fields that make a run another run: all but its budget, cadence and places."""
        fields = dataclasses.fields(self)
        return {f.name: getattr(self, f.name) for f in fields if f.metadata["identity"]}


RECIPES = {
    "paper": {  # project page and author code 2018-01: the defaults above, and
        "learning_rate_decay": 0.94337,
        "author_gradients": True,
    },
    "released": {  # author code 2018-04
        "nets": "released",
        "activation": "leaky_relu",
        "num_langevin_steps": 90,
        "noise": 0.0,
        "reference_sigma": None,
        "optimizer": "adam",
        "beta1": 0.5,
    },
    "modern": {  # ours
        "normalization": "none",
        "activation": "silu",
        "drift": 0.5,
        "noise": 0.1,
        "reference_sigma": None,
        "data_noise": 0.05,
        "optimizer": "adam",
        "beta1": 0.5,
        "learning_rate": 1e-3,
    },
}

SCALES = {
    "quick": {"width": 0.25, "batch_size": 64, "minutes": 0.4},
    "cpu": {"width": 0.25, "batch_size": 64, "minutes": 10.0},
    "full": {"num_updates": 35_000},  # 700 epochs (author code) of 5,000 images, a CIFAR-10 class
}


def make_config(defaults: dict[str, Any] | None = None, **given: Any) -> Config:
    """Defaults < what a data set sets < scale < recipe < what is given.

    Raises:
        UserError: a name that no table has, or values that cannot work together.
    """
    recipe = given.get("recipe", Config.recipe)
    scale = given.get("scale", Config.scale)
    presets = (defaults or {}) | SCALES[choose("scale", scale, SCALES)]
    presets |= RECIPES[choose("recipe", recipe, RECIPES)]
    if given.get("num_updates") is not None and given.get("minutes") is None:
        presets.pop("minutes", None)
    return Config(**(presets | given))


def _validate(config: Config) -> None:
    choose("method", config.method, METHODS)
    choose("recipe", config.recipe, RECIPES)
    choose("scale", config.scale, SCALES)
    choose("nets", config.nets, GRIDS)
    choose("normalization", config.normalization, ("batch", "none"))
    choose("optimizer", config.optimizer, ("adam", "sgd"))
    choose("--resume", config.resume, ("auto", "must", "never"))
    _validate_grids(config.grids)
    above = {"num_updates": 0, "num_langevin_steps": 0, "batch_size": 1, "width": 0, "drift": 0}
    above |= {"learning_rate": 0, "learning_rate_decay": 0, "decay_epochs": 0, "minutes": 0}
    above |= {"reference_sigma": 0, "pool_size": 0, "log_every": 0, "checkpoint_every": 0}
    above |= {"preview_every": 0}
    for name, bound in above.items():
        _check_number(config, name, lambda v, b=bound: v > b, f"a number above {bound}")
    for name in ("noise", "data_noise", "num_quiet", "seed"):
        _check_number(config, name, lambda v: v >= 0, "a number of 0 or more")
    for name in ("beta1", "average_decay"):
        _check_number(config, name, lambda v: 0 <= v < 1, "a number in [0, 1)")
    if config.seed >= 2**31:
        raise UserError("--seed is too large", config.seed, "Give one below 2147483648.")
    pool = config.pool_size
    if pool is not None and pool % config.batch_size:
        raise UserError("--pool_size is no multiple of --batch_size", pool, "Give a multiple.")


def _check_number(config: Config, name: str, legal, wanted: str) -> None:
    value = getattr(config, name)
    if value is not None and not (math.isfinite(value) and legal(value)):
        raise UserError(f"--{name} is out of range", value, f"Give {wanted}.")


def _validate_grids(grids: tuple[int, ...]) -> None:
    found, remedy = (
        ",".join(map(str, grids)),
        "Give ascending sizes from 1 up, each dividing the next.",
    )
    if len(grids) < 2 or grids[0] != 1:
        raise UserError("--grids must begin with 1 and have a finer grid", found, remedy)
    for coarse, fine in itertools.pairwise(grids):
        if fine <= coarse or fine % coarse:
            raise UserError(f"--grids: {coarse} does not divide {fine}", found, remedy)
