"""How a result was made: the command, the commit, versions, the machine, the time."""

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path, PureWindowsPath
from typing import Any

import mgconv

PLACES = {"out": "OUT", "cache_dir": "CACHE"}  # placeholders by the name of a flag or setting ...
DATA = "DATA"  # ... and of all others
IN_WORDS = re.compile(r"(?:^|(?<=[\s=,;(\"'`]))/[\w.~+@-][^\s,;)\"'`]*")


def provenance() -> dict[str, Any]:
    """How this program makes its result; paths of this machine are placeholders."""
    packages = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "scikit-learn")
    return {
        "command": shlex.join(hide_paths(_arguments())),
        "commit": _commit(),
        "versions": {p: v for p in packages if (v := _version(p))},
        "device": _device(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def command_line() -> str:
    """The command of this program, with its real paths, for the person who runs it again."""
    return shlex.join(_arguments())


def hide_paths(content: Any, name: str = "") -> Any:
    """JSON content or arguments as they may be published: absolute paths become placeholders.

    `--image_dir=/home/me/lfw.zip` becomes `--image_dir=DATA/lfw.zip`, `--out=/tmp/x` `--out=OUT/x`.

    Args:
        content: of dictionaries, lists and strings.
        name: the setting that it is the value of.
    """
    if isinstance(content, dict):
        return {key: hide_paths(value, str(key)) for key, value in content.items()}
    if isinstance(content, list | tuple):
        names = [name, *(_awaiting_value(item) or name for item in content)]
        return [hide_paths(*pair) for pair in zip(content, names)]
    return _hide_in_text(content, name) if isinstance(content, str) else content


def _awaiting_value(item: Any) -> str:
    """The name of a flag whose value is the next argument."""
    is_flag = isinstance(item, str) and item.startswith("--") and "=" not in item
    return item[2:] if is_flag else ""


def _hide_in_text(text: str, name: str) -> str:
    if text.startswith("--") and "=" in text:
        flag, _, value = text.partition("=")
        return f"{flag}={_hide_in_text(value, flag[2:])}"
    if _is_path(text) and (name or " " not in text):
        return _placeholder(text, name)
    return IN_WORDS.sub(lambda match: _placeholder(match[0], name), text)


def _is_path(text: str) -> bool:
    """Whether nothing but one absolute path is there; it may have spaces."""
    if PureWindowsPath(text).drive:
        return PureWindowsPath(text).is_absolute()
    return re.fullmatch(r"/[\w.~+@-][^,\n]*", text) is not None and " /" not in text


def _placeholder(path: str, name: str) -> str:
    return f"{PLACES.get(name, DATA)}/{PureWindowsPath(path).name}"


def _arguments() -> list[str]:
    return [*started_as(), *sys.argv[1:]]


def started_as() -> list[str]:
    """The words that start this program: the script mgconv, or python -m and a module."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None and Path(sys.argv[0]).stem == "mgconv":
        return ["mgconv"]
    name = spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).name
    return ["python", "-m", name]


def _commit() -> str:
    """The commit of this package's own checkout; elsewhere, its version."""
    root = Path(mgconv.__file__).resolve().parents[1]
    settings = root / "pyproject.toml"
    if settings.is_file() and 'name = "mgconv"' in settings.read_text():
        top = _git(root, "rev-parse", "--show-toplevel")
        if top and Path(top).resolve() == root:
            return _git(root, "describe", "--always", "--dirty") or _release()
    return _release()


def _release() -> str:
    return f"mgconv {mgconv.__version__}"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # there is no git here
        return ""


def _device() -> str:
    cpu = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if "tensorflow" not in sys.modules:
        return cpu
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    gpus = tf.config.get_visible_devices("GPU")
    return ", ".join([cpu, *(details(gpu).get("device_name", gpu.name) for gpu in gpus)])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
