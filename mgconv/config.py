"""Frozen settings of a run (paper: model, Algorithm 1).

Images live in [-1, 1]. The paper's constants hold on pixels 0..255, so lengths are divided by
127.5 here and nowhere else: noise 0.3 / 127.5, drift (0.3 / 127.5)^2 / 2, sigma 50 / 127.5.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any, get_args

from mgconv.errors import UserError, choose
from mgconv.recipes import (
    METHODS,
    NETS,
    RECIPES,
    SCALES,
    SUPERSEDED,
    GridSpec,
    grid_spec,
    settings_of,
)

PIXEL = 1 / 127.5  # one gray level of 0..255 on [-1, 1]


@dataclasses.dataclass(frozen=True)
class Dynamics:
    """A finite chain: x <- clip(x - drift dU/dx + noise z, -1, 1), `num_langevin_steps` times."""

    num_langevin_steps: int
    drift: float
    noise: float
    noise_end: float = 1.0  # noise of the last step over the first's; linear between
    drift_end: float = 1.0  # the same of the drift

    @property
    def temperature(self) -> float:
        """T of the exp(-U / T) that steps as the first one sample, but for their length."""
        return self.noise**2 / (2 * self.drift) if self.drift else math.inf


NORMALIZATIONS = ("batch", "standardized", "kernels", "spectral", "group", "none")

OBJECTIVES, PRECISIONS = ("generative", "conditional"), ("float32", "bfloat16")

ACTIVATIONS = ("relu", "leaky_relu", "silu", "gelu", "elu", "softplus", "tanh")

ABOVE_0, FROM_0, FROM_2 = "above 0", "of 0 or more", "of 2 or more"

SHARE, INT32 = "in [0, 1)", "from 0 to 2147483647"

_LEGAL = {
    ABOVE_0: lambda x: x > 0, FROM_0: lambda x: x >= 0,
    FROM_2: lambda x: x >= 2, SHARE: lambda x: 0 <= x < 1, INT32: lambda x: 0 <= x < 2**31,
}  # fmt: skip


GROUPS = ("data", "model", "sampling", "optimization", "run")  # headings of --help


def _setting(
    group: str, default: Any, help: str, legal=None, choices=None, identity=True, hidden=()
) -> Any:
    """A field of Config: default, help as a flag, bounds; whether it makes a run another run."""
    help += f": {', '.join(choices)}" if choices else ""
    metadata = {"group": group, "help": help, "legal": legal, "choices": choices, "hidden": hidden}
    return dataclasses.field(default=default, metadata=metadata | {"identity": identity})


_data, _model, _sampling, _optimization, _run = (
    functools.partial(_setting, group) for group in GROUPS
)
_place = functools.partial(_run, identity=False)  # where and how often: the run stays the same run


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes. Each field is a flag of the same name."""

    dataset: str = _data("digits", "name of the data set: digits, photos, celeb_a, cifar10, ...")
    data_dir: str | None = _data(
        None, "folder of the data sets prepared by tfds; else $TFDS_DATA_DIR", identity=False
    )
    image_dir: str | None = _data(
        None, "folder or .zip of images, instead of --dataset", identity=False
    )
    cache_dir: str | None = _data(
        None, "folder for decoded images; else ~/.cache/mgconv", identity=False
    )
    classes: str = _data("all", "classes: all, each (one model a class), or names or numbers")
    split: str = _data("train", "split of the data set: train, or all where it has that")
    crop: int | None = _data(
        None, "side of the center square cut before resizing; else the data set's", ABOVE_0
    )
    held_out: float = _data(
        0.0, "share of each class's images that is not trained on, to judge the model by", SHARE
    )
    flip: bool = _data(False, "mirror half of the training images left to right, at random")
    labels: int = _data(
        1000, "training images whose classes a classifier is given, drawn by --seed", FROM_2
    )
    unlabeled: bool = _data(True, "a classifier learns from images without labels, too")

    objective: str = _model(
        "generative", "whole images, or hidden pixels given the visible", choices=OBJECTIVES
    )
    method: str = _model("multigrid", "algorithm that trains the model", choices=METHODS)
    recipe: str = _model("modern", "preset of how to train", choices=RECIPES, hidden=SUPERSEDED)
    scale: str = _model("cpu", "preset of how much to train", choices=SCALES)

    grids: tuple[int, ...] = _model(  # project page
        (1, 4, 16, 64), "pixels a side of the grids, from 1 up, each dividing the next"
    )
    width: float = _model(1.0, "factor on the number of filters of every layer", ABOVE_0)
    top_width: float = _model(
        1.0, "factor on the filters of the top grid's network, on top of --width", ABOVE_0
    )
    batch_size: int = _optimization(  # author code
        100, "images in an update, and chains run at once", FROM_2
    )
    devices: str = _place("auto", "devices that share a batch: auto, cpu:2, gpu:all, gpu:2")
    num_updates: int = _optimization(1000, "updates of every network", ABOVE_0, identity=False)
    minutes: float | None = _optimization(
        None, "training time in minutes, instead of --num_updates", ABOVE_0, identity=False
    )

    nets: str = _model("paper", "table of the grids' networks", choices=NETS)
    normalization: str = _model(
        "batch", "normalization after each convolution", choices=NORMALIZATIONS
    )
    activation: str = _model("relu", "activation after each normalization", choices=ACTIVATIONS)
    readout_limit: float | None = _model(
        None, "largest norm of the weights that make f of the last layer, or none", ABOVE_0
    )
    num_langevin_steps: int = _sampling(  # project page
        30, "Langevin steps of the chain of each grid", ABOVE_0
    )
    drift: float = _sampling(
        (0.3 * PIXEL) ** 2 / 2, "factor on the energy's gradient in a Langevin step", ABOVE_0
    )
    drift_coarse: float = _sampling(
        1.0, "drift of the coarsest grid's network over --drift", ABOVE_0
    )
    drift_end: float = _sampling(1.0, "drift of a chain's last step over its first's", FROM_0)
    noise: float = _sampling(0.3 * PIXEL, "standard deviation of a Langevin step's noise", FROM_0)
    noise_coarse: float = _sampling(
        1.0, "noise of the coarsest grid's network over --noise", ABOVE_0
    )
    noise_end: float = _sampling(1.0, "noise of a chain's last step over its first's", FROM_0)
    reference_sigma: float | None = _model(
        50 * PIXEL, "standard deviation of the white-noise reference, or none", ABOVE_0
    )
    data_noise: float = _optimization(
        0.0, "standard deviation of the noise added to observed images", FROM_0
    )
    optimizer: str = _optimization(
        "sgd", "optimizer of the weights; sgd has momentum --beta1", choices=("sgd", "adam")
    )
    beta1: float = _optimization(0.9, "momentum of sgd, beta1 of adam", SHARE)
    learning_rate: float = _optimization(0.3, "learning rate of every grid", ABOVE_0)
    rate_factor: float = _optimization(
        1.0, "factor on a baseline's learning rates, which are its publication's", ABOVE_0
    )
    warm_up: int = _optimization(
        0, "updates over which the learning rate rises to its value", FROM_0
    )
    learning_rate_decay: float = _optimization(
        1.0, "factor on the learning rate after every --decay_epochs epochs", ABOVE_0
    )
    decay_epochs: int = _optimization(12, "epochs between two decays of the learning rate", ABOVE_0)
    gradient_limit: float | None = _optimization(
        None, "largest norm of a gradient over its usual one, or none; for adam", ABOVE_0
    )
    curvature_penalty: float = _optimization(
        0.0, "weight of the penalty on curvature that Langevin steps overshoot by", FROM_0
    )
    author_gradients: bool = _optimization(
        False, "scale and clip gradients as the authors' code of 2018-01 does"
    )
    average_decay: float = _optimization(
        0.0, "decay of the weight average used for sampling; 0 disables it", SHARE
    )
    pool_size: int | None = _sampling(
        None, "number of persistent chains of pcd; else ten batches", ABOVE_0
    )

    jit_compile: bool = _run(False, "compile the chains by XLA; the noise drawn is then another")
    mixed_precision: str = _run("float32", "number format of convolutions", choices=PRECISIONS)
    seed: int = _run(0, "seed of weights, chains and the order of images", INT32)
    out: str | None = _place(None, "folder of the run")
    resume: str = _place(
        "auto", "what to do with a run already in --out", choices=("auto", "must", "never")
    )
    on_divergence: str = _place(
        "rollback", "what to do when training diverges", choices=("rollback", "stop", "ignore")
    )
    max_rollbacks: int = _place(3, "largest number of rollbacks in a run", FROM_0)
    deterministic: bool = _place(False, "compute the same bits in every run on a GPU; slower")
    profile: int = _place(0, "number of updates to trace for TensorBoard's profiler", FROM_0)
    log_every: int = _place(10, "updates between two lines of metrics", ABOVE_0)
    checkpoint_every: int = _place(200, "updates between two checkpoints", ABOVE_0)
    preview_every: int = _place(200, "updates between two pictures of samples", ABOVE_0)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        _check_grids(self.grids)
        if METHODS[self.method].reads_labels and self.split != "train":
            found = f"--split={self.split}"
            raise UserError("Labels to learn from are those of", found, "Give --split=train.")
        if self.pool_size is not None and self.pool_size % self.batch_size:
            found = f"{self.pool_size}, batch {self.batch_size}"
            raise UserError("--pool_size is no multiple of --batch_size", found, "Give a multiple.")
        if self.gradient_limit is not None and self.optimizer != "adam":
            remedy = "Give --gradient_limit=none."
            raise UserError("--gradient_limit needs adam", f"--optimizer={self.optimizer}", remedy)

    @property
    def size(self) -> int:
        """Pixels a side of the top grid."""
        return self.grids[-1]

    @property
    def learned_sizes(self) -> tuple[int, ...]:
        """Sizes of the grids that have a net under this method."""
        return self.grids[1:] if METHODS[self.method].all_grids else self.grids[-1:]

    @property
    def is_by_class(self) -> bool:
        """Whether a run has a model a class; a baseline's one net gets the class as an input."""
        return self.classes == "each" and METHODS[self.method].is_energy_based

    def spec(self, size: int) -> GridSpec:
        """The net of the grid of `size` pixels a side."""
        factor = self.top_width if size == self.size else 1.0
        return grid_spec(self.nets, size, self.width * factor)

    def synthesis_dynamics(self, size: int) -> Dynamics:
        """Dynamics of a grid's chain from up-scaled colors; all methods spend alike in all."""
        share = 1 if METHODS[self.method].all_grids else len(self.grids) - 1
        steps, level = self.num_langevin_steps * share, self._level(size)
        drift, noise = self.drift * self.drift_coarse**level, self.noise * self.noise_coarse**level
        return Dynamics(steps, drift, noise, self.noise_end, self.drift_end)

    def training_dynamics(self, size: int) -> Dynamics:
        """Dynamics of a grid's training chain."""
        whole, steps = self.synthesis_dynamics(size), METHODS[self.method].num_langevin_steps
        return dataclasses.replace(whole, num_langevin_steps=steps or whole.num_langevin_steps)

    def _level(self, size):  # 0 at the top grid, 1 at the coarsest net
        sizes = self.grids[1:]  # without coarser grids a chain begins as theirs do, at one color
        above = sizes[::-1].index(size if METHODS[self.method].all_grids else sizes[0])
        return above / max(1, len(sizes) - 1)

    def identity(self) -> dict[str, Any]:
        """The fields that make a run another run: all but its budget, cadence and places.

        Those that its method reads: a recipe of energies may change beside a baseline.
        """
        names = [field.name for field in dataclasses.fields(self) if field.metadata["identity"]]
        unread = METHODS[self.method].unread
        return {name: getattr(self, name) for name in names if name not in unread}


