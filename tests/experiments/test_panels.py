"""What experiment 1 compares and shows: places, budgets, rows, comparable draws."""

import numpy as np
import pytest

from experiments.exp1_synthesis.panels import PANELS, Panel
from experiments.exp1_synthesis.tables import MORE, Made, _records
from mgconv.datasets.image_set import ImageSet
from mgconv.datasets.table import DATASETS, labels_of
from mgconv.errors import UserError
from mgconv.evaluation.samples import LabeledSamples, comparable
from mgconv.evaluation.synthesis import SynthesisScores
from mgconv.recipes import TITLES
from mgconv.reporting.scores import score_table
from mgconv.reporting.tables import Table
from mgconv.training.compare import Entry, _conditional


class Named:
    """What a table says of its scorer."""

    score_name, distance_name = "score", "Frechet distance"


SCORES = SynthesisScores(
    300, 2.5, 0.1, 0.9, 0.8, 12.3, -0.0004, 0.001, 0.7, 0.6, 0.8, 0.5, score_parts=2
)._asdict()


def test_every_panel_shows_a_data_set_by_known_methods():
    for panel in PANELS.values():
        assert panel.dataset in DATASETS
        assert set(panel.methods) <= set(TITLES)
        assert "multigrid" in panel.methods


def test_images_are_looked_for_where_the_panel_has_them(tmp_path):
    zipped = str(tmp_path / "celeba.zip")
    assert PANELS["celeb_a"].place(zipped) == {"image_dir": zipped}
    assert PANELS["cifar10"].place(str(tmp_path)) == {}
    assert Panel("any").place(zipped) == {"image_dir": zipped}
    faces = PANELS["faces"]
    assert faces.place(str(tmp_path)) == {"image_dir": str(tmp_path / "faces.zip")}
    assert faces.place(str(tmp_path / "faces.zip")) == {"image_dir": str(tmp_path / "faces.zip")}
    with pytest.raises(UserError, match="Give the folder"):
        faces.place(str(tmp_path / "other.zip"))


@pytest.mark.parametrize("budget", [{"num_updates": 10}, {"minutes": 2.0}])
def test_one_net_for_three_classes_gets_the_budget_of_three(budget, tiny, toy_images, tmp_path):
    config = tiny(method="dcgan", classes="each", **budget)
    names = ("a", "b", "c, d", "e")
    images = toy_images(12, class_names=names)
    entry = Entry(config, tmp_path, names[:3])
    changed, few = _conditional(entry, images)
    assert changed.num_updates == 3 * config.num_updates
    assert changed.minutes == (6.0 if "minutes" in budget else None)
    assert set(few.labels) == {0, 1, 2}
    assert _conditional(Entry(tiny(method="dcgan"), tmp_path), images)[0] == tiny(method="dcgan")


def test_a_class_is_found_by_its_whole_name():
    assert labels_of(["c, d", "a"], ("a", "b", "c, d")) == [0, 2]
    with pytest.raises(UserError, match='Unknown class: "c"'):
        labels_of(["c"], ("a", "b", "c, d"))


def test_a_method_that_diverged_stays_a_row():
    rows = [{"system": "Multi-grid", "classes": 3} | SCORES]
    facts = {
        "multigrid": {"all": {"updates": 5, "seconds": 2.0, "parameters": {"a": 1000, "b": 24}}},
        "pcd": {"failed": {"failed": "Training diverged: ..."}},
    }
    columns = (*score_table([], Named, True, 0).columns, *MORE)
    made = Made({}, facts, {"multigrid": "drift=0.04, of 4 x 2 min"})
    _, cells = Table(columns, tuple(_records(rows, made, 0))).cells()
    assert cells[0][-4:] == ["1 x 5 / 2 s", "drift=0.04, of 4 x 2 min", "1,024", "6.565"]
    assert cells[1] == ["Persistent CD", "diverged", *"-" * 14]


def test_cells_have_their_uncertainties_and_the_reference_has_no_distance():
    row = {"system": "WGAN", "classes": 3} | SCORES
    rows = [row, row | {"system": "Real images (test)"}, row | {"recognized": float("nan")}]
    rows.append(row | {"score_std": float("nan"), "score_parts": 1})
    _, [cells, reference, unrecognized, whole] = score_table(rows, Named, True, 0).cells()
    assert cells[3:] == [
        "2.50 ± 0.10", "90.0%", "0.80", "12.3", "-0.40 ± 1.00", "0.70", "0.60", "0.80",
        "0.50",
    ]  # fmt: skip
    assert reference[6:] == ["reference", *"-" * 5]
    assert unrecognized == [*cells[:4], "-", *cells[5:]]
    assert whole == [*cells[:3], "2.50", *cells[4:]]


def images_of(num, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, [num, 2, 2, 1], np.uint8)
    return ImageSet(pixels, np.arange(num) % 4, tuple("abcd"))


def test_without_labels_as_many_of_each_side_are_compared_as_the_smallest_has():
    training, test, samples = images_of(90), images_of(40, 1), images_of(70, 2).pixels
    drawn, again, real = comparable((samples, None, None), training, test, None, seed=0)
    assert {len(side.images) for side in (drawn, again, real)} == {40}
    assert len(np.unique(drawn.images.reshape(40, -1), axis=0)) == 40
    few = comparable((samples, None, None), training, test, 25, seed=0)
    assert {len(side.images) for side in few} == {25}


def test_with_labels_every_class_has_as_many_on_each_side():
    training, test = images_of(90), images_of(40, 1)
    names = np.array(["d", "c"])  # the samples' own order of two of the classes
    labels = np.repeat([0, 1], [30, 4])
    drawn, again, real = comparable(
        (images_of(34, 2).pixels, labels, names), training, test, None, 0
    )
    for side in (drawn, again, real):
        assert isinstance(side, LabeledSamples)
        np.testing.assert_array_equal(np.bincount(side.labels), [0, 0, 4, 10])
