"""Paths that a person gives begin with ~ where the home is meant."""

import pytest
from absl import flags
from programs import PROGRAMS, program

PATHS = {
    "out", "run", "image_dir", "data_dir", "cache_dir", "image", "mask", "samples", "scorer_path",
    "from", "images", "scores",
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_path_of_every_program_may_begin_with_the_home(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    values = flags.FlagValues()
    program(name).define_flags(values)
    known = sorted(PATHS & set(values))
    values([name, *(f"--{path}=~/here/{path}/" for path in known)])
    found = {path: values[path].value for path in known}
    assert found == {path: f"{tmp_path}/here/{path}/" for path in known}


@pytest.mark.parametrize("place", ["gs://bucket/x", "a~b", "./~", "~nobody-of-this-name/x", ""])
def test_other_paths_are_left_as_they_are(place):
    values = flags.FlagValues()
    program("train").define_flags(values)
    values(["train", f"--out={place}"])
    assert values["out"].value == place
