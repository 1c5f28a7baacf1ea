"""The example notebook runs as it stands, and says what its text says."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "examples" / "results.ipynb"
LIMIT_S = 300


def test_the_notebook_runs_in_an_empty_folder_and_is_kept_without_outputs(tmp_path):
    notebook = nbformat.read(NOTEBOOK, nbformat.NO_CONVERT)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(
        notebook, timeout=LIMIT_S, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    texts = [data.get("text/html", "") for data in shown]
    assert "9 runs" in texts[0]
    assert shown[1]["text/plain"] == "{}"
    assert "image/svg+xml" in shown[-1]
    assert (tmp_path / "results/notebook/report/index.html").is_file()
