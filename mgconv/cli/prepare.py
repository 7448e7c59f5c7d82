"""Prepare a data set with tfds, for --dataset and --data_dir of the other programs.

mgconv prepare --dataset=cifar10
mgconv prepare --dataset=places205 --manual_dir=/downloads
"""

import sys
from pathlib import Path

from absl import flags

from mgconv.cli.shared.flags import define_config_flags
from mgconv.cli.shared.program import command, main, start_tensorflow
from mgconv.errors import UserError

BUILDERS = Path(__file__).parents[2] / "data"  # of a checkout
OWN = ("lsun_scenes", "places205")  # built there, not by tfds


def define_flags(values) -> None:
    """Flags of this program."""
    define_config_flags(values, ("dataset", "data_dir"))
    flags.DEFINE_string(
        "manual_dir", None, "folder of the files that a person must fetch", flag_values=values
    )


def run(values) -> None:
    """Downloads and prepares, or says what to fetch; prints where it is and what uses it."""
    dataset, manual = values["dataset"].value, values["manual_dir"].value
    _check(dataset, manual)
    start_tensorflow()
    import tensorflow_datasets as tfds

    builder = _builder(dataset, values["data_dir"].value)
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:  # tfds and what it calls raise nearly anything
        found = " ".join(str(error).split())[:400]
        remedy = "data/README.md of the repository says what to fetch for --manual_dir."
        raise UserError(f"Cannot prepare {dataset}", found, remedy) from None
    place = values["data_dir"].value
    option = f" --data_dir={place}" if place else ""
    print(f"Prepared in {builder.data_dir}")
    print(f"Train on it: {command(f'train --dataset={dataset}{option}')}")


def _check(dataset: str, manual: str | None) -> None:
    from mgconv.datasets.table import DATASETS

    known = [name for name, row in DATASETS.items() if row.prepared]
    if dataset not in known:
        remedy = f"Known: {', '.join(known)}. Others need no preparing."
        raise UserError("This program does not prepare", f'"{dataset}"', remedy)
    package = dataset.partition("/")[0]
    if package in OWN and not (BUILDERS / package).is_dir():
        found = f"it lies in data/{package} of the repository"
        remedy = "Run python -m mgconv prepare in a checkout."
        raise UserError(f"No builder of {dataset} in this installation", found, remedy)
    if manual and not Path(manual).is_dir():
        raise UserError("No such --manual_dir", manual, "Give the folder of the fetched files.")


def _builder(name: str, data_dir: str | None):
    """The project's own builder where data/ has one, else tfds's."""
    import tensorflow_datasets as tfds

    package, _, config = name.partition("/")
    if not (BUILDERS / package).is_dir():
        return tfds.builder(name, data_dir=data_dir)
    with tfds.core.utils.add_sys_path(BUILDERS):
        own = tfds.core.community.builder_cls_from_module(f"{package}.{package}")
    return own(config=config or None, data_dir=data_dir)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
