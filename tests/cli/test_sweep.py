"""Many runs side by side."""

import json

import numpy as np
import pytest
from programs import TINY, call, cells_of

from mgconv.cli import flags as common


@pytest.mark.parametrize(("against", "sizes"), [("held_out", (1132, 125)), ("test", (1257, 540))])
def test_a_sweep_scores_against_images_that_are_not_learned(against, sizes):
    from mgconv.cli.sweep import training_and_held_out

    learned, held = training_and_held_out(common.config_for(dataset="digits"), against)
    assert (len(learned), len(held)) == sizes
    rows = {row.tobytes() for row in learned.pixels.reshape(len(learned), -1)}
    shared = sum(row.tobytes() in rows for row in held.pixels.reshape(len(held), -1))
    assert shared == 0


def test_a_sweep_learns_every_combination_once_and_ranks_what_is_scored(tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    vary = ["--vary=drift=0.5,1", "--vary=recipe=modern,photographs", "--dataset=digits"]
    settings = [*TINY, *vary, "--grids=1,4", "--scorer=classifier", f"--out={tmp_path}"]
    call("sweep", *settings)
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results["rows"]) == 4
    name = "drift=0.5,recipe=photographs"
    config = json.loads((tmp_path / name / "config.json").read_text())
    assert (config["config"]["drift"], config["config"]["nets"]) == (0.5, "released")
    assert config["data"]["num_images"] == 1257 - 125  # every tenth is held out
    _, rows = cells_of(results["panels"]["sweep"]["scorers"]["classifier"]["table"])
    distances = [results["rows"][row[0]]["frechet"] for row in rows]
    assert distances == sorted(distances)
    assert f"frechet {distances[0]:.4g}" in capsys.readouterr().out  # told when its run ended
    board = EventAccumulator(str(tmp_path / name / "tensorboard")).Reload()
    assert board.Tensors("final/frechet")  # beside the settings, for the HParams page
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoints/*")}
    call("sweep", *settings)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoints/*")} == before


def test_a_sweep_can_change_one_setting_at_a_time(tmp_path, monkeypatch):
    from mgconv.cli import sweep

    configs = {}

    def train_and_score(config, point, folder, *others):
        configs[folder.name] = config
        return {"settings": point, "facts": {"all": {"updates": 1, "seconds": 1.0}}}

    monkeypatch.setattr(sweep, "train_and_score", train_and_score)
    vary = ["--vary=drift=2,3", "--vary=seed=1,2", "--vary=activation=relu"]
    given = ["--one_at_a_time", "--noise=0.5", "--dataset=digits", f"--out={tmp_path}"]
    call("sweep", *vary, *given)
    default = common.config_for(dataset="digits", noise=0.5)
    found = {name: (c.drift, c.seed, c.activation, c.noise) for name, c in configs.items()}
    assert found == {
        "as given": (default.drift, 0, "silu", 0.5),
        "drift=2": (2.0, 0, "silu", 0.5),
        "drift=3": (3.0, 0, "silu", 0.5),
        "seed=1": (default.drift, 1, "silu", 0.5),
        "seed=2": (default.drift, 2, "silu", 0.5),
        "activation=relu": (default.drift, 0, "relu", 0.5),
    }
    panels = json.loads((tmp_path / "results.json").read_text())["panels"]
    _, lines = cells_of(panels["seeds"]["scorers"]["health"]["table"])
    assert {line[0]: line[1] for line in lines} == {
        "as given": "3", "drift=2.0": "1", "drift=3.0": "1", "activation=relu": "1",
    }  # fmt: skip


def test_a_sweep_of_a_model_a_class_has_their_mean_health(tmp_path):
    settings = ["--dataset=digits", "--classes=each", "--grids=1,4", f"--out={tmp_path}"]
    call("sweep", "--vary=seed=0", *settings, *TINY, "--num_updates=8")
    [row] = json.loads((tmp_path / "results.json").read_text())["rows"].values()
    last = [  # a quarter of eight lines
        json.loads(line)
        for path in tmp_path.rglob("metrics.jsonl")
        for line in path.read_text().splitlines()[-2:]
    ]
    assert len(last) == 20
    assert row["contrast"] == pytest.approx(np.mean([line["contrast/4"] for line in last]))


def test_a_sweep_over_seeds_tells_mean_and_deviation_and_keeps_what_failed(tmp_path):
    from mgconv.reporting.sweep import write_report

    def row(drift, seed, frechet):
        facts = {"all": {"updates": 10, "seconds": 5.0}}
        if frechet is None:
            facts = {"failed": {"failed": "Training diverged"}}
        health = dict.fromkeys(("gap", "contrast", "drift_rms", "saturated"), 0.5)
        return {
            "settings": {"drift": drift, "seed": seed},
            "facts": facts,
            "frechet": frechet,
        } | health

    found = [(1.0, 0, 200.0), (1.0, 1, 210.0), (2.0, 0, 300.0), (2.0, 1, None)]
    rows = {f"drift={d},seed={s}": row(d, s, distance) for d, s, distance in found}
    write_report(tmp_path, ["drift", "seed"], rows, "keras", "test")
    panels = json.loads((tmp_path / "results.json").read_text())["panels"]
    _, found = cells_of(panels["seeds"]["scorers"]["keras"]["table"])
    lines = [(row[0], row[1], row[2], row[-1]) for row in found]
    assert lines == [
        ("drift=1.0", "2", "1 x 10 / 5 s", "205 ± 7.07"),
        ("drift=2.0", "2", "1 x 10 / 5 s; diverged", "300; -"),
    ]
