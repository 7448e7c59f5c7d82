"""make stability: bars with known answers, held-out images, a run that is killed and resumed."""

import contextlib
import functools
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from PIL import Image

from benchmarks.stability import __main__ as stability
from benchmarks.stability import bars
from benchmarks.stability import score as stability_score
from benchmarks.stability.kinds import EXP1, KINDS, hold_out, photo_crops
from benchmarks.stability.processes import Processes
from benchmarks.stability.runs import Request, train_seed
from benchmarks.stability.table import over_seeds, seen, verdict, write_summary
from experiments.exp1_synthesis import __main__ as exp1_synthesis
from mgconv.cli import train
from mgconv.cli.shared import flags as flag_settings
from mgconv.cli.shared.program import main
from mgconv.errors import UserError
from mgconv.io.commands import StoppedError
from mgconv.io.files import read_json, write_json
from mgconv.training.records import read_metrics

ROOT = Path(__file__).parents[2]


def record(*distances, seed=0, rollbacks=0, **given):
    """What is kept of a run with these distances, one after each budget."""
    figures = {"distance": {f"{i} updates": x for i, x in enumerate(distances)}}
    figures |= given.pop("figures", {})
    made = {"seed": seed, "updates": 9, "rollbacks": rollbacks, "commands": ["python"]}
    return made | {"figures": figures} | given


# -- figures


def test_a_change_is_the_mean_size_in_the_last_third_over_that_in_the_middle():
    gaps = [90, -90, 90, 1, -2, 3, 6, -6, 3]
    lines = [{"update": 10 * i, "gap/4": gap, "other/4": i} for i, gap in enumerate(gaps, 1)]
    lines[1]["gap/4"] = None
    assert bars.changes(lines) == {"gap/4": 2.5}


def test_a_third_without_lines_is_no_change_that_a_bar_accepts():
    found = bars.changes([{"update": 90, "gap/4": 1.0}])
    assert np.isnan(found["gap/4"])
    assert not bars.is_level(record(figures={"changes": found}))


def test_updates_seconds_and_rollbacks_are_those_of_all_models(tmp_path):
    logs = {
        "1": [{"update": 5, "seconds": 2.0}, {"update": 5, "event": "x. Rollback 1: back to 4."}],
        "3": [{"update": 3, "seconds": 1.0}, {"update": 7, "seconds": 4.5}],
        "8": [{"update": 0, "event": "Stopped."}],
    }
    for name, lines in logs.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name).write_text(text)
    found = bars.spent([tmp_path / name for name in logs])
    assert found == {"updates": 12, "seconds": 6.5, "rollbacks": 1}


def test_a_panel_is_healthy_without_failure_and_rollback(tmp_path):
    def panel(**models):
        return {"models": {"multigrid": models, "cd1": {"failed": {"failed": "a baseline"}}}}

    parts = {
        "photos": {"photos": panel(all={"rollbacks": 0})},
        "others": {
            "digits": panel(**{"3": {"rollbacks": 0}, "8": {"rollbacks": 2}}),
            "faces": panel(failed={"failed": "Training diverged"}),
        },
    }
    for name, panels in parts.items():
        write_json(tmp_path / f"results-{name}.json", {"panels": panels})
    found = bars.panel_health(tmp_path)
    assert found == {"photos": "healthy", "digits": "rollbacks: 2", "faces": "Training diverged"}


# -- bars


@pytest.mark.parametrize(
    ("changed", "level"),
    [((1.0, 2.0, 0.5), True), ((1.0, 2.1), False), ((0.4,), False), ((), False)],
)
def test_a_run_is_level_within_a_factor_of_two(changed, level):
    changes = {f"gap/{i}": x for i, x in enumerate(changed)}
    assert bars.is_level(record(figures={"changes": changes})) is level


