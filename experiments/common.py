"""Config <-> absl flags, and the main() of every program. No TensorFlow before flags are parsed."""

import contextlib
import dataclasses
import importlib
import logging
import os
import re
import signal
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path

from absl import flags

import mgconv  # noqa: F401  sets the environment that TensorFlow reads
from mgconv.config import (
    BASELINES,
    OF_ENERGIES,
    RECIPES,
    SCALES,
    Config,
    UserError,
    choose,
    make_config,
)

HELP = {"-h", "-help", "--help", "-?", "--helpshort", "--helpfull"}
CONFIG_FIELDS = {field.name: field for field in dataclasses.fields(Config)}
SHARED_FIELDS = [name for name in CONFIG_FIELDS if name != "method"]  # by methods of a comparison
OR_NONE = ("reference_sigma", "readout_limit")  # numbers that a flag can also turn off


def define_config_flags(
    values: flags.FlagValues,
    names: Iterable[str] = CONFIG_FIELDS,
    scales: dict[str, dict[str, typing.Any]] | None = None,
) -> None:
    """A flag for each of these fields of Config; one that is not given leaves the presets alone.

    Args:
        values: gets the flags.
        names: of the fields.
        scales: an experiment's own settings by scale; its default scale is quick.
    """
    for name in names:
        kind = CONFIG_FIELDS[name].type
        if isinstance(kind, types.UnionType) and name not in OR_NONE:
            kind = typing.get_args(kind)[0]
        define = {int: flags.DEFINE_integer, float: flags.DEFINE_float, bool: flags.DEFINE_bool}
        text = CONFIG_FIELDS[name].metadata["help"] + _preset_values(name, scales)
        define.get(kind, flags.DEFINE_string)(name, None, text, flag_values=values)


def _preset_values(name: str, scales: dict[str, dict] | None) -> str:
    default = getattr(Config, name) if scales is None or name != "scale" else "quick"
    rows = {} if default is None else {"default": default}
    for presets in (RECIPES, SCALES, scales or {}):
        rows |= {row: preset[name] for row, preset in presets.items() if name in preset}
    texts = [f"{row} {v:.3g}" if isinstance(v, float) else f"{row} {v}" for row, v in rows.items()]
    return f" [{'; '.join(texts)}]" if texts else ""


def given_settings(values: flags.FlagValues) -> dict[str, typing.Any]:
    """The fields of Config that the command line sets."""
    given = {n: values[n].value for n in CONFIG_FIELDS if n in values}
    given = {name: value for name, value in given.items() if value is not None}
    if "grids" in given:
        given["grids"] = _read_grids(given["grids"])
    given |= {name: _read_or_none(name, given[name]) for name in OR_NONE if name in given}
    refuse_two_budgets(given)
    refuse_unread(given)
    return _with_dataset(given)


def _with_dataset(given):
    return {"dataset": "image_dir"} | given if given.get("image_dir") else given


def config_for(**given) -> Config:
    """`make_config` on top of what the row of the data set says.

    Raises:
        UserError: unknown names, values out of range or not working together.
    """
    from mgconv.datasets import DATASETS

    given = _with_dataset(given)
    dataset = given.get("dataset", Config.dataset)
    row = DATASETS[choose("data set", dataset, DATASETS)]
    return make_config({"grids": row.grids}, **given)


