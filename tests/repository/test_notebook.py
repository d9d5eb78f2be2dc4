"""docs/notebook.ipynb, executed in its short form as Jupyter does."""

import pytest
from places import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

pytestmark = [pytest.mark.slow, pytest.mark.network]


def test_the_notebook_runs_the_chain(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    changed = 0
    for cell in notebook.cells:
        assert not cell.get("outputs"), "it is kept without results"
        if "ITERATIONS = 0" in cell.source:
            cell.source = cell.source.replace("ITERATIONS = 0", "ITERATIONS = 8")
            changed += 1
    assert changed == 1

    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    made = tmp_path / "notebook"
    assert (made / "compare" / "index.html").is_file()
    assert (made / "clip_x4.mp4").stat().st_size > 0
    printed = "".join(
        output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    assert "experiments/notebook: finished" in printed
    assert "PSNR" in printed
    figures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) == 3, "a frame, the curve, and the comparison's sheet"
