"""Execute the notebook of examples/ and keep its pictures and what it prints, but no local path.

python -m tools.run_notebook    # pip install -e '.[examples]' first
"""

import re
import tempfile
from pathlib import Path

from absl import flags

from mgconv.cli.shared.program import main
from mgconv.io.files import replace_file

NOTEBOOK = Path(__file__).parents[1] / "examples/quickstart.ipynb"
KEPT = ("image/png", "text/plain")
LOCAL = re.compile(r"(?<![\w.])/(?:work|root|home|tmp|content)/")


def define_flags(values) -> None:
    """Flags of this program."""
    flags.DEFINE_string("notebook", str(NOTEBOOK), "the notebook", flag_values=values)


def run(values) -> None:
    """Executes it in an empty folder and writes it back."""
    import nbformat

    path = Path(values["notebook"].value)
    notebook = nbformat.read(path, as_version=4)
    execute(notebook)
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(cleaned, cell.outputs) if output]
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    replace_file(path, nbformat.writes(notebook) + "\n")


def execute(notebook) -> None:
    """Runs all cells in an empty folder; an error in one is raised."""
    import nbclient

    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, timeout=1800, resources=place).execute()


def cleaned(output):
    """An output without what only its machine knows; None where nothing is left."""
    if output.output_type == "stream":
        lines = [line for line in output.text.splitlines(True) if not LOCAL.search(line)]
        output.text = "".join(lines)
        return output if output.name == "stdout" and lines else None
    data = {kind: text for kind, text in output.get("data", {}).items() if kind in KEPT}
    if "image/png" in data:
        data.pop("text/plain", None)
    if not data or LOCAL.search(str(data.get("text/plain", ""))) or _is_bar(output):
        return None
    output.data = data
    return output


def _is_bar(output) -> bool:
    """Whether it is a progress bar."""
    return any("widget" in kind for kind in output.get("data", {}))


if __name__ == "__main__":
    main(run, define_flags, __doc__)