def test_a_longer_run_is_compared_with_every_shorter_one():
    assert bars.never_worse([5.0, 4.0, 4.0])
    assert not bars.never_worse([3.0, 5.0, 4.0])
    assert bars.never_worse([3.0, 5.0, 4.0], margin=2.0)
    assert not bars.never_worse([3.0, 4.5, 5.5], margin=2.0)
    assert not bars.never_worse([3.0, None])
    assert not bars.never_worse([])


def test_the_deviation_is_of_a_sample_of_last_distances():
    runs = {"lfw": [record(0, 100), record(9, 110), record(5, 120), record(1, failed="x")]}
    assert bars.deviation(runs["lfw"]) == pytest.approx(10)
    assert bars.deviates_less("lfw", 10.1)(runs) is True
    assert bars.deviates_less("lfw", 10)(runs) is False
    assert bars.deviates_less("lfw", 10)({"lfw": [record(1)]}) is None


def test_lengths_are_judged_by_the_deviation_over_seeds():
    holds = bars.longer_within("long", "short", 2)
    short = [record(100), record(110), record(120)]  # deviation 10
    assert holds({"short": short, "long": [record(100, 90, 110)]}) is True
    assert holds({"short": short, "long": [record(100, 90, 111)]}) is False
    assert holds({"short": short, "long": [record(100, failed="x")]}) is False
    assert holds({"short": short[:1], "long": [record(100)]}) is None
    assert holds({"short": short}) is None


def test_more_time_is_compared_seed_by_seed():
    holds = bars.not_worse_than("ten", "two")
    two = [record(100, seed=0), record(200, seed=1)]
    assert holds({"two": two, "ten": [record(150, seed=1)]}) is True
    assert holds({"two": two, "ten": [record(150, seed=0)]}) is False
    assert holds({"two": two, "ten": [record(150, seed=2)]}) is None
    assert holds({"two": two, "ten": [record(1, seed=0, failed="x")]}) is False


GOOD = {
    "changes": {"gap/4": 1.2}, "recognized": 0.98, "spread": 0.9,
    "panels": {"photos": "healthy", "digits": "healthy"},
}  # fmt: skip


def everything(name, **changed):
    """Good records of all kinds; of this one changed in every seed."""
    return {
        kind: [
            record(2.5, 1.5 + 0.1 * (seed + ("2" in kind)), seed=seed, figures=GOOD)
            | (changed if kind == name else {})
            for seed in range(KINDS[kind].seeds)
        ]
        for kind in KINDS
    }


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_met_by_good_runs_and_missed_where_one_failed(name):
    kind, good = KINDS[name], everything(name)
    assert verdict(name, kind, good) == "met"
    assert verdict(name, kind, everything(name, trial=True)) == "trial: met"
    assert verdict(name, kind, everything(name, failed="x")) == "missed"
    assert verdict(name, kind, good | {name: []}) == "not run"
    if kind.seeds > 1:
        told = f"met by 1 of {kind.seeds} seeds, others not run"
        assert verdict(name, kind, good | {name: good[name][:1]}) == told


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("photos", {"rollbacks": 1}), ("digits3", {"rollbacks": 1}), ("digits8", {"rollbacks": 1}),
        ("digits_each", {"rollbacks": 1}),
        ("photos", {"figures": GOOD | {"distance": {"1": 1.0, "3": 1.1}}}),
        ("photos", {"figures": GOOD | {"distance": {"1": 1.0}, "changes": {"gap/4": 3.0}}}),
        ("digits_each", {"figures": GOOD | {"distance": {"": 2.1}}}),
        ("digits_each", {"figures": GOOD | {"distance": {"": 2.0}, "recognized": 0.96}}),
        ("digits_each", {"figures": GOOD | {"distance": {"": 2.0}, "spread": 0.7}}),
        ("lfw", {"figures": {"distance": {"": 115.1}}}),
        ("lfw_long", {"figures": {"distance": {"1": 1.0, "3": 2.0}}}),
        ("faces2", {"figures": {"distance": {"": 180.1}}}),
        ("faces10", {"figures": {"distance": {"": 120.1}}}),
        ("faces10", {"figures": {"distance": {"": 119.0}}}),  # faces2 is better
        ("exp1", {"figures": {"panels": {"photos": "healthy", "digits": "rollbacks: 1"}}}),
        ("exp1_twice", {"figures": {"panels": {"photos": "healthy"}}}),
    ],
)  # fmt: skip
def test_a_bar_is_missed_where_a_figure_is_beyond_it(name, changed):
    assert verdict(name, KINDS[name], everything(name, **changed)) == "missed"


