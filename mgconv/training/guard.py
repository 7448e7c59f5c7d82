"""What a healthy update looks like: scalars are watched by bands around their own running level."""

import dataclasses
import json
import math
from collections.abc import Mapping

from mgconv.errors import UserError

NUM_WARM = 30  # values of a quantity before the first check against its level
DECAY = 0.99  # of the running level
FOLLOWED = 2  # times the level at most is what it follows, so that it lags behind steady growth


class DivergenceError(UserError):
    """Training met a value that it should not.

    Attributes:
        seen: what was seen.
        update: of that value.
        last_healthy: the update before the first sick one.
    """

    def __init__(self, seen: str, update: int, num_sick: int = 1):
        remedy = "Give energies more --curvature_penalty, a GAN another --seed."
        super().__init__("Training diverged", f"{seen}, at update {update}", remedy)
        self.seen, self.update, self.last_healthy = seen, update, update - num_sick


@dataclasses.dataclass(frozen=True)
class Band:
    """Healthy absolute values of a quantity, as multiples of their running mean and absolutely."""

    highest_share: float | None = None
    lowest_share: float = 0.0
    lowest: float = 0.0  # once NUM_WARM values are there, not all of them 0
    highest: float = math.inf
    patience: int = 3  # so many sick values in a row are a sick run

    def holds(self, value: float, level: float) -> bool:
        """Whether a value is in the band around its running mean."""
        if level == 0:  # contrasts of images of one color
            return True
        below_top = self.highest_share is None or value <= self.highest_share * level
        return below_top and value >= max(self.lowest, self.lowest_share * level)


BANDS = {  # ours; in 80 healthy runs gaps reached 47 and drifts 9 times their level, contrasts .36
    "gap": Band(highest_share=100, highest=1e12),
    "drift_rms": Band(highest_share=30, highest=1.0),  # images live in [-1, 1]
    "saturated": Band(highest=0.9, patience=10),
    "contrast": Band(lowest_share=0.1, lowest=0.02, highest=10, patience=10),  # all alike; noise
}


class Guard:
    """Watches the scalars of every update.

    Args:
        on_divergence: "rollback" and "stop" raise by bands; "ignore" only what is not finite.
        max_rollbacks: of a run; one more divergence ends it.
        observed_saturated: share of the observed pixels that lie on a bound of [-1, 1], as many of
            a drawing do; samples may have as many.

    Attributes:
        levels: quantity/size -> [number of values, running mean, sick ones in a row].
    """

    def __init__(
        self,
        on_divergence: str = "rollback",
        max_rollbacks: int = 3,
        observed_saturated: float = 0.0,
    ):
        self.on_divergence, self.max_rollbacks = on_divergence, max_rollbacks
        band = BANDS["saturated"]
        most = max(band.highest, (1 + observed_saturated) / 2)
        self._bands = BANDS | {"saturated": dataclasses.replace(band, highest=most)}
        self.levels: dict[str, list[float]] = {}

    def look(self, update: int, scalars: Mapping[str, float]) -> None:
        """Takes note of the scalars `quantity/size` of an update.

        Raises:
            DivergenceError: one is not finite, or has been out of its band for too long.
        """
        for name, value in scalars.items():
            if not math.isfinite(value):
                raise DivergenceError(f"{name} = {value}", update)
            band = self._bands.get(name.split("/")[0])
            if band:
                self._check(name, abs(value), band, update)

    def _check(self, name, value, band, update):
        count, level, num_sick = self.levels.get(name, (0, 0.0, 0))
        if value <= band.highest and (count < NUM_WARM or band.holds(value, level)):
            count, num_sick = count + 1, 0
            followed = value if count <= NUM_WARM else min(value, FOLLOWED * level)
            level += (followed - level) * max(1 - DECAY, 1 / count)  # a plain mean at first
        else:
            num_sick += 1  # and no part of the level
        self.levels[name] = [count, level, num_sick]
        if num_sick >= band.patience and self.on_divergence != "ignore":
            seen = f"{name} = {value:.2g}, usually {level:.2g}, {num_sick} updates in a row"
            raise DivergenceError(seen, update, num_sick)

    @property
    def health(self) -> str:
        """For a person who watches: "healthy", or what has left its band; at first neither."""
        sick = [f"{name} sick {num}x" for name, (_, _, num) in self.levels.items() if num]
        warm = all(count >= NUM_WARM for count, _, _ in self.levels.values())
        return ", ".join(sick) or ("healthy" if warm else "warming up")

    def to_json(self) -> str:
        """Its memory, for a checkpoint."""
        return json.dumps(self.levels)

    def from_json(self, text: str) -> None:
        """Remembers what a checkpoint says.

        Raises:
            ValueError: it is no memory of a guard.
        """
        levels = json.loads(text)
        if not isinstance(levels, dict) or not all(map(_is_level, levels.values())):
            raise ValueError("no levels of a guard")
        self.levels = levels


def _is_level(value) -> bool:
    three = isinstance(value, list) and len(value) == 3
    return three and all(type(x) in (int, float) and math.isfinite(x) for x in value)
