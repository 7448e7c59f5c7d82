"""Inpainting: measures by hand, controls with known answers, and that no system sees the answer."""

import importlib.util

import numpy as np
import pytest
import scipy.sparse.linalg
from conftest import refused
from PIL import Image

from mgconv import masks
from mgconv.datasets.decoding import read_picture
from mgconv.errors import UserError
from mgconv.evaluation import inpainting
from mgconv.evaluation.inpainting import (
    Biharmonic,
    Diffusion,
    MeanColor,
    check_mask,
    composite,
    hidden_by,
    hide,
    inpaint_picture,
    measure,
)
from mgconv.io.images import to_float
from mgconv.models import load
from mgconv.training.fit import learn

CONTROLS = [MeanColor(), Diffusion()]
CONTROLS += [Biharmonic()] if importlib.util.find_spec("skimage") else []
METHODS = ("multigrid", "single_grid", "pcd", "cd1", "context_encoder")


# -- measures


def test_measures_are_those_computed_by_hand():
    """Two of four hidden pixels: off by 51 and 0 of 255; the visible ones do not count."""
    pixels = np.full([1, 2, 2, 1], 100, np.uint8)
    filled = pixels.copy()
    filled[0, 0, 0, 0] = 151
    visible = np.array([False, False, True, True]).reshape(1, 2, 2, 1)
    result = measure(filled, pixels, visible)
    assert result.error[0] == pytest.approx(0.1)
    assert result.psnr[0] == pytest.approx(-10 * np.log10(0.02))
    assert result.whole_psnr[0] == pytest.approx(-10 * np.log10(0.01))
    assert result.psnr_of_the_page[0] == pytest.approx(result.psnr[0] - 6.0206, abs=1e-4)


def test_a_perfect_filling_has_no_error_and_a_finite_psnr():
    pixels = np.random.default_rng(0).integers(0, 256, [3, 16, 16, 3], np.uint8)
    result = measure(pixels, pixels, masks.square(3, 16, 0))
    np.testing.assert_array_equal(result.error, 0)
    assert np.isfinite(result.psnr).all()
    np.testing.assert_allclose(result.whole_ssim, 1)


def test_values_are_of_each_image_alone():
    rng = np.random.default_rng(0)
    pixels, filled = (rng.integers(0, 256, [4, 16, 16, 3], np.uint8) for _ in range(2))
    visible = masks.pepper(4, 16, 1)
    filled = np.where(visible, pixels, filled)
    together = measure(filled, pixels, visible)
    for index in range(4):
        alone = measure(*(x[index : index + 1] for x in (filled, pixels, visible)))
        for one, all_ in zip(alone, together):
            assert one[0] == pytest.approx(all_[index], rel=1e-6)


# -- controls


def test_the_mean_color_is_that_of_visible_pixels():
    masked = np.array([[0.5, -0.1], [9.0, 9.0]], np.float32).reshape(1, 2, 2, 1)
    visible = np.array([True, True, False, False]).reshape(1, 2, 2, 1)
    filled = MeanColor().inpaint(masked, visible, 0)
    np.testing.assert_allclose(filled.ravel(), [0.5, -0.1, 0.2, 0.2], rtol=1e-6)


def test_diffusion_restores_a_ramp():
    """A linear ramp is the mean of its neighbors everywhere."""
    ramp = np.broadcast_to(np.linspace(-0.8, 0.8, 12)[:, None], [12, 12]).astype(np.float32)
    visible = np.ones([1, 12, 12, 1], bool)
    visible[0, 3:8, 4:9] = False
    masked = np.where(visible, ramp.reshape(1, 12, 12, 1), 5.0).astype(np.float32)
    filled = Diffusion().inpaint(masked, visible, 0)
    np.testing.assert_allclose(filled[0, ..., 0], ramp, atol=1e-3)


def exact_diffusion(image, hidden):
    """The discrete Laplace equation at the hidden pixels of [S, S], as a linear system."""
    size, place = len(image), {pixel: i for i, pixel in enumerate(zip(*np.nonzero(hidden)))}
    matrix, known = scipy.sparse.lil_array((len(place), len(place))), np.zeros(len(place))
    for (row, column), i in place.items():
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            beside = row + down, column + right
            if not all(0 <= x < size for x in beside):
                continue  # beyond the border it is its own neighbor
            matrix[i, i] += 1
            if beside in place:
                matrix[i, place[beside]] = -1
            else:
                known[i] += image[beside]
    filled = image.astype(np.float64)
    filled[hidden] = scipy.sparse.linalg.spsolve(matrix.tocsr(), known)
    return filled


