"""What a sweep varies: settings, their combinations, and the config of each."""

from absl import flags

from mgconv.cli.shared.checks import check_data
from mgconv.cli.shared.flags import (
    CONFIG_FIELDS,
    config_for,
    define_config_flags,
    given_settings,
    refuse_two_budgets,
    refuse_unread,
)
from mgconv.config import Config
from mgconv.errors import UserError, choose
from mgconv.recipes import METHODS
from mgconv.reporting.sweep import AS_GIVEN


def read_varied(texts: list[str]) -> dict[str, list[tuple]]:
    """The settings to vary, each with (value, its text) of its values."""
    varied = dict(map(_values, texts))
    if len(varied) < len(texts):
        found = ", ".join(texts)
        raise UserError("A setting is varied twice", found, "Give all its values in one --vary.")
    if not varied:
        raise UserError("Nothing to vary", "no --vary", "Give e.g. --vary=drift=0.01,0.02.")
    return varied


def points_of(varied: dict[str, list[tuple]], one_at_a_time: bool) -> dict[str, dict]:
    """The settings that vary, by the name of their run."""
    from sklearn.model_selection import ParameterGrid

    alone = [{}, *({name: listed} for name, listed in varied.items())]
    grid = list(ParameterGrid(alone if one_at_a_time else varied))
    names = [",".join(f"{n}={point[n][1]}" for n in point) or AS_GIVEN for point in grid]
    return {name: {n: point[n][0] for n in point} for name, point in zip(names, grid)}


def configs_of(given: dict, points: dict[str, dict], scorer: str | None) -> dict[str, Config]:
    """The config of each run; what is wrong with one is reported before any is trained."""
    configs = {}
    for name, point in points.items():
        refuse_two_budgets(given | point)
        if not any("method" in other for other in points.values()):
            refuse_unread(given | point)
        configs[name] = config_for(**given | point)
    sources = {(c.dataset, c.split, c.image_dir, c.classes): c for c in configs.values()}
    for config in sources.values():
        check_data(config)
    methods = {config.method for config in configs.values()}
    fillers = {method for method in methods if "synthesize" not in METHODS[method].can}
    if scorer and fillers:
        remedy = "Leave out --scorer, or this method."
        raise UserError("No samples to score are drawn by", ", ".join(fillers), remedy)
    return configs


def _values(text: str) -> tuple[str, list[tuple]]:
    """A name, and (value, its text) for each of its values, read as the flag of that name is."""
    name, sign, listed = text.partition("=")
    if not sign or not listed:
        raise UserError("--vary is no NAME=V1,V2", f'"{text}"', "Give e.g. --vary=drift=0.01,0.02.")
    choose("setting to vary", name, CONFIG_FIELDS)
    texts = listed.split(";" if name == "grids" else ",")  # 1,4,16;1,4,16,32
    values = {_parsed(name, value): value for value in texts}
    if len(values) < len(texts):
        raise UserError(f"A value of {name} is given twice", listed, "Give each once.")
    return name, list(values.items())


def _parsed(name, text):
    values = flags.FlagValues()
    define_config_flags(values, [name])
    values(["sweep", f"--{name}={text}"])
    return given_settings(values)[name]
