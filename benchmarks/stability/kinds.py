"""The kinds of run of `make stability`: a row each, with the command, the budgets and the bars."""

import dataclasses
import functools
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.stability import bars
from experiments.exp1_synthesis.panels import PANELS
from mgconv.datasets.archives import existing, image_files
from mgconv.datasets.sources import PHOTO_TRAIN_WIDTH, photographs
from mgconv.io.files import replacing
from mgconv.io.images import encode_png

EVERY_HELD = 6  # of so many images of a person's own, in order of names, the first is held out
TRAIN, EXP1 = "experiments.train", "experiments.exp1_synthesis"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of run.

    Args:
        row: of the issue's table, that --rows also names.
        arguments: of the program, without budget, seed and folder.
        bar: what is asked, in words.
        seeds: how many; a run for each, from 0 on.
        seed_bars: met or missed by each run; each is given a record.
        bars_over: met or missed by all runs together; each is given the records of all kinds.
        updates: budgets in updates, one after another in the same folder.
        minutes: the budget in minutes instead; of a panel where `by_panel`.
        scorer: "keras" or "classifier" for the distance to held-out images.
        data: the flag that names the images; "" where none are needed.
        cores: that the run is pinned to.
        program: that is run.
        by_panel: a command for each of these panels of experiment 1, times its own minutes.
    """

    row: str
    arguments: tuple[str, ...]
    bar: str
    seeds: int = 1
    seed_bars: tuple[Callable[[bars.Record], bool], ...] = (bars.has_ended,)
    bars_over: tuple[Callable[[bars.Records], bool | None], ...] = ()
    updates: tuple[int, ...] = ()
    minutes: float | None = None
    scorer: str = ""
    data: str = ""
    cores: int = 1
    program: str = TRAIN
    by_panel: tuple[str, ...] = ()

    def stages(self, factor: float = 1.0) -> list[tuple[str, tuple[str, ...]]]:
        """What each stage is called, and its arguments.

        Args:
            factor: of all budgets; 1 is what the bars are about.
        """
        if self.updates:
            numbers = [max(1, round(factor * number)) for number in self.updates]
            budgets = {f"{n} updates": (f"--num_updates={n}",) for n in numbers}
        elif self.by_panel:
            budgets = {}
            for panel in self.by_panel:
                minutes = factor * self.minutes * PANELS[panel].settings["quick"]["minutes"]
                budgets[panel] = (f"--datasets={panel}", f"--minutes={minutes:g}")
        elif self.minutes:
            minutes = factor * self.minutes
            budgets = {f"{minutes:g} minutes": (f"--minutes={minutes:g}",)}
        else:
            budgets = {"its own budget": ()}
        return [(name, (*self.arguments, *budget)) for name, budget in budgets.items()]


_32 = "--grids=1,4,16,32"
_DIGITS = ("--dataset=digits", "--scale=quick")
_LFW = ("--dataset=lfw", "--image_dir={lfw}", _32)
_FACES = Kind(
    "faces", ("--image_dir={faces}", _32), "", 3, scorer="keras", data="faces", cores=2,
)  # fmt: skip
_EXP1 = Kind(
    "exp1", ("--scale=quick",), "multi-grid healthy in every panel", cores=2, program=EXP1,
    seed_bars=(bars.panels_are_healthy,),
)  # fmt: skip
_OF_DIGITS = Kind(
    "digits", _DIGITS, "no rollback", 3, updates=(6000,), seed_bars=(bars.no_rollback,)
)
KINDS = {
    "photos": Kind(
        "photos", ("--dataset=photos", "--scale=quick"),
        "no rollback; gap and drift_rms of the last third within 2x of the middle third; at 3,000 "
        "updates no worse than at 1,000",
        5, (bars.no_rollback, bars.is_level, bars.longer_is_no_worse),
        updates=(1000, 3000), scorer="keras",
    ),
    "digits3": dataclasses.replace(_OF_DIGITS, arguments=(*_DIGITS, "--classes=3")),
    "digits8": dataclasses.replace(_OF_DIGITS, arguments=(*_DIGITS, "--classes=8")),
    "digits_each": Kind(
        "digits", (*_DIGITS, "--classes=each"),
        "no rollback; classifier Frechet distance at most 2.0; recognized 97% or more; spread "
        "within a class 0.8 to 1.2 of the real digits'",
        1, (
            bars.no_rollback, bars.between("distance", 0, 2.0), bars.between("recognized", 0.97, 1),
            bars.between("spread", 0.8, 1.2),
        ),
        scorer="classifier", cores=2,
    ),
    "lfw": Kind(
        "lfw", _LFW, "standard deviation below 10; worst at most 115", 5,
        (bars.between("distance", 0, 115),), (bars.deviates_less("lfw", 10),),
        minutes=10, scorer="keras", data="lfw",
    ),
    "lfw_long": Kind(
        "lfw_long", (*_LFW, "--width=0.125"),
        "no longer run worse than a shorter one by more than 2 standard deviations of lfw",
        bars_over=(bars.longer_within("lfw_long", "lfw", 2),),
        updates=(1000, 3000, 10_000), scorer="keras", data="lfw",
    ),
    "faces2": dataclasses.replace(
        _FACES, minutes=2, bar="at most 180", seed_bars=(bars.between("distance", 0, 180),)
    ),
    "faces10": dataclasses.replace(
        _FACES, minutes=10, bar="at most 120; never worse than faces2",
        seed_bars=(bars.between("distance", 0, 120),),
        bars_over=(bars.not_worse_than("faces10", "faces2"),),
    ),
    "exp1": _EXP1,
    "exp1_twice": dataclasses.replace(
        _EXP1, minutes=2, by_panel=("photos", "digits"), bar=f"{_EXP1.bar}, in twice the minutes"
    ),
}  # fmt: skip


def hold_out(place: str, folder: Path) -> tuple[Path, Path]:
    """Zips of a person's images to train on and, every sixth in order of names, to hold out.

    The images are copied as they are, without their names and classes.

    Args:
        place: folder or .zip of images.
        folder: of the zips; those of other images lie beside them.

    Raises:
        UserError: no such place, or no image in it.
    """
    source = image_files(place, "all")
    home = folder / f"{existing(place).stem}-{source.facts['files'][:12]}"
    train, held = home / "train.zip", home / "held_out.zip"
    if not held.exists():
        images = [content for content, _ in source.read(0)]
        _write_zip(train, [x for i, x in enumerate(images) if i % EVERY_HELD])
        _write_zip(held, images[::EVERY_HELD])
    return train, held


def photo_crops(folder: Path) -> Path:
    """A zip of the crops of `photos` between those to train on: a pixel away in both directions.

    The test crops are no use here: they are 44, of the other end of the photographs.
    """
    path = folder / "photos.zip"
    if not path.exists():
        crops = [
            encode_png(photo[top : top + 64, left : left + 64])
            for photo in photographs()
            for top in range(1, len(photo) - 64, 2)
            for left in range(1, PHOTO_TRAIN_WIDTH - 64, 2)
        ]
        _write_zip(path, crops)
    return path


def _write_zip(path: Path, images: Iterable[bytes]) -> None:
    with replacing(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        for index, image in enumerate(images):
            archive.writestr(f"{index:06d}.png", image)  # decoded by content, not by name


def places_of(kind: Kind, given: dict[str, str | None], folder: Path) -> dict[str, str]:
    """What the arguments of a kind's commands are filled with, and where held-out images lie.

    Args:
        kind: of the run.
        given: flag -> its path.
        folder: where images that are held out are kept.

    Raises:
        UserError: no such images.
    """
    if kind.row == "photos":
        return {"held": str(photo_crops(folder))}
    if not kind.data:
        return {}
    if kind.data != "faces":
        return {kind.data: str(existing(given[kind.data]))}
    train, held = _held_once(given["faces"], folder)
    return {"faces": str(train), "held": str(held)}


_held_once = functools.cache(hold_out)  # hashing thousands of names once is enough
