"""Flags and environments that anybody may give: one line says what is wrong, or it works."""

import json

import pytest
from fuzzing import fuzzed
from hypothesis import example, given
from hypothesis import strategies as st

from mgconv.cli.shared.flags import CONFIG_FIELDS, config_for, define_config_flags, given_settings
from mgconv.cli.shared.program import main
from mgconv.config import Config
from mgconv.errors import UserError
from mgconv.training.devices import own_folder

WORDS = st.text(max_size=12) | st.sampled_from(
    ["", "none", "nan", "inf", "-1", "0", "1e400", "1,4", "1,4,16", "4,1", "true", "digits", "~"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=9,
)
KINDS = st.sampled_from(["chief", "worker", "ps", "evaluator", ""]) | JSON


@fuzzed
@given(st.dictionaries(st.sampled_from(sorted(CONFIG_FIELDS)), WORDS, max_size=4))
@example({"grids": "1," + "2" * 5000})
@example({"seed": "9" * 5000})
def test_any_flags_are_a_config_or_one_line(flags):
    made = []
    arguments = [f"--{name}={word}" for name, word in flags.items()]
    try:
        main(
            lambda values: made.append(config_for(**given_settings(values))),
            define_config_flags, "About.", ["program", *arguments],
        )  # fmt: skip
    except SystemExit as end:
        assert isinstance(end.code, str)
        assert "\n" not in end.code
    else:
        assert not made or isinstance(made[0], Config)


@fuzzed
@given(
    st.lists(st.text(max_size=9) | st.sampled_from(["--", "-", "--=", "--no", "--help=1", "@x"]))
)
def test_any_words_are_flags_or_one_line(words):
    try:
        main(lambda values: None, define_config_flags, "About.", ["program", *words])
    except SystemExit as end:
        assert isinstance(end.code, str)
        assert "\n" not in end.code


@fuzzed
@given(
    st.text(max_size=40)
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "cluster": st.dictionaries(KINDS.filter(lambda x: isinstance(x, str)), JSON),
            "task": st.fixed_dictionaries({"type": KINDS, "index": JSON}),
        }
    ).map(json.dumps)
)
def test_any_tf_config_is_a_folder_or_one_line(text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CONFIG", text.replace("\0", "").encode(errors="ignore").decode())
        try:
            folder = own_folder("run")
        except UserError as error:
            assert str(error).startswith("Cannot use TF_CONFIG: ")
            assert "\n" not in str(error)
        else:
            assert folder.parts[0] == "run"
