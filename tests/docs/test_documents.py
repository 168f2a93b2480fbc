"""What the documents show is run, so that it can't go stale."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import fit3dmm

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def _snippets(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.M | re.S)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a photo and its results, as the documents speak of them."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copy(ROOT / "data/examples/astronaut.png", folder / "portrait.jpg")
    with Image.open(ROOT / "data/examples/astronaut.png") as portrait:
        portrait.convert("RGB").save(folder / "front.jpg")
        portrait.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "side.jpg")
    result = fit3dmm.fit(folder / "portrait.jpg", config="landmarks")
    fit3dmm.export_face(result, folder / "portrait.jpg", folder / "results/portrait")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if _snippets(page)])
def test_python_in_the_documents_runs(page, desk, monkeypatch, capsys):
    """A page's pieces are run one after another, as a reader would type them."""
    monkeypatch.chdir(desk)
    derivatives = torch.is_grad_enabled()
    snippets, names = _snippets(page), {"__name__": "document"}
    try:
        for snippet in snippets:
            exec(compile(snippet, page, "exec"), names)
    finally:
        torch.set_grad_enabled(derivatives)
    assert bool(capsys.readouterr().out.strip()) == any("print(" in text for text in snippets)


def test_the_notebook_runs(desk, monkeypatch, capsys):
    """Its cells one after another, as in a notebook, but without one: it is plain Python."""
    notebook = json.loads((ROOT / "docs/first_face.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    monkeypatch.chdir(desk)
    names: dict = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        # What it showed to its author is no part of it.
        assert not cell.get("outputs")
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "first_face.ipynb", "exec"), names)
    assert names["face"].quality.verdict == "good"
    assert (desk / "smiling.glb").stat().st_size > 1_000_000
    assert "eyes" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
