"""The search among readings: on errors whose least is known."""

from mgconv.evaluation.reading import Part, Reading, options, search

PARTS = [Part(True, layer, "max", 4) for layer in (1, 2, 3)]
BEST = Reading("all", (2,), "mean", 0.05, True, False)


def wrong(reading):
    """Number of fields that are not the best ones."""
    return sum(a != b for a, b in zip(vars(reading).values(), vars(BEST).values()))


def test_a_search_finds_what_is_best_field_by_field():
    found = search(wrong, options(PARTS))
    assert min(found, key=found.get) == BEST
    assert found[Reading()] == 6
    assert len(found) < 25  # of 2 * 4 * 2 * 2 * 2 * 4


def test_what_is_no_better_changes_nothing():
    tried = []
    found = search(lambda reading: tried.append(reading) or 0.3, options(PARTS))
    assert min(found, key=found.get) == Reading()
    assert len(tried) == len(found)  # none twice


def test_a_second_round_finds_what_the_first_could_not():
    """The mean is better than the maximum only with noise, which is tried after it."""

    def error(reading):
        return (reading.noise != 0.1) + (reading.noise == 0.1 and reading.pool == "max") / 2

    found = search(error, options(PARTS), num_rounds=1)
    assert min(found, key=found.get) == Reading(noise=0.1)
    found = search(error, options(PARTS))
    assert min(found, key=found.get) == Reading(noise=0.1, pool="mean")
