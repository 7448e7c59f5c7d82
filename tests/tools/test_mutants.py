"""Single changes of code: which there are, which are drawn, and what a trial says of one."""

import json
import subprocess

import pytest
from conftest import refused

from mgconv.cli.shared.program import main
from mgconv.reporting.tables import Table
from tools import mutants, trials
from tools.changes import changes, draw
from tools.trials import KILLED, LATE, SURVIVED, Tree, own_tests

SOURCE = '''
"""Words: 1 < 2."""

from a import b

LIMIT: int = 3


class Thing:
    """A thing of 4."""

    def __init__(self, size: int = 5):
        self.top_size, self.low_size = size, size - 1

    def work(self, first: float, last: float) -> tuple[float, float]:
        if first < last and self.top_size:
            raise ValueError(f"{first + last}", 6)
        found = "told" + "all"
        b.call(first, last, axis=-1)
        return first, not last[1:]
'''

EXPECTED = {
    ("constant", "3", "4"), ("constant", "5", "6"), ("constant", "1", "2"),
    ("arithmetic", "size - 1", "size + 1"), ("comparison", "first < last", "first <= last"),
    ("comparison", "first < last", "first > last"),
    ("boolean", "first < last and self.top_size", "first < last or self.top_size"),
    ("condition", "first < last and self.top_size", "not (first < last and self.top_size)"),
    ("name", "self.top_size", "self.low_size"), ("sign", "-1", "1"),
    ("statement", "b.call(first, last, axis=-1)", "pass"),
    ("argument order", "b.call(first, last, axis=-1)", "b.call(last, first, axis=-1)"),
    ("keyword", "b.call(first, last, axis=-1)", "b.call(first, last)"),
    ("return", "return (first, not last[1:])", "return (not last[1:], first)"),
    ("sign", "not last[1:]", "last[1:]"), ("slice", "last[1:]", "last[:]"),
}  # fmt: skip


def test_changes_are_of_code_alone():
    """Neither of words, types and errors, nor of what cannot differ."""
    found = list(changes("thing.py", SOURCE))
    assert {(change.kind, change.before, change.after) for change in found} == EXPECTED
    for change in found:
        compile(change.source, "thing.py", "exec")
        assert change.source != SOURCE
        before, after = (text.splitlines() for text in (SOURCE, change.source))
        differing = [line for line, pair in enumerate(zip(before, after), 1) if len(set(pair)) > 1]
        assert differing == [change.line]


def test_a_change_that_comes_twice_is_told_apart():
    first, second = changes("x.py", "a = 1\nb = 1\n")
    assert (first.name, second.name) == ("x.py: 1 -> 2", "x.py: 1 -> 2 (2)")
    assert second.source == "a = 1\nb = (2)\n"


def test_a_draw_is_of_all_kinds_and_stays_where_other_code_is_edited():
    files = {f"{name}.py": SOURCE.replace("Thing", name) for name in "ab"}
    drawn = {change.name for change in draw(files, 11, seed=0)}
    assert len({change.kind for change in draw(files, 11, seed=0)}) == 11
    assert drawn == {change.name for change in draw(files, 11, seed=0)}
    assert drawn != {change.name for change in draw(files, 11, seed=1)}
    edited = files | {"b.py": f"x = 0\n{files['b.py']}"}
    assert len(drawn - {change.name for change in draw(edited, 11, seed=0)}) <= 1


@pytest.mark.parametrize(
    ("file", "first"),
    [
        ("mgconv/multigrid.py", "tests/test_multigrid.py"),
        ("mgconv/evaluation/scorers/table.py", "tests/evaluation/test_scorers.py"),
        ("mgconv/evaluation/cnn.py", "tests/evaluation/test_svm.py"),  # which imports it
        ("mgconv/baselines/gan_nets.py", "tests/baselines/test_ddgm.py"),  # the fastest
    ],
)
def test_the_own_tests_a_module_are_those_of_its_name_and_those_that_import_it(file, first):
    tests = own_tests(mutants.ROOT, file)
    assert tests[0] == first
    assert len(tests) == len(set(tests))