@pytest.mark.parametrize("hole", ["corner", "middle", "edge"])
def test_diffusion_solves_the_laplace_equation_at_64_pixels(hole):
    """In a corner two sides of the hole are free: the equation is hardest to solve there."""
    first = {"corner": (32, 32), "middle": (16, 16), "edge": (0, 16)}[hole]
    hidden = np.zeros([64, 64], bool)
    hidden[tuple(slice(x, x + 32) for x in first)] = True
    rng = np.random.default_rng(0)
    image = rng.uniform(-1, 1, [64, 64]).astype(np.float32)
    filled = Diffusion().inpaint(image[None, ..., None], ~hidden[None, ..., None], 0)
    np.testing.assert_allclose(filled[0, ..., 0], exact_diffusion(image, hidden), atol=1e-4)


def test_diffusion_ends_where_nearly_everything_is_hidden(monkeypatch):
    """Two pixels in opposite corners are visible; images of other holes beside change nothing."""
    rounds, one = [], inpainting._above_neighbors
    monkeypatch.setattr(inpainting, "_above_neighbors", lambda *x: rounds.append(1) or one(*x))
    visible = np.zeros([3, 64, 64, 1], bool)
    visible[0, [0, 63], [0, 63]] = True
    visible[1, ::2], visible[2, :, 40:] = True, True
    images = np.random.default_rng(0).uniform(-1, 1, [3, 64, 64, 1]).astype(np.float32)
    filled = Diffusion().inpaint(images, visible, 0)
    exact = exact_diffusion(images[0, ..., 0], ~visible[0, ..., 0])
    np.testing.assert_allclose(filled[0, ..., 0], exact, atol=1e-3)
    alone = Diffusion().inpaint(images[1:], visible[1:], 0)
    np.testing.assert_allclose(filled[1:], alone, atol=1e-4)
    assert len(rounds) < inpainting.MOST_ROUNDS / 2


# -- every system


@pytest.fixture(scope="module", params=METHODS)
def system(request, tiny, toy_images, tmp_path_factory):
    """A system of every kind, two updates old."""
    grids = (1, 8) if request.param == "context_encoder" else (1, 4, 8)
    config = tiny(
        method=request.param, grids=grids, objective="conditional", num_updates=2, width=0.1
    )
    folder = tmp_path_factory.mktemp(request.param) / "run"
    learn(config, toy_images(12, size=8), folder)
    return load(folder)


@pytest.mark.parametrize("draw", [masks.square, masks.doodle, masks.pepper])
def test_no_system_sees_the_answer_or_changes_what_is_known(system, draw, toy_images):
    """What stands at hidden pixels is changed: the output is the same bit for bit."""
    pixels, visible = toy_images(6, size=8, seed=3).pixels, draw(6, 8, 5)
    other = np.where(visible, pixels, 255 - pixels)
    first, again = (system.inpaint(hide(x, visible), visible, 4) for x in (pixels, other))
    np.testing.assert_array_equal(first, again)
    loud = np.where(visible, to_float(pixels), np.float32(0.77))
    np.testing.assert_array_equal(system.inpaint(loud, visible, 4), first)
    known = np.broadcast_to(visible, pixels.shape)
    np.testing.assert_array_equal(composite(first, pixels, visible)[known], pixels[known])
    assert np.abs(first).max() <= 1


def test_the_top_grid_alone_runs_its_own_chains_from_visible_means(tiny, toy_images, tmp_path):
    """The same net and the same seed, but nothing of the grids below."""
    config = tiny(grids=(1, 4, 8), num_updates=2, width=0.1, noise=0.0, drift=1e-30)
    learn(config, toy_images(12, size=8), tmp_path / "run")
    alone = load(tmp_path / "run").top_grid_alone()
    assert [net.spec.size for net in alone.nets] == [8]
    pixels, visible = toy_images(4, size=8, seed=3).pixels, masks.square(4, 8, 5)
    filled = alone.inpaint(hide(pixels, visible), visible, 0)  # chains that do not move
    expected = MeanColor().inpaint(hide(pixels, visible), visible, 0)
    np.testing.assert_allclose(filled, expected, atol=1e-5)


def test_a_smooth_surface_is_restored_by_the_biharmonic_control():
    pytest.importorskip("skimage")
    y, x = np.mgrid[:12, :12] / 12
    smooth = np.stack([0.8 * x - 0.2, 0.5 * y, x * y], axis=-1)[None].astype(np.float32)
    visible = np.ones([1, 12, 12, 1], bool)
    visible[0, 4:8, 5:8] = False
    filled = Biharmonic().inpaint(np.where(visible, smooth, 9).astype(np.float32), visible, 0)
    np.testing.assert_allclose(filled, smooth, atol=0.02)


def test_the_controls_do_not_see_the_answer_either(toy_images):
    pixels, visible = toy_images(6, size=8, seed=3).pixels, masks.doodle(6, 8, 5)
    for control in CONTROLS:
        first = control.inpaint(hide(pixels, visible), visible, 0)
        loud = np.where(visible, to_float(pixels), np.float32(0.77))
        np.testing.assert_array_equal(control.inpaint(loud, visible, 0), first)


