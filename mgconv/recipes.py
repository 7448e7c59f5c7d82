"""Tables that one adds a row to: methods, nets, recipes, scales; each constant with its origin."""

import dataclasses
from typing import Any

from mgconv.errors import choose


@dataclasses.dataclass(frozen=True)
class Conv:
    """One convolution; a normalization and an activation follow it."""

    filters: int
    kernel: int
    stride: int


@dataclasses.dataclass(frozen=True)
class GridSpec:
    """The bottom-up ConvNet of one grid: convolutions, then a fully connected scalar."""

    size: int
    convs: tuple[Conv, ...]


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of METHODS: its name in tables, what its model can, how it is made.

    Attributes:
        title: as tables call it.
        can: of "synthesize", "inpaint", "features", "classify".
        make: "module:function" of (config, data, start, strategy) -> its learner.
        model: "module:class" of (learner, config, data) -> its trained model.
        chain_start: where *training* chains start; None: it is no energy-based model of ours.
        all_grids: whether every grid has a net, or the top one alone.
        num_langevin_steps: of a training chain; None: as many as in synthesis.
        masked: it is trained on images with hidden pixels.
        least_batch: images in an update, at least; None: as many as the scale says.
    """

    title: str
    can: tuple[str, ...] = ("synthesize", "inpaint", "features")
    make: str = "mgconv.training.build:make_energy_based"
    model: str = "mgconv.models:MultigridModel"
    chain_start: str | None = None
    all_grids: bool = False
    num_langevin_steps: int | None = None
    masked: bool = False
    least_batch: int | None = None

    @property
    def is_energy_based(self) -> bool:
        """Whether it runs chains: a model a class, and all the settings of energies."""
        return self.chain_start is not None

    @property
    def reads_labels(self) -> bool:
        """Whether it learns from the labels of some images."""
        return "classify" in self.can

    @property
    def unread(self) -> set[str]:
        """The settings that it does not read."""
        of_others = OF_BASELINES if self.is_energy_based else OF_ENERGIES
        return of_others | (set() if self.reads_labels else OF_LABELS)


BASELINE_BATCH = 64  # at least; about what the codes of GANs and the Context Encoder have


def _gan(title: str) -> Method:
    at = "mgconv.baselines.gan"
    can = ("synthesize", "features")
    return Method(title, can, f"{at}:make", f"{at}:GanModel", least_batch=BASELINE_BATCH)


def _semi_supervised(title: str, module: str) -> Method:
    """A classifier: 32 images with labels and 96 without in an update, as Miyato et al. 2018."""
    at = "mgconv.baselines"
    model = f"{at}.semi_supervised:ClassifierModel"
    return Method(title, ("classify",), f"{at}.{module}:make", model, least_batch=128)


METHODS = {
    "multigrid": Method("Multi-grid", chain_start="coarser", all_grids=True),
    "single_grid": Method("Single-grid", chain_start="coarser"),
    "pcd": Method("Persistent CD", chain_start="persistent"),
    "cd1": Method("One-step CD", chain_start="data", num_langevin_steps=1),
    # as published, but for width, ...
    "dcgan": _gan("DCGAN"),
    "wgan": _gan("WGAN"),
    "wgan_gp": _gan("WGAN-GP"),
    "ddgm": _gan("Deep directed generative models"),
    "context_encoder": Method(
        "Context Encoder", ("inpaint",), "mgconv.baselines.context_encoder:make",
        "mgconv.baselines.context_encoder:ContextEncoderModel", masked=True,
        least_batch=BASELINE_BATCH,
    ),
    # classifiers that learn from few labels and from images without
    "vat": _semi_supervised("Virtual adversarial training", "vat"),
    "vat_entropy": _semi_supervised("Virtual adversarial training, entropy", "vat"),
    "vat_small": _semi_supervised("Virtual adversarial training, small network", "vat"),
    "dgn": _semi_supervised("DGN (M1 + M2)", "dgn"),
    "adgm": _semi_supervised("Auxiliary deep generative model", "adgm"),
    "sdgm": _semi_supervised("Skip deep generative model", "adgm"),
}  # fmt: skip
TITLES = {name: row.title for name, row in METHODS.items()}
ENERGY_BASED = tuple(name for name, row in METHODS.items() if row.is_energy_based)

_SMALL = (Conv(96, 5, 2), Conv(128, 3, 1), Conv(256, 3, 1))

_COARSE = {4: GridSpec(4, _SMALL), 16: GridSpec(16, (*_SMALL, Conv(512, 3, 1)))}

_PAPER = (Conv(64, 5, 2), Conv(128, 3, 2), Conv(256, 3, 1))  # author code 2018-01

_RELEASED = (Conv(64, 5, 2), Conv(128, 5, 2), Conv(256, 5, 2), Conv(512, 5, 2))  # of 2018-04

NETS = {  # the net of a grid by its size; a size between takes the next larger row
    "paper": _COARSE | {64: GridSpec(64, _PAPER)},
    "released": _COARSE | {64: GridSpec(64, _RELEASED)},
}


def grid_spec(nets: str, size: int, width: float = 1.0) -> GridSpec:
    """The net that table `nets` gives a grid of `size` pixels a side, its filters times `width`."""
    table = NETS[choose("nets", nets, NETS)]
    row = table[min((s for s in table if s >= size), default=max(table))]
    convs = (dataclasses.replace(c, filters=max(1, round(c.filters * width))) for c in row.convs)
    return GridSpec(size, tuple(convs))


Settings = dict[str, Any]  # by field of Config

RECIPES: dict[str, Settings] = {
    "paper": {  # project page and author code 2018-01: the defaults of Config, and
        "batch_size": 100, "learning_rate_decay": 0.94337, "author_gradients": True,
    },
    "released": {  # author code 2018-04
        "batch_size": 100, "nets": "released", "activation": "leaky_relu",
        "num_langevin_steps": 90, "noise": 0.0, "reference_sigma": None, "optimizer": "adam",
        "beta1": 0.5,
    },
    "modern": {  # ours: short chains, many updates, and an energy whose slope is bounded
        "nets": "released", "normalization": "standardized", "readout_limit": 4.0,
        "activation": "silu", "reference_sigma": None, "num_langevin_steps": 5, "drift": 0.02,
        "noise": 0.003, "noise_coarse": 33.0, "noise_end": 0.0, "data_noise": 0.01,
        "optimizer": "adam", "beta1": 0.5, "learning_rate": 0.005, "warm_up": 100,
        "curvature_penalty": 1000.0, "gradient_limit": 3.0, "average_decay": 0.999,
    },
}  # fmt: skip

_NARROW: Settings = {  # ours: pictures come from the top
    "width": 0.25, "top_width": 2.0, "batch_size": 16,
}  # fmt: skip

SCALES: dict[str, Settings] = {
    "quick": _NARROW | {"minutes": 0.4},
    "cpu": _NARROW | {"minutes": 10.0},
    "full": {"num_updates": 35_000},  # 700 epochs (author code) of 5,000 images, a CIFAR-10 class
}

# What results before 2026-12 were measured with, for runs and rows of then. It never changes, can
# be named like any other, and is in no list that a person is shown.
_OURS_THEN: Settings = {
    "optimizer": "adam", "beta1": 0.5, "reference_sigma": None, "noise_end": 0.0,
}  # fmt: skip

SUPERSEDED: dict[str, Settings] = {
    "modern_gains": _OURS_THEN | {  # called `modern` then: by learned gains it can run away
        "nets": "released", "normalization": "kernels", "activation": "silu",
        "num_langevin_steps": 5, "learning_rate": 0.01, "drift": 0.02, "noise": 0.003,
        "noise_coarse": 33.0, "data_noise": 0.01, "curvature_penalty": 100.0,
        "average_decay": 0.999,
    },
    "unnormalized": _OURS_THEN | {  # for what is small
        "normalization": "none", "activation": "silu", "average_decay": 0.99,
        "learning_rate": 5e-4, "drift": 1.0, "noise": 0.03, "data_noise": 0.03,
    },
    "photographs": _OURS_THEN | {
        "nets": "released", "normalization": "batch", "activation": "leaky_relu",
        "learning_rate": 0.1, "drift": 1e-3, "noise": 0.005, "data_noise": 0.01,
        "average_decay": 0.99,
    },
}  # fmt: skip

SCALES_OF_SUPERSEDED: dict[str, Settings] = {
    "quick": {"width": 0.25, "batch_size": 64, "minutes": 0.4},
    "cpu": {"width": 0.25, "batch_size": 64, "minutes": 10.0},
    "full": {"num_updates": 35_000},
}

OF_BASELINES = {"rate_factor"}  # settings that no energy-based method reads

OF_LABELS = {"labels", "unlabeled"}  # settings that only a classifier reads

OF_ENERGIES = {  # settings that no baseline reads
    "recipe", "top_width", "decay_epochs", "pool_size", "jit_compile", "mixed_precision",
}.union(*RECIPES.values(), *SUPERSEDED.values()) - {"batch_size"}  # fmt: skip


def settings_of(recipe: str, scale: str) -> Settings:
    """The fields of Config that a scale and a recipe set, the recipe's before the scale's."""
    if recipe in SUPERSEDED:
        return SCALES_OF_SUPERSEDED[scale] | SUPERSEDED[recipe]
    return SCALES[scale] | RECIPES[recipe]
