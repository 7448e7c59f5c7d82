"""Settings: presets, their precedence, what is refused, what makes a run another run."""

import dataclasses
import math
import typing

import pytest
from conftest import refused

from mgconv.config import ACTIVATIONS, NORMALIZATIONS, PIXEL, Config, Dynamics, make_config
from mgconv.errors import UserError
from mgconv.recipes import (
    ENERGY_BASED,
    METHODS,
    NETS,
    OF_ENERGIES,
    RECIPES,
    SCALES,
    SUPERSEDED,
    grid_spec,
)

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
BOUNDED = [name for name, field in FIELDS.items() if field.metadata["legal"]]
CHOSEN = [name for name, field in FIELDS.items() if field.metadata["choices"]]


# -- precedence


def test_each_source_of_a_value_overrides_the_ones_before_it(monkeypatch):
    """Defaults < data set < scale < recipe < given; a source that is silent changes nothing."""
    sources = [None, {"width": 0.2}, {"width": 0.3}, {"width": 0.4}, {"width": 0.5}]
    for last in range(len(sources)):
        for silent in range(1, len(sources)):
            data_set, scale, recipe, given = (
                sources[i] if i <= last and i != silent else {} for i in range(1, 5)
            )
            monkeypatch.setitem(SCALES, "this_scale", scale)
            monkeypatch.setitem(RECIPES, "this_recipe", recipe)
            names = {"scale": "this_scale", "recipe": "this_recipe"}
            speaking = [i for i in range(1, last + 1) if i != silent]
            expected = sources[max(speaking)]["width"] if speaking else Config.width
            assert make_config(data_set, **names, **given).width == expected


def test_recipe_and_scale_are_independent():
    for scale, scale_row in SCALES.items():
        for recipe, recipe_row in RECIPES.items():
            config = make_config(scale=scale, recipe=recipe)
            assert {k: getattr(config, k) for k in recipe_row} == recipe_row
            own = scale_row.keys() - recipe_row.keys()
            assert {k: getattr(config, k) for k in own} == {k: scale_row[k] for k in own}


def test_a_baseline_has_its_least_batch_where_a_scale_says_less():
    for scale, expected in (("quick", 64), ("full", 100)):
        config = make_config(method="dcgan", scale=scale)
        assert config.batch_size == expected
    assert make_config(method="dcgan", batch_size=8).batch_size == 8
    assert make_config(scale="quick").batch_size == 16


def test_a_given_number_of_updates_takes_the_place_of_a_preset_of_minutes():
    assert make_config(scale="quick").minutes == SCALES["quick"]["minutes"]
    given = make_config(scale="quick", num_updates=7)
    assert (given.minutes, given.num_updates) == (None, 7)


@pytest.mark.parametrize(
    ("table", "field"),
    [(METHODS, "method"), (RECIPES, "recipe"), (SUPERSEDED, "recipe"), (SCALES, "scale")],
)
def test_every_row_makes_a_valid_config(table, field):
    for name in table:
        assert getattr(make_config(**{field: name}), field) == name


def test_tables_name_only_fields_of_config():
    for row in (*RECIPES.values(), *SCALES.values(), *SUPERSEDED.values()):
        assert row.keys() <= FIELDS.keys()


OURS_THEN = {"optimizer": "adam", "beta1": 0.5, "reference_sigma": None, "noise_end": 0.0}
RECIPES_THEN = {  # at commit f851598
    "modern_gains": {
        "nets": "released", "normalization": "kernels", "activation": "silu",
        "num_langevin_steps": 5, "learning_rate": 0.01, "drift": 0.02, "noise": 0.003,
        "noise_coarse": 33.0, "data_noise": 0.01, "curvature_penalty": 100.0,
        "average_decay": 0.999,
    },
    "unnormalized": {
        "normalization": "none", "activation": "silu", "learning_rate": 5e-4, "drift": 1.0,
        "noise": 0.03, "data_noise": 0.03, "average_decay": 0.99,
    },
    "photographs": {
        "nets": "released", "normalization": "batch", "activation": "leaky_relu",
        "learning_rate": 0.1, "drift": 1e-3, "noise": 0.005, "data_noise": 0.01,
        "average_decay": 0.99,
    },
}  # fmt: skip
SCALES_THEN = {
    "quick": {"width": 0.25, "batch_size": 64, "minutes": 0.4},
    "cpu": {"width": 0.25, "batch_size": 64, "minutes": 10.0},
    "full": {"width": 1.0, "batch_size": 100, "num_updates": 35_000},
}


