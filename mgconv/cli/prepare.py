"""Prepare a data set with tfds: make data DATASET=cifar10 [DATA_DIR=...] [MANUAL=...].

mgconv prepare --dataset=cifar10
mgconv prepare --dataset=places205 --manual_dir=/downloads
"""

import sys
from pathlib import Path

from absl import flags

from mgconv.cli.flags import define_config_flags
from mgconv.cli.program import main, start_tensorflow
from mgconv.errors import UserError

BUILDERS = Path(__file__).parents[2] / "data"  # of a checkout


def define_flags(values) -> None:
    """Flags of this program."""
    define_config_flags(values, ("dataset", "data_dir"))
    flags.DEFINE_string(
        "manual_dir", None, "where files lie that a person must fetch", flag_values=values
    )


def run(values) -> None:
    """Downloads and prepares, or says what to fetch; prints where it is and what uses it."""
    from mgconv.datasets.table import DATASETS

    dataset = values["dataset"].value
    known = [name for name, row in DATASETS.items() if row.prepared]
    if dataset not in known:
        remedy = f"Known: {', '.join(known)}. Others need no preparing."
        raise UserError("make data DATASET= does not prepare", f'"{dataset}"', remedy)
    start_tensorflow()
    import tensorflow_datasets as tfds

    builder = _builder(dataset, values["data_dir"].value)
    manual = values["manual_dir"].value
    if manual and not Path(manual).is_dir():
        raise UserError("No such folder MANUAL=", manual, "Give the folder of the fetched files.")
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:  # tfds and what it calls raise nearly anything
        found = " ".join(str(error).split())[:400]
        remedy = "data/README.md says what to fetch; give its folder as MANUAL=."
        raise UserError(f"Cannot prepare {dataset}", found, remedy) from None
    place = values["data_dir"].value
    option = f" --data_dir={place}" if place else ""
    print(f"Prepared in {builder.data_dir}")
    print(f"Learn from it: mgconv train --dataset={dataset}{option}")


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
