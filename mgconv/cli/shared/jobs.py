"""--jobs: trainings at once, each the command of its program with --only=ONE, in a process."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from absl import flags

from mgconv.errors import UserError, choose
from mgconv.io.clusters import CLUSTERS, HERE, check_cluster
from mgconv.io.jobs import HELD, LOG, Job, Outcome, Place, run_jobs, shares_of_cores
from mgconv.io.locks import LockedError

NAMES = ("jobs", "backend", "cluster", "only")  # of these flags


class Part(NamedTuple):
    """A training that needs no other."""

    folder: Path
    train: Callable[[], object]  # or reuses what is in the folder


def define_jobs_flags(values: flags.FlagValues, parts: str) -> None:
    """Flags that say where and how many trainings run at once.

    Args:
        values: gets the flags.
        parts: what is trained at once, for the help texts.
    """
    kinds, examples = ", ".join(CLUSTERS), " or ".join(row.example for row in CLUSTERS.values())
    flags.DEFINE_integer("jobs", None, f"number of {parts} trained at once, each in a process with "
                         "its share of the cores [1; of a cluster all that it can take]", 1,
                         flag_values=values)  # fmt: skip
    flags.DEFINE_string("backend", HERE, "place of the --jobs: processes of this machine, or a "
                        f"cluster that shares its folders: {kinds}",
                        flag_values=values)  # fmt: skip
    flags.DEFINE_string("cluster", None, f"address of that cluster, such as {examples}",
                        flag_values=values)  # fmt: skip
    flags.DEFINE_string("only", None, f"name of the one among the {parts} that is trained, without "
                        "a report: the command of a job", flag_values=values)  # fmt: skip


def asked_place(values: flags.FlagValues) -> Place | None:
    """Where jobs run; None: one after the other in this process.

    Raises:
        UserError: more jobs than cores, or a cluster that cannot be reached.
    """
    num, cluster = values["jobs"].value, values["cluster"].value
    backend = values["backend"].value or HERE
    check_cluster(backend, cluster)
    if cluster is None:
        shares_of_cores(num or 1)
    return Place(num, backend, cluster) if cluster or (num or 1) > 1 else None


def train_only(values: flags.FlagValues, parts: dict[str, Part]) -> bool:
    """Trains the part that --only names; whether it names one, and so is all that is asked.

    Where another process has it, the program ends with exit code HELD.

    Raises:
        UserError: it names no part.
    """
    if (only := values["only"].value) is None:
        return False
    part = parts[choose("name in --only", only, parts)]
    try:
        part.train()
    except LockedError as error:  # for who tries it again later
        print(error, file=sys.stderr, flush=True)
        sys.exit(HELD)
    return True


def train_at_once(
    values: flags.FlagValues, program: str, parts: dict[str, Part], folder: Path
) -> Outcome | None:
    """Trains the parts as --jobs says; None where it says one after the other.

    Args:
        values: the flags of the program, of which each job gets those that were given.
        program: its words after `python -m`.
        parts: by name.
        folder: of all of them.

    Raises:
        UserError: what `asked_place` raises, or a cluster does not answer.
    """
    place = asked_place(values)
    if place is None:
        return None
    shared = ["-m", *program.split(), *_given(values)]
    jobs = [
        Job(name, [*shared, f"--only={name}"], part.folder.absolute())
        for name, part in parts.items()
    ]
    outcome = run_jobs(jobs, place, folder)
    for name, text in outcome.failed.items():
        print(f"{name} failed: {text} See {parts[name].folder / LOG}", flush=True)
    return outcome


def in_turn(names: list[str], work: Callable[[str], None]) -> list[str]:
    """Works on each; on one that another process has, again after all others.

    Returns:
        Those that other processes still have when all else is done.

    Raises:
        LockedError: other processes have all of them.
    """
    waiting = names
    while waiting:
        taken: list[str] = []
        last: LockedError | None = None
        for name in waiting:
            try:
                work(name)
            except LockedError as error:
                taken, last = [*taken, name], error
                print(f"{name}: another process has it", flush=True)
        if last and len(taken) == len(names):
            raise last
        if len(taken) == len(waiting):
            break
        waiting = taken
    return waiting


def refuse_failed(outcome: Outcome | None) -> None:
    """Raises a UserError where jobs failed."""
    if outcome and outcome.failed:
        found = "; ".join(f"{name}: {text.rstrip('.')}" for name, text in outcome.failed.items())
        remedy = f"Each has a {LOG} in its folder. The same command tries them again."
        raise UserError("Not everything was trained", found, remedy)


def _given(values: flags.FlagValues) -> list[str]:
    """The arguments of the command line, without those of jobs."""
    texts = [values[name].serialize() for name in values if values[name].present]
    lines = [line for text in texts for line in text.split("\n") if line]  # a line a value
    return [line for line in lines if line[2:].partition("=")[0] not in NAMES]
