"""The folder of a run: whose it is, what is written, what is read back."""

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from conftest import refused
from PIL import Image

from mgconv.config import Config, make_config
from mgconv.io.files import read_json, strict, write_json
from mgconv.recipes import RECIPES, SUPERSEDED
from mgconv.training.records import read_config, read_metrics
from mgconv.training.run import Run

DATA = {"num_images": 12, "channels": 1, "class_names": ["toy"], "mean_pixel": 127.25}
SETTINGS = "_hparams_/session_start_info"


def contents(folder):
    """Every file below, with its bytes and its time."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def begin(folder, config, data):
    """A run whose folder is this process's."""
    run = Run(folder, config, data)
    run.begin()
    return run


# -- whose folder it is


def test_a_run_that_another_process_began_in_the_meantime_is_told(tmp_path, tiny):
    late = Run(tmp_path, tiny(seed=2), DATA)
    begin(tmp_path, tiny(seed=1), DATA)
    assert "seed 1 -> 2" in refused(late.begin)
    assert read_config(tmp_path)[0].seed == 1


def test_the_same_settings_go_on_also_to_another_budget_and_cadence(tmp_path, tiny):
    begin(tmp_path, tiny(num_updates=4), DATA)
    other = tiny(num_updates=9, checkpoint_every=7, log_every=3, out="elsewhere")
    begin(tmp_path, other, DATA)
    assert read_config(tmp_path) == (other, DATA)


def test_another_run_is_refused_with_the_names_that_differ_and_left_alone(tmp_path, tiny):
    begin(tmp_path, tiny(seed=1, noise=0.1), DATA)
    before = contents(tmp_path)
    message = refused(lambda: begin(tmp_path, tiny(seed=2, noise=0.25), DATA))
    assert "seed 1 -> 2; " in message or message.count("seed 1 -> 2")
    assert "noise 0.1 -> 0.25" in message
    assert message.count("->") == 2
    assert str(tmp_path) in message
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", DATA)
def test_other_data_are_another_run(name, tmp_path, tiny):
    begin(tmp_path, tiny(), DATA)
    before = contents(tmp_path)
    other = DATA | {name: 99}
    assert f"{name} {DATA[name]} -> 99" in refused(lambda: begin(tmp_path, tiny(), other))
    assert contents(tmp_path) == before


def test_resume_never_refuses_a_folder_with_a_run_and_takes_any_other(tmp_path, tiny):
    config = tiny(resume="never")
    begin(tmp_path / "run", config, DATA)
    before = contents(tmp_path)
    assert "--resume=never" in refused(lambda: begin(tmp_path / "run", config, DATA))
    assert contents(tmp_path) == before


def test_resume_must_refuses_a_folder_without_a_run_and_makes_none(tmp_path, tiny):
    config = tiny(resume="must")
    assert "Nothing to resume" in refused(lambda: begin(tmp_path / "run", config, DATA))
    assert not (tmp_path / "run").exists()
    begin(tmp_path / "run", tiny(), DATA)
    begin(tmp_path / "run", config, DATA)


# -- config.json


@pytest.mark.parametrize("recipe", [*RECIPES, *SUPERSEDED])
def test_config_json_reads_back_as_the_same_config(recipe, tmp_path):
    config = make_config(recipe=recipe, grids=(1, 4, 16), reference_sigma=None, minutes=1.5)
    begin(tmp_path, config, DATA)
    assert read_config(tmp_path) == (config, DATA)
    assert read_config(str(tmp_path))[0].identity() == config.identity()


def broken_config(change):
    """The text of a config.json whose content `change` has made something else of."""
    content = {"config": dataclasses.asdict(make_config()), "data": dict(DATA)}
    return json.dumps(change(content))


def with_value(**values):
    return broken_config(lambda content: content | {"config": content["config"] | values})


