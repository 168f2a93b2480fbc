"""The report: one file that shows a result in a browser, and works without a network."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._files import data_path
from fit3dmm.export.avatar import avatar_vertices
from fit3dmm.export.driven import share_driven
from fit3dmm.export.folder import export_face
from fit3dmm.export.mark import PhotoIdentity
from fit3dmm.export.outputs import ALL, FILES, OUTPUTS, parse_outputs
from fit3dmm.export.report import WEB
from fit3dmm.export.report_folds import fold_facts
from fit3dmm.export.report_index import is_index, write_index
from fit3dmm.export.report_sigma import sigma_facts
from fit3dmm.export.resting import from_rest
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.export.sigma import VertexSigma
from tests.browser import browse
from tests.export.faces import KnownFace, fitted, known_face


@pytest.fixture(scope="module")
def known() -> KnownFace:
    return known_face()


@pytest.fixture(scope="module")
def folder(known, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "face"
    result = fitted(known)
    # A name that would break out of the page, and a remark that people should read.
    observation = result.observation.replace(name="</script><b>&")
    quality = replace(result.quality, verdict="doubtful", remarks=("A hand hides <half>.",))
    result = result.replace(observation=observation, quality=quality)
    export_face(result, known.photo, folder, known.model, texture_px=128)
    return folder


def embedded(page: str, name: str) -> str:
    found = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', page, re.S)
    assert found is not None
    return found[1]


def test_it_holds_the_avatar_and_says_what_is_doubtful(folder, known):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert base64.b64decode(embedded(page, "glb")) == (folder / "face.glb").read_bytes()
    facts = json.loads(embedded(page, "facts"))
    assert list(facts["expression"]) == list(known.model.expression_names)
    assert facts["bounds"] == [0, 1]
    assert 0 < facts["sigma"]["low_mm"] < facts["sigma"]["high_mm"] < 10
    assert set(facts["layers"]) == {"avatar", "whole head", "shape", "depth"}
    assert "A hand hides &lt;half&gt;." in page
    assert '<span class="verdict doubtful">doubtful</span>' in page
    assert "<h1>&lt;/script&gt;&lt;b&gt;&amp;</h1>" in page
    assert "$" not in re.sub(r"<script.*?</script>", "", page, flags=re.S)


def test_the_viewer_is_told_how_sure_each_vertex_is(known):
    model = known.model
    sigma_mm = np.linspace(1.0, 3.0, model.n_vertices)
    facts = sigma_facts(VertexSigma(sigma_mm, 1.25, 2.75), model)
    assert (facts["low_mm"], facts["high_mm"]) == (1.25, 2.75)
    assert facts["meshes"].keys() == avatar_vertices(model).keys()
    for name, vertex in avatar_vertices(model).items():
        told = np.frombuffer(base64.b64decode(facts["meshes"][name]), np.uint8) / 255
        span_mm = facts["high_mm"] - facts["low_mm"]
        expected = np.clip((sigma_mm[vertex] - facts["low_mm"]) / span_mm, 0, 1)
        # A byte, and a range that is told to a hundredth of a millimetre.
        np.testing.assert_allclose(told, expected, atol=0.01)


def test_the_viewer_blends_folds_by_the_same_share(known):
    """The page's own function, on weights of targets, against `share_driven` on activations."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed here (Debian: apt-get install nodejs)")
    model, names = known.model, known.model.expression_names
    rest = torch.linspace(0.0, 0.2, len(names))
    result = fitted(known)
    told = fold_facts(result, model, np.zeros((4, 4, 3), np.uint8), rest)
    script = (WEB / "viewer.js").read_text(encoding="utf-8")
    found = re.search(r"const foldShare = .*?\n  };", script, re.S)
    assert found is not None
    generator = torch.Generator().manual_seed(0)
    shown = [rest, result.scene.coefficients.expression, *torch.rand(4, 5, generator=generator)]
    weights = [dict(zip(names, from_rest(one, rest).tolist(), strict=True)) for one in shown]
    code = (
        f"const facts = {json.dumps({'folds': told})}; let now; {found[0]}"
        f"const shares = {json.dumps(weights)}.map((one) => (now = one, foldShare()));"
        "console.log(JSON.stringify(shares));"
    )
    run = subprocess.run([node, "-e", code], capture_output=True, text=True, check=True)
    fit = result.scene.coefficients.expression
    truth = [share_driven(model, one, fit, rest) for one in shown]
    assert truth[:2] == pytest.approx([0.0, 1.0])
    # Numbers on the page have four digits.
    np.testing.assert_allclose(json.loads(run.stdout), truth, atol=2e-3)


def test_nothing_is_loaded_from_elsewhere(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r'(?:src|href)="(?!data:)', markup)
    assert "default-src 'none'" in page


def test_three_js_is_what_the_readme_says():
    script = data_path("three.min.js").read_bytes()
    assert len(script) < 800_000
    assert b"</script" not in script.lower()
    readme = data_path("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(script).hexdigest() in readme


def test_a_browser_shows_it(folder, tmp_path):
    """From disk, with every slider, and the avatar moves when it is told to."""
    pictures = []
    for name, wish in (("rest", ""), ("open", "#jawOpen=1&yaw=25")):
        picture = tmp_path / f"{name}.png"
        address = (folder / "report.html").as_uri() + wish
        flags = (f"--screenshot={picture}", "--window-size=1300,900")
        document = browse(address, tmp_path / f"profile-{name}", *flags)
        assert 'data-state="ready"' in document
        assert document.count('class="unit"') == 5
        with Image.open(picture) as shot:
            pictures.append(np.asarray(shot.convert("RGB")).astype(int))
    rest, opened = pictures
    # Where the canvas lies: warm colours of skin on grey, other ones when the jaw is open.
    middle = (slice(150, 500), slice(480, 800))
    red, green, blue = rest[middle].reshape(-1, 3).T
    assert ((red > green + 15) & (green > blue)).mean() > 0.2
    assert (np.abs(rest - opened)[middle].max(-1) > 30).mean() > 0.05


def test_the_index_lists_what_has_a_report(folder, tmp_path):
    for name in ("b me", "a&b"):
        with whole_folder(tmp_path / name, PhotoIdentity(name, "0")) as made:
            (made / "report.html").write_text("page")
            (made / "fit.json").write_text((folder / "fit.json").read_text())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "report.html").write_text("of another program")
    page = write_index(tmp_path)
    assert page == tmp_path / "index.html"
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]*)"', text) == ["a%26b/report.html", "b%20me/report.html"]
    assert "2 faces" in text
    assert "A hand hides &lt;half&gt;." in text
    # It is renewed, but somebody's own page never is.
    assert write_index(tmp_path) == page
    page.write_text("<html>mine</html>")
    assert not is_index(page)
    assert write_index(tmp_path) is None
    assert page.read_text() == "<html>mine</html>"


def test_outputs_are_chosen_by_name(known, tmp_path):
    assert parse_outputs("all") == ALL
    assert parse_outputs("json, glb,json") == ("json", "glb")
    with pytest.raises(ValueError, match="did you mean 'glb'"):
        parse_outputs("glbs")
    with pytest.raises(ValueError, match="No output is named"):
        parse_outputs(" , ")
    assert set(FILES) == {file for name in ALL for file in OUTPUTS[name]}


@pytest.mark.parametrize("name", OUTPUTS)
def test_each_output_is_written_alone(known, tmp_path, name):
    from fit3dmm.export.folder import write_face

    content = write_face(fitted(known), known.photo, tmp_path, known.model, 64, write=(name,))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(OUTPUTS[name])
    assert content["quality"]["verdict"]
