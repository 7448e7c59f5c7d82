"""What all programs have in common: the command, --help, signals, the forwarders."""

import json
import os
import signal
import subprocess
import sys

import pytest
from absl import flags
from programs import PROGRAMS, ROOT, TINY, call, command, module_of, program, refusal

import mgconv
from mgconv.__main__ import COMMANDS, main
from mgconv.cli.shared.program import main as run_program
from mgconv.config import Config
from mgconv.evaluation.scorers.table import SCORERS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_time_ends_with_the_command_that_goes_on(number, capsys):
    """Also while images are decoded, or tables made; in learning, the loop hears it."""
    before = {sent: signal.getsignal(sent) for sent in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind `&`
    try:
        with pytest.raises(SystemExit) as ended:
            run_program(lambda values: signal.raise_signal(number), lambda values: None, "", ["x"])
    finally:
        for sent, handler in before.items():
            signal.signal(sent, handler)
    assert ended.value.code == 128 + number  # so `train && sample` does not go on
    assert "Interrupted. To resume: python -m " in capsys.readouterr().out


def test_a_run_goes_on_in_silence_when_its_reader_has_left(tmp_path):
    """`mgconv train ... | head -1`, also where errors go the same way."""
    out = tmp_path / "run"
    train = [sys.executable, "-m", "mgconv", "train", "--dataset=digits", f"--out={out}", *TINY]
    process = subprocess.Popen(train, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdout.close()
    assert process.wait(120) == 0
    assert json.loads((out / "results.json").read_text())["updates"] == 2


def test_a_model_is_loaded_without_a_line_on_the_terminal(finished):
    code = f"import mgconv; mgconv.load({str(finished)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_run_is_loaded_in_another_interpreter_and_directory(finished, tmp_path):
    code = (
        f"import mgconv, numpy; model = mgconv.load('{finished}');"
        "images = model.synthesize(numpy.zeros(16, int), seed=0);"
        "print(images.shape, images.dtype, abs(images).max() <= 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "(16, 8, 8, 1) float32 True"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_lists_every_flag_at_once_and_without_tensorflow(name):
    code = (
        f"import sys; sys.argv = ['{name}', '--help']; import runpy\n"
        f"runpy.run_module('{module_of(name)}', run_name='__main__')\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    values = flags.FlagValues()
    program(name).define_flags(values)
    assert all(f"--{flag}:" in done.stdout for flag in values)


def test_no_help_names_a_superseded_recipe(capsys):
    from mgconv.recipes import SUPERSEDED

    for name in PROGRAMS:
        call(name, "--help")
        told = capsys.readouterr().out
        assert "--" in told
        assert not [recipe for recipe in SUPERSEDED if recipe in told]


# -- the command


def python(code, *arguments):
    """What a program prints that another interpreter runs."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_the_command_lists_its_programs_and_imports_none():
    code = "import sys; from mgconv.__main__ import main; main([]); print(*sys.modules)"
    *lines, modules = python(code).splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines if line.startswith("  "))
    assert shown == {name: program(name).__doc__.split("\n")[0] for name in COMMANDS}
    heavy = {"tensorflow", "keras", "numpy", "absl", *COMMANDS.values()}
    assert heavy.isdisjoint(modules.split())


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_the_command_without_a_program_says_how_it_is_used(words, capsys):
    main(words)
    assert capsys.readouterr().out.startswith("Usage: mgconv COMMAND")


def test_the_command_has_a_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"mgconv {mgconv.__version__}\n"


@pytest.mark.parametrize(
    ("word", "said"),
    [("trian", "Did you mean train?"), ("Sample", "Did you mean sample?"), ("x", "Known: train,")],
)
def test_an_unknown_command_gets_one_line_with_the_near_names(word, said):
    done = command("mgconv", word)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f'Unknown command: "{word}". {said}')
    assert len(done.stderr.splitlines()) == 1


AS_SCRIPT = "import sys; sys.argv[0] = '/bin/mgconv'; from mgconv.__main__ import main; main()"


def test_printed_advice_can_be_typed_where_the_program_was_started(tmp_path):
    tiny = ["--dataset=digits", "--classes=3", *TINY]
    printed = python(AS_SCRIPT, "train", *tiny, f"--out={tmp_path / 'script'}")
    assert f"Try it: mgconv sample --run={tmp_path / 'script'}\n" in printed
    made = json.loads((tmp_path / "script" / "results.json").read_text())
    assert made["command"].startswith("mgconv train --dataset=digits ")
    for module, *words in (["mgconv", "train"], ["experiments.train"]):
        out = tmp_path / module
        printed = command(module, *words, *tiny, f"--out={out}").stdout
        assert f"Try it: python -m mgconv sample --run={out}\n" in printed
        made = json.loads((out / "results.json").read_text())
        assert made["command"].startswith(f"python -m {' '.join([module, *words])} --dataset=")


OLD_NAMES = {
    "train": "train", "sample": "sample", "inpaint": "inpaint", "evaluate": "evaluate",
    "sweep": "sweep", "inspect": "inspect_data", "prepare": "prepare_data",
}  # fmt: skip


@pytest.mark.parametrize(("name", "old"), OLD_NAMES.items())
def test_the_old_name_of_a_program_forwards_to_it(name, old):
    done = command(f"experiments.{old}", "--help")
    assert done.returncode == 0
    assert done.stdout == command("mgconv", name, "--help").stdout


# -- flags by group


def sections(text):
    """Names of flags under each heading of --help."""
    found, heading = {}, None
    for line in text.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            heading = line[:-1]
        elif line.startswith("  --"):
            found.setdefault(heading, []).append(line.strip(" -").split(":")[0])
    return found


def test_help_has_its_flags_by_group(capsys):
    call("sweep", "--help")
    found = sections(capsys.readouterr().out)
    assert list(found) == ["This program", "Data", "Model", "Sampling", "Optimization", "Run"]
    own = ["vary", "one_at_a_time", "against", "jobs", "backend", "cluster", "only", "scorer"]
    own += ["scorer_path", "scorer_download", "scorer_sha256"]
    assert found["This program"] == own
    members = {
        "Data": "image_dir", "Model": "width", "Sampling": "drift", "Optimization": "learning_rate",
        "Run": "seed",
    }  # fmt: skip
    assert all(name in found[heading] for heading, name in members.items())
    listed = [name for names in found.values() for name in names]
    assert sorted(listed) == sorted([*own, *Config.__dataclass_fields__])


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_help_text_is_a_phrase_that_stands_alone(name):
    values = flags.FlagValues()
    program(name).define_flags(values)
    for flag in values:
        first, *others = values[flag].help.removeprefix("<held_out|test>: ").split()
        assert first.lower() not in {"of", "or", "that", "its", "with", "instead", "after", "else"}
        assert others


@pytest.mark.parametrize("name", ["evaluate", "sweep", "exp1_synthesis"])
def test_the_help_of_a_scorer_names_every_row_of_the_table(name):
    values = flags.FlagValues()
    program(name).define_flags(values)
    flag = values["scorers" if name == "exp1_synthesis" else "scorer"]
    assert all(f"{scorer}, {row.about}" in flag.help for scorer, row in SCORERS.items())


@pytest.mark.parametrize("name", ["train", "sample", "inpaint", "inspect", "prepare"])
def test_help_needs_no_numpy(name):
    code = (
        f"import sys; from mgconv.__main__ import main; main(['{name}', '--help']);"
        "print(*sys.modules)"
    )
    assert {"numpy", "tensorflow"}.isdisjoint(python(code).splitlines()[-1].split())


# -- prepare


def test_the_projects_own_builders_are_those_in_data():
    prepare = program("prepare")
    assert {path.parent.name for path in prepare.BUILDERS.glob("*/__init__.py")} == {*prepare.OWN}


def test_an_installation_without_the_builders_says_where_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(program("prepare"), "BUILDERS", tmp_path)
    message = refusal("prepare", "--dataset=lsun_scenes/bedroom")
    assert "it lies in data/lsun_scenes of the repository" in message
