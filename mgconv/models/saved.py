"""A trained model as a folder that can be handed on: weights, settings, a model card.

model.safetensors has, of each class or of the one model, the weights that sample in float16, the
means of training images that chains start from, and a batch of samples in the place of training
images. config.json is that of a run, and says the SHA-256 of the weights.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mgconv.config import Config
from mgconv.energy import EnergyNet
from mgconv.errors import UserError, brief
from mgconv.io.files import draft_of, read_json, strict, write_json
from mgconv.io.images import to_float, to_uint8
from mgconv.models.card import CARD, card
from mgconv.multigrid import MultigridLearner
from mgconv.training.records import CONFIG_FILE, FORMAT

WEIGHTS = "model.safetensors"
PLACES = ("data_dir", "image_dir", "cache_dir", "out")  # of the machine that trained it
REMEDY = "Fetch or export it again."

Tensors = dict[str, np.ndarray]


def is_saved(folder: Path) -> bool:
    """Whether a folder holds a saved model, and not the run that it came from."""
    return (folder / WEIGHTS).is_file() and not (folder / "checkpoints").exists()


def save_model(
    folder: Path,
    config: Config,
    data: dict[str, Any],
    tensors: Tensors,
    about: dict[str, Any],
) -> None:
    """Writes the folder of a saved model.

    Args:
        folder: new, or of an earlier one, which it replaces.
        config: of the run.
        data: facts of the run's data.
        tensors: of all its classes, as `tensors_of` gives them.
        about: for the model card: `training` by class, `scores`; see `card`.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    shared = {name: None if name in PLACES else getattr(config, name) for name in vars(config)}
    with draft_of(folder, WEIGHTS) as draft:
        weights = save(tensors, {"format": "mgconv"})
        (draft / WEIGHTS).write_bytes(weights)
        files = {WEIGHTS: sha256(weights).hexdigest()}
        content = {"format": FORMAT, "config": shared, "data": data, "files": files}
        write_json(draft / CONFIG_FILE, content | strict(about))
        text = card(config, data, about, len(weights))
        (draft / CARD).write_text(text, encoding="utf-8")


def tensors_of(learner: MultigridLearner, samples: np.ndarray, prefix: str = "") -> Tensors:
    """What a saved model keeps of a learner.

    Args:
        learner: with its weights.
        samples: a batch of them, float32 [B, S, S, C].
        prefix: of the names: `CLASS/` where there are several.
    """
    found = {f"{prefix}colors": learner.colors.numpy(), f"{prefix}reference": to_uint8(samples)}
    for name, variable in _variables(learner):
        found[prefix + name] = np.array(variable)
    return {name: _half(values) for name, values in found.items()}


def _half(values: np.ndarray) -> np.ndarray:
    """float32 as float16, where none of it is too large for that."""
    if values.dtype != np.float32 or np.abs(values).max() > np.finfo(np.float16).max:
        return np.ascontiguousarray(values)
    return np.ascontiguousarray(values, np.float16)


def _variables(learner: MultigridLearner) -> Iterator[tuple[str, Any]]:
    """Names and variables of the nets that sample."""
    for grid in learner.grids:
        yield from _of_net(grid.averaged or grid.net)


def _of_net(net: EnergyNet) -> Iterator[tuple[str, Any]]:
    named: Iterable[tuple[str, Any]] = [
        *((f"convolution_{i}", layer) for i, layer in enumerate(net.convolutions)),
        *((f"normalization_{i}", layer) for i, layer in enumerate(net.norms)),
        ("readout", net.scalar),
    ]
    for name, layer in named:
        for weight in layer.weights:
            yield f"{net.name}/{name}/{weight.name}", weight


def read_tensors(folder: Path) -> Tensors:
    """The tensors of a saved model, once its SHA-256 is what its config.json says.

    Raises:
        UserError: cut, changed, or another program's.
    """
    path = folder / WEIGHTS
    files = read_json(folder / CONFIG_FILE).get("files")
    expected = files.get(WEIGHTS) if isinstance(files, dict) else None
    try:
        content = path.read_bytes()
        if sha256(content).hexdigest() != expected:
            found = f"not the SHA-256 that its {CONFIG_FILE} says"
            raise UserError(f"Cannot use {path}", found, REMEDY)
        return load(content)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"Cannot use {path}", brief(error), REMEDY) from None


def put(tensors: Tensors, learner: MultigridLearner, folder: Path, prefix: str = "") -> None:
    """Gives a learner the tensors of a saved model.

    Raises:
        UserError: they are not those of its networks.
    """
    channels = learner.reference.shape[-1]
    wanted = {name: tuple(variable.shape) for name, variable in _variables(learner)}
    wanted |= {"reference": tuple(learner.reference.shape), "colors": (None, 1, 1, channels)}
    for name, shape in wanted.items():
        found = tensors.get(prefix + name)
        if found is None or not _fits(found, shape):
            what = f"{prefix}{name} is " + ("missing" if found is None else f"{list(found.shape)}")
            raise UserError(f"Cannot use {folder / WEIGHTS}", what, REMEDY)
    for name, variable in _variables(learner):
        variable.assign(tensors[prefix + name].astype(np.float32))
    learner.colors.assign(tensors[f"{prefix}colors"].astype(np.float32))
    learner.reference.assign(to_float(tensors[f"{prefix}reference"]))
    learner.update_count.assign(tf.maximum(learner.update_count, 1))


def _fits(values: np.ndarray, shape: tuple[int | None, ...]) -> bool:
    same = len(values.shape) == len(shape) and len(values) > 0
    return same and all(b in (None, a) for a, b in zip(values.shape, shape))
