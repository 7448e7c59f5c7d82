"""How a process imports what is large."""

import gc
import sys

import pytest

from mgconv.io.process import importing_tensorflow


@pytest.fixture
def thawed():
    yield
    gc.unfreeze()


def test_garbage_is_not_looked_for_among_what_a_first_import_makes(monkeypatch, thawed):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(ImportError), importing_tensorflow():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() and gc.get_freeze_count()


def test_a_program_that_has_imported_it_collects_as_before(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    with importing_tensorflow():
        assert gc.isenabled()
    assert gc.isenabled() and not gc.get_freeze_count()
