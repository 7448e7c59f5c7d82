"""What a run survives: kill -9, damaged files, a full disk, signals, a sick batch.

python -m benchmarks.faults --num_kills=40

Every trial ends with the same weights as a run that nothing happened to, bit for bit, or says in
one line what is wrong. The table goes to runs/faults/faults.json.
"""

import filecmp
import functools
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.turns import report
from mgconv.cli.shared.program import main, start_tensorflow
from mgconv.errors import UserError
from mgconv.training.records import read_events, read_lines, read_metrics

SETTINGS = [
    "--dataset=digits", "--classes=3", "--scale=quick", "--width=0.1", "--batch_size=16",
    "--num_langevin_steps=5", "--log_every=1", "--checkpoint_every=4", "--preview_every=100000",
]  # fmt: skip
PATIENCE = 300  # seconds until a process that does not end is a failure


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_integer("num_kills", 40, "kill -9", 1, flag_values=values)
    flags.DEFINE_integer("num_updates", 2000, "of the run", 50, flag_values=values)
    flags.DEFINE_integer("seed", 0, "of the moments", 0, flag_values=values)
    flags.DEFINE_string("out", "runs/faults", "folder, emptied first", flag_values=values)


def run(values) -> None:
    """Does all trials; prints and writes the table."""
    folder, num_kills = Path(values["out"].value), values["num_kills"].value
    if num_kills > values["num_updates"].value - 2:
        raise UserError("--num_kills is too large", num_kills, "Give more --num_updates.")
    if folder.exists() and any(folder.iterdir()) and not (folder / "whole").exists():
        raise UserError("--out holds other files, it would be emptied", folder, "Give another.")
    shutil.rmtree(folder, ignore_errors=True)
    start_tensorflow()
    trials = Trials(folder, values["num_updates"].value, random.Random(values["seed"].value))
    rows = [
        trials.killed(num_kills),
        trials.stop_requested(),
        trials.full_disk(),
        *trials.truncated(),
        trials.sick_batch(),
    ]
    header = ["fault", "times", "what was seen", "the end"]
    cells = [[str(cell) for cell in row] for row in rows]
    report(str(folder), "faults", "What a run survives", header, cells)
    if any(row[-1] != SAME and row[-1] != FINITE for row in rows):
        raise UserError("Something was lost", f"see {folder}/faults.json", "This is a bug.")


SAME, FINITE = "the same, bit for bit", "all updates, all finite"


