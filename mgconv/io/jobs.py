"""Commands at once, each a process of its own: on the cores of this machine, or on a cluster.

The folders of the jobs are the record: what ended there is not run again, by nobody.
"""

import contextlib
import os
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mgconv.errors import UserError, brief
from mgconv.io.clusters import connected
from mgconv.io.commands import POLL, alive, last_line, run_command
from mgconv.io.files import read_json, write_json

LOG, DONE = "job.log", "job.json"  # in a job's folder: what it printed; the command that ended
HELD = 75  # exit code of a command whose folder another process holds: EX_TEMPFAIL of sysexits.h
AGAIN = 5.0  # seconds until a command whose first process outlived its worker is tried again
ENDED = "# exit code"
TAKEN, LOST = "another process has it", "the cluster lost it"


@dataclass(frozen=True)
class Job:
    """A command that does one part of the work."""

    name: str
    arguments: list[str]  # of Python
    folder: Path  # of its results, its log and its record
    cwd: Path = field(default_factory=Path.cwd)

    @property
    def is_done(self) -> bool:
        """Whether this very command ended without an error before."""
        with contextlib.suppress(UserError):  # no record, or a damaged one
            return read_json(self.folder / DONE).get("command") == self.arguments
        return False


class Place(NamedTuple):
    """Where jobs run."""

    num: int | None  # at once; None: as many as the cluster takes
    backend: str  # a row of CLUSTERS, or HERE
    cluster: str | None  # its address


class Outcome(NamedTuple):
    """What came of jobs that are not done."""

    failed: dict[str, str]  # name -> why, mostly the last line that it printed
    held: list[str]  # what other processes have


def run_jobs(jobs: list[Job], place: Place, folder: Path) -> Outcome:
    """Runs what is not done. The error of one loses no other.

    What other processes have, and what a cluster lost, is tried again as long as others get done.

    Args:
        jobs: of different names.
        place: where they run.
        folder: shared by all places.

    Raises:
        UserError: no such cluster, or the folder cannot be written.
        KeyboardInterrupt: the jobs of this machine have saved and ended, too.
    """
    said = {job.name: "" for job in jobs}
    waiting = [job for job in jobs if not job.is_done]
    with _runner(place) as run, alive(folder) as mark:
        while waiting:
            said |= dict(zip([job.name for job in waiting], run(waiting, mark)))
            again = [job for job in waiting if said[job.name].startswith((TAKEN, LOST))]
            if len(again) == len(waiting):
                break
            waiting = again
    held = [name for name, text in said.items() if text == TAKEN]
    failed = {name: text for name, text in said.items() if text and name not in held}
    return Outcome(failed, held)


@contextlib.contextmanager
def _runner(place: Place) -> Iterator[Callable[[list[Job], Path], list[str]]]:
    """From jobs and the mark of `alive` to what `run_job` says of each."""
    if place.cluster is None:
        shares = shares_of_cores(place.num or 1)
        yield lambda jobs, mark: at_once(run_job, [(job, mark) for job in jobs], shares)
        return
    with connected(place.backend, place.cluster) as options:
        try:
            yield lambda jobs, mark: _on_cluster(jobs, mark, place.num, options)
        except BaseException:
            time.sleep(4 * POLL)  # workers still see that the mark is gone
            raise


def _on_cluster(jobs: list[Job], mark: Path, num: int | None, options: dict) -> list[str]:
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(n_jobs=num or -1, **options):
        parallel = Parallel(batch_size=1, pre_dispatch=num or "all")
        try:
            return parallel(delayed(run_job)(job, mark) for job in jobs)
        except Exception as error:  # of the cluster: the records say what is done
            lost = f"{LOST}: {brief(error) or type(error).__name__}"
            return ["" if job.is_done else lost for job in jobs]


def run_job(job: Job, mark: Path, cores: list[int] | None = None) -> str:
    """Runs one job on a machine that shares its folder.

    Args:
        job: to be done.
        mark: of `alive`.
        cores: as many threads TensorFlow takes; else what a cluster's worker says by
            OMP_NUM_THREADS.

    Returns:
        "" when it is done, TAKEN, or why it failed.
    """
    log, threads = job.folder / LOG, len(cores or []) or int(os.environ.get("OMP_NUM_THREADS", 0))
    print(f"{job.name}: begins, {log}", flush=True)
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        orphaned = _is_open(log, mark)
        while (code := run_command(job.arguments, log, mark, threads, job.cwd)) == HELD:
            if not orphaned:
                break
            time.sleep(AGAIN)
        said = "" if code == 0 else TAKEN if code == HELD else last_line(log)
        with log.open("a") as file:
            file.write(f"{ENDED} {code}\n")
        if code == 0:
            write_json(job.folder / DONE, {"command": job.arguments})
    except (OSError, UserError) as error:
        said = brief(error)
    print(f"{job.name}: {said or 'done'}", flush=True)
    return said


def _is_open(log: Path, mark: Path) -> bool:
    """Whether a log has the beginning of a job of this mark, whose worker did not see the end."""
    _, begun, rest = (log.read_text(errors="replace") if log.exists() else "").rpartition(mark.name)
    return bool(begun) and ENDED not in rest


def at_once(work: Callable, tasks: Iterable[tuple], shares: list[list[int]]) -> list[Any]:
    """Does all tasks, as many at once as there are shares of the cores.

    Args:
        work: takes the arguments of a task and a free share. The thread that calls it is pinned to
            that, and so are the processes that it starts.
        tasks: arguments.
        shares: cores of each.
    """
    from joblib import Parallel, delayed

    free: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for share in shares:
        free.put(share)

    def on_free_cores(task):
        cores = free.get()
        try:
            with _pinned(cores):
                return work(*task, cores)
        finally:
            free.put(cores)

    parallel = Parallel(len(shares), backend="threading", batch_size=1, pre_dispatch="all")
    return parallel(delayed(on_free_cores)(task) for task in tasks)


@contextlib.contextmanager
def _pinned(cores: list[int]) -> Iterator[None]:
    """Keeps this thread, and what it starts, on some cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def shares_of_cores(num: int) -> list[list[int]]:
    """The cores that this process may use, in equal parts.

    Raises:
        UserError: there are fewer.
    """
    cores = list(range(os.cpu_count() or 1))
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0))
    if num > len(cores):
        raise UserError("More --jobs than cores", f"{num} > {len(cores)}", "Give fewer.")
    share = len(cores) // num
    return [cores[i * share : (i + 1) * share] for i in range(num)]