def test_changes_are_drawn_from_files_that_have_tests():
    for pattern in mutants.FILES:
        paths = [path for path in mutants.ROOT.glob(pattern) if path.stem != "__init__"]
        assert paths
        assert all(own_tests(mutants.ROOT, str(x.relative_to(mutants.ROOT))) for x in paths)


ADDING = """
def add(a, b):
    while a > 100:
        a = a - 1
    return a + b

def unseen(a):
    return a * 2
"""
TESTS = """
import time

from mgconv.adding import add

start = time.process_time()

def test_slow():
    while time.process_time() < start + 0.2:
        pass
    assert add(2, 3) == 5

def test_fast():
    assert add(101, 3) == 103
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tiny working tree under git, in a copy."""
    monkeypatch.setattr(trials, "WARM", ("pytest",))
    monkeypatch.setattr(trials, "PATIENCE", 1)
    root = tmp_path / "root"
    for name, text in (("mgconv/adding.py", ADDING), ("tests/test_adding.py", TESTS)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "mgconv/__init__.py").touch()
    subprocess.run(["git", "init", "-q", root], check=True)
    return Tree(root, tmp_path / "work", limit=60)


def test_a_change_is_killed_by_the_fastest_test_or_out_of_time_or_survives(tree):
    for before, end in (("a + b", KILLED), ("a > 100", LATE), ("a * 2", SURVIVED)):
        (change, *_) = (c for c in changes("mgconv/adding.py", ADDING) if c.before == before)
        if end == LATE:
            change = change._replace(source=ADDING.replace("a = a - 1", "pass"))
        by = {KILLED: "tests/test_adding.py::test_fast", LATE: "tests/test_adding.py"}.get(end)
        assert tree.trial(change) == {"end": end} | ({"by": by} if by else {})


def test_a_tree_whose_tests_fail_is_no_measure(tree):
    (change, *_) = changes("mgconv/adding.py", ADDING)
    (tree._tree / change.file).write_text(ADDING.replace("a + b", "a"))
    assert "Without a change fails tests/test_adding.py" in refused(tree.trial, change)


def test_what_nobody_can_tell_does_not_count(tmp_path, monkeypatch):
    drawn = list(changes("x.py", "a = 1\nb = 2.0\nc = 5\n"))
    ends = [{"end": KILLED, "by": "tests/test_x.py::test_a"}, {"end": SURVIVED}, {"end": SURVIVED}]
    equivalent = tmp_path / "equivalent.json"
    equivalent.write_text(json.dumps({drawn[1].name: "nothing reads b"}))
    monkeypatch.setattr(mutants, "EQUIVALENT", equivalent)
    found = mutants.report(drawn, dict(zip([change.name for change in drawn], ends)))
    files, survivors = (
        Table.from_json(panel["scorers"]["table"]["table"]).cells()[1]
        for panel in found["panels"].values()
    )
    assert files[-1] == ["all", "3", "1", "0", "1", "1", "50.0 %"]
    assert [row[-1] for row in survivors] == ["nothing reads b", "-"]


def test_a_run_resumes_and_tries_again_what_survived(tmp_path, monkeypatch):
    tried = []

    class Stub:
        def __init__(self, *_):
            """Copies nothing."""

        def trial(self, change):
            tried.append(change.name)
            if len(tried) == 3:
                raise KeyboardInterrupt
            return {"end": KILLED, "by": "a test"} if len(tried) > 1 else {"end": SURVIVED}

    def ends(*arguments):
        before = len(tried)
        main(mutants.run, mutants.define_flags, "", ["mutants", f"--out={tmp_path}", *arguments])
        trials = json.loads((tmp_path / "mutants.json").read_text())["changes"]
        return len(tried) - before, [trial["end"] for trial in trials.values()]

    monkeypatch.setattr(mutants, "Tree", Stub)
    monkeypatch.setattr(mutants, "FILES", ("mgconv/chains.py",))
    with pytest.raises(SystemExit):
        ends("--num=4")
    assert "command" in json.loads((tmp_path / "mutants.json").read_text())
    assert ends("--num=4") == (2, [SURVIVED, KILLED, KILLED, KILLED])
    assert ends("--num=4") == (0, [SURVIVED, KILLED, KILLED, KILLED])
    assert ends("--num=4", "--again") == (1, 4 * [KILLED])