def _read_grids(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise UserError("--grids is no list of sizes", f'"{text}"', "Give e.g. 1,4,16.") from None


def _read_or_none(name: str, text: str) -> float | None:
    try:
        return None if text.lower() == "none" else float(text)
    except ValueError:
        remedy = "Give a number or none."
        raise UserError(f"--{name} is no number", f'"{text}"', remedy) from None


def define_scorer_choice(values: flags.FlagValues, default: str | None) -> None:
    """--scorer, one of them, and the flags of its weights."""
    text = "who judges: classifier, keras, inception2015, torch_fidelity"
    flags.DEFINE_string("scorer", default, text, flag_values=values)
    define_scorer_flags(values)


def define_scorer_flags(values: flags.FlagValues) -> None:
    """Flags of the weights of a scorer."""
    text = "weights of a scorer other than classifier; nothing is downloaded"
    flags.DEFINE_string("scorer_path", None, text, flag_values=values)
    text = "SHA-256 of that file, where it is not the published one"
    flags.DEFINE_string("scorer_sha256", None, text, flag_values=values)


def scorer_settings(values: flags.FlagValues, names: Iterable[str | None]) -> dict[str, str | None]:
    """What those flags say to the scorers of these names, as `make_scorer` takes it.

    Raises:
        UserError: none of them reads weights, and some were given.
    """
    given = {"path": values["scorer_path"].value, "sha256": values["scorer_sha256"].value}
    if given["path"] and {*names} <= {None, "classifier"}:
        remedy = "Name the scorer, too: keras, inception2015 or torch_fidelity."
        raise UserError("No scorer reads --scorer_path", given["path"], remedy)
    return given


def compared_methods(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The methods of a comparison; a UserError where one is unknown or multi-grid is not there."""
    methods = tuple(choose("method", name, known) for name in names)
    if "multigrid" not in methods:
        remedy = "Every comparison shows it; add it."
        raise UserError("--methods leaves out", "multigrid", remedy)
    return methods


def suffix_of(names: Iterable[str] | None) -> str:
    """Of report and results, where a person chose data sets: those of others stay beside them."""
    return "".join(f"-{name.replace('/', '-')}" for name in names or ())


def refuse_two_budgets(given: dict[str, typing.Any]) -> None:
    """Raises a UserError where a person gave both budgets."""
    if {"num_updates", "minutes"} <= set(given):
        found = f"--num_updates={given['num_updates']} --minutes={given['minutes']}"
        raise UserError("Two budgets", found, "Give one of them.")


def refuse_unread(given: dict[str, typing.Any]) -> None:
    """Raises a UserError where a baseline is to learn and a setting of energies was given, too."""
    unread = [f"--{name}={given[name]}" for name in CONFIG_FIELDS if name in OF_ENERGIES & {*given}]
    if given.get("method") in BASELINES and unread:
        found = ", ".join(unread)
        raise UserError(f"--method={given['method']} does not read", found, "Leave it out.")


def one_budget(settings: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """The settings, without a preset's minutes where a number of updates is given."""
    return {k: v for k, v in settings.items() if k != "minutes" or "num_updates" not in settings}


def start_tensorflow(devices: str | None = None) -> None:
    """Imports TensorFlow without the lines that it writes to stderr whatever the log level is.

    A warning about many traces is silenced, too: each learner of a comparison has its own.

    Args:
        devices: of Config, that TensorFlow is set up for ahead of its first use; None: its default.
    """
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            set_up = importlib.import_module("mgconv.devices").set_up
            set_up(devices or Config.devices)  # without a GPU, a failed cuInit is told
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def load_split(config: Config, split: str | None = None):
    """Images of the config's data set and classes, by default of its training split."""
    from mgconv.datasets import choose_classes, load_images

    images = load_images(
        config.dataset,
        split or config.split,
        config.size,
        data_dir=config.data_dir,
        image_dir=config.image_dir,
        cache_dir=config.cache_dir,
        crop=config.crop,
    )
    for reason, count in images.skipped.items():
        print(f"{config.dataset}: skipped {count} images: {reason}", flush=True)
    return images.only(choose_classes(config.classes, images.class_names))


def main(
    program: Callable[[flags.FlagValues], None],
    define_flags: Callable[[flags.FlagValues], None],
    about: str,
    argv: list[str] | None = None,
) -> None:
    """Parses flags and runs `program`; a UserError is one line on stderr and exit code 1.

    SIGTERM and SIGINT end it with the command that goes on, whatever it is at.

    Departure from absl's app: its --help leaves out the flags of imported modules and exits 1.
    """
    argv = sys.argv if argv is None else argv
    values = flags.FlagValues()
    define_flags(values)
    if HELP & set(argv[1:]):
        print(_help(about, values))
        return
    with contextlib.suppress(ValueError):  # only the main thread hears signals
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ahead of learning and after it
    try:
        extra = values(argv)[1:]
        if extra:
            raise UserError("Unexpected argument", f'"{extra[0]}"', "Flags are --name=value.")
        program(values)
    except flags.Error as error:
        sys.exit(f"{' '.join(str(error).split())}. --help lists all flags.")
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt as stop:
        from mgconv.tracking import command_line

        command = re.sub("--resume[= ]never", "--resume=auto", command_line())
        print(f"{str(stop) or 'Interrupted'}. To go on: {command}", flush=True)


def _help(about: str, values: flags.FlagValues) -> str:
    lines = [about.strip(), "", "Flags, each --name=value:"]
    for name in values:
        default = values[name].default
        shown = "" if default is None else f" [default {default}]"
        lines.append(f"  --{name}: {values[name].help}{shown}")
    return "\n".join(lines)
