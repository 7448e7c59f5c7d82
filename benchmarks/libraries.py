"""Two PyTorch libraries of energy-based models, torchebm and ebmkit, used as their pages say.

pip install 'mgconv[peers]'   # optional, for the benchmarks of this folder alone

Samplers: both get the energy of `peers.tuned`, channels last and with its kernels normalized once,
which is the most favorable. torchebm's noise is noise_scale * sqrt(2 step_size), so its noise_scale
is chosen for the noise to be ours; it must be above 0. Both draw noise also where there is none.

Training, of all digits by one model. What a library's own example or default says is kept:

- ebmkit 0.16: all of its image example, examples/train_mnist.py, chosen by its author: network,
  step 10, noise 0.005, clipped gradients, 60 steps, replay buffer, regularization 1, Adam 1e-4,
  batch 128, averaged weights, 300 steps for samples.
- torchebm 0.8: it has no example of images, and its trainer of contrastive divergence cannot be
  constructed in 0.8.9: it passes an argument that its loss does not take. From its example of
  persistent contrastive divergence come the loop, 10 steps, buffer 8192, batch 256, Adam 1e-3; from
  its documentation the clamp to [-1, 1]. Its default of 100 steps of the whole buffer before the
  first update is left out: of images they take longer than the training. Step 0.5 and noise 0.1 are
  chosen by us, those with which networks of this kind without normalization learned digits in our
  trials: its example's noise of 0.45 a step is of points in a plane that span 3. The network is
  ebmkit's example's, without spectral normalization, and samples get 300 steps, too.
"""

import contextlib
import importlib.util
import math
import time
from collections.abc import Callable

import numpy as np

from mgconv.datasets.image_set import ImageSet
from mgconv.io.images import to_float

LEAST_NOISE = 1e-12  # of torchebm, which takes no 0
NUM_SAMPLE_STEPS = 300  # ebmkit, examples/train_mnist.py
WIDTHS = (32, 64, 128)  # the same


def installed() -> list[str]:
    """Those of the libraries that are there; says which are not."""
    modules = {"torchebm": "torchebm", "ebmkit": "ebm"}
    there = [name for name in modules if importlib.util.find_spec(modules[name])]
    for name in modules.keys() - set(there):
        print(f"{name} is not installed: left out. pip install {name}", flush=True)
    return there


def chains(names: list[str], energy, start, dynamics) -> dict[str, Callable]:
    """A chain of each library's sampler: name -> function without arguments.

    Args:
        names: of libraries that are installed.
        energy: a PyTorch module, [B, C, s, s] -> [B].
        start: of the chains, [B, C, s, s].
        dynamics: number of steps, drift and noise.
    """
    makers = {"torchebm": _torchebm_sampler, "ebmkit": _ebmkit_sampler}
    samplers = {name: makers[name](energy, dynamics.drift, dynamics.noise) for name in names}
    steps = dynamics.num_langevin_steps
    return {name: lambda sample=sample: sample(start, steps) for name, sample in samplers.items()}


def _torchebm_sampler(energy, drift: float, noise: float):
    from torchebm.samplers import LangevinDynamics

    scale = max(LEAST_NOISE, noise) / math.sqrt(2 * drift)
    model = _torchebm_model(energy)
    sampler = LangevinDynamics(model, step_size=drift, noise_scale=scale, clamp=(-1, 1))
    return lambda x, steps: sampler.sample(x=x, n_steps=steps)


def _ebmkit_sampler(energy, drift: float, noise: float):
    import ebm

    sampler = ebm.LangevinDynamics(step_size=drift, noise_scale=noise, clamp=(-1, 1))
    return lambda x, steps: sampler.sample(energy, x, steps=steps)


def _torchebm_model(energy):
    from torchebm.core import BaseModel

    class Model(BaseModel):
        def __init__(self):
            super().__init__()
            self.energy = energy

        def forward(self, x):
            return self.energy(x)

    return Model()


class OutOfTimeError(Exception):
    """Ends a library's own loop."""


class Watch:
    """Ends training once its seconds are over; counts updates."""

    def __init__(self, seconds: float):
        self.num_updates, self._end = 0, time.perf_counter() + seconds

    def __call__(self, *of):
        self.num_updates += 1
        if time.perf_counter() > self._end:
            raise OutOfTimeError


Trained = tuple[Callable[[int], np.ndarray], int]  # (number -> samples [N, S, S, C], updates)


def train_torchebm(images: ImageSet, seconds: float, seed: int) -> Trained:
    """A model by its contrastive divergence, in the loop of its example.

    Args:
        images: to train on.
        seconds: of training.
        seed: of everything.
    """
    import torch
    from torchebm.losses import ContrastiveDivergence
    from torchebm.samplers import LangevinDynamics

    torch.manual_seed(seed)
    data, watch = _as_tensor(images), Watch(seconds)
    model = _torchebm_model(_small_network(data.shape[1]))
    noise_scale = 0.1 / math.sqrt(2 * 0.5)
    sampler = LangevinDynamics(model, step_size=0.5, noise_scale=noise_scale, clamp=(-1, 1))
    loss_of = ContrastiveDivergence(
        model, sampler, k_steps=10, persistent=True, buffer_size=8192, init_steps=0
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    with contextlib.suppress(OutOfTimeError):
        while True:
            loss, _ = loss_of(data[torch.randint(len(data), (256,))])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch()
    sample = _sampled(lambda x: sampler.sample(x=x, n_steps=NUM_SAMPLE_STEPS), data)
    return sample, watch.num_updates


def train_ebmkit(images: ImageSet, seconds: float, seed: int) -> Trained:
    """A model by its trainer, as `train_torchebm`."""
    import ebm
    import torch

    torch.manual_seed(seed)
    data, watch = _as_tensor(images), Watch(seconds)
    shape = tuple(data.shape[1:])
    energy = ebm.nets.ConvEnergy(in_channels=shape[0], channels=WIDTHS)
    sampler = ebm.LangevinDynamics(
        step_size=10.0, noise_scale=0.005, grad_clip=0.01, steps=60, clamp=(-1, 1)
    )
    buffer = ebm.ReplayBuffer(10_000, shape, reinit_prob=0.05, init_fn=_uniform)
    loss = ebm.ContrastiveDivergence(sampler, buffer=buffer, energy_reg=1.0)
    trainer = ebm.Trainer(energy, loss, lr=1e-4, ema_decay=0.999, device="cpu", callback=watch)
    with contextlib.suppress(OutOfTimeError):
        trainer.fit(data, steps=10**9, batch_size=128, verbose=False)
    model = trainer.ema.module.eval()
    return _sampled(
        lambda x: sampler.sample(model, x, steps=NUM_SAMPLE_STEPS), data
    ), watch.num_updates


TRAIN = {"torchebm": train_torchebm, "ebmkit": train_ebmkit}


def _as_tensor(images: ImageSet):
    """[N, C, S, S] in [-1, 1]."""
    import torch

    return torch.from_numpy(to_float(images.pixels).transpose(0, 3, 1, 2).copy())


def _uniform(shape):
    import torch

    return torch.rand(shape) * 2 - 1


def _small_network(channels: int):
    from torch import nn

    layers: list = []
    for num_in, num_out in zip((channels, *WIDTHS), WIDTHS):
        layers += [nn.Conv2d(num_in, num_out, 3, 2, 1), nn.SiLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 1), nn.Flatten(0)]
    return nn.Sequential(*layers, *head)


def _sampled(sample: Callable, data) -> Callable[[int], np.ndarray]:
    return lambda num: sample(_uniform((num, *data.shape[1:]))).numpy().transpose(0, 2, 3, 1)