def test_lengths_without_seeds_to_compare_with_are_not_judged():
    alone = {"lfw_long": [record(9, 8, 7)]}
    assert verdict("lfw_long", KINDS["lfw_long"], alone) == "not decided: needs other runs"


def test_the_table_shows_all_seeds_and_what_failed(tmp_path):
    runs = [record(100.0, seed=0), record(110.0, seed=1), record(seed=2, failed="diverged | x")]
    write_json(tmp_path / "lfw.json", {"records": runs})
    rows = {row[0]: row for row in write_summary(tmp_path, {"command": "python"})["rows"]}
    assert [row[3] for row in rows.values()].count("not run") == len(KINDS) - 1
    assert rows["lfw"][3] == "missed"
    assert rows["lfw"][2].startswith("distance at 0 updates 105 ± 7.1 (100 .. 110)")
    assert rows["lfw"][2].endswith("seed 2: diverged / x")
    written = read_json(tmp_path / "summary.json")
    assert written["panels"]["summary"]["scorers"]["table"]["table"]["rows"][0][0] == "photos"


def test_one_value_is_shown_as_it_is():
    assert over_seeds([12.345678]) == "12.35"
    assert seen([]) == "-"


# -- kinds


@pytest.mark.parametrize("name", KINDS)
def test_the_command_of_a_kind_is_one_that_its_program_takes(name):
    kind = KINDS[name]
    program = exp1_synthesis if kind.program == EXP1 else train
    for _, arguments in kind.stages():
        values = flags.FlagValues()
        program.define_flags(values)
        places = [x.format(lfw="lfw.zip", faces="faces.zip") for x in arguments]
        assert values(["program", *places]) == ["program"]
        given = flag_settings.given_settings(values)
        flag_settings.config_for(**given)
        assert given.get("num_updates") in (*kind.updates, None)


def test_twice_the_minutes_are_twice_those_of_each_panel():
    from experiments.exp1_synthesis.panels import PANELS

    for panel, arguments in KINDS["exp1_twice"].stages():
        minutes = PANELS[panel].settings["quick"]["minutes"]
        assert f"--minutes={2 * minutes:g}" in arguments
        assert f"--datasets={panel}" in arguments


def pixels_of(path):
    with zipfile.ZipFile(path) as archive:
        images = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
        return [np.asarray(image) for image in images]


@pytest.mark.parametrize("as_zip", [False, True])
def test_every_sixth_image_is_held_out_and_in_no_other_zip(tmp_path, as_zip):
    place = tmp_path / "mine"
    place.mkdir()
    for index in range(13):
        picture = Image.fromarray(np.full([8, 8, 3], index, np.uint8))
        picture.save(place / f"{chr(97 + index)}.png")
    if as_zip:
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for file in sorted(place.iterdir())[::-1]:
                archive.write(file, file.name)
        place = tmp_path / "mine.zip"
    train_zip, held = hold_out(str(place), tmp_path / "held_out")
    assert [int(x[0, 0, 0]) for x in pixels_of(held)] == [0, 6, 12]
    assert [int(x[0, 0, 0]) for x in pixels_of(train_zip)] == [1, 2, 3, 4, 5, 7, 8, 9, 10, 11]


