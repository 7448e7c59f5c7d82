"""The main() of every program. No TensorFlow before flags are parsed."""

import contextlib
import dataclasses
import importlib
import logging
import re
import signal
import sys
import textwrap
from collections.abc import Callable

from absl import flags

from mgconv.config import GROUPS, Config
from mgconv.errors import UserError
from mgconv.io.process import Patient, importing_tensorflow, stop_at_once

HELP = {"-h", "-help", "--help", "-?", "--helpshort", "--helpfull"}
OWN = "this program"  # the heading of flags that are no setting of Config
GROUP_OF = {field.name: field.metadata["group"] for field in dataclasses.fields(Config)}


def start_tensorflow(devices: str | None = None) -> None:
    """Imports TensorFlow without the lines that it writes to stderr whatever the log level is.

    A warning about many traces is silenced, too: each learner of a comparison has its own.

    Args:
        devices: of Config, that TensorFlow is set up for before its first use; None: its default.
    """
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with importing_tensorflow():
        importlib.import_module("mgconv.training.devices").set_up(devices or Config.devices)


def main(
    program: Callable[[flags.FlagValues], None],
    define_flags: Callable[[flags.FlagValues], None],
    about: str | None,
    argv: list[str] | None = None,
) -> None:
    """Parses flags and runs `program`; a UserError is one line on stderr and exit code 1.

    SIGTERM and SIGINT end it with the command that resumes, whatever it is at, and with exit code
    143 and 130. Output that nobody reads any more does not end it.

    Departure from absl's app: its --help leaves out the flags of imported modules and exits 1.
    """
    argv = sys.argv if argv is None else argv
    values = flags.FlagValues()
    define_flags(values)
    if HELP & set(argv[1:]):
        print(_help(about or "", values))
        return
    with contextlib.suppress(ValueError):  # only the main thread hears signals
        signal.signal(signal.SIGTERM, stop_at_once)  # before training and after it
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            signal.signal(signal.SIGINT, stop_at_once)
    out, error = Patient(sys.stdout), Patient(sys.stderr)
    try:
        extra = values(argv)[1:]
        if extra:
            raise UserError("Unexpected argument", f'"{extra[0]}"', "Flags are --name=value.")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            program(values)
    except flags.Error as error:
        sys.exit(f"{' '.join(str(error).split())}. --help lists all flags.")
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt as stop:
        from mgconv.training.provenance import command_line

        command = re.sub("--resume[= ]never", "--resume=auto", command_line())
        print(f"{str(stop) or 'Interrupted'}. To resume: {command}", flush=True)
        sys.exit(getattr(stop, "exit_code", 130))


def command(words: str) -> str:
    """`mgconv WORDS` as a person can type it where this process was started."""
    from mgconv.training.provenance import started_as

    return f"{'mgconv' if started_as() == ['mgconv'] else 'python -m mgconv'} {words}"


def _help(about: str, values: flags.FlagValues) -> str:
    """What the program does, and its flags by group."""
    lines = [about.strip(), "", "Flags, each --name=value; true or false also --name, --noname."]
    for group in (OWN, *GROUPS):
        names = [name for name in values if GROUP_OF.get(name, OWN) == group]
        if names:
            lines += ["", f"{group.capitalize()}:", *(_flag(values[name]) for name in names)]
    return "\n".join(lines)


def _flag(flag: flags.Flag) -> str:
    default = flag.default
    if isinstance(default, bool | list):
        default = ",".join(default) if isinstance(default, list) else str(default).lower()
    shown = "" if default in (None, "") else f" [default {default}]"
    text = " ".join(f"--{flag.name}: {flag.help}{shown}".split())
    return textwrap.fill(
        text, 100, initial_indent="  ", subsequent_indent="      ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
