"""What a notebook keeps of what its cells put out."""

import pytest

from tools.run_notebook import cleaned

nbformat = pytest.importorskip("nbformat")


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def display(**data):
    kinds = {
        "png": "image/png",
        "plain": "text/plain",
        "bar": "application/vnd.jupyter.widget-view",
    }
    return nbformat.v4.new_output("display_data", {kinds[name]: x for name, x in data.items()})


def test_a_line_with_a_path_of_this_machine_is_left_out():
    assert cleaned(stream("size 3\nin /tmp/x/run: pictures\n")).text == "size 3\n"
    assert cleaned(stream("in /content/run\n")) is None


@pytest.mark.parametrize(
    "output",
    [
        stream("a warning", name="stderr"),
        display(plain="0%|", bar="{}"),
        display(plain="'/root/x'"),
    ],
)
def test_warnings_bars_and_paths_are_left_out(output):
    assert cleaned(output) is None


def test_a_picture_is_kept_without_the_name_of_its_object():
    assert cleaned(display(png="iVBOR", plain="<Figure>")).data == {"image/png": "iVBOR"}
    assert cleaned(display(plain="0.25")).data == {"text/plain": "0.25"}
