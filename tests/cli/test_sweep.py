"""Many runs side by side."""

import json

import numpy as np
import pytest
from programs import TINY, call, cells_of, refusal

from mgconv.cli.shared import flags as common


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


@pytest.fixture
def fake_runs(monkeypatch):
    """Sweeps train nothing; the points that are trained, in their order."""
    from mgconv.cli import sweep

    trained = []

    def train_and_score(config, point, folder, *others):
        from mgconv.io.locks import locked

        with locked(folder):
            trained.append(folder.name)
        row = dict.fromkeys(("gap", "contrast", "drift_rms", "saturated"), 0.5)
        return {"settings": point, "facts": {"all": {"updates": 1, "seconds": 1.0}}} | row

    monkeypatch.setattr(sweep, "train_and_score", train_and_score)
    return trained


def test_a_second_sweep_takes_what_nobody_has_and_looks_again_at_the_end(
    fake_runs, tmp_path, capsys
):
    from mgconv.cli.sweep import in_turn
    from mgconv.io.locks import LockedError, locked

    given = ["--vary=seed=0,1,2", "--dataset=digits", f"--out={tmp_path}"]
    with locked(tmp_path / "seed=1"):
        call("sweep", *given)
    assert fake_runs == ["seed=0", "seed=2"]
    said = capsys.readouterr().out
    assert "seed=1: another process has it" in said
    assert "Left to another sweep, whose report has them: seed=1" in said
    assert set(json.loads((tmp_path / "results.json").read_text())["rows"]) == {"seed=0", "seed=2"}

    done, first = [], True

    def work(name):
        nonlocal first
        if name == "a" and first:
            first = False
            raise LockedError("Another process is training in", name, "Wait.")
        done.append(name)

    assert in_turn(["a", "b"], work) == []
    assert done == ["b", "a"]
    with locked(tmp_path / "seed=0"), locked(tmp_path / "seed=1"), locked(tmp_path / "seed=2"):
        assert "Another process is training in" in refusal("sweep", *given)


def test_a_sweep_of_fifteen_settings_has_a_plot(fake_runs, tmp_path, recwarn):
    from mgconv.reporting.sweep import _plot

    names = (
        "drift", "noise", "learning_rate", "beta1", "data_noise", "average_decay", "noise_end",
        "drift_end", "drift_coarse", "noise_coarse", "width", "top_width", "curvature_penalty",
        "warm_up", "seed",
    )  # fmt: skip
    values = {"seed": "0,1", "warm_up": "7"}
    vary = [f"--vary={name}={values.get(name, 0.123456789)}" for name in names]
    call("sweep", *vary, "--dataset=digits", f"--out={tmp_path}")
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert len(rows) == len(set(fake_runs)) == 2
    picture = _plot(rows, "contrast")
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 50).mean()
    assert blue > 0.2  # bars, not a collapsed plot
    assert [w for w in recwarn if "matplotlib" in w.filename] == []


def test_a_sweep_holds_out_the_share_that_is_given():
    from mgconv.cli.sweep import training_and_held_out
    from mgconv.datasets.table import load_held_out

    config = common.config_for(dataset="digits", held_out=0.3)
    learned, held = training_and_held_out(config, "held_out")
    assert len(held) == len(load_held_out(config)) == 1257 - len(learned)
