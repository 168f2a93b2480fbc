"""Forked workers compute, whatever their parent has done before; and nothing warns on the way."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

# A process of its own: forking pytest's would copy whatever the other tests have left, and only a
# new process shows the warnings that come once.
_SCRIPT = """
import multiprocessing, sys, warnings
import numpy as np
import torch
import fit3dmm
from fit3dmm._threads import torch_threads
from fit3dmm.geometry.closest_point import closest_points, index_surface

def work(queue, model):
    place = closest_points(index_surface(*MESH), POINTS).distance.sum()
    again = fit3dmm.load_model()
    with torch_threads(2):  # a fork keeps to one thread
        total = float((again.mean_mm @ again.mean_mm.T).sum())
    result = fit3dmm.fit(sys.argv[1], model, "landmarks")
    queue.put((place, total, torch.get_num_threads(), result.quality.verdict))

# Python 3.12 and later warn of every fork of a process with threads, which is what is tried here.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
MESH = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30).reshape(10, 3)
POINTS = np.random.default_rng(1).normal(size=(2000, 3))
torch.set_num_threads(2)
here = closest_points(index_surface(*MESH), POINTS).distance.sum()
model = fit3dmm.load_model()
total = float((model.mean_mm @ model.mean_mm.T).sum())
fit3dmm.fit(sys.argv[1], model, "landmarks")
fork = multiprocessing.get_context("fork")
queue = fork.Queue()
child = fork.Process(target=work, args=(queue, model), daemon=True)
child.start()
place, total_there, threads, verdict = queue.get(timeout=90)
assert place == here
assert abs(total_there / total - 1) < 1e-4
assert threads == 1
assert torch.get_num_threads() == 2
print("forked:", verdict)
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system forks no processes"
)
def test_a_forked_worker_fits_after_its_parent_has(tmp_path):
    photo = Path(__file__).parents[1] / "data" / "examples" / "astronaut.png"
    (tmp_path / "script.py").write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "script.py", photo],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "forked: good\n"
    assert "Warning" not in done.stderr
