"""The guard: healthy series pass, each kind of sickness is noticed, its memory is whole."""

import numpy as np
import pytest

from mgconv.training.guard import BANDS, NUM_WARM, DivergenceError, Guard


def seen(guard, name, values, first=1):
    """The update at which a series of one quantity alarms, and what is said."""
    for update, value in enumerate(values, first):
        try:
            guard.look(update, {name: float(value)})
        except DivergenceError as error:
            return update, str(error)
    return None


HEALTHY = {
    "gap/64": np.random.default_rng(0).normal(0, 1, 3000),  # swings around 0
    "drift_rms/16": np.geomspace(1e-4, 5e-2, 500),  # rises by 1.2 % an update
    "saturated/8": np.full(200, 0.8),  # digits are mostly black
    "contrast/4": np.linspace(0.3, 1.0, 200),
    "critic_loss/32": np.geomspace(1, 1e12, 300),  # of a GAN: has no band
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_series_pass(name):
    assert seen(Guard(), name, HEALTHY[name]) is None


def test_samples_may_be_as_saturated_as_the_images():
    drawings = np.full(200, 0.93)
    assert seen(Guard(), "saturated/8", drawings) is not None
    assert seen(Guard(observed_saturated=0.93), "saturated/8", drawings) is None
    assert seen(Guard(observed_saturated=0.93), "saturated/8", [*drawings, *[1.0] * 10])[0] == 210


@pytest.mark.parametrize("factor", [1.02, 1.05, 1.2, 1.9])
def test_steady_growth_without_end_alarms_early(factor):
    growth = factor ** np.arange(1400)
    update, _ = seen(Guard(), "gap/16", [*[1.0] * NUM_WARM, *growth])
    assert growth[update - NUM_WARM - 1] < 1e9 * 1e3 ** (factor < 1.05)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("mode", ["rollback", "stop", "ignore"])
def test_what_is_not_finite_alarms_at_once(value, mode):
    update, text = seen(Guard(mode), "critic_loss/32", [1.0, value])
    assert update == 2
    assert f"critic_loss/32 = {value}, at update 2" in text


SICK = {
    "gap/64": ([1.0, -1.0] * 50, [200.0] * 3, 3),  # 200 times its level, three in a row
    "drift_rms/16": ([0.01] * 50, [0.4] * 3, 3),
    "drift_rms/4": ([], [1.5] * 3, 3),  # a step of more than half of the box: even at the start
    "saturated/8": ([0.1] * 50, [0.95] * 10, 10),
    "contrast/4": ([1.0] * 50, [0.05] * 10, 10),
}


@pytest.mark.parametrize("name", SICK)
def test_each_sickness_alarms_after_its_patience_and_not_before(name):
    healthy, sick, patience = SICK[name]
    update, text = seen(Guard(), name, [*healthy, *sick])
    assert update == len(healthy) + patience
    assert f"{name} = " in text
    assert f"{patience} updates in a row" in text
    relapse = [*healthy, *sick[:-1], *(healthy or [0.5])[:1], *sick[:-1]]
    assert seen(Guard(), name, relapse) is None
    assert seen(Guard("ignore"), name, [*healthy, *sick]) is None


def test_samples_all_alike_alarm_however_slowly_they_became_so():
    assert seen(Guard(), "contrast/4", 0.995 ** np.arange(3000))[0] < 900
    assert seen(Guard(), "contrast/4", [0.01] * 60)[0] == NUM_WARM + 10
    assert seen(Guard(), "contrast/4", [0.0] * 60) is None  # of images of one color


def test_exponential_growth_alarms_long_before_it_overflows():
    growth = 0.01 * 1.5 ** np.arange(200)
    update, _ = seen(Guard(), "drift_rms/16", [*[0.01] * NUM_WARM, *growth])
    assert growth[update - NUM_WARM - 1] < 10


def test_sick_values_do_not_move_the_level():
    guard = Guard()
    seen(guard, "gap/4", [*[1.0] * 50, 1e6, 1e6])
    assert guard.levels["gap/4"] == [50, 1.0, 2]
    assert guard.health == "gap/4 sick 2x"
    guard.look(53, {"gap/4": 1.0})
    assert guard.health == "healthy"


def test_a_guard_with_the_memory_of_another_goes_on_as_it():
    healthy, sick, _ = SICK["gap/64"]
    first, second = Guard(), Guard()
    seen(first, "gap/64", [*healthy, *sick[:2]])
    second.from_json(first.to_json())
    assert second.levels == first.levels
    assert seen(second, "gap/64", sick)[0] == 1  # the third in a row


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": [1, 2]}', '{"a": [1, null, 0]}'])
def test_what_is_no_memory_is_a_value_error(text):
    with pytest.raises(ValueError):
        Guard().from_json(text)


def test_what_is_ignored_is_still_seen():
    healthy, sick, _ = SICK["gap/64"]
    guard = Guard("ignore")
    seen(guard, "gap/64", [*healthy, *sick])
    assert guard.health == "gap/64 sick 3x"


def test_the_last_healthy_update_is_the_one_ahead_of_the_first_sick():
    guard, (healthy, sick, patience) = Guard(), SICK["saturated/8"]
    seen(guard, "saturated/8", [*healthy, *sick[:-1]])
    with pytest.raises(DivergenceError) as caught:
        guard.look(60, {"saturated/8": sick[-1]})
    assert caught.value.last_healthy == 60 - patience


def test_a_quantity_that_was_always_0_may_become_something():
    assert seen(Guard(), "gap/4", [*[0.0] * 99, *[0.001] * 99]) is None


def test_every_band_is_one_of_the_learners_quantities():
    assert BANDS.keys() <= {"gap", "contrast", "drift_rms", "saturated", "gradient_norm"}


def test_nothing_is_called_healthy_before_it_has_a_level():
    """Gaps jump in the first updates, and no band is asked yet."""
    guard = Guard()
    seen(guard, "gap/4", [1.0] * (NUM_WARM - 1))
    assert guard.health == "warming up"
    guard.look(NUM_WARM, {"gap/4": 1.0})
    assert guard.health == "healthy"