class Trials:
    """Runs beside one that nothing happens to."""

    def __init__(self, folder: Path, num_updates: int, rng: random.Random):
        self._folder, self._num, self._rng = folder, num_updates, rng
        self._half = folder / "half"
        problem = self._finish(folder / "whole") or self._finish(self._half, num_updates // 2)
        if problem:
            raise UserError("Already the run that nothing happens to fails", problem, "Mend that.")
        self._expected = saved(folder / "whole")
        self._last = sorted((self._half / "checkpoints" / f"{num_updates // 2:06d}").iterdir())

    def killed(self, num: int) -> tuple:
        """SIGKILL at random moments, every second one while a checkpoint is being written."""
        run, writing, num_killed = self._folder / "killed", set(), 0
        moments = sorted(self._rng.sample(range(1, self._num - 1), num))
        for index, moment in enumerate(moments):
            process = self._start(run)
            _wait_until(process, lambda m=moment: _last_update(run) >= m)
            if index % 2:
                _wait_until(process, lambda: any(_drafts(run)))
            else:
                time.sleep(self._rng.uniform(0, 0.02))
            process.kill()
            num_killed += process.wait() == -signal.SIGKILL  # else it had ended by itself
            writing |= set(_drafts(run))
        return (
            "kill -9",
            num_killed,
            f"{len(writing)} of them left a half-written checkpoint",
            self._end(run),
        )

    def stop_requested(self) -> tuple:
        """SIGTERM in the middle."""
        run = self._folder / "told"
        process = self._start(run)
        _wait_until(process, lambda: _last_update(run) >= self._num // 2)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)
        said = next((line for line in out.splitlines() if "To resume" in line), "nothing")
        return "SIGTERM", 1, f"exit code {process.returncode}, {said[:60]}...", self._end(run)

    def full_disk(self) -> tuple:
        """In the middle no file may be as large as a checkpoint: like a full disk."""
        import resource  # not on Windows, where tests import the rest

        run = shutil.copytree(self._half, self._folder / "full")
        (run / "metrics.jsonl").write_text("")  # a long log is larger than a checkpoint
        most = max(file.stat().st_size for file in self._last) - 1
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
        process = self._start(run, limit, "--log_every=100000")  # and so stays small
        _, errors = process.communicate(timeout=PATIENCE)
        said = errors.strip().splitlines()[-1].replace(f"{run}/", "")
        seen = f"exit code {process.returncode}, {said[:90]}"
        kept = [run / file.relative_to(self._half) for file in self._last]
        whole = all(map(functools.partial(filecmp.cmp, shallow=False), self._last, kept))
        end = self._end(run) if whole else "the checkpoint before is not whole"
        return "no room for a checkpoint", 1, seen, end

    def truncated(self) -> list[tuple]:
        """Each file of the last checkpoint cut to half."""
        rows = []
        for file in self._last:
            run = shutil.copytree(self._half, self._folder / f"cut-{file.name}")
            copy = run / file.relative_to(self._half)
            copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
            process = self._start(run)
            out, _ = process.communicate(timeout=PATIENCE)
            lines = [x.replace(str(run), "") for x in out.splitlines() if "checkpoints" in x]
            rows.append((f"{file.name} cut short", 1, (lines or ["-"])[0][:90], self._end(run)))
        return rows

    def sick_batch(self) -> tuple:
        """NaN in one batch, once: a rollback, then on to the end."""
        run = self._folder / "sick"
        code = f"import benchmarks.faults as f; f.learn_with_a_sick_batch({str(run)!r}, 150)"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
        finite = all(None not in line.values() for line in read_metrics(run / "metrics.jsonl"))
        whole = _last_update(run) == 150 and finite
        [said] = read_events(run / "metrics.jsonl")
        return "NaN in one batch", 1, said, FINITE if whole else "not whole"

    def _command(self, run, num=None):
        budget = [f"--num_updates={num or self._num}", f"--out={run}"]
        return [sys.executable, "-m", "experiments.train", *SETTINGS, *budget]

    def _start(self, run, before=None, *flags):
        return subprocess.Popen(
            [*self._command(run), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )

    def _finish(self, run, num=None):
        command = self._command(run, num)
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]

    def _end(self, run):
        """How a run ends that is started once more."""
        problem = self._finish(run)
        if problem:
            return problem
        found = saved(run)
        differing = [n for n, x in self._expected.items() if not np.array_equal(x, found.get(n))]
        return f"{len(differing)} tensors differ" if differing else SAME


def learn_with_a_sick_batch(folder: str, num_updates: int) -> None:
    """Trains on digits; the images of batch 100 are NaN the first time they are seen."""
    start_tensorflow()
    from mgconv.cli.shared.flags import config_for
    from mgconv.datasets.table import load_split
    from mgconv.training import fit as learning

    whole, sick = learning.batches, [99]

    def batches(*args, **kwargs):
        first = args[3]
        for index, batch in enumerate(whole(*args, **kwargs), first):
            yield batch * float("nan") if index in sick and not sick.remove(index) else batch

    learning.batches = batches
    config = config_for(scale="quick", classes="3", width=0.1, batch_size=16, log_every=1,
                        num_updates=num_updates, checkpoint_every=25)  # fmt: skip
    learning.learn(config, load_split(config), folder)


def _last_update(run: Path) -> int:
    """The last update in a log that another process is writing."""
    lines = read_lines(run / "metrics.jsonl")
    return lines[-1]["update"] if lines else 0


def _drafts(run: Path) -> Iterator[Path]:
    """Checkpoints that are being written, or were when the process was killed."""
    return (run / "checkpoints").glob(".*.draft")


def _wait_until(process, reached) -> None:
    end = time.monotonic() + PATIENCE
    while not reached() and process.poll() is None:
        if time.monotonic() > end:
            raise UserError("A run does not come along", f"{PATIENCE} s", "Look at its folder.")
        time.sleep(0.001)


def saved(run: Path) -> dict:
    """All tensors that the last checkpoint holds, but the clock and the number of saves."""
    import tensorflow as tf

    from mgconv.training.checkpoints import latest_checkpoint

    reader = tf.train.load_checkpoint(latest_checkpoint(run / "checkpoints"))
    left_out = ("seconds/", "save_counter/", "_CHECKPOINTABLE_OBJECT_GRAPH")
    names = (n for n in reader.get_variable_to_shape_map() if not n.startswith(left_out))
    return {name: reader.get_tensor(name) for name in names}


if __name__ == "__main__":
    main(run, define_flags, __doc__)