MALFORMED = {
    "empty": "",
    "no JSON": "{config",
    "cut short": with_value()[:200],
    "binary": "\0\1\2",
    "a list": "[1, 2]",
    "a number": "3",
    "null": "null",
    "no config": broken_config(lambda content: {"data": content["data"]}),
    "no data": broken_config(lambda content: {"config": content["config"]}),
    "config a list": broken_config(lambda content: content | {"config": []}),
    "data a list": broken_config(lambda content: content | {"data": []}),
    "no fields": broken_config(lambda content: content | {"config": {}}),
    "a field more": with_value(surprise=1),
    "grids a number": with_value(grids=4),
    "grids null": with_value(grids=None),
    "grids a text": with_value(grids="1,4"),
    "grids of texts": with_value(grids=["1", "4"]),
    "a text for a number": with_value(width="wide"),
    "a list for a number": with_value(noise=[0.1]),
    "null for a number": with_value(noise=None),
    "null for a count": with_value(num_langevin_steps=None),
    "null for the seed": with_value(seed=None),
    "a number for a name": with_value(method=3),
    "a list for a name": with_value(method=["multigrid"]),
    "a number out of range": with_value(width=-1),
    "an unknown name": with_value(recipe="secret"),
    "NaN": with_value(noise=math.nan),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_config_json_is_told_and_left_alone(text, tmp_path, tiny):
    (tmp_path / "config.json").write_text(text)
    refused(lambda: read_config(tmp_path))
    refused(lambda: begin(tmp_path, tiny(), DATA))
    assert (tmp_path / "config.json").read_text() == text


def test_a_setting_that_an_older_version_did_not_know_has_its_default(tmp_path):
    text = broken_config(lambda content: content | {"config": {"seed": 5, "grids": [1, 4]}})
    (tmp_path / "config.json").write_text(text)
    assert read_config(tmp_path)[0] == Config(seed=5, grids=(1, 4))


def test_what_was_called_modern_before_its_readout_had_a_limit_is_modern_gains(tmp_path):
    config = make_config(recipe="modern_gains", scale="quick", seed=5)
    then = dataclasses.asdict(config) | {"recipe": "modern"}
    for name in ("readout_limit", "top_width"):  # as commit f851598 wrote it
        del then[name]
    write_json(tmp_path / "config.json", {"config": then, "data": DATA})
    assert read_config(tmp_path) == (config, DATA)
    begin(tmp_path, config, DATA)  # goes on
    today = make_config(recipe="modern", scale="quick", seed=5)
    told = refused(lambda: begin(tmp_path, today, DATA))
    assert "recipe modern_gains -> modern; " in told
    assert "normalization kernels -> standardized" in told


def test_a_run_of_a_newer_mgconv_is_refused_in_one_line_and_left_alone(tmp_path, tiny):
    text = broken_config(lambda content: {"format": 2, "config": "of then"})  # no more is known
    (tmp_path / "config.json").write_text(text)
    for call in (lambda: read_config(tmp_path), lambda: begin(tmp_path, tiny(), DATA)):
        told = refused(call)
        assert told.startswith(f"{tmp_path} was written by a newer mgconv (format 2)")
        assert told.endswith("Upgrade mgconv.")
    assert (tmp_path / "config.json").read_text() == text


def test_a_run_has_its_format_and_one_of_before_there_was_a_number_is_read(tmp_path, tiny):
    begin(tmp_path, tiny(), DATA)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content.pop("format") == 1
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert read_config(tmp_path) == (tiny(), DATA)


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", None, True, [1]])
def test_a_format_that_is_no_number_is_told(number, tmp_path):
    (tmp_path / "config.json").write_text(broken_config(lambda found: {"format": number} | found))
    assert "Cannot use" in refused(lambda: read_config(tmp_path))


def test_a_config_json_that_is_no_text_is_told(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    refused(lambda: read_config(tmp_path))


def test_a_folder_that_is_no_run_is_told(tmp_path):
    assert "Give the folder of a run" in refused(lambda: read_config(tmp_path))
    assert "Give the folder of a run" in refused(lambda: read_config(tmp_path / "missing"))


# -- JSON


def test_written_json_is_strict():
    """NaN and infinity, at any depth and of any kind, become null; the rest is kept."""
    nan, inf = float("nan"), float("inf")
    content = {
        "a": nan, "b": [inf, -inf, 1.5, (nan,)], "c": {"d": np.float32(nan), "e": np.float64(2.5)},
        "f": np.int64(3), "g": np.bool_(True), 7: "text", "h": None, "i": np.float64(inf),
    }  # fmt: skip
    expected = {
        "a": None, "b": [None, None, 1.5, [None]], "c": {"d": None, "e": 2.5},
        "f": 3, "g": True, "7": "text", "h": None, "i": None,
    }  # fmt: skip
    assert strict(content) == expected


def test_json_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "new" / "results.json"
    write_json(path, {"score": float("nan"), "rows": [1, 2.5, "ä"]})
    assert "NaN" not in path.read_text()
    assert read_json(path) == {"score": None, "rows": [1, 2.5, "ä"]}


@pytest.mark.parametrize(
    ("at", "number", "told"),
    [("write_bytes", 28, "No space left"), ("replace", 30, "Read-only file system")],
)
def test_a_disk_that_takes_no_more_is_told_and_the_old_settings_stay(
    at, number, told, tmp_path, tiny, monkeypatch
):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    begin(tmp_path, tiny(num_updates=4), DATA)
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, at, fail)
        assert told in refused(lambda: begin(tmp_path, tiny(num_updates=9), DATA))
    assert contents(tmp_path) == before


def test_out_that_is_a_file_is_told(tmp_path, tiny):
    (tmp_path / "notes").write_text("a user's own")
    refused(lambda: begin(tmp_path / "notes", tiny(), DATA))
    assert (tmp_path / "notes").read_text() == "a user's own"


# -- metrics, pictures, budget


@pytest.fixture
def run(tmp_path, tiny):
    run = begin(tmp_path / "run", tiny(), DATA)
    yield run
    run.close()


def test_a_line_of_metrics_is_on_disk_at_once(run):
    run.log(3, {"gap/4": 0.5, "gap/8": np.float32(0.25)})
    run.log(6, {"gap/4": float("nan")})
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"update": 3, "gap/4": 0.5, "gap/8": 0.25},
        {"update": 6, "gap/4": None},
    ]
    assert read_metrics(run.folder / "metrics.jsonl")[0]["gap/8"] == 0.25