def test_crops_to_compare_photos_with_are_not_those_to_train_on(tmp_path):
    from mgconv.datasets.sources import photos

    known = {pixels.tobytes() for pixels, _ in photos("train").read(0)}
    held = pixels_of(photo_crops(tmp_path))
    assert len(held) > 600
    assert not known & {x.tobytes() for x in held}


# -- scores


class Echo:
    """A system that draws the images it is given."""

    def __init__(self, images):
        self.images = images

    def synthesize(self, labels, seed):
        from mgconv.io.images import to_float

        return to_float(np.resize(self.images, [len(labels), *self.images.shape[1:]]))


def folder_of_a_run(folder, **settings):
    """What `load_split` needs of a run."""
    import dataclasses

    config = flag_settings.config_for(dataset="digits", **settings)
    data = {"num_images": 9, "channels": 1, "class_names": ["3"]}
    write_json(folder / "config.json", {"config": dataclasses.asdict(config), "data": data})
    return config


class FewFeatures:
    """A scorer that sees pixels."""

    name, identity = "pixels", "pixels"

    def predict(self, images):
        from mgconv.evaluation.metrics import Predictions

        flat = images[..., :1].reshape(len(images), -1)[:, 10:14].astype(np.float32)
        return Predictions(flat, np.ones([len(images), 1], np.float32))


@pytest.mark.parametrize("held_out", [True, False])
def test_samples_that_are_the_held_out_images_are_at_distance_0(tmp_path, monkeypatch, held_out):
    from mgconv.datasets.sources import digits

    folder_of_a_run(tmp_path / "run", classes="3")
    split = "train" if held_out else "test"
    held = np.stack([pixels for pixels, label in digits(split).read(0) if label == 3])
    held = held[:40] if held_out else held
    place = tmp_path / "held"
    place.mkdir()
    for index, pixels in enumerate(held):
        Image.fromarray(pixels[..., 0]).save(place / f"{index:02d}.png")
    monkeypatch.setattr("mgconv.load", lambda folder: Echo(held))
    monkeypatch.setattr(stability_score, "NUM_SCORED", len(held))
    told = str(place) if held_out else None
    samples, _, scores = stability_score.score(tmp_path / "run", FewFeatures(), told)
    assert len(samples) == len(held)
    assert scores["distance"] == pytest.approx(0, abs=0.01)
    assert scores["real"] > 1


def test_real_digits_as_samples_are_what_the_bars_of_digits_ask_for(tmp_path, monkeypatch):
    from mgconv.datasets.table import load_images
    from mgconv.evaluation.scorers import classifier

    folder_of_a_run(tmp_path, classes="each")
    test = load_images("digits", "test", 8)
    monkeypatch.setattr("mgconv.load", lambda folder: Echo(test.pixels))
    quick = functools.partial(classifier.Classifier, epochs=12)
    monkeypatch.setattr(classifier, "Classifier", quick)
    _, labels, scores = stability_score.score_classes(tmp_path)
    assert len(labels) == len(test)
    figures = scores | {"distance": {"its own budget": scores["distance"]}}
    kind = KINDS["digits_each"]
    assert all(bar(record(figures=figures)) for bar in kind.seed_bars), scores
    assert scores["control"] > 4


# -- processes


@pytest.fixture
def processes(tmp_path):
    """Of a program that is alive as long as there is its mark."""
    (tmp_path / "mark").touch()
    return Processes(tmp_path / "mark")


def started(processes, log, hold, seconds):
    """The future of a command of this length that has begun."""
    sleep = ["-n1", "-r1", f"import time; time.sleep({seconds})"]
    future = ThreadPoolExecutor(1).submit(processes.run, "timeit", sleep, log, hold, 1)
    while not log.exists() or not log.read_text():
        time.sleep(0.01)
    return future


