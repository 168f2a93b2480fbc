"""The avatar in engines that others wrote: three.js in a browser, and Blender."""

import base64
import contextlib
import functools
import http.server
import io
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm.export.visemes import VISEMES
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.files import load_model
from tests.export.faces import rigged_face
from tests.export.gltf_reader import ReadAvatar
from tests.export.test_avatar_pictures import draw, holes_px, whole

BONES = ["neck", "head", "jaw", "eye_left", "eye_right"]
POSES = {
    "rest": {"activations": {}, "pitch_deg": {}},
    "targets": {
        "activations": {"jawOpen": 0.8, "mouthSmileLeft": 1.0, "eyeLookOutLeft": 1.0},
        "pitch_deg": {},
    },
    "bones": {"activations": {}, "pitch_deg": {"jaw": 20.0, "head": -15.0, "eye_left": 10.0}},
}
_PATIENCE_S = 120
_BLENDER = """
import bpy, json, sys
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=sys.argv[-1])
meshes = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys or o.parent]
armature = next(o for o in bpy.data.objects if o.type == "ARMATURE")
head = next(o for o in meshes if o.name == "head_skin_mesh")
print("<<<" + json.dumps({
    "bones": [b.name for b in armature.data.bones],
    "meshes": sorted(o.name for o in meshes),
    "keys": [k.name for k in head.data.shape_keys.key_blocks],
    "groups": sorted(g.name for g in head.vertex_groups),
}) + ">>>")
"""


@pytest.fixture(scope="module")
def glb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rigged_face(tmp_path_factory.mktemp("engines"), seed=4).path


def _three() -> Path:
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / "three/build/three.module.js").is_file():
            return Path(folder) / "three"
    pytest.skip("needs the npm package three; NODE_PATH can say where it lies")


def linked_three(folder: Path) -> None:
    """Put three.js into a folder that is served; the test is skipped where there is none."""
    (folder / "three").symlink_to(_three(), target_is_directory=True)


class _Site(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and keeps what the page sends."""

    answers: queue.Queue[bytes]

    def do_POST(self) -> None:
        self.answers.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, queue.Queue[bytes]]]:
    """An address on this machine, and what comes in there."""
    site = type("Site", (_Site,), {"answers": queue.Queue()})
    handler = functools.partial(site, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", site.answers
        finally:
            server.shutdown()
            thread.join()


def in_browser(browser: str, folder: Path, page: str) -> dict:
    """What a page of the folder sends back."""
    command = [browser, "--headless=new", "--no-sandbox", "--use-angle=swiftshader"]
    command += ["--enable-unsafe-swiftshader", f"--user-data-dir={folder / 'profile'}"]
    with served(folder) as (address, answers):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        run = subprocess.Popen([*command, f"{address}/{page}"], **silent)
        try:
            found = json.loads(answers.get(timeout=_PATIENCE_S))
        except queue.Empty:
            pytest.skip("chromium did not answer within two minutes on this machine")
        finally:
            run.terminate()
            run.wait()
    assert "error" not in found, found
    return found


@pytest.mark.parametrize("compact", [False, True])
def test_three_js_moves_it_as_the_specification_says(glb, compact, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs chromium, which runs three.js")
    linked_three(tmp_path)
    if compact:
        glb = rigged_face(tmp_path, seed=4, compact=True).path
    else:
        shutil.copy(glb, tmp_path / "face.glb")
    shutil.copy(Path(__file__).with_name("three_page.html"), tmp_path)
    (tmp_path / "poses.json").write_text(json.dumps(POSES))
    found = in_browser(browser, tmp_path, "three_page.html")
    assert found["bones"] == BONES
    assert found["visemes"].keys() == VISEMES.keys()
    read = ReadAvatar(glb)
    for name, pose in POSES.items():
        result = found["results"][name]
        turns = {bone: rotation_from_angles(x, 0.0, 0.0) for bone, x in pose["pitch_deg"].items()}
        posed = {"activations": pose["activations"], "turns": turns}
        for node, points in result["points"].items():
            expected = read.drawn(node.removesuffix("_mesh"), **posed).points_mm
            rows = np.arange(40) * len(expected) // 40
            np.testing.assert_allclose(1000 * np.array(points), expected[rows], atol=0.01)
        png = base64.b64decode(result["picture"].split(",")[1])
        theirs = torch.from_numpy(np.asarray(Image.open(io.BytesIO(png)).convert("L")) > 0)
        ours = draw(*whole(read, **posed), 0.0, 1024).coverage > 0
        # Pixels whose centre a silhouette touches may fall to either side.
        assert (theirs != ours).float().mean() < 1e-4
        assert theirs.float().mean() > 0.2
        assert holes_px(theirs) == 0


def test_blender_reads_bones_meshes_and_shape_keys(glb, tmp_path):
    blender = shutil.which("blender")
    if blender is None:
        pytest.skip("needs blender")
    script = tmp_path / "read.py"
    script.write_text(_BLENDER)
    command = [blender, "--background", "--factory-startup", "--python", script, "--", glb]
    run = subprocess.run([str(part) for part in command], capture_output=True, timeout=300)
    if b"No module named 'numpy'" in run.stdout + run.stderr:
        pytest.skip("Blender's own Python needs numpy to read glTF")
    found = json.loads(run.stdout.decode().split("<<<")[1].split(">>>")[0])
    assert found["bones"] == BONES
    assert found["meshes"] == sorted(f"{name}_mesh" for name in ReadAvatar(glb).meshes)
    assert found["keys"][1:] == list(load_model(level=0).expression_names)
    assert {"neck", "head", "jaw"} <= set(found["groups"])
