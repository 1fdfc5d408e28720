"""Notebooks tell and packages do: every notebook runs, holds no function of its own, and comes without outputs."""

import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
read: Callable[[Path, int], NotebookNode] = nbformat.read  # nbformat says no types itself
coded: Callable[..., NotebookNode] = nbformat.v4.new_code_cell
bound: Callable[..., NotebookNode] = nbformat.v4.new_notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def functions(notebook: NotebookNode) -> list[str]:
    """The first lines of cells that define something."""
    return [str(cell.source) for cell in code(notebook) if re.search(r"^\s*(def|class)\s", cell.source, re.MULTILINE)]


def leftovers(notebook: NotebookNode) -> list[str]:
    """The cells that keep an output or a count of an earlier run."""
    return [str(cell.source) for cell in code(notebook) if cell.outputs or cell.execution_count is not None]


def test_there_is_a_first_look() -> None:
    assert "first_look.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_tells_and_keeps_no_output(path: Path) -> None:
    notebook = read(path, 4)
    nbformat.validate(notebook)
    assert functions(notebook) == []
    assert leftovers(notebook) == []
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = read(path, 4)
    assert executed(notebook, tmp_path) == len(code(notebook))


def executed(notebook: NotebookNode, folder: Path) -> int:
    """Runs a notebook with the interpreter of the tests; how many cells of code ran."""
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(folder)}}).execute()
    return sum(cell.execution_count is not None for cell in code(notebook))


def test_a_planted_offender_is_caught() -> None:
    notebook = bound(cells=[coded("import os\ndef f(): ...", execution_count=1), coded("defaults = 1")])
    assert functions(notebook) == leftovers(notebook) == ["import os\ndef f(): ..."]


def test_a_notebook_that_fails_is_caught(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(bound(cells=[coded("1 / 0")]), tmp_path)