@pytest.mark.parametrize("scale", SCALES_THEN)
@pytest.mark.parametrize("recipe", RECIPES_THEN)
def test_superseded_recipes_mean_what_they_meant(recipe, scale):
    then = {"top_width": 1.0, "readout_limit": None, "warm_up": 0}  # neither bounded nor wide
    then |= OURS_THEN | SCALES_THEN[scale] | RECIPES_THEN[recipe]
    config = make_config(recipe=recipe, scale=scale)
    assert config == Config(recipe=recipe, scale=scale, **then)
    assert make_config(recipe=recipe, scale=scale, noise=0.5).noise == 0.5


def test_superseded_recipes_can_be_named_but_are_in_no_list():
    assert set(RECIPES_THEN) == set(SUPERSEDED)
    for name in SUPERSEDED:
        assert name not in RECIPES
        assert name not in FIELDS["recipe"].metadata["help"]
    assert refused(make_config, recipe="@@@@").endswith(f"Known: {', '.join(RECIPES)}.")
    assert "modern_gains" not in refused(make_config, recipe="modern_gain")


def test_the_default_recipe_is_bounded_by_construction():
    modern = make_config()
    assert (modern.recipe, modern.normalization, modern.activation) == (
        "modern", "standardized", "silu",
    )  # fmt: skip
    assert modern.readout_limit is not None
    assert modern.gradient_limit is not None


def test_the_papers_recipes_have_nothing_that_is_ours():
    for recipe in ("paper", "released"):
        config = make_config(recipe=recipe, scale="full")
        assert config.data_noise == config.average_decay == config.curvature_penalty == 0
        assert config.readout_limit is config.gradient_limit is None
        dynamics = [config.synthesis_dynamics(size) for size in config.learned_sizes]
        assert dynamics == 3 * [Dynamics(config.num_langevin_steps, config.drift, config.noise)]


def test_every_setting_has_a_help_text():
    assert all(len(field.metadata["help"]) > 10 for field in FIELDS.values())


def test_the_papers_constants_are_those_of_0_to_255_divided_by_half_the_range():
    paper = make_config(recipe="paper", scale="full")
    assert PIXEL == 2 / 255
    assert paper.noise == pytest.approx(0.3 / 127.5)
    assert paper.drift == pytest.approx((0.3 / 127.5) ** 2 / 2)
    assert paper.reference_sigma == pytest.approx(50 / 127.5)
    assert paper.noise**2 / (2 * paper.drift) == pytest.approx(1)  # temperature


# -- what is refused


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, -1e-9])
def test_numbers_that_are_not_finite_or_of_the_wrong_sign_are_refused(name, value):
    assert refused(make_config, **{name: value}).startswith(f"--{name} is out of range: {value}.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 1), ("batch_size", 0), ("width", 0), ("num_updates", 0), ("minutes", 0),
        ("num_langevin_steps", 0), ("drift", 0), ("learning_rate", 0), ("reference_sigma", 0),
        ("beta1", 1), ("average_decay", 1.0), ("checkpoint_every", 0), ("pool_size", 0),
        ("seed", 2**31), ("readout_limit", 0), ("top_width", 0), ("gradient_limit", 0),
    ],
)  # fmt: skip
def test_bounds_are_refused(name, value):
    assert refused(make_config, **{name: value}).startswith(f"--{name} is ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 2), ("noise", 0), ("noise_end", 0), ("data_noise", 0.0), ("beta1", 0),
        ("average_decay", 0.999), ("seed", 2**31 - 1), ("minutes", None), ("pool_size", None),
        ("reference_sigma", None), ("pool_size", 300), ("drift_end", 0), ("readout_limit", None),
    ],
)  # fmt: skip
def test_values_at_the_edge_are_accepted(name, value):
    assert getattr(make_config(**{"batch_size": 100, name: value}), name) == value


def test_every_bounded_number_is_bounded():
    """A new numeric field cannot forget its bounds."""
    kinds = {name: typing.get_args(field.type) or (field.type,) for name, field in FIELDS.items()}
    numeric = {name for name, kind in kinds.items() if {int, float} & set(kind)}
    assert numeric - {"grids"} == set(BOUNDED)


def test_every_word_is_one_of_a_list_or_names_data_or_a_place():
    """A new field of words cannot forget its choices."""
    kinds = {name: typing.get_args(field.type) or (field.type,) for name, field in FIELDS.items()}
    words = {name for name, kind in kinds.items() if str in kind}
    data, places = {"dataset", "image_dir", "classes", "split"}, {"data_dir", "cache_dir", "out"}
    assert words - data - places - {"devices"} == set(CHOSEN)


