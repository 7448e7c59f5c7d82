"""Mistakes of the user's: near names."""

import pytest
from conftest import refused

from mgconv.errors import choose

KNOWN = ("digits", "cifar10", "celeb_a", "Temple")


@pytest.mark.parametrize(
    ("name", "near"),
    [("CIFAR10", "cifar10"), ("CelebA", "celeb_a"), ("Digit", "digits"), ("temple", "Temple")],
)
def test_a_near_name_is_found_whatever_its_case(name, near):
    told = refused(lambda: choose("data set", name, KNOWN))
    assert told == f'Unknown data set: "{name}". Did you mean {near}?'


def test_what_is_near_nothing_gets_all_names():
    told = refused(lambda: choose("data set", "xyz", KNOWN))
    assert told.endswith("Known: digits, cifar10, celeb_a, Temple.")


def test_a_hidden_name_can_be_chosen_and_is_not_shown():
    assert choose("recipe", "old", ["new"], ["old"]) == "old"
    assert "old" not in refused(lambda: choose("recipe", "odl", ["new"], ["old"])).split(".")[1]