def make_config(defaults: dict[str, Any] | None = None, **given: Any) -> Config:
    """Defaults < what a data set sets < scale < recipe < what is given.

    Raises:
        UserError: a name that no table has, values that cannot work together, or no UTF-8.
    """
    for name, value in given.items():
        if isinstance(value, str) and not _is_utf8(value):  # TensorFlow writes no such path
            found = value.encode(errors="surrogateescape").decode(errors="backslashreplace")
            raise UserError(f"--{name} is no UTF-8", found, "Give another name.")
    recipe = choose("recipe", given.get("recipe", Config.recipe), RECIPES, SUPERSEDED)
    scale = choose("scale", given.get("scale", Config.scale), SCALES)
    presets = (defaults or {}) | settings_of(recipe, scale)
    least = METHODS[choose("method", given.get("method", Config.method), METHODS)].least_batch
    if least is not None:
        presets["batch_size"] = max(least, presets.get("batch_size", Config.batch_size))
    if given.get("num_updates") is not None:
        presets.pop("minutes", None)
    return Config(**(presets | given))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(field: dataclasses.Field, value: Any) -> None:
    legal, choices = field.metadata["legal"], field.metadata["choices"]
    if choices:
        choose(field.name, value, choices, field.metadata["hidden"])
    if legal is None or (value is None and type(None) in get_args(field.type)):
        return
    if value is None or not (math.isfinite(value) and _LEGAL[legal](value)):
        raise UserError(f"--{field.name} is out of range", value, f"Give a number {legal}.")


def _check_grids(grids: tuple[int, ...]) -> None:
    found, remedy = ",".join(map(str, grids)), "Give sizes from 1 up, each dividing the next."
    if len(grids) < 2 or grids[0] != 1:
        raise UserError("--grids must begin with 1 and have a finer grid", found, remedy)
    for coarse, fine in itertools.pairwise(grids):
        if fine <= coarse or fine % coarse:
            raise UserError(f"--grids: {coarse} does not divide {fine}", found, remedy)
