"""The PyTorch nets of the benchmark compute what ours do; only where PyTorch is installed."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import libraries
from benchmarks.langevin import flops, make_net, start
from benchmarks.peers import same_padding, torch_energy
from mgconv.cli.shared.flags import config_for
from mgconv.config import Dynamics
from mgconv.langevin import energy_gradient
from mgconv.recipes import Conv, GridSpec


@pytest.mark.parametrize("recipe", ["paper", "released", "modern", "unnormalized"])
@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize("folds", [False, True])
def test_energies_and_gradients_are_those_of_the_keras_net(recipe, size, folds):
    torch = pytest.importorskip("torch")
    config = config_for(recipe=recipe, dataset="photos", scale="quick", batch_size=5, width=0.1)
    net, x0 = make_net(config, size, 3), start(config, size, 3)
    gradient, energies = energy_gradient(net.fixed(), x0)
    x = torch.from_numpy(x0.numpy().transpose(0, 3, 1, 2).copy()).requires_grad_(True)
    ours = torch_energy(net, config.activation, folds)(x)
    [theirs] = torch.autograd.grad(ours.sum(), x)
    np.testing.assert_allclose(ours.detach().numpy(), energies, rtol=1e-4, atol=1e-4)
    found = theirs.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, gradient, atol=1e-3 * np.abs(gradient).max())


@pytest.mark.parametrize("side", [4, 7, 16])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 1), (3, 2), (4, 2), (1, 2)])
def test_padding_is_tensorflows(side, kernel, stride):
    x = np.random.default_rng(0).normal(size=[1, side, side, 1]).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=[kernel, kernel, 1, 1]).astype(np.float32)
    left, right, top, bottom = same_padding(side, kernel, stride)
    padded = np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    expected = tf.nn.conv2d(x, weights, stride, "SAME")
    np.testing.assert_allclose(tf.nn.conv2d(padded, weights, stride, "VALID"), expected, atol=1e-5)


def test_floating_point_operations_of_a_chain_by_hand(monkeypatch):
    """Two images, three Langevin steps; a 3 x 3 convolution to 4 x 4 x 5, then 80 -> 1."""
    spec = GridSpec(8, (Conv(5, 3, 2),))
    monkeypatch.setattr("mgconv.config.grid_spec", lambda *_: spec)
    config = config_for(batch_size=2, num_langevin_steps=3)
    assert flops(config, 8, 3) == 2 * 3 * 4 * (16 * 9 * 3 * 5 + 16 * 5)


@pytest.mark.parametrize("name", ["torchebm", "ebmkit"])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_librarys_chain_has_our_steps_and_our_noise(name, noise):
    """In U = x^2 / 2 a step is x <- (1 - drift) x + noise z, whatever the library calls these."""
    torch = pytest.importorskip("torch")
    pytest.importorskip({"ebmkit": "ebm"}.get(name, name))
    torch.manual_seed(0)
    energy = torch.nn.Identity()
    energy.forward = lambda x: (x**2).flatten(1).sum(1) / 2
    start = torch.full([50, 1, 20, 20], 0.9)
    end = libraries.chains([name], energy, start, Dynamics(3, 0.1, noise))[name]()
    assert float(end.mean()) == pytest.approx(0.9 * 0.9**3, abs=1e-3)
    spread = noise * (1 + 0.9**2 + 0.9**4) ** 0.5
    assert float(end.std()) == pytest.approx(spread, rel=0.03, abs=1e-6)


def test_a_library_that_is_not_installed_is_left_out_with_a_line(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "ebm")
    assert libraries.installed() == ["ebmkit"]
    assert capsys.readouterr().out == (
        "torchebm is not installed: left out. pip install torchebm\n"
    )


def test_training_ends_when_its_seconds_are_over(monkeypatch):
    now = iter([0.0, 1.0, 2.9, 3.1])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    watch = libraries.Watch(3.0)
    watch(), watch()
    with pytest.raises(libraries.OutOfTimeError):
        watch()
    assert watch.num_updates == 3
