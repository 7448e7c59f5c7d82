"""What a result must say of its making."""

import os
import platform
import shlex
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """What a result must say of its making: command, commit, versions, machine, time."""
    packages = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "scikit-learn")
    return {
        "command": command_line(),
        "commit": _commit() or "unknown",
        "versions": {p: v for p in packages if (v := _version(p))},
        "device": _device(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _device():
    cpu = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if "tensorflow" not in sys.modules:
        return cpu
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    gpus = tf.config.get_visible_devices("GPU")
    return ", ".join([cpu, *(details(gpu).get("device_name", gpu.name) for gpu in gpus)])


def _commit():
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # there is no git here
        return None


def command_line() -> str:
    """The command of this program, as it is to be run again."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    return shlex.join(
        ["python", "-m", spec.name if spec else Path(sys.argv[0]).name, *sys.argv[1:]]
    )


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
