"""Serve a page to play with a trained model: fill holes of pictures, walk along its chains.

mgconv demo --run=runs/photos
mgconv demo --model=digits --port=8000

The page is for a browser on this machine alone, at http://127.0.0.1:PORT, until Ctrl-C. It needs
gradio: pip install 'mgconv[demo]'. Pictures that are opened on it are removed at the end.
"""

import contextlib
import importlib.util
import threading

from absl import flags

from mgconv.cli.shared.checks import check_run
from mgconv.cli.shared.flags import define_path
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.config import Config
from mgconv.errors import UserError
from mgconv.recipes import METHODS


def define_flags(values) -> None:
    """Flags of this program."""
    define_path("run", None, "folder of a finished run", flag_values=values)
    text = "name of a released model, as mgconv.from_pretrained takes it, instead of --run"
    flags.DEFINE_string("model", None, text, flag_values=values)
    text = "port of this machine at which the page is served"
    flags.DEFINE_integer("port", 7860, text, 1, 65535, flag_values=values)


def run(values) -> None:
    """Prints the address and serves the page until it is interrupted."""
    folder, name, port = (values[name].value for name in ("run", "model", "port"))
    if (folder is None) == (name is None):
        found = "both --run and --model" if folder else "neither --run nor --model"
        raise UserError("No model, or two", found, "Give --run=DIR, or --model=digits.")
    if folder:
        _check(check_run(folder, "synthesize")[0], folder)
    if importlib.util.find_spec("gradio") is None:
        raise UserError("The page needs gradio", "not installed", "Run: pip install 'mgconv[demo]'")
    start_tensorflow()
    import mgconv
    from mgconv.reporting.demo.page import served

    system = mgconv.load(folder) if folder else mgconv.from_pretrained(name)
    _check(system.config, folder or name)
    with served(system, port) as address, contextlib.suppress(KeyboardInterrupt):
        print(f"The page is at {address}; Ctrl-C ends it", flush=True)
        threading.Event().wait()


def _check(config: Config, place: str) -> None:
    if not METHODS[config.method].is_energy_based:
        remedy = "Give a run of an energy-based method."
        raise UserError(f"The run in {place} has no chains", config.method, remedy)


if __name__ == "__main__":
    main(run, define_flags, __doc__)