def test_a_command_that_outlives_the_program_is_waited_for(tmp_path, processes):
    log = tmp_path / "log"
    with processes.holding(tmp_path / "lock") as hold:
        future = started(processes, log, hold, 0.5)
    with processes.holding(tmp_path / "lock"):
        assert "loop" in log.read_text()  # timeit's last word
    assert future.result(5) == ""


def test_the_last_line_of_a_command_that_fails_is_kept(tmp_path, processes):
    log = tmp_path / "log"
    with processes.holding(tmp_path / "lock") as hold:
        assert processes.run("timeit", ["-n1", "pass"], log, hold, 1) == ""
        failed = processes.run("timeit", ["-n1", "raise OSError('full')"], log, hold, 1)
    assert failed == "OSError: full"
    assert log.read_text().count("$ python -m timeit -n1") == 2


def test_stop_ends_what_runs_and_begins_nothing(tmp_path, processes):
    log = tmp_path / "log"
    with processes.holding(tmp_path / "lock") as hold:
        future = started(processes, log, hold, 60)
        (tmp_path / "mark").unlink()
        assert isinstance(future.exception(20), StoppedError)
        with pytest.raises(StoppedError):
            processes.run("timeit", ["pass"], log, hold, 1)
    assert log.read_text().count("$ python") == 1


# -- one seed


class Pretended:
    """Commands that take no time: each run is as long as asked, each longer one is worse."""

    def __init__(self, fails_at=None, failure="Training diverged: gap/4"):
        self.called, self._fails_at, self._failure = [], fails_at, failure

    @contextlib.contextmanager
    def holding(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield 0

    def run(self, module, arguments, log, hold, cores):
        given = dict(argument[2:].split("=") for argument in arguments)
        self.called.append(given.get("num_updates", "score"))
        if self._fails_at == len(self.called):
            return f"{self._failure} in {given['out']}"
        if "num_updates" in given:
            num = int(given["num_updates"])
            lines = [{"update": i, "gap/4": 1.0, "seconds": i / 10} for i in range(1, num + 1)]
            text = "".join(json.dumps(line) + "\n" for line in lines)
            Path(given["out"]).mkdir(parents=True, exist_ok=True)
            (Path(given["out"]) / "metrics.jsonl").write_text(text)
        else:
            num = bars.spent([Path(given["run"]) / "metrics.jsonl"])["updates"]
            write_json(Path(given["out"]), {"distance": 100 + num, "real": 7})
        return ""


def photos_of(folder, processes, factor=0.01):
    request = Request(folder / "work", ("--scorer_path=x",), factor)
    return train_seed("photos", KINDS["photos"], 1, {"held": "x"}, request, processes)


def test_a_run_is_scored_at_each_budget_in_turn(tmp_path):
    processes = Pretended()
    kept = photos_of(tmp_path, processes)
    assert processes.called == ["10", "score", "30", "score"]
    assert kept["figures"]["distance"] == {"10 updates": 110, "30 updates": 130}
    assert kept["figures"]["changes"] == {"gap/4": 1.0}
    assert (kept["updates"], kept["seconds"], kept["met"]) == (30, 3.0, False)  # worse at the end
    assert photos_of(tmp_path, processes) == kept
    assert len(processes.called) == 4


def test_a_failure_is_tried_again_but_what_was_scored_is_not(tmp_path):
    kept = photos_of(tmp_path, Pretended(3, "No space left"))
    assert kept["failed"] == "No space left in runs/stability/photos/seed1"
    assert kept["met"] is False
    processes = Pretended()
    assert "failed" not in photos_of(tmp_path, processes)
    assert processes.called == ["30", "score"]


def test_divergence_is_a_result_and_is_not_tried_again(tmp_path):
    kept = photos_of(tmp_path, Pretended(1))
    assert "diverged" in kept["failed"]
    processes = Pretended()
    assert photos_of(tmp_path, processes) == kept
    assert processes.called == []


def test_a_run_that_is_longer_than_a_budget_is_not_scored_as_if_it_were_not(tmp_path):
    photos_of(tmp_path, Pretended())
    run = tmp_path / "work" / "photos" / "seed1"
    shutil.rmtree(run / "stability")
    run.with_suffix(".json").unlink()
    processes = Pretended()
    processes.run = lambda *_: ""  # nothing is left to do
    told = "runs/stability/photos/seed1 has 30 updates, not 10 updates"
    assert photos_of(tmp_path, processes)["failed"].startswith(told)


def test_a_record_of_other_commands_is_not_lost(tmp_path):
    kept = photos_of(tmp_path, Pretended())
    with pytest.raises(UserError, match="other commands"):
        photos_of(tmp_path, Pretended(), 1.0)
    assert photos_of(tmp_path, Pretended()) == kept


# -- the program


def call(*arguments):
    """The program in this process."""
    about = stability.__doc__
    main(stability.run, stability.define_flags, about, ["stability", *arguments])


def test_kinds_without_data_are_not_run_and_the_rest_is_told(tmp_path, capsys):
    call("--rows=lfw,faces", "--faces=/none.zip", f"--work_dir={tmp_path}")
    told = capsys.readouterr().out
    assert "lfw: not run. No --lfw: its images are needed. Give it." in told
    assert "faces2: not run. No --scorer_path: no path given." in told
    assert told.count("| not run |") == len(KINDS)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--rows=photo", "Did you mean photos"),
        ("--seeds=a", "--seeds is no list of numbers"),
        ("--jobs=1000", "More --jobs than cores"),
        ("--scorer_path=/none", "The scorer's weights are missing: /none"),
    ],
)
def test_bad_flags_are_told_in_one_line(tmp_path, argument, told):
    with pytest.raises(SystemExit, match=told) as exit_:
        call("--rows=lfw", argument, f"--work_dir={tmp_path}")
    assert "\n" not in exit_.value.code


