"""Write a trained model for others: weights with a model card, or its sampler for other programs.

mgconv export --run=runs/digits-each-multigrid-modern-0 --scores=scores.json
mgconv export --run=runs/photos --format=stablehlo --out=photos-sampler

safetensors is a folder that mgconv.load and mgconv.from_pretrained read, and that the Hugging Face
Hub takes as it is; it holds no training image. stablehlo (for JAX and whatever runs XLA) and
savedmodel (for TensorFlow) are a program each, of a run with a model a class one a class: colors
[B, 1, 1, C] and a seed in, samples of every grid out; sampler.json says their shapes.
"""

from pathlib import Path
from typing import Any

from absl import flags

from mgconv.cli.shared.checks import check_run
from mgconv.cli.shared.flags import define_path
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError
from mgconv.recipes import METHODS

FORMATS = ("safetensors", "stablehlo", "savedmodel")


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    flags.DEFINE_enum("format", FORMATS[0], FORMATS, "what is written", flag_values=values)
    define_path("scores", None, "JSON file of mgconv evaluate --out, for the model card",
                flag_values=values)  # fmt: skip
    define_path("out", None, "new folder of the result; else RUN/export/FORMAT", flag_values=values)


def run(values) -> None:
    """Writes the folder and says which."""
    folder, kind, scores = (values[name].value for name in ("run", "format", "scores"))
    config = check_run(folder, "synthesize")[0]
    if not METHODS[config.method].is_energy_based:
        remedy = "Give a run of an energy-based method."
        raise UserError(f"The run in {folder} cannot be exported", config.method, remedy)
    about: dict[str, Any] = {"scores": _table(scores)} if scores else {}
    out = Path(values["out"].value or Path(folder) / "export" / kind)
    start_tensorflow()
    import mgconv

    model = mgconv.load(folder)
    if kind == "safetensors":
        model.save(out, _training(Path(folder), model) | about)
        print(f"{out}: mgconv.from_pretrained({str(out)!r}) loads it")
        return
    from mgconv.models.compiled import write_program

    for label in model.labels or [None]:
        place = out if label is None else out / model.class_names[label]
        write_program(model if label is None else model.of_class(label), place, kind)
        print(place, flush=True)


def _table(path: str) -> str:
    """The scores that `mgconv evaluate` wrote, as Markdown."""
    from mgconv.io.files import read_json
    from mgconv.reporting.tables import Table

    content = read_json(Path(path))
    try:
        table = Table.from_json(content["table"]).markdown()
        return f"{table}\n\nScorer: {content['scorer']}."
    except (KeyError, TypeError, AttributeError):
        remedy = "Give what mgconv evaluate --run=DIR --out=FILE wrote."
        raise UserError("No scores are in", path, remedy) from None


def _training(folder: Path, model) -> dict[str, Any]:
    """What the run says of its training, by class; of a saved model, what it says itself."""
    from mgconv.io.files import read_json

    names = [model.class_names[label] for label in model.labels]
    places = {name: folder / name for name in names} or {"all": folder}
    found = {name: place / "results.json" for name, place in places.items()}
    known = {name: read_json(path) for name, path in found.items() if path.exists()}
    saved = read_json(folder / "config.json")
    return {"training": known or saved.get("training", {}), "scores": saved.get("scores")}


if __name__ == "__main__":
    main(run, define_flags, __doc__)
