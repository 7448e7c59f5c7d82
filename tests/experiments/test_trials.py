"""Trials before experiment 1: as many of every method, judged by images that are held out."""

import json
import types

import numpy as np
import pytest
from programs import call, refusal

from experiments.exp1_synthesis import trials
from experiments.exp1_synthesis.panels import PANELS
from experiments.exp1_synthesis.tried import NUM_TRIED, chosen, record_path, tried, words
from mgconv.cli.shared.flags import config_for
from mgconv.config import make_config
from mgconv.datasets import table as datasets
from mgconv.evaluation.scorers import table as scorers
from mgconv.io.files import write_json
from mgconv.recipes import METHODS, TITLES

DRAWN_FROM = [name for name, row in METHODS.items() if "synthesize" in row.can]
RECORD = {
    "asked": {"recipe": "modern", "scale": "quick", "minutes": 2.0},
    "chosen": {"cd1": {"noise_coarse": 1.0}, "dcgan": {}, "of_old": {"drift": 2.0}},
}  # fmt: skip


@pytest.mark.parametrize("method", DRAWN_FROM)
def test_as_many_settings_are_tried_of_every_method_and_it_reads_them(method):
    listed = tried(method)
    assert len(listed) == NUM_TRIED == len({words(own) for own in listed})
    assert listed[0] == {}
    whole = make_config(method=method).identity()
    for own in listed[1:]:
        assert make_config(method=method, **own).identity() != whole


@pytest.mark.parametrize("name", PANELS)
def test_every_panel_can_be_tried_in_two_minutes_at_the_scale_that_it_has(name):
    panel = PANELS[name]
    config = config_for(**trials.plan(panel, {}))
    assert config.minutes * len(panel.tried or [1]) == pytest.approx(2)
    assert config.held_out == trials.HELD_OUT
    assert {config.scale} <= (set(panel.settings) or {"cpu"})
    assert panel.judge in scorers.SCORERS


def test_the_only_step_of_one_step_cd_is_also_tried_with_the_noise_of_the_top_grid():
    """`modern` gives it the coarsest grid's, which `noise_end` cannot take from a first step."""
    configs = [make_config(method="cd1", **own) for own in tried("cd1")]
    noise = [config.training_dynamics(64).noise for config in configs]
    assert max(noise) == noise[0] == pytest.approx(0.099)
    assert min(noise) == pytest.approx(0.003)


def test_the_best_of_all_trials_of_a_method_is_chosen_and_a_diverged_one_never():
    def rows(method, *distances):
        return {
            f"{method}, {words(own)}": {"method": method, "settings": own, "facts": {}}
            | ({} if distance is None else {"frechet": distance})
            for own, distance in zip(tried(method), distances)
        }

    found = trials.choices(
        rows("cd1", None, 8.0, 7.5, None) | rows("dcgan", 3.0, 3.0, 3.0, 3.0) | rows("pcd", 1.0)
    )
    assert found == {"cd1": tried("cd1")[2], "dcgan": {}}  # pcd's are not all made


def test_experiment_1_takes_what_was_chosen_at_its_scale_unless_a_person_says_otherwise(tmp_path):
    write_json(record_path(tmp_path, "a/b"), RECORD)
    found = chosen("a/b", "modern", "quick", folder=tmp_path)
    assert {name: choice.settings for name, choice in found.items()} == {
        "cd1": {"noise_coarse": 1.0}, "dcgan": {},
    }  # fmt: skip
    assert found["cd1"].about == "noise_coarse=1, of 4 x 2 min"
    assert found["dcgan"].about == "as given, of 4 x 2 min"
    assert set(chosen("a/b", "modern", "quick", {"noise_coarse"}, tmp_path)) == {"dcgan"}
    assert not chosen("a/b", "paper", "quick", folder=tmp_path)
    assert not chosen("a/b", "modern", "cpu", folder=tmp_path)
    assert not chosen("other", "modern", "quick", folder=tmp_path)


@pytest.fixture
def made(monkeypatch):
    """The entries that were trained; distances grow, and nothing is computed."""
    entries: list = []
    load = datasets.load_images

    def of_training(dataset, split, *others, **options):
        assert split == "train"
        return load(dataset, split, *others, **options)

    def train(entry, images):
        entries.append((entry, images))
        return {"1": {"updates": 5, "seconds": 2.0}}

    scorer = types.SimpleNamespace(name="toy", identity="toy")
    monkeypatch.setattr(datasets, "load_images", of_training)
    monkeypatch.setattr(scorers, "make_scorer", lambda *_, **__: scorer)
    monkeypatch.setattr(trials, "train_or_reuse", train)
    monkeypatch.setattr(trials, "distance", lambda *_: 10.0 - len(entries))
    return entries


def test_trials_share_a_budget_and_see_no_test_image_nor_one_that_is_held_out(
    made, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr(trials, "distance", lambda entry, held, scorer: seen.append(held) or 1.0)
    call("trials", "--methods=dcgan,cd1", f"--out={tmp_path}", f"--record={tmp_path / 'kept'}")
    assert len(made) == 2 * NUM_TRIED
    for entry, images in made:
        assert entry.classes == ("1", "3", "8")
        assert entry.config.minutes == pytest.approx(2 / 3)
        held = seen[0]
        assert set(held.labels) == {1, 3, 8}
        assert 0.1 < len(held) / np.isin(images.labels, [1, 3, 8]).sum() < 0.4
        known = {pixels.tobytes() for pixels in images.pixels}
        assert not known & {pixels.tobytes() for pixels in held.pixels}
    assert len({entry.folder for entry, _ in made}) == len(made)


def test_an_interrupted_program_makes_only_what_is_left_and_records_all(made, tmp_path):
    given = [f"--out={tmp_path}", f"--record={tmp_path / 'kept'}"]
    call("trials", "--methods=dcgan", *given)
    call("trials", "--methods=dcgan,cd1", *given)
    assert len(made) == 2 * NUM_TRIED
    content = json.loads((tmp_path / "kept" / "digits.json").read_text())
    assert content["chosen"] == {m: tried(m)[-1] for m in ("dcgan", "cd1")}  # the last was best
    assert content["asked"]["minutes"] == 2
    rows = content["panels"]["digits"]["scorers"]["trials"]["table"]["records"]
    assert f"{TITLES['cd1']}, as given" in {record["row"] for record in rows}
    told = refusal("trials", "--minutes=1", *given)
    assert "is of trials with another: minutes" in told
    assert len(made) == 2 * NUM_TRIED


def test_a_photographs_judge_needs_its_weights_before_anything_is_trained(made, tmp_path):
    assert "weights are missing" in refusal(
        "trials", "--datasets=photos", "--scorer_path=/none", f"--out={tmp_path}"
    )
    assert not made