def test_an_image_is_filled_alike_among_more_images(system, toy_images):
    """Within a batch: chains are filled up with reference images."""
    pixels, visible = toy_images(3, size=8, seed=3).pixels, masks.square(3, 8, 5)
    masked = hide(pixels, visible)
    several = system.inpaint(masked, visible, 4)
    alone = system.inpaint(masked[:1], visible[:1], 4)
    np.testing.assert_allclose(alone[0], several[0], atol=1e-5)
    assert not np.array_equal(several, masked)


# -- a user's picture


class Red:
    """Fills with red."""

    class config:  # noqa: D106, N801
        size = 8

    def inpaint(self, masked, visible, seed):
        return np.where(visible, masked, np.array([1, -1, -1], np.float32))


class Recorder(Red):
    """Remembers what it was asked to fill."""

    def __init__(self):
        self.asked = []

    def inpaint(self, masked, visible, seed):
        self.asked.append((masked, visible))
        return super().inpaint(masked, visible, seed)


@pytest.mark.parametrize("shape", [(40, 60), (16, 90), (8, 8)])
def test_a_picture_of_any_size_is_filled_where_it_is_hidden_and_nowhere_else(shape):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, [*shape, 3], np.uint8)
    visible = np.ones([*shape, 1], bool)
    visible[2:7, 3 : shape[1] - 1] = False
    done = inpaint_picture(Red(), pixels, visible, 0)
    known = np.broadcast_to(visible, pixels.shape)
    np.testing.assert_array_equal(done[known], pixels[known])
    hidden = done[~visible[..., 0]].astype(int)
    assert (hidden[:, 0] - hidden[:, 1]).mean() > 150


@pytest.mark.parametrize(
    ("size", "hidden", "told"),
    [
        (400, ([0, 399], [0, 399]), "At 8 x 8 the mask hides: less than a pixel"),
        (16, (slice(0, None, 2), slice(0, None, 2)), "At 8 x 8 the mask hides: everything there"),
    ],
)
def test_hidden_parts_that_the_system_cannot_see_or_see_around_are_told(size, hidden, told):
    visible = np.ones([size, size, 1], bool)
    visible[hidden] = False
    pixels = np.zeros([size, size, 3], np.uint8)
    assert told in refused(inpaint_picture, Red(), pixels, visible, 0)


def test_what_a_picture_hides_has_no_influence_also_at_the_edge_of_the_hidden_part():
    """A pixel of the system's size that is hidden in part is hidden."""
    rng = np.random.default_rng(0)
    pixels, visible = rng.integers(0, 256, [40, 60, 3], np.uint8), np.ones([40, 60, 1], bool)
    visible[3:20, 7:24] = False
    other = np.where(visible, pixels, 255 - pixels)
    system = Recorder()
    for given in (pixels, other):
        inpaint_picture(system, given, visible, 0)
    (masked, shown), (again, _) = system.asked
    np.testing.assert_array_equal(masked, again)
    assert 0 < shown.mean() < 1
    np.testing.assert_array_equal(masked[~shown[..., 0]], 0)


@pytest.mark.parametrize(
    ("visible", "told"),
    [
        (np.ones([1, 4, 4, 1], bool), "hides: nothing"),
        (np.zeros([1, 4, 4, 1], bool), "hides: everything"),
        (np.ones([1, 4, 5, 1], bool), r"another size: \(4, 5\), the image \(4, 4\)"),
    ],
)
def test_masks_that_cannot_be_used_are_told(visible, told):
    with pytest.raises(UserError, match=told):
        check_mask(visible, (1, 4, 4, 3))


SQUARE = np.zeros([16, 16], np.uint8)
SQUARE[4:8, 4:8] = 255


def in_alpha(mask, color):
    return np.dstack([np.broadcast_to(np.uint8(color), [*mask.shape, 3]), mask])


@pytest.mark.parametrize(
    "drawn",
    [
        SQUARE,
        SQUARE // 255,  # values 0 and 1
        SQUARE > 0,  # one bit a pixel
        SQUARE // 255 * 38,  # a dark color of a palette
        np.where(SQUARE, 200, 100).astype(np.uint8) + 10 * np.eye(16, dtype=np.uint8),
        in_alpha(SQUARE, 0),
        in_alpha(SQUARE, 255),
        in_alpha(SQUARE // 255, (200, 0, 0)),
        np.dstack([SQUARE, SQUARE, SQUARE, np.full_like(SQUARE, 255)]),
        np.dstack([SQUARE, SQUARE, SQUARE, SQUARE | 128]),  # on black that is half clear
    ],
)
def test_a_mask_hides_the_same_however_it_is_drawn(drawn, tmp_path):
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    hidden = hidden_by(read_picture(tmp_path / "mask.png", 2))
    np.testing.assert_array_equal(hidden[..., 0], SQUARE > 0)


@pytest.mark.parametrize("value", [0, 1, 38, 255])
def test_a_mask_of_one_value_hides_all_or_nothing(value):
    mask = np.dstack([np.full([4, 4], value, np.uint8), np.full([4, 4], 255, np.uint8)])
    assert hidden_by(mask).mean() == (value == 255)
