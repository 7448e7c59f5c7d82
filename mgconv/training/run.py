"""One run, one folder: its settings, its metrics, its pictures."""

import contextlib
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mgconv.config import Config
from mgconv.errors import UserError, brief
from mgconv.io.files import read_json, replace_file, strict, write_json
from mgconv.io.images import enlarge, save_png, tile, to_uint8
from mgconv.training.records import (
    CONFIG_FILE,
    FORMAT,
    is_a,
    read_config,
    read_events,
    read_lines,
)

NUM_SHOWN = 16  # images a strip of a preview


class Run:
    """The folder of a run, opened to begin or to resume.

    Args:
        folder: where everything of the run lies.
        config: what the run computes.
        data: facts of the training data, a part of the run's identity.

    Raises:
        UserError: the folder holds another run, or --resume does not allow what it holds.
    """

    def __init__(self, folder: str | os.PathLike, config: Config, data: dict[str, Any]):
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self._writer, self._config, self._data = None, config, data
        if self._is_begun():
            self._check_same(config, data)
        elif config.resume == "must":
            raise UserError(
                "Nothing to resume in", folder, "Choose another --out or --resume=auto."
            )

    def begin(self) -> None:
        """Writes down what is trained; the folder must be held against other processes.

        Raises:
            UserError: one of those began another run in the meantime.
        """
        if self._is_begun():
            self._check_same(self._config, self._data)
        content = {"config": dataclasses.asdict(self._config), "data": self._data}
        write_json(self.folder / CONFIG_FILE, {"format": FORMAT} | content)

    def _is_begun(self):
        try:
            return (self.folder / CONFIG_FILE).exists()
        except OSError as error:
            remedy = "Give a folder that can be read and written."
            raise UserError(f"Cannot read {self.folder}", error.strerror, remedy) from None

    def _check_same(self, config, data):
        if config.resume == "never":
            remedy = "Choose another --out, or --resume=auto to resume."
            raise UserError("--resume=never, but there is a run in", self.folder, remedy)
        old_config, old_data = read_config(self.folder)
        old, new = old_config.identity() | old_data, config.identity() | data
        new.pop("skipped", None)  # what is left out tells no more than the images that are there
        differing = [f"{k} {old.get(k)} -> {new[k]}" for k in new if old.get(k) != new[k]]
        if differing:
            remedy = "Choose another --out, or give the same settings to resume."
            raise UserError(f"Another run is in {self.folder}", "; ".join(differing), remedy)

    def log(self, update: int, scalars: dict[str, float]) -> None:
        """A line of metrics.jsonl and the TensorBoard scalars, `quantity/size`."""
        import tensorflow as tf

        self._append({"update": update} | scalars)
        with self._tensorboard(update):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def event(self, update: int, text: str) -> None:
        """Something that a person should know: on the terminal, in metrics.jsonl, TensorBoard."""
        import tensorflow as tf

        print(f"{self.folder}: {text}", flush=True)
        if text not in read_events(self.folder / "metrics.jsonl"):  # a resumed run comes by again
            self._append({"update": update, "event": text})
        with self._tensorboard(update):
            tf.summary.text("events", text)

    def _append(self, line):
        try:
            with (self.folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(strict(line)) + "\n")
        except OSError as error:
            raise self._unwritable(error.strerror) from None

    def _unwritable(self, found):
        remedy = "Free space and run the same command again."
        return UserError(f"Cannot write in {self.folder}", found, remedy)

    def rewind(self, update: int) -> None:
        """Forgets metrics logged after `update`: they will be logged again. Events have been."""
        lines = [
            json.dumps(line) + "\n"
            for line in read_lines(self.folder / "metrics.jsonl")
            if "event" in line or line["update"] <= update
        ]
        replace_file(self.folder / "metrics.jsonl", "".join(lines))

    def preview(self, update: int, shown: dict[str, Any]) -> None:
        """Writes samples/UPDATE.png, a strip a grid and kind; the same and more to TensorBoard.

        Args:
            update: of the run.
            shown: by `kind/size`, images [B, s, s, C] in [-1, 1], and values [B] for histograms.
        """
        import tensorflow as tf

        images = {name: to_uint8(x[:NUM_SHOWN]) for name, x in shown.items() if len(x.shape) == 4}
        top = max(batch.shape[1] for batch in images.values())
        shown_size = top * -(-32 // top)  # a multiple of every grid's, so that strips are as wide
        large = {name: enlarge(batch, shown_size) for name, batch in images.items()}
        path = self.folder / "samples" / f"{update:06d}.png"
        save_png(path, np.concatenate([tile(batch, columns=NUM_SHOWN) for batch in large.values()]))
        with self._tensorboard(update):
            for name, batch in large.items():
                tf.summary.image(name, tile(batch, columns=4)[np.newaxis])  # its cards are narrow
            for name, values in shown.items():
                if name not in images:
                    tf.summary.histogram(name, values)

    def seconds_per_update(self, measured: float | None = None) -> float | None:
        """What --minutes is divided by: kept from the first time it was measured."""
        path = self.folder / "budget.json"
        if measured is not None and not path.exists():
            write_json(path, {"seconds_per_update": measured})
        if not path.exists():
            return None
        rate = read_json(path).get("seconds_per_update")
        if rate is None or not (is_a(rate, float) and rate > 0):
            raise UserError(f"Cannot use {path}", f"seconds_per_update {rate}", "Delete it.")
        return rate

    def close(self) -> None:
        """Flushes TensorBoard's events."""
        if self._writer is not None:
            import tensorflow as tf

            with contextlib.suppress(tf.errors.OpError):  # a full disk has been reported
                self._writer.close()
            self._writer = None

    @contextlib.contextmanager
    def _tensorboard(self, update):
        """Where TensorBoard's summaries of an update go."""
        import tensorflow as tf

        try:
            if self._writer is None:
                from tensorboard.plugins.hparams import summary_v2  # `api` imports tf.keras

                self._writer = tf.summary.create_file_writer(str(self.folder / "tensorboard"))
                with self._writer.as_default(step=0):  # a row of the HParams page
                    summary_v2.hparams(self._settings_as_text(), trial_id=str(self.folder))
            with self._writer.as_default(step=update):
                yield
        except tf.errors.OpError as error:
            raise self._unwritable(brief(error)) from None

    def _settings_as_text(self) -> dict[str, float | str]:
        """What HParams can show: numbers, else words."""
        return {
            name: value if isinstance(value, int | float) else str(value)
            for name, value in self._config.identity().items()
        }
