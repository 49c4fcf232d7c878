"""The notebook runs from its first cell to its last on a small sweep, and draws three figures."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import analysis
from analysis.laws.synthetic import Design
from tests.analysis.report_sweeps import sweep_frame, write_sweep

TOUR = Path(analysis.__file__).with_name("tour.ipynb")


@pytest.mark.slow
def test_the_tour_draws_three_figures(tmp_path, monkeypatch: pytest.MonkeyPatch):
    design = Design(horizons=(1, 7, 31), widths=(32,), seeds=2, budget=400_000, evaluations=12)
    workdir = write_sweep(tmp_path / "sweep", sweep_frame(design))
    monkeypatch.setenv("MNIST_HORIZON_WORKDIR", str(workdir))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(TOUR, as_version=4)
    place = {"metadata": {"path": str(TOUR.parent)}}
    NotebookClient(notebook, timeout=300, resources=place).execute()
    kinds = [kind for cell in notebook.cells for kind in data_kinds(cell)]
    assert kinds.count("image/png") == 3
    printed = [output.get("text", "") for cell in notebook.cells for output in outputs(cell)]
    assert any("HorizonLaw" in text and "knee" in text for text in printed)


def data_kinds(cell: nbformat.NotebookNode) -> list[str]:
    """Kinds of data that a cell shows."""
    return [kind for output in outputs(cell) for kind in output.get("data", {})]


def outputs(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return cell.get("outputs", [])


def test_the_tour_is_kept_without_outputs():
    notebook = nbformat.read(TOUR, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
