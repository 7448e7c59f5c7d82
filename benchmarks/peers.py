"""Langevin chains beside PyTorch's: the same weights, start, batch and number of steps.

pip install 'mgconv[peers]'   # optional, for this program alone
python -m benchmarks.peers --recipes=paper,released,modern --width=1

`plain` is what a port writes: backward() through everything, also to the weights. `tuned` is by
hand: channels last, weights without gradients, autograd.grad to the image alone, kernels normalized
once; `compiled` is that by torch.compile. `torchebm` and `ebmkit` are the samplers of these
libraries on the tuned network (libraries.py). Noise is drawn in all of them, where there is some.
"""

import importlib.util

from benchmarks import libraries, turns
from benchmarks.langevin import about, chain, configs_of, define_recipes, make_net, start
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.energy import BLACK
from mgconv.errors import UserError
from mgconv.layers import EPSILON, GAIN, NormalizedKernels


def define_flags(values) -> None:
    """Flags of this program."""
    define_recipes(values)


def run(values) -> None:
    """Prints a table: our seconds a Langevin step, and what multiple of it PyTorch takes."""
    if importlib.util.find_spec("torch") is None:
        raise UserError("Nothing to compare with", "torch is not installed", "pip install torch.")
    configs, known = configs_of(values), libraries.installed()
    peers = ["plain", "tuned", "compiled", *known]
    start_tensorflow()
    rows, kept = [], {}
    for config in configs:
        for size in config.learned_sizes:
            name = f"{config.recipe}, grid {size}"
            tasks = {"mgconv": chain(config, size, 3)} | torch_chains(config, size, known)
            kept[name] = seconds = turns.measure(tasks, values["rounds"].value)
            own = [x / config.num_langevin_steps for x in seconds["mgconv"]]
            over = [turns.ratios(seconds[peer], seconds["mgconv"]) for peer in peers]
            rows.append([name, turns.spread(own), *(turns.spread(ratios) for ratios in over)])
            print(rows[-1], flush=True)
    turns.report(
        values["out"].value,
        "peers",
        f"Chains, {about(configs[0])}; PyTorch's time over mgconv's",
        ["chain", "mgconv: seconds a Langevin step", *peers],
        rows,
        seconds=kept,
    )


def torch_chains(config, size: int, known: list[str]) -> dict:
    """The chain of one grid as PyTorch runs it: name -> function without arguments.

    Args:
        config: of the recipe.
        size: of the grid.
        known: libraries that are installed.
    """
    import torch

    net, x0 = make_net(config, size, 3), start(config, size, 3)
    plain, tuned = (torch_energy(net, config.activation, folds) for folds in (False, True))
    image = torch.from_numpy(x0.numpy().transpose(0, 3, 1, 2).copy())
    tuned.requires_grad_(False).to(memory_format=torch.channels_last)
    fast = image.to(memory_format=torch.channels_last)
    torch.compiler.reset()  # else it counts the nets of earlier rows, and at eight compiles no more
    compiled, dynamics = torch.compile(tuned, dynamic=False), config.training_dynamics(size)
    return {
        "plain": lambda: _plain(plain, image, dynamics),
        "tuned": lambda: _tuned(tuned, fast, dynamics),
        "compiled": lambda: _tuned(compiled, fast, dynamics),
        **libraries.chains(known, tuned, fast, dynamics),
    }


def torch_energy(net, activation: str, folds: bool = False):
    """The PyTorch module with the weights of an EnergyNet; images are [B, C, s, s].

    Args:
        net: the EnergyNet.
        activation: as in Config.
        folds: kernels are normalized here, not in every call.
    """
    import torch
    from torch.nn import functional

    activations = {
        "relu": functional.relu, "silu": functional.silu,
        "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    }  # fmt: skip

    def parameter(weight, *order):
        x = weight.numpy()
        return torch.nn.Parameter(torch.from_numpy(x.transpose(order).copy() if order else x))

    def normalized(kernel, gamma):
        kernel = kernel - kernel.mean(dim=(1, 2, 3), keepdim=True)
        return functional.normalize(kernel, dim=(1, 2, 3)) * (GAIN * gamma)[:, None, None, None]

    class Energy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kernels = [layer.kernel.value.read_value() for layer in net.convolutions]
            if folds:
                kernels = [norm.fold(x, None)[0] for norm, x in zip(net.norms, kernels)]
            gammas = [norm.gamma for norm in net.norms if hasattr(norm, "gamma")]
            betas = [norm.beta for norm in net.norms if hasattr(norm, "beta")]
            self.normalizes_kernels = not folds and isinstance(net.norms[0], NormalizedKernels)
            self.kernels = torch.nn.ParameterList(parameter(x, 3, 2, 0, 1) for x in kernels)
            self.biases = torch.nn.ParameterList(parameter(x.bias) for x in net.convolutions)
            self.gammas = torch.nn.ParameterList(map(parameter, gammas))
            self.betas = torch.nn.ParameterList(map(parameter, betas))
            self.top, self.top_bias = parameter(net.scalar.kernel), parameter(net.scalar.bias)
            self.activate = activations[activation]

        def forward(self, image):
            x = image
            for index, conv in enumerate(net.spec.convs):
                kernel = self.kernels[index]
                if self.normalizes_kernels:
                    kernel = normalized(kernel, self.gammas[index])
                x = functional.pad(x, same_padding(x.shape[-1], conv.kernel, conv.stride))
                x = functional.conv2d(x, kernel, self.biases[index], conv.stride)
                if len(self.betas):
                    gamma, beta = self.gammas[index], self.betas[index]
                    x = functional.batch_norm(x, None, None, gamma, beta, True, eps=EPSILON)
                x = self.activate(x)
            flat = x.permute(0, 2, 3, 1).reshape(len(x), -1)
            energy = -(flat @ self.top + self.top_bias)[:, 0]
            if net.reference_sigma is None:
                return energy
            distance = ((image - BLACK) ** 2).sum(dim=(1, 2, 3))
            return energy + distance / (2 * net.reference_sigma**2)

    return Energy()


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int, int, int]:
    """TensorFlow's "same" of a square map: the odd pixel is below and to the right."""
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return (total // 2, total - total // 2) * 2


def _plain(energy, image, dynamics):
    import torch

    x = image.clone().requires_grad_(True)
    for _ in range(dynamics.num_langevin_steps):
        x.grad = None
        energy.zero_grad()
        energy(x).sum().backward()
        with torch.no_grad():
            x -= dynamics.drift * x.grad
            if dynamics.noise:
                x += dynamics.noise * torch.randn_like(x)
            x.clamp_(-1, 1)
    return x


def _tuned(energy, image, dynamics):
    import torch

    x = image.clone()
    for _ in range(dynamics.num_langevin_steps):
        x.requires_grad_(True)
        [gradient] = torch.autograd.grad(energy(x).sum(), x)
        x = x.detach()
        x.sub_(gradient, alpha=dynamics.drift)
        if dynamics.noise:
            x.add_(torch.randn_like(x), alpha=dynamics.noise)
        x.clamp_(-1, 1)
    return x


if __name__ == "__main__":
    main(run, define_flags, __doc__)
