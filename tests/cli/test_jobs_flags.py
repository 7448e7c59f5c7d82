"""--jobs and --only: the same trainings by other processes."""

import json
import shlex

import numpy as np
import pytest
from programs import TINY as FEW
from programs import call, image_folder, refusal, weights

from mgconv.cli.shared import jobs
from mgconv.io.jobs import HELD, Outcome
from mgconv.io.locks import locked

TINY = [*FEW, "--curvature_penalty=0", "--recipe=paper"]


@pytest.fixture
def in_this_process(monkeypatch):
    """Jobs run here, one after the other; each command, and those that fail instead."""
    commands, failing = [], {}

    def run_jobs(given, place, folder):
        for job in given:
            commands.append(shlex.join(job.arguments))
            assert job.arguments[:2] == ["-m", "mgconv"]
            if job.name not in failing:
                call(*job.arguments[2:])
        return Outcome({name: failing[name] for name in failing}, [])

    monkeypatch.setattr(jobs, "run_jobs", run_jobs)
    monkeypatch.setattr(jobs, "shares_of_cores", lambda num: [[0]] * num)
    return commands, failing


def test_classes_are_the_same_bit_for_bit_by_jobs(tmp_path, in_this_process, no_graphs):
    for name in ("cat", "dog"):
        image_folder(tmp_path / "images" / name, [2] * 10)
    given = ["train", f"--image_dir={tmp_path / 'images'}", "--classes=each", "--grids=1,2"]
    given += [*TINY, "--scale=quick", "--learning_rate_decay=0.5", "--decay_epochs=1"]
    call(*given, f"--out={tmp_path / 'serial'}")
    call(*given, f"--out={tmp_path / 'jobs'}", "--jobs=2")
    commands, _ = in_this_process
    assert [command.split()[-1] for command in commands] == ["--only=cat", "--only=dog"]
    assert not any("--jobs" in command for command in commands)
    for name in ("cat", "dog"):
        one, other = (weights(tmp_path / x / name) for x in ("serial", "jobs"))
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one), name
    configs = [json.loads((tmp_path / x / "config.json").read_text()) for x in ("serial", "jobs")]
    assert configs[0]["data"] == configs[1]["data"]


def test_a_sweep_reports_the_others_and_then_what_failed(tmp_path, in_this_process, no_graphs):
    _, failing = in_this_process
    failing["seed=1"] = "Killed."
    given = ["--vary=seed=0,1", "--dataset=digits", "--grids=1,2", *TINY, "--jobs=2"]
    message = refusal("sweep", *given, f"--out={tmp_path}")
    assert message.startswith("Not everything was trained: seed=1: Killed. Each")
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["rows"]) == {"seed=0"}
    assert not (tmp_path / "seed=1" / "config.json").exists()


def test_a_part_that_another_process_has_ends_with_a_code_of_its_own(tmp_path, capsys):
    given = ["--vary=seed=0,1", "--dataset=digits", "--grids=1,2", *TINY, "--only=seed=0"]
    with locked(tmp_path / "seed=0"), pytest.raises(SystemExit) as exit_:
        call("sweep", *given, f"--out={tmp_path}")
    assert exit_.value.code == HELD
    assert "Another process is training in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["train", "--jobs=1000", "--classes=each"], "More --jobs than cores: 1000 >"),
        (["sweep", "--jobs=1000", "--vary=seed=0,1"], "More --jobs than cores: 1000 >"),
        (["train", "--only=3"], "Nothing can be trained at once: --method=multigrid --classes=all"),
        (["train", "--classes=each", "--only=ten"], 'Unknown name in --only: "ten"'),
        (["sweep", "--backend=dsk", "--vary=seed=0,1"], "Did you mean dask"),
        (["sweep", "--cluster=x:1", "--vary=seed=0"], "--backend=processes has no cluster"),
        (["sweep", "--backend=ray", "--vary=seed=0,1"], "--backend=ray "),
    ],
)
def test_bad_input_is_told_in_one_line(given, told):
    assert told in refusal(*given, "--dataset=digits", "--batch_size=8")