def test_a_run_that_is_killed_resumes_and_a_finished_one_is_skipped(tmp_path):
    """Also its command is killed; what it had logged before its last checkpoint stays."""
    settings = [
        "--grids=1,4", "--width=.03", "--batch_size=8", "--num_langevin_steps=2", "--log_every=1",
        "--checkpoint_every=20", "--preview_every=100000", "--on_divergence=ignore",
    ]  # fmt: skip
    command = [
        sys.executable, "-m", "benchmarks.stability", "--rows=digits3", "--seeds=0",
        f"--work_dir={tmp_path / 'runs'}", f"--out={tmp_path / 'out'}", "--budget_factor=.025",
        *(f"--setting={setting}" for setting in settings),
    ]  # fmt: skip
    run = tmp_path / "runs" / "digits3" / "seed0"
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(lines := read_metrics(run / "metrics.jsonl")) < 45 and time.monotonic() < end:
        time.sleep(0.01)
    program.kill()
    program.wait()
    [child] = re.findall(r"# process (\d+)", run.with_suffix(".log").read_text())
    os.kill(int(child), signal.SIGKILL)
    assert 45 <= len(lines) < 150
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "trial: met by 1 of 3 seeds, others not run" in done.stdout, done.stdout
    [kept] = read_json(tmp_path / "out" / "digits3.json")["records"]
    assert kept["updates"] == 150
    assert kept["rollbacks"] == 0
    assert kept["met"] is True
    assert str(tmp_path) not in json.dumps(kept)
    assert "--out=runs/stability/digits3/seed0" in kept["commands"][0]
    assert read_metrics(run / "metrics.jsonl")[:40] == lines[:40]  # seconds, too: it resumed
    picture = Image.open(tmp_path / "out" / "digits3-seed0-150-updates.png")
    assert picture.size == (8 * 33 - 1, 8 * 33 - 1)
    log = run.with_suffix(".log").read_text()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert run.with_suffix(".log").read_text() == log
    assert read_json(tmp_path / "out" / "digits3.json")["records"] == [kept]