@pytest.mark.parametrize(
    ("grids", "told"),
    [
        ((), "must begin with 1"),
        ((1,), "have a finer grid"),
        ((2, 4), "must begin with 1 and have a finer grid: 2,4."),
        ((0, 4), "must begin with 1"),
        ((4, 1), "must begin with 1"),
        ((1, 4, 6), "4 does not divide 6: 1,4,6"),
        ((1, 4, 4), "4 does not divide 4"),
        ((1, 8, 4), "8 does not divide 4"),
        ((1, 1), "1 does not divide 1"),
        ((1, -4), "1 does not divide -4"),
        ((1, 4, 0), "4 does not divide 0"),
    ],
)
def test_grids_that_are_no_chain_of_divisors_are_refused(grids, told):
    assert told in refused(make_config, grids=grids)


@pytest.mark.parametrize("grids", [(1, 2), (1, 3, 6), (1, 4, 16, 32), (1, 4, 16, 64), (1, 64)])
def test_any_chain_of_divisors_is_legal(grids):
    assert make_config(grids=grids).size == grids[-1]


@pytest.mark.parametrize("name", CHOSEN)
def test_an_unknown_name_is_told_with_the_near_ones_or_with_all(name):
    choices = list(FIELDS[name].metadata["choices"])
    label = f'Unknown {name}: "'
    near = refused(make_config, **{name: choices[0] + "x"})
    assert near.startswith(label)
    assert f"Did you mean {choices[0]}" in near
    far = refused(make_config, **{name: "@@@@"})
    assert far.startswith(label)
    assert far.endswith(f"Known: {', '.join(choices)}.")


def test_names_are_exact():
    for wrong in ("Multigrid", "multigrid ", "", "None"):
        assert "Unknown method" in refused(make_config, method=wrong)


def test_a_pool_that_is_no_multiple_of_the_batch_is_refused():
    assert "--pool_size is no multiple of --batch_size: 10, batch 4." in refused(
        make_config, pool_size=10, batch_size=4
    )


def test_a_user_error_is_one_line_whatever_it_is_told():
    error = UserError("a\nb", "c\n\n d", "Do  this.\n")
    assert str(error) == "a b: c d. Do this."


# -- what follows from the settings


@pytest.mark.parametrize(
    ("method", "sizes", "training", "synthesis"),
    [
        ("multigrid", (4, 16, 64), 30, 30),
        ("single_grid", (64,), 90, 90),
        ("pcd", (64,), 90, 90),
        ("cd1", (64,), 1, 90),
    ],
)
def test_methods_spend_the_papers_langevin_steps(method, sizes, training, synthesis):
    """30 a grid and three grids, or the same 90 on the top grid; CD-1 trains with one."""
    config = make_config(method=method, recipe="paper", grids=(1, 4, 16, 64))
    assert config.learned_sizes == sizes
    assert config.training_dynamics(64).num_langevin_steps == training
    assert config.synthesis_dynamics(64).num_langevin_steps == synthesis


@pytest.mark.parametrize("method", ENERGY_BASED)
def test_chains_have_the_drift_and_noise_that_are_set(method):
    given = {"drift": 0.25, "drift_end": 2.0, "noise": 0.125, "noise_end": 0.5}
    config = make_config(method=method, noise_coarse=1, **given)
    for dynamics in (config.training_dynamics(64), config.synthesis_dynamics(64)):
        assert {name: getattr(dynamics, name) for name in given} == given


def test_noise_falls_by_equal_factors_from_grid_to_grid():
    config = make_config(noise_coarse=16, noise=0.005, grids=(1, 4, 16, 64))
    assert [config.training_dynamics(s).noise for s in (4, 16, 64)] == pytest.approx(
        [0.08, 0.02, 0.005]
    )
    assert config.synthesis_dynamics(16) == config.training_dynamics(16)
    assert (
        make_config(noise_coarse=16, noise=0.005, grids=(1, 64)).synthesis_dynamics(64).noise
        == 0.005
    )
    silent = make_config(noise=0.0, grids=(1, 4, 16, 64))
    assert [silent.training_dynamics(size).noise for size in (4, 16, 64)] == [0, 0, 0]


def test_drift_changes_by_equal_factors_from_grid_to_grid():
    config = make_config(drift_coarse=1 / 16, drift=0.08, grids=(1, 4, 16, 64))
    assert [config.training_dynamics(s).drift for s in (4, 16, 64)] == pytest.approx(
        [0.005, 0.02, 0.08]
    )
    alone = make_config(method="pcd", drift_coarse=1 / 16, drift=0.08, grids=(1, 4, 16, 64))
    assert alone.synthesis_dynamics(64).drift == alone.training_dynamics(64).drift == 0.005