@pytest.mark.parametrize("sizes", [(7, 14, 28), (4, 28), (3, 6, 12), (4, 16, 64)])
def test_strips_of_all_grids_are_as_wide(run, sizes):
    run.preview(1, {f"synthesized/{size}": np.zeros([2, size, size, 1]) for size in sizes})
    with Image.open(run.folder / "samples" / "000001.png") as picture:
        width, height = picture.size
    side = (width + 1) // 16 - 1
    assert side >= 32 and all(side % size == 0 for size in sizes)
    assert height == side * len(sizes)


def test_metrics_are_written_for_tensorboard_too(run):
    run.log(3, {"gap/4": 0.5})
    run.close()
    assert list((run.folder / "tensorboard").glob("events*"))


def test_a_last_line_that_was_cut_short_is_left_out(run):
    run.log(1, {"gap/4": 0.5})
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"update": 2, "ga')
    assert [line["update"] for line in read_metrics(run.folder / "metrics.jsonl")] == [1]
    run.rewind(5)
    run.log(2, {"gap/4": 0.25})
    assert [line["update"] for line in read_metrics(run.folder / "metrics.jsonl")] == [1, 2]


def test_rewinding_forgets_what_comes_after(run):
    assert read_metrics(run.folder / "metrics.jsonl") == []
    for update in (1, 2, 3, 4):
        run.log(update, {"gap/4": update / 8})
    run.rewind(2)
    assert read_metrics(run.folder / "metrics.jsonl") == [
        {"update": 1, "gap/4": 0.125},
        {"update": 2, "gap/4": 0.25},
    ]


def test_a_full_disk_while_logging_is_told(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    assert "No space left on device" in refused(lambda: run.log(1, {"gap/4": 0.5}))


def test_a_preview_shows_a_strip_a_grid_from_coarse_to_fine(run):
    dark, light = np.full([20, 4, 4, 1], -1.0), np.full([20, 8, 8, 1], 1.0)
    run.preview(30, {"synthesized/4": dark, "synthesized/8": light})
    with Image.open(run.folder / "samples" / "000030.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (2 * 32, 16 * 33 - 1)  # 16 images, at least 32 pixels a side
    assert (pixels[:32, :32] == 0).all()
    assert (pixels[32:] == 255).all()


def test_tensorboard_has_scalars_pictures_histograms_and_events_in_groups(run):
    """Read back as TensorBoard does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run.log(3, {"gap/4": 0.5, "gap/8": 0.25})
    pictures = {"observed/8": np.zeros([2, 8, 8, 1]), "synthesized/8": np.ones([2, 8, 8, 1])}
    run.preview(3, pictures | {"energy_observed/8": np.array([1.0, 2.0])})
    run.event(3, "went back")
    run.close()
    found = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    tags = set(found.Tags()["tensors"]) - {SETTINGS}
    assert tags == {"gap/4", "gap/8", *pictures, "energy_observed/8", "events"}
    plugins = {tag: found.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags}
    assert plugins["gap/4"] == "scalars"
    assert plugins["synthesized/8"] == "images"
    assert plugins["energy_observed/8"] == "histograms"
    assert plugins["events"] == "text"
    assert found.Tensors("gap/8")[0].step == 3


def test_the_settings_of_a_run_are_a_row_of_tensorboard_s_hparams_page(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    run.log(1, {"gap/4": 0.5})
    run.close()
    content = (
        EventAccumulator(str(run.folder / "tensorboard")).Reload().PluginTagToContent("hparams")
    )
    settings = metadata.parse_session_start_info_plugin_data(content[SETTINGS]).hparams
    assert settings["grids"].string_value == "(1, 2, 4)"
    assert settings["seed"].number_value == 0
    assert "out" not in settings


def test_the_rate_of_a_run_is_kept_from_its_first_measurement(run):
    assert run.seconds_per_update() is None
    assert run.seconds_per_update(0.5) == 0.5
    assert run.seconds_per_update(9.0) == 0.5
    assert run.seconds_per_update() == 0.5
    assert read_json(run.folder / "budget.json") == {"seconds_per_update": 0.5}
