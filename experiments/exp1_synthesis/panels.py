"""What experiment 1 shows of each data set: a row a panel."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from mgconv.datasets.table import DATASETS
from mgconv.errors import UserError
from mgconv.recipes import ENERGY_BASED

TABLE = (*ENERGY_BASED, "dcgan", "wgan")  # what a table compares; wgan_gp on request


@dataclass(frozen=True)
class Panel:
    """How the experiment shows one data set.

    Args:
        about: what the images are.
        dataset: a row of DATASETS.
        file: images in this file of the folder --image_dir.
        classes: as the flag.
        learned: with a model a class, the classes of multi-grid; None for all.
        compared: the classes of every other method.
        methods: trained by default.
        scored: in a table beside the paper's table 1.
        settings: of a scale, where it differs from the scale's own.
        tried: classes of the trials before the experiment; None for a model of all.
        judge: scorer of these trials.
    """

    about: str
    dataset: str = "image_dir"
    file: str | None = None
    classes: str = "all"
    learned: tuple[str, ...] | None = None
    compared: tuple[str, ...] | None = None
    methods: tuple[str, ...] = ("multigrid",)
    scored: bool = False
    settings: dict[str, dict] = dataclasses.field(default_factory=dict)
    tried: tuple[str, ...] | None = None
    judge: str = "keras"

    def fields(self, settings: dict) -> dict:
        """Fields of Config: the panel's own for the scale, those given, where the images are."""
        own, place = self.settings.get(settings["scale"], {}), self.place(settings.get("image_dir"))
        settings = {key: value for key, value in settings.items() if key != "image_dir"}
        return {"classes": self.classes} | own | settings | {"dataset": self.dataset} | place

    def place(self, image_dir: str | None) -> dict[str, str]:
        """The settings that say where the images are."""
        if image_dir is None or not DATASETS[self.dataset].reads_files:
            return {}
        if self.file is None or Path(image_dir).name == self.file:
            return {"image_dir": image_dir}
        if not Path(image_dir).is_dir():
            remedy = f"Give the folder that {self.file} lies in."
            raise UserError(f"No {self.file} in --image_dir", image_dir, remedy)
        return {"image_dir": str(Path(image_dir) / self.file)}


_FIRST_THREE = ("airplane", "automobile", "bird")

_MINUTES = {"minutes": 3.0}

_AT_32 = _MINUTES | {"grids": (1, 4, 16, 32)}

PANELS = {
    "photos": Panel(
        "crops of scikit-learn's two photographs", "photos", methods=ENERGY_BASED,
        settings={"quick": {"minutes": 1.0, "batch_size": 16}},
    ),
    "digits": Panel(
        "scikit-learn's digits", "digits", classes="each", compared=("1", "3", "8"),
        methods=ENERGY_BASED, scored=True,
        settings={"quick": {"minutes": 0.28, "batch_size": 32}}, tried=("1", "3", "8"),
        judge="classifier",
    ),
    "cifar10": Panel(
        "CIFAR-10", "cifar10", classes="each", learned=_FIRST_THREE, compared=_FIRST_THREE,
        methods=TABLE, scored=True, settings={"cpu": _MINUTES}, tried=("automobile",),
    ),
    "svhn_cropped": Panel("SVHN digits", "svhn_cropped", settings={"cpu": _MINUTES}),
    "celeb_a": Panel("CelebA faces", "celeb_a"),
    "lsun_scenes/bedroom": Panel("LSUN bedrooms", "lsun_scenes/bedroom"),
    "places205": Panel("Places205", "places205"),
    # files that stand in for what cannot be downloaded; each is called what it is
    "faces": Panel(
        "5,199 CelebA faces of about 200 people", file="faces.zip",
        settings={"cpu": _AT_32},
    ),
    "bedrooms": Panel(
        "535 photographs of bedrooms, in place of LSUN's", file="houses.zip", classes="bedroom",
        settings={"cpu": _AT_32},
    ),
    "scenes": Panel(
        "Intel natural scenes, two categories of 900, in place of Places205's", file="scenes.zip",
        classes="each", learned=("forest", "sea"), settings={"cpu": _AT_32 | {"minutes": 1.5}},
    ),
}  # fmt: skip
