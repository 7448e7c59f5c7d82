"""Clusters whose workers share this machine's folders: how joblib reaches them."""

import contextlib
import importlib.util
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mgconv.errors import UserError, brief, choose

ANSWER = 10.0  # seconds in which a cluster answers
HERE = "processes"  # the backend without a cluster

Options = dict[str, Any]  # of joblib's parallel_config


@contextlib.contextmanager
def _dask(address: str) -> Iterator[Options]:
    from dask.distributed import Client

    with Client(address, timeout=ANSWER):  # what a killed worker had, others get
        yield {"backend": "dask"}


@contextlib.contextmanager
def _ray(address: str) -> Iterator[Options]:
    import ray
    from ray.util.joblib import register_ray

    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    try:
        register_ray()
        again = {"max_restarts": -1, "max_task_retries": -1}  # where a worker was killed
        yield {"backend": "ray", "ray_remote_args": {"num_cpus": 1} | again}
    finally:
        ray.shutdown()


class Cluster(NamedTuple):
    """A kind of cluster."""

    package: str
    example: str  # of an address
    connect: Callable[[str], contextlib.AbstractContextManager[Options]]


CLUSTERS = {
    "ray": Cluster("ray", "HOST:6379", _ray),
    "dask": Cluster("distributed", "tcp://HOST:8786", _dask),
}


def check_cluster(backend: str, address: str | None) -> None:
    """Raises a UserError: an unknown backend, no package for it, or no or an idle address."""
    if choose("backend", backend, (HERE, *CLUSTERS)) == HERE:
        if address is not None:
            remedy = f"Give --backend={' or '.join(CLUSTERS)}."
            raise UserError("--backend=processes has no cluster", f"--cluster={address}", remedy)
        return
    row = CLUSTERS[backend]
    if importlib.util.find_spec(row.package) is None:
        remedy = "Run: pip install 'mgconv[cluster]'"
        raise UserError(f"--backend={backend} needs a package", row.package, remedy)
    if address is None:
        remedy = f"Give its address: --cluster={row.example}."
        raise UserError(f"--backend={backend} has no cluster", "no --cluster", remedy)
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.port:  # without one it is a word that ray knows
            socket.create_connection((parts.hostname or "", parts.port), ANSWER).close()
    except (OSError, ValueError) as error:
        raise _silent(backend, address, error) from None


@contextlib.contextmanager
def connected(backend: str, address: str) -> Iterator[Options]:
    """A cluster, as joblib's parallel_config takes it.

    Raises:
        UserError: nothing answers there, or something else than such a cluster.
    """
    with contextlib.ExitStack() as stack:
        try:
            options = stack.enter_context(CLUSTERS[backend].connect(address))
        except (OSError, ValueError, RuntimeError) as error:
            raise _silent(backend, address, error) from None
        yield options


def _silent(backend: str, address: str, error: Exception) -> UserError:
    found = f"{address} ({brief(error) or type(error).__name__})"
    return UserError(f"No {backend} cluster answers at", found, "Start it, or give another.")
