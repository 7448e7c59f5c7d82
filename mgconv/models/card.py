"""The model card of a saved model."""

from typing import Any

import mgconv
from mgconv.config import Config
from mgconv.datasets.table import DATASETS
from mgconv.recipes import TITLES

CARD = "README.md"

CARD_TEXT = """---
license: apache-2.0
library_name: mgconv
pipeline_tag: unconditional-image-generation
tags: [energy-based-model, langevin-dynamics, tensorflow]
---

# {title} of {dataset}

An energy-based ConvNet a grid that draws images of {size} x {size} pixels by Langevin chains from
coarse to fine grids ({grids}). The code is mgconv, of *Learning Generative ConvNets via Multi-grid
Modeling and Sampling* (Gao, Lu, Zhou, Zhu, Wu; CVPR 2018).

```python
import mgconv

model = mgconv.from_pretrained("PLACE")  # this folder, or hf://OWNER/NAME
images = model.synthesize(16, seed=0)  # float32 [16, {size}, {size}, {channels}] in [-1, 1]
```

## Data

{about_data}: {num_images} training images of the classes {classes}. License of the data: {license}.

The file of {megabytes:.2f} MB holds no training image. It has the weights that sample, in float16;
a batch of samples that fills up others; and the mean colors of training images, up to 10,000 of
each model, where chains start.

## Training

{training}

## Scores

{scores}

## Limits

- Chains of other lengths than in training ({steps} Langevin steps a grid) do not stay images.
- Another seed of training gives a model of other quality; the scores are one seed's.
- The model knows its training set and nothing else; it is for study.
"""

NOT_SCORED = "Not scored."


def card(config: Config, data: dict[str, Any], about: dict[str, Any], num_bytes: int) -> str:
    """The text of the card.

    Args:
        config: of the run.
        data: facts of the run's data.
        about: `training`, results.json by class; `scores`, a Markdown table. Each may be missing.
        num_bytes: of the weights.
    """
    row = DATASETS.get(config.dataset)
    own = row is None or config.dataset == "image_dir"
    return CARD_TEXT.format(
        title=TITLES[config.method],
        dataset="a person's own images" if own else config.dataset,
        size=config.size,
        channels=data["channels"],
        grids=", ".join(map(str, config.grids)),
        about_data="Images of a person's own" if own or row is None else row.about,
        license="the owner's" if own or row is None else row.license,
        num_images=data["num_images"],
        classes=", ".join(data["class_names"]),
        megabytes=num_bytes / 1e6,
        training=_training(config, about.get("training") or {}),
        scores=about.get("scores") or NOT_SCORED,
        steps=config.num_langevin_steps,
    )


def _training(config: Config, results: dict[str, dict[str, Any]]) -> str:
    lines = [f"- recipe `{config.recipe}`, scale `{config.scale}`, seed {config.seed}"]
    if results:
        some = next(iter(results.values()))
        minutes = sum(result.get("seconds", 0) for result in results.values()) / 60
        updates = sorted({result.get("updates", 0) for result in results.values()})
        rollbacks = sum(result.get("rollbacks", 0) for result in results.values())
        count = f"{updates[0]} to {updates[-1]}" if len(updates) > 1 else f"{updates[0]}"
        each = f" a class, {len(results)} classes" if len(results) > 1 else ""
        versions = ", ".join(f"{k} {v}" for k, v in some.get("versions", {}).items())
        lines += [
            f"- command: `{some.get('command', 'not known')}`",
            f"- {count} updates{each}; {minutes:.1f} minutes in all; {rollbacks} rollbacks",
            f"- machine: {some.get('device', 'not known')}; {versions}; commit "
            f"{some.get('commit', 'not known')}",
        ]
    return "\n".join([*lines, f"- exported by mgconv {mgconv.__version__}"])
