"""HELD_SHARE is what its record chose, and is chosen on images that are held out of training."""

import json

import numpy as np
import pytest
from programs import ROOT, TINY, call, cells_of

from experiments.exp3_inpainting import held_share
from experiments.exp3_inpainting.held_share import SHARES, choose_share
from mgconv.datasets import table as datasets
from mgconv.multigrid import HELD_SHARE


def errors_of(**by_share):
    """Errors of three images, the same for both models and all masks but the first."""
    rising = np.array([-1.0, 0.0, 1.0]) / 100
    case = {share: by_share[name] + rising for share, name in zip(SHARES, "abcde")}
    flat = dict.fromkeys(SHARES, 1 + rising)
    return {model: {"square": flat, "pepper": case} for model in ("conditional", "generative")}


def test_the_share_of_the_least_error_over_models_and_masks_is_chosen():
    assert choose_share([errors_of(a=5.0, b=2.0, c=1.0, d=3.0, e=4.0)]) == "1/2"


def test_a_data_set_of_large_errors_does_not_decide_alone():
    """Errors count over those of whole blocks."""
    large = errors_of(a=100.0, b=101.0, c=110.0, d=110.0, e=110.0)
    small = errors_of(a=1.0, b=0.1, c=1.0, d=1.0, e=1.0)
    assert choose_share([large, small]) == "3/4"


def test_of_equal_shares_the_one_that_holds_less_is_chosen():
    assert choose_share([errors_of(a=5.0, b=4.0, c=3.0, d=1.0, e=1.0)]) == "1/4"


def test_the_rule_is_what_its_record_chose():
    record = ROOT / "results" / "held-share" / "results.json"
    assert json.loads(record.read_text())["chosen"] == HELD_SHARE


def test_every_share_is_used_and_no_test_image_is_seen(tmp_path, monkeypatch, no_graphs):
    load, seen = datasets.load_images, []

    def of_training(dataset, split, *others, **options):
        assert split == "train"
        return load(dataset, split, *others, **options)

    filled = held_share._errors

    def spy(entry, pixels):
        seen.append(filled(entry, pixels))
        return seen[-1]

    monkeypatch.setattr(datasets, "load_images", of_training)
    monkeypatch.setattr(held_share, "_errors", spy)
    monkeypatch.setattr(held_share, "MASKS", {"pepper": held_share.MASKS["pepper"]})
    monkeypatch.setattr(held_share, "OBJECTIVES", ("generative",))
    monkeypatch.delitem(SHARES, "1/2")
    monkeypatch.delitem(SHARES, "3/4")
    call("held_share", "--num_filled=8", "--grids=1,4,8", f"--out={tmp_path}", *TINY)
    content = json.loads((tmp_path / "results.json").read_text())
    header, rows = cells_of(content["panels"]["digits"]["scorers"]["error"]["table"])
    assert [row[0] for row in rows] == list(SHARES)
    assert header[1:3] == ["generative, pepper", "mean"]
    assert content["chosen"] in SHARES.values()
    for by_mask in seen:  # of 2 x 2 pixels a quarter, a half, or all may be visible
        case = by_mask["pepper"]
        assert case["any pixel"] == pytest.approx(case["1/4"])
        assert np.abs(case["1/4"] - case["the whole block"]).max() > 1e-4
