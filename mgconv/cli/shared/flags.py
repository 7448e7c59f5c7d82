"""Config <-> absl flags."""

import dataclasses
import os
import types
import typing
from collections.abc import Iterable

from absl import flags

from mgconv.config import Config, make_config
from mgconv.errors import UserError, choose
from mgconv.recipes import METHODS, OF_BASELINES, OF_LABELS, RECIPES, SCALES

CONFIG_FIELDS = {field.name: field for field in dataclasses.fields(Config)}

# by methods of a comparison, which says itself how many labels there are
SHARED_FIELDS = [n for n in CONFIG_FIELDS if n not in {"method"} | OF_LABELS | OF_BASELINES]

PATHS = ("data_dir", "image_dir", "cache_dir", "out")  # fields that a person may begin with ~

# numbers that a flag can also turn off
OR_NONE = ("reference_sigma", "readout_limit", "gradient_limit")


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
        kind: typing.Any = CONFIG_FIELDS[name].type
        if isinstance(kind, types.UnionType) and name not in OR_NONE:
            kind = typing.get_args(kind)[0]
        define: dict[typing.Any, typing.Callable] = {
            int: flags.DEFINE_integer,
            float: flags.DEFINE_float,
            bool: flags.DEFINE_bool,
        }
        text = CONFIG_FIELDS[name].metadata["help"] + _preset_values(name, scales)
        plain = define_path if name in PATHS else flags.DEFINE_string
        define.get(kind, plain)(name, None, text, flag_values=values)


class _PathParser(flags.ArgumentParser):
    """A home is written out by most shells, and not after the = of a flag."""

    def parse(self, argument: str) -> str:
        return os.path.expanduser(argument)  # noqa: PTH111  keeps // of gs://, and the last /


def define_path(name: str, default: str | None, help: str, flag_values: flags.FlagValues) -> None:
    """A flag of a path; ~ is the home of who calls, ~NAME another's."""
    flags.DEFINE(_PathParser(), name, default, help, flag_values, flags.ArgumentSerializer())


def _preset_values(name: str, scales: dict[str, dict] | None) -> str:
    default = getattr(Config, name) if scales is None or name != "scale" else "quick"
    rows = {} if default is None else {"default": default}
    for presets in (RECIPES, SCALES, scales or {}):
        rows |= {row: preset[name] for row, preset in presets.items() if name in preset}
    texts = [f"{row} {_shown(value)}" for row, value in rows.items()]
    return f" [{'; '.join(texts)}]" if texts else ""


def _shown(value: typing.Any) -> str:
    """A value as it is given to its flag."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def given_settings(values: flags.FlagValues) -> dict[str, typing.Any]:
    """The fields of Config that the command line sets."""
    asked = {name: values[name].value for name in CONFIG_FIELDS if name in values}
    given: dict[str, typing.Any] = {n: value for n, value in asked.items() if value is not None}
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
    from mgconv.datasets.table import DATASETS

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
    text = f"network that scores the samples: {scorers_as_text()}"
    flags.DEFINE_string("scorer", default, text, flag_values=values)
    define_scorer_flags(values)


def scorers_as_text() -> str:
    """The rows of SCORERS, for a help text."""
    from mgconv.evaluation.scorers.table import SCORERS

    return "; ".join(f"{name}, {row.about}" for name, row in SCORERS.items())


def define_scorer_flags(values: flags.FlagValues) -> None:
    """Flags of the weights of a scorer."""
    text = "file with the weights of a scorer other than classifier"
    define_path("scorer_path", None, text, flag_values=values)
    text = "fetch the published weights of such a scorer instead, once; keep them in --cache_dir"
    flags.DEFINE_bool("scorer_download", False, text, flag_values=values)
    text = "SHA-256 that the scorer's weights must have, where it is not the published one"
    flags.DEFINE_string("scorer_sha256", None, text, flag_values=values)


def scorer_settings(values: flags.FlagValues, names: Iterable[str | None]) -> dict[str, typing.Any]:
    """What those flags say to the scorers of these names, as `make_scorer` takes it.

    Raises:
        UserError: an unknown scorer, no such file, or none that reads it.
    """
    from mgconv.datasets.cache import cache_root
    from mgconv.evaluation.scorers.table import SCORERS
    from mgconv.evaluation.scorers.weights import existing_file

    known = {name and choose("scorer", name, SCORERS) for name in names}
    path, downloads = values["scorer_path"].value, values["scorer_download"].value
    asked = f"--scorer_path={path}" if path else "--scorer_download" if downloads else None
    if asked and known <= {None, "classifier"}:
        others = ", ".join(name for name in SCORERS if name != "classifier")
        raise UserError("No scorer reads", asked, f"Give one of {others}.")
    if path and downloads:
        raise UserError("Two places of weights", f"--scorer_download {asked}", "Give one of them.")
    if path:
        existing_file(path, "Give the file of the weights by --scorer_path.")
    cache_dir = values["cache_dir"].value if "cache_dir" in values else None
    folder = cache_root(cache_dir) / "weights" if downloads else None
    return {"path": path, "sha256": values["scorer_sha256"].value, "download": folder}


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
    """Raises a UserError where a setting was given that the method does not read."""
    method = given.get("method", Config.method)
    names = METHODS[method].unread & {*given} if method in METHODS else ()
    unread = [f"--{name}={given[name]}" for name in CONFIG_FIELDS if name in names]
    if unread:
        raise UserError(f"--method={method} does not read", ", ".join(unread), "Leave it out.")


def one_budget(settings: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """The settings, without a preset's minutes where a number of updates is given."""
    return {k: v for k, v in settings.items() if k != "minutes" or "num_updates" not in settings}
