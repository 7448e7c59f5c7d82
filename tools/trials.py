"""Trials of changed files: a copy of the tree, and pytest in forks of a warm interpreter."""

import ast
import contextlib
import importlib
import json
import math
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mgconv.errors import UserError
from mgconv.io.process import silent_stderr
from tools.changes import Change

WARM = ("tensorflow", "keras", "pytest", "sklearn.svm", "sklearn.model_selection", "scipy.ndimage")
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
OURS = ("mgconv", "tools")
PATIENCE = 10  # of CPU seconds, beside three times those without the change
NO_TESTS_LEFT = 5  # exit code of pytest
KILLED, LATE, SURVIVED = "killed", "out of time", "survived"


class Tree:
    """A copy of the working tree, in which one file is changed at a time.

    TensorFlow is imported once, and pytest runs in forks of this process, which must not compute
    before. A fork imports our modules from the copy.

    Args:
        root: of the working tree, under git.
        folder: empty; the copy is made here.
        limit: CPU seconds that the cases of one test may take; one that takes longer unchanged is
            left out.
    """

    def __init__(self, root: Path, folder: Path, limit: int):
        self._tree, self._log, self._limit = folder / "tree", folder / "log", limit
        self._seconds: dict[str, float] = {}  # of every test file, unchanged
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=root, capture_output=True, check=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (root / name).is_file():
                (self._tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, self._tree / name)
        os.environ |= dict.fromkeys(THREADS, "1")  # tensors of tests are too small for more
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        with silent_stderr():
            for name in WARM:
                importlib.import_module(name)

    def trial(self, change: Change) -> dict[str, str]:
        """Its end, and the test that noticed it."""
        for test in own_tests(self._tree, change.file):
            limit = PATIENCE + 3 * self._unchanged(test)
            with self._changed(change):
                code = self._run(test, limit)
            if code is None:
                return {"end": LATE, "by": test}
            if code:
                failed = re.search(r"^(?:FAILED|ERROR) (\S+)", self._log.read_text(), re.M)
                return {"end": KILLED, "by": failed[1] if failed else test}
        return {"end": SURVIVED}

    @contextlib.contextmanager
    def _changed(self, change: Change) -> Iterator[None]:
        path = self._tree / change.file
        before = path.read_text()
        path.write_text(change.source)
        try:
            yield
        finally:
            path.write_text(before)

    def _unchanged(self, test: str) -> float:
        """CPU seconds of a test file, which must pass without a change."""
        if test not in self._seconds:
            before = _cpu_seconds(resource.RUSAGE_CHILDREN)
            if self._run(test):
                last = self._log.read_text().strip().splitlines()[-1:]
                raise UserError(f"Without a change fails {test}", last, "Mend that first.")
            self._seconds[test] = _cpu_seconds(resource.RUSAGE_CHILDREN) - before
        return self._seconds[test]

    def _run(self, test: str, limit: float | None = None) -> int | None:
        """Exit code of pytest in a fork; None where it ran out of CPU seconds, or hangs."""
        fork = multiprocessing.get_context("fork").Process(target=self._pytest, args=[test, limit])
        fork.start()
        fork.join(limit and 100 * limit)
        if not fork.is_alive():
            ends: dict[int | None, int | None] = {-signal.SIGXCPU: None, NO_TESTS_LEFT: 0}
            return ends.get(fork.exitcode, fork.exitcode)
        os.killpg(fork.pid, signal.SIGKILL)
        fork.join()
        return None

    def _pytest(self, test: str, limit: float | None) -> None:
        """Runs a test file in the copy, in this fork; all that is printed goes to the log."""
        os.setpgrp()
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), resource.RLIM_INFINITY))
            # a file that is changed again in the same second would pass for this one
            os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = self._log.open("w")
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            del sys.modules[name]
        sys.path.insert(0, str(self._tree))
        os.chdir(self._tree)
        from pytest import main

        kept = self._log.with_name(f"{test.replace('/', '-')}.json")
        order = FastestFirst(kept, self._limit)
        code = main(["-q", "-x", "--no-header", "-p", "no:cacheprovider", test], [order])
        sys.stdout.flush()
        os._exit(code)


class FastestFirst:
    """A plugin of pytest: tests in the order of the CPU seconds that they took at the first run.

    Args:
        path: of a JSON file, where seconds by test, all its cases, are kept.
        limit: seconds; slower tests are left out.
    """

    def __init__(self, path: Path, limit: float):
        self._path, self._limit, self._is_known = path, limit, path.exists()
        self._seconds = json.loads(path.read_text()) if self._is_known else {}
        self._last = _cpu_seconds(resource.RUSAGE_SELF)

    def pytest_collection_modifyitems(self, items):
        if self._is_known:
            items.sort(key=self._seconds_of)
            items[:] = [item for item in items if self._seconds_of(item) < self._limit]

    def _seconds_of(self, item):
        return self._seconds.get(item.nodeid.split("[")[0], 0)

    def pytest_runtest_logreport(self, report):
        name, now = report.nodeid.split("[")[0], _cpu_seconds(resource.RUSAGE_SELF)
        self._seconds[name] = self._seconds.get(name, 0) + now - self._last
        self._last = now

    def pytest_sessionfinish(self):
        if not self._is_known:
            self._path.write_text(json.dumps(self._seconds))


def _cpu_seconds(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def own_tests(tree: Path, file: str) -> list[str]:
    """Test files that belong to a module, relative to the tree; the one of its name comes first.

    In the folder of tests that mirrors the module's: the file of its name or its folder's, and
    those that import it. Where there are none, those of the modules beside it that import it.
    """
    path, module = Path(file), file.removesuffix(".py").replace("/", ".")
    mirror = Path("tests", *path.parent.parts[1:])
    folder = tree / mirror if (tree / mirror).is_dir() else (tree / mirror).parent
    named = [folder / f"test_{name}.py" for name in (path.stem, mirror.name)]
    tests = [test for test in named if test.exists()]
    tests += [test for test in sorted(folder.glob("test_*.py")) if module in _imported(test)]
    if tests:
        return list(dict.fromkeys(str(test.relative_to(tree)) for test in tests))
    beside = sorted(x for x in (tree / path.parent).glob("*.py") if module in _imported(x))
    through = [test for x in beside for test in own_tests(tree, str(x.relative_to(tree)))]
    return list(dict.fromkeys(through))


def _imported(path: Path) -> set[str]:
    """Modules that a file imports, or takes names of."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
