"""The command `mgconv`: a program a word, imported when it is asked for."""

import importlib
import sys
from pathlib import Path

from mgconv import __version__
from mgconv.errors import UserError, choose

COMMANDS = {
    "train": "mgconv.cli.train",
    "sample": "mgconv.cli.sample",
    "inpaint": "mgconv.cli.inpaint",
    "features": "mgconv.cli.features",
    "evaluate": "mgconv.cli.evaluate",
    "score": "mgconv.cli.score",
    "export": "mgconv.cli.export",
    "demo": "mgconv.cli.demo",
    "sweep": "mgconv.cli.sweep",
    "inspect": "mgconv.cli.inspect",
    "prepare": "mgconv.cli.prepare",
}
HELP = ("help", "-h", "-help", "--help")


def main(argv: list[str] | None = None) -> None:
    """Runs the program that the first word names.

    Args:
        argv: that word and the program's flags; else those of this process.
    """
    words = sys.argv[1:] if argv is None else argv
    if not words or words[0] in HELP:
        print(listing())
    elif words[0] == "--version":
        print(f"mgconv {__version__}")
    else:
        _run(*words)


def _run(name: str, *arguments: str) -> None:
    try:
        program = importlib.import_module(COMMANDS[choose("command", name, COMMANDS)])
    except UserError as error:
        sys.exit(str(error))
    from mgconv.cli.shared.program import main as run_program

    command = [f"mgconv {name}", *arguments]
    run_program(program.run, program.define_flags, program.__doc__, command)


def listing() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<9} {_about(module)}" for name, module in COMMANDS.items()]
    more = "mgconv COMMAND --help lists its flags; mgconv --version prints the version."
    return "\n".join(["Usage: mgconv COMMAND --FLAG=VALUE ...", "", *lines, "", more])


def _about(module: str) -> str:
    """The first line of a module's docstring, read from its file: an import takes longer."""
    file = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    with file.open(encoding="utf-8") as lines:
        return lines.readline().strip().removeprefix('"""')


if __name__ == "__main__":
    main()