@pytest.mark.parametrize("method", ["single_grid", "pcd", "cd1"])
def test_a_method_of_one_grid_has_the_noise_of_the_coarsest(method):
    """Its chain begins where the coarsest grid's does, at one color."""
    config = make_config(method=method, noise_coarse=16, noise=0.005, grids=(1, 4, 16, 64))
    assert config.synthesis_dynamics(64).noise == config.training_dynamics(64).noise == 0.08


def test_a_runs_identity_leaves_out_budget_cadence_and_places():
    left_out = {
        "num_updates", "minutes", "log_every", "checkpoint_every", "preview_every",
        "out", "data_dir", "image_dir", "cache_dir", "resume", "devices", "deterministic",
        "profile", "on_divergence", "max_rollbacks",
        "labels", "unlabeled",  # not read by a model of images without labels
        "rate_factor",  # nor by one of ours
    }  # fmt: skip
    identity = make_config(scale="quick").identity()
    assert identity.keys() == FIELDS.keys() - left_out
    other = make_config(
        num_updates=7, log_every=3, checkpoint_every=5, preview_every=2, resume="must",
        out="a", data_dir="b", image_dir="c", cache_dir="d", scale="quick", devices="cpu:2",
        profile=3, on_divergence="stop", max_rollbacks=1,
    )  # fmt: skip
    assert other.identity() == identity
    assert make_config(scale="quick", seed=1).identity() != identity


@pytest.mark.parametrize("method", sorted({*METHODS} - {*ENERGY_BASED}))
def test_the_run_of_a_baseline_outlives_a_change_of_the_energies_recipe(method):
    """Nor could a person give the old settings again: a baseline refuses those of energies."""
    config = make_config(method=method)
    assert make_config(method=method, recipe="modern_gains").identity() == config.identity()
    assert not OF_ENERGIES & config.identity().keys()
    for name, value in (("width", 0.5), ("batch_size", 8), ("grids", (1, 32)), ("seed", 1)):
        assert make_config(**{"method": method, name: value}).identity() != config.identity()
    for ours in ENERGY_BASED:
        assert make_config(method=ours).identity().keys() >= OF_ENERGIES


def test_the_rates_of_a_baseline_have_a_factor_and_those_of_energies_none():
    """A run of before there was one is the run of its publication's rate."""
    slow = make_config(method="wgan", rate_factor=0.5)
    assert slow.identity() != make_config(method="wgan").identity()
    assert slow.identity().keys() >= {"rate_factor"}
    assert "rate_factor" not in make_config(method="pcd").identity()


def test_a_classifiers_labels_make_it_another_and_come_from_no_test_image():
    config = make_config(method="vat")
    for name, value in (("labels", 20), ("unlabeled", False)):
        assert make_config(method="vat", **{name: value}).identity() != config.identity()
    assert "Give --split=train" in refused(make_config, method="vat", split="all")


def test_the_top_grids_net_is_the_same_in_all_methods():
    for recipe in (*RECIPES, *SUPERSEDED):
        configs = [make_config(recipe=recipe, method=method) for method in ENERGY_BASED]
        assert len({c.spec(c.learned_sizes[-1]) for c in configs}) == 1


def test_top_width_widens_the_top_grid_alone():
    config = make_config(width=0.25, top_width=2, grids=(1, 4, 16, 64))
    assert [config.spec(size) for size in config.learned_sizes] == [
        grid_spec("released", 4, 0.25), grid_spec("released", 16, 0.25),
        grid_spec("released", 64, 0.5),
    ]  # fmt: skip
    assert make_config(method="pcd", width=0.25, top_width=2).spec(64) == config.spec(64)


@pytest.mark.parametrize(
    ("size", "row"), [(1, 4), (2, 4), (4, 4), (8, 16), (16, 16), (32, 64), (64, 64), (128, 64)]
)
def test_a_size_between_takes_the_net_of_the_next_larger_row(size, row):
    for nets, table in NETS.items():
        spec = grid_spec(nets, size)
        assert spec.size == size
        assert spec.convs == table[row].convs


def test_width_multiplies_the_filters_and_leaves_at_least_one():
    full, half = grid_spec("paper", 64).convs, grid_spec("paper", 64, 0.5).convs
    assert [conv.filters for conv in half] == [conv.filters // 2 for conv in full]
    assert [(c.kernel, c.stride) for c in half] == [(c.kernel, c.stride) for c in full]
    assert all(conv.filters == 1 for conv in grid_spec("paper", 64, 1e-6).convs)


def test_the_names_of_layers_are_the_ones_that_can_be_built():
    from mgconv.energy import EnergyNet
    from mgconv.layers import NORMALIZATIONS as BUILT

    assert tuple(BUILT) == NORMALIZATIONS
    for activation in ACTIVATIONS:
        EnergyNet(grid_spec("paper", 4, 0.02), 1, activation=activation)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_config().seed = 1
